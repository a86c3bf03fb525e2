package machine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/activation"
	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/account"
	"reprise/internal/effect/machine/script"
	"reprise/internal/layer"
)

const sysusersDir = "usr/lib/sysusers.d"

// accountsSpec is what /etc/passwd and the owners and modes depend on besides
// base-passwd and sysusers.d.
type accountsSpec struct {
	Wants []account.Want `json:"wants"`
	Modes []script.Mode  `json:"modes,omitempty"`
}

// accounts writes /etc/passwd, group, subuid and subgid, the links to shadow
// and gshadow in the machine's state, and the owners and modes that scripts
// set (setuid and setgid programs above all), which need the ids.
func accounts(s *scripts) effect.Effect {
	return effect.Effect{
		Name:      "accounts",
		Needed:    always,
		Overrides: true,
		Reads:     accountReads,
		Spec: func(cfg *config.Config, c *effect.Contents) (any, error) {
			wants, err := accountWants(s, cfg, c)
			if err != nil {
				return nil, err
			}
			modes, err := modes(s, c)
			return accountsSpec{wants, modes}, err
		},
		Build: buildAccounts,
	}
}

func accountReads(_ *config.Config, c *effect.Contents) []string {
	return append(c.Below(sysusersDir), "base-passwd")
}

// accountWants collects what scripts and the configuration ask for.
func accountWants(s *scripts, cfg *config.Config, c *effect.Contents) ([]account.Want, error) {
	calls, _, err := s.read(c)
	if err != nil {
		return nil, err
	}
	wants := []account.Want{}
	for _, pkg := range slices.Sorted(maps.Keys(calls)) {
		more, err := account.FromCalls(pkg, calls[pkg])
		if err != nil {
			return nil, err
		}
		wants = append(wants, more...)
	}
	return append(wants, configWants(cfg)...), nil
}

// configWants are the people and groups of the configuration. Every normal
// user has a group of its own name and number.
func configWants(cfg *config.Config) []account.Want {
	var wants []account.Want
	id := func(n int) *uint32 { v := uint32(n); return &v }
	for _, name := range slices.Sorted(maps.Keys(cfg.Users.Groups)) {
		g := cfg.Users.Groups[name]
		w := account.Want{From: account.Configuration, Kind: account.WantGroup, Name: name}
		if g.GID != nil {
			w.ID = id(*g.GID)
		}
		if _, isUser := cfg.Users.Users[name]; w.ID != nil && !isUser {
			wants = append(wants, w)
		}
		for _, m := range g.Members {
			wants = append(wants, account.Want{From: account.Configuration, Kind: account.WantMember, Name: m, Group: name})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Users.Users)) {
		u := cfg.Users.Users[name]
		wants = append(wants, account.Want{From: account.Configuration, Kind: account.WantUser, Name: name, ID: id(u.UID),
			Gecos: u.Description, Home: u.Home, Shell: u.Shell})
		for _, g := range u.ExtraGroups {
			wants = append(wants, account.Want{From: account.Configuration, Kind: account.WantMember, Name: name, Group: g})
		}
	}
	return wants
}

// database resolves accounts from the inputs of a job and its wants.
func database(e *effect.Env, wants []account.Want) (*account.Database, error) {
	passwd, err := e.ReadFile("base-passwd", "usr/share/base-passwd/passwd.master")
	if err != nil {
		return nil, err
	}
	group, err := e.ReadFile("base-passwd", "usr/share/base-passwd/group.master")
	if err != nil {
		return nil, err
	}
	files, err := readAll(e, sysusersDir, ".conf")
	if err != nil {
		return nil, err
	}
	var all []account.Want
	for _, name := range slices.Sorted(maps.Keys(files)) {
		more, err := account.ParseSysusers(name, files[name])
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return account.Resolve(passwd, group, append(all, wants...))
}

func buildAccounts(_ context.Context, e *effect.Env) error {
	var spec accountsSpec
	if err := e.Decode(&spec); err != nil {
		return err
	}
	db, err := database(e, spec.Wants)
	if err != nil {
		return err
	}
	out := e.Output()
	out.Text("etc/passwd", db.Passwd())
	out.Text("etc/group", db.Group())
	out.Text("etc/subuid", db.SubIDs())
	out.Text("etc/subgid", db.SubIDs())
	out.Symlink("etc/shadow", "/"+activation.Shadow)
	out.Symlink("etc/gshadow", "/"+activation.GShadow)
	for _, m := range spec.Modes {
		entry := layer.Entry{Path: m.Path, Kind: layer.Kind(m.Kind[0]), Mode: m.Mode}
		if entry.UID, err = ownerID(m.Owner, db.UserID); err != nil {
			return fmt.Errorf("owner of %q: %w", m.Path, err)
		}
		if entry.GID, err = ownerID(m.Group, db.GroupID); err != nil {
			return fmt.Errorf("group of %q: %w", m.Path, err)
		}
		out.Attributes(entry)
	}
	return out.Close()
}

// ownerID turns a name or number into an id.
func ownerID(name string, find func(string) (uint32, bool)) (uint32, error) {
	if id, ok := find(name); ok {
		return id, nil
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	return 0, fmt.Errorf("there is no account %q", name)
}

// modes finds the owners and modes that scripts change.
func modes(s *scripts, c *effect.Contents) ([]script.Mode, error) {
	calls, _, err := s.read(c)
	if err != nil {
		return nil, err
	}
	entry := func(path string) *layer.Entry {
		for _, p := range []string{path, "usr/" + path} {
			if owner := c.Owner(p); owner != nil {
				return owner.Entry(p)
			}
		}
		return nil
	}
	var all []script.Mode
	var problems []string
	for _, pkg := range slices.Sorted(maps.Keys(calls)) {
		m, unknown := script.Modes(pkg, calls[pkg], entry)
		all = append(all, m...)
		problems = append(problems, unknown...)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("scripts change owners or modes in ways that their text does not decide:\n%s", strings.Join(problems, "\n"))
	}
	return script.MergeModes(all), nil
}
