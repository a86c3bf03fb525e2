package machine

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"reprise/internal/activation"
	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/account"
	"reprise/internal/layer"
)

// ActivationFile is where the layer of effect "activation" keeps its data.
const ActivationFile = "usr/lib/reprise/activation.json"

const skelDir = "etc/skel"

// activationSpec is what activation.json depends on besides the accounts.
type activationSpec struct {
	Wants    []account.Want    `json:"wants"`
	HostName string            `json:"hostName"`
	People   []string          `json:"people"` // users whose home is made
	Linger   []string          `json:"linger"`
	SSH      bool              `json:"ssh"`            // the machine needs a host key
	Networks bool              `json:"networks"`       // NetworkManager keeps connections
	Skel     map[string]string `json:"skel,omitempty"` // of the configuration: path to text
}

// activationData writes activation.json: what stage 1 makes on the disk
// before systemd starts.
func activationData(s *scripts) effect.Effect {
	return effect.Effect{
		Name:   "activation",
		Needed: always,
		Reads: func(cfg *config.Config, c *effect.Contents) []string {
			return append(accountReads(cfg, c), c.Below(skelDir)...)
		},
		Spec: func(cfg *config.Config, c *effect.Contents) (any, error) {
			wants, err := accountWants(s, cfg, c)
			if err != nil {
				return nil, err
			}
			spec := activationSpec{Wants: wants, HostName: cfg.Networking.HostName, People: []string{}, Linger: []string{},
				SSH: has(c, sshdConfig), Networks: cfg.Networking.NetworkManager.Enable, Skel: map[string]string{}}
			for _, name := range slices.Sorted(maps.Keys(cfg.Users.Users)) {
				u := cfg.Users.Users[name]
				if u.IsNormalUser {
					spec.People = append(spec.People, name)
				}
				if u.Linger {
					spec.Linger = append(spec.Linger, name)
				}
			}
			for name, f := range cfg.Environment.Etc {
				if p, ok := strings.CutPrefix("etc/"+name, skelDir+"/"); ok {
					spec.Skel[p] = f.Text
				}
			}
			return spec, nil
		},
		Build: buildActivation,
	}
}

func buildActivation(_ context.Context, e *effect.Env) error {
	var spec activationSpec
	if err := e.Decode(&spec); err != nil {
		return err
	}
	db, err := database(e, spec.Wants)
	if err != nil {
		return err
	}
	skel, err := skeleton(e, spec.Skel)
	if err != nil {
		return err
	}
	data, err := activationOf(db, spec, skel).Encode()
	if err != nil {
		return err
	}
	out := e.Output()
	out.File(ActivationFile, 0o644, 0, 0, data)
	return out.Close()
}

// activationOf is the data for accounts.
func activationOf(db *account.Database, spec activationSpec, skel []activation.Item) *activation.Data {
	shadow, _ := db.GroupID("shadow")
	mail, _ := db.GroupID("mail")
	d := &activation.Data{Version: activation.Version, HostName: spec.HostName, ShadowGroup: shadow, Skel: skel}
	for _, u := range db.Users {
		a := activation.User{Name: u.Name, UID: u.UID, GID: u.GID, Home: u.Home, Shell: u.Shell}
		if slices.Contains(spec.People, u.Name) {
			a.HomeMode = 0o700
		}
		d.Users = append(d.Users, a)
	}
	slices.SortFunc(d.Users, func(a, b activation.User) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range db.Groups {
		d.Groups = append(d.Groups, activation.Group{Name: g.Name, GID: g.GID, Members: g.Members})
	}
	slices.SortFunc(d.Groups, func(a, b activation.Group) int { return strings.Compare(a.Name, b.Name) })
	dir := func(path string, mode uint32) activation.Item {
		return activation.Item{Path: path, Kind: activation.Dir, Mode: mode}
	}
	link := func(path, target string) activation.Item {
		return activation.Item{Path: path, Kind: activation.Link, Target: target}
	}
	const state = activation.StateDir
	d.State = []activation.Item{
		dir("home", 0o755), dir("root", 0o700), dir("srv", 0o755),
		dir("var", 0o755), dir("var/cache", 0o755), dir("var/lib", 0o755), dir("var/lib/reprise", 0o755), dir(state, 0o755),
		dir(path.Dir(activation.Configuration), 0o755), dir(activation.Configuration, 0o755),
		dir("var/lib/systemd", 0o755), dir("var/lib/systemd/linger", 0o755),
		dir("var/local", 0o755), dir("var/log", 0o755),
		{Path: "var/mail", Kind: activation.Dir, Mode: 0o2775, GID: mail},
		dir("var/opt", 0o755), dir("var/spool", 0o755), dir("var/tmp", 0o1777),
		link("var/lock", "/run/lock"), link("var/run", "/run"), link("var/spool/mail", "../mail"),
		{Path: "var/.updated", Kind: activation.File, Mode: 0o644, Content: "# /var needs no work after a new generation. Written by reprise.\nTIMESTAMP_NSEC=1000000000\n"},
		{Path: activation.MachineID, Kind: activation.ID, Mode: 0o444},
		// hwclock(8) and timedatectl rewrite it; these are its first three lines.
		{Path: state + "/adjtime", Kind: activation.File, Mode: 0o644, Content: "0.0 0 0.0\n0\nUTC\n"},
	}
	if spec.SSH {
		d.State = append(d.State, dir(state+"/ssh", 0o755),
			activation.Item{Path: activation.HostKey, Kind: activation.SSHKey, Mode: 0o600, Content: "root@" + spec.HostName})
	}
	if spec.Networks {
		d.State = append(d.State, dir(path.Dir(activation.Connections), 0o755), dir(activation.Connections, 0o700))
	}
	for _, name := range spec.Linger {
		d.State = append(d.State, activation.Item{Path: "var/lib/systemd/linger/" + name, Kind: activation.File, Mode: 0o644})
	}
	return d
}

// skeleton reads /etc/skel of packages and the configuration's additions.
func skeleton(e *effect.Env, own map[string]string) ([]activation.Item, error) {
	items := map[string]activation.Item{}
	for i := range e.Packages.Packages {
		p := &e.Packages.Packages[i]
		for _, entry := range p.Below(skelDir) {
			name := strings.TrimPrefix(entry.Path, skelDir+"/")
			it := activation.Item{Path: name, Mode: entry.Mode}
			switch entry.Kind {
			case layer.Dir:
				it.Kind = activation.Dir
			case layer.Symlink:
				it.Kind, it.Target, it.Mode = activation.Link, entry.Target, 0
			default:
				data, err := e.ReadFile(p.Name, entry.Path)
				if err != nil {
					return nil, err
				}
				it.Kind, it.Content = activation.File, string(data)
			}
			items[name] = it
		}
	}
	for name, text := range own {
		items[name] = activation.Item{Path: name, Kind: activation.File, Mode: 0o644, Content: text}
		for dir := parentOf(name); dir != ""; dir = parentOf(dir) {
			if _, ok := items[dir]; !ok {
				items[dir] = activation.Item{Path: dir, Kind: activation.Dir, Mode: 0o755}
			}
		}
	}
	var all []activation.Item
	for _, name := range slices.Sorted(maps.Keys(items)) {
		all = append(all, items[name])
	}
	return all, nil
}

func parentOf(p string) string {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)]
}
