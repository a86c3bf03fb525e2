package machine

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/config"
	"reprise/internal/effect/machine/unit"
)

// A File is a file of /etc.
type File struct {
	Mode uint32
	Text string
}

// Settings returns the files and links of /etc that follow from cfg alone,
// whatever packages there are, by their path: "etc/sysctl.d/60-reprise.conf".
// They are what the effects write; a running system that is to be as cfg says
// gets the same.
func Settings(cfg *config.Config) (files map[string]File, links map[string]string, err error) {
	files, links = map[string]File{}, map[string]string{}
	for name, text := range tunables(cfg) {
		files["etc/"+name] = File{0o644, text}
	}
	unitLinks, units, err := declaredUnits(cfg, func(string) bool { return true })
	if err != nil {
		return nil, nil, err
	}
	for _, f := range units {
		files[f.Path] = File{0o644, f.Text}
	}
	for _, l := range unitLinks {
		links[l.Name] = l.Target
	}
	own, err := ownFiles(cfg)
	if err != nil {
		return nil, nil, err
	}
	for name, f := range own {
		files["etc/"+name] = File(f)
	}
	return files, links, nil
}

// tunables are files that options of their own stand for, by name below /etc.
func tunables(cfg *config.Config) map[string]string {
	files := map[string]string{}
	if t := sysctl(cfg); t != "" {
		files["sysctl.d/60-reprise.conf"] = t
	}
	if len(cfg.Boot.KernelModules) > 0 {
		files["modules-load.d/reprise.conf"] = strings.Join(cfg.Boot.KernelModules, "\n") + "\n"
	}
	if t := limits(cfg); t != "" {
		files["security/limits.d/60-reprise.conf"] = t
	}
	if t := cfg.Services.Udev.ExtraRules; t != "" {
		files["udev/rules.d/99-local.rules"] = withNewline(t)
	}
	return files
}

// ownFiles are those of environment.etc, by name below /etc.
func ownFiles(cfg *config.Config) (map[string]textFile, error) {
	files := map[string]textFile{}
	for name, f := range cfg.Environment.Etc {
		mode, err := strconv.ParseUint(f.Mode, 8, 12)
		if err != nil {
			return nil, fmt.Errorf("environment.etc.%q: mode %q is not octal", name, f.Mode)
		}
		files[name] = textFile{uint32(mode), f.Text}
	}
	return files, nil
}

// declaredUnits are the units, drop-ins, masks and links of the configuration.
// exists tells whether a package brings a unit's file.
func declaredUnits(cfg *config.Config, exists func(file string) bool) (links []unit.Link, files []unitFile, err error) {
	for _, m := range []unit.Manager{unit.System, unit.User} {
		declared := cfg.Systemd.Units
		if m == unit.User {
			declared = cfg.Systemd.User.Units
		}
		for _, name := range slices.Sorted(maps.Keys(declared)) {
			u := declared[name]
			place := m.Etc() + "/" + name
			if !u.Enable {
				links = append(links, unit.Link{Name: place, Target: "/dev/null"})
				continue
			}
			target := "/" + place
			if u.Text != "" {
				files = append(files, unitFile{place, u.Text})
			} else {
				target = m.Lib() + "/" + unit.Template(name)
				if !exists(target) {
					return nil, nil, fmt.Errorf("systemd unit %q has no text, and no package brings it", name)
				}
				target = "/" + target
			}
			for _, by := range u.WantedBy {
				links = append(links, unit.Link{Name: m.Etc() + "/" + by + ".wants/" + path.Base(name), Target: target})
			}
		}
	}
	return links, files, nil
}
