package machine

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/unit"
	"reprise/internal/layer"
)

type unitsSpec struct {
	Enabled []unit.Enabled `json:"enabled"`
	Links   []unit.Link    `json:"links"` // masks, wishes of the configuration
	Files   []unitFile     `json:"files"`
}

type unitFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// notEnabled are units that Debian enables and that have no work on a machine
// of ours, with the reason.
var notEnabled = map[string]string{
	"apt-daily-upgrade.timer": "packages come with generations",
	"apt-daily.timer":         "packages come with generations",
	"console-setup.service":   "writes to /etc; console.keyMap has a unit of its own",
	"keyboard-setup.service":  "writes to /etc; console.keyMap has a unit of its own",
	"dpkg-db-backup.timer":    "there is no dpkg database to save",
	"sshd-keygen.service":     "activation makes the host key before the system starts",
}

// masked are units that would do at the first boot what the build has done, or
// that write to /etc. A link to /dev/null keeps them off.
var masked = []string{
	"ldconfig.service", "systemd-firstboot.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service",
	"systemd-machine-id-commit.service", "systemd-sysusers.service", "systemd-update-done.service",
}

// displayManagers in the order in which the first that is installed is the
// one that starts: the order of Debian's task packages.
var displayManagers = []string{"gdm3", "lightdm", "sddm", "greetd", "lxdm", "slim", "xdm"}

// units enables what Debian enables and what the configuration says.
func units(s *scripts) effect.Effect {
	return effect.Effect{
		Name:      "units",
		Overrides: true,
		Needed:    always,
		Reads: func(cfg *config.Config, c *effect.Contents) []string {
			enabled, err := enabledUnits(s, cfg, c)
			if err != nil {
				return nil // Spec says the same, and fails
			}
			reads := c.Below("usr/lib/systemd/system-preset", "usr/lib/systemd/user-preset")
			for _, u := range enabled {
				if p := c.Owner(u.Manager.Lib() + "/" + unit.Template(u.Name)); p != nil {
					reads = append(reads, p.Name)
				}
			}
			return reads
		},
		Spec: func(cfg *config.Config, c *effect.Contents) (any, error) {
			enabled, err := enabledUnits(s, cfg, c)
			if err != nil {
				return nil, err
			}
			links, files, err := configUnits(cfg, c)
			if err != nil {
				return nil, err
			}
			own, ownLinks := ownUnits(cfg)
			return unitsSpec{enabled, append(links, ownLinks...), append(files, own...)}, nil
		},
		Build: buildUnits,
	}
}

// enabledUnits are those of scripts that are there, and those that the
// network options stand for.
func enabledUnits(s *scripts, cfg *config.Config, c *effect.Contents) ([]unit.Enabled, error) {
	calls, _, err := s.read(c)
	if err != nil {
		return nil, err
	}
	var all []unit.Enabled
	for _, pkg := range slices.Sorted(maps.Keys(calls)) {
		enabled, err := unit.FromCalls(pkg, calls[pkg])
		if err != nil {
			return nil, err
		}
		for _, u := range enabled {
			// e2scrub checks snapshots of LVM volumes; without LVM its services
			// only cost time at every start.
			if !cfg.Networking.NetworkManager.Enable && strings.HasPrefix(u.Name, "NetworkManager") {
				continue // it came with other packages; networkd has the interfaces
			}
			if scrub := strings.HasPrefix(u.Name, "e2scrub_"); notEnabled[u.Name] != "" || scrub && !has(c, "usr/sbin/lvm") {
				continue
			}
			all = append(all, u)
		}
	}
	if cfg.Networking.UseDHCP || len(cfg.Networking.Interfaces) > 0 {
		all = append(all, unit.Enabled{Manager: unit.System, Name: "systemd-networkd.service"})
	}
	slices.SortFunc(all, func(a, b unit.Enabled) int {
		return strings.Compare(string(a.Manager)+a.Name, string(b.Manager)+b.Name)
	})
	return slices.Compact(all), nil
}

// configUnits are the units of the configuration, and what stands with those of
// packages: masks, the display manager.
func configUnits(cfg *config.Config, c *effect.Contents) (links []unit.Link, files []unitFile, err error) {
	if links, files, err = declaredUnits(cfg, func(file string) bool { return has(c, file) }); err != nil {
		return nil, nil, err
	}
	for _, name := range masked {
		if _, declared := cfg.Systemd.Units[name]; !declared && has(c, unit.System.Lib()+"/"+name) {
			links = append(links, unit.Link{Name: unit.System.Etc() + "/" + name, Target: "/dev/null"})
		}
	}
	for _, dm := range displayManagers {
		service := unit.System.Lib() + "/" + dm + ".service"
		if _, declared := cfg.Systemd.Units["display-manager.service"]; declared || !has(c, service) {
			continue
		}
		links = append(links, unit.Link{Name: unit.System.Etc() + "/display-manager.service", Target: "/" + service})
		for _, dir := range []string{"usr/sbin/", "usr/bin/"} {
			if has(c, dir+dm) { // the service starts only when it finds itself in this file
				files = append(files, unitFile{"etc/X11/default-display-manager", "/" + dir + dm + "\n"})
				break
			}
		}
		break
	}
	return links, files, nil
}

// held are the mounts that stage 1 made and that stay until the machine is
// down. Left to itself systemd tries to unmount them at shutdown while
// programs run from them, and says that it failed.
var held = []string{`\x2ereprise-disk`, `\x2ereprise-meta`, `\x2ereprise-root`, "nix", `nix-store`, "var"}

// ownUnits are units that every machine of ours has.
func ownUnits(cfg *config.Config) (files []unitFile, links []unit.Link) {
	add := func(name, text string, wantedBy ...string) {
		if _, declared := cfg.Systemd.Units[name]; declared {
			return
		}
		place := unit.System.Etc() + "/" + name
		files = append(files, unitFile{place, text})
		for _, by := range wantedBy {
			links = append(links, unit.Link{Name: unit.System.Etc() + "/" + by + ".wants/" + name, Target: "/" + place})
		}
	}
	add("reprise-grow-root.service", `[Unit]
Description=Grow the root file system to its disk
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/reprise grow-root
`, "multi-user.target")
	for _, m := range held {
		add(m+".mount.d/reprise.conf", "# Mounted before systemd started, and needed until the machine is down.\n[Unit]\nDefaultDependencies=no\n")
	}
	return files, links
}

func buildUnits(_ context.Context, e *effect.Env) error {
	var spec unitsSpec
	if err := e.Decode(&spec); err != nil {
		return err
	}
	presets := map[unit.Manager]unit.Presets{}
	for _, m := range []unit.Manager{unit.System, unit.User} {
		files, err := readAll(e, "usr/lib/systemd/"+string(m)+"-preset", ".preset")
		if err != nil {
			return err
		}
		presets[m] = unit.ParsePresets(files)
	}
	var readError error
	links, err := unit.Links(spec.Enabled, presets, func(m unit.Manager, name string) (unit.File, bool) {
		return findUnit(e, m, name, &readError)
	})
	if err == nil {
		err = readError
	}
	if err != nil {
		return err
	}
	// What the configuration says of a name goes before what Debian enables.
	byName := map[string]string{}
	for _, l := range slices.Concat(links, spec.Links) {
		byName[l.Name] = l.Target
	}
	for _, f := range spec.Files {
		delete(byName, f.Path)
	}
	out := e.Output()
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out.Symlink(name, byName[name])
	}
	for _, f := range spec.Files {
		out.Text(f.Path, f.Text)
	}
	return out.Close()
}

// findUnit looks a unit's file up among the inputs, through links to other
// names of the same directory.
func findUnit(e *effect.Env, m unit.Manager, name string, readError *error) (unit.File, bool) {
	for range 8 {
		for i := range e.Packages.Packages {
			p := &e.Packages.Packages[i]
			at := m.Lib() + "/" + name
			entry := p.Entry(at)
			if entry == nil {
				continue
			}
			if entry.Kind == layer.Symlink {
				name = path.Base(entry.Target)
				break
			}
			data, err := e.ReadFile(p.Name, at)
			if err != nil {
				*readError = err
				return unit.File{}, false
			}
			return unit.File{Path: at, Install: unit.ParseInstall(data)}, true
		}
	}
	return unit.File{}, false
}
