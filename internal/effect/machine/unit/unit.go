// Package unit decides which systemd units are enabled and makes the links
// that say so. It is pure.
//
// What Debian enables on a first installation stands in postinst scripts in
// two shapes that look alike: "deb-systemd-helper enable U" behind
// "was-enabled" enables U, the same behind "debian-installed" does not.
// Package maint tells them apart; here they are calls or no calls. On a first
// installation deb-systemd-helper asks "systemctl preset", so what a preset
// file disables stays off. Presets are not asked for more than that: Debian
// has no "disable *", and "systemctl preset-all" enables far too much.
package unit

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"reprise/internal/effect/machine/maint"
)

// A Manager is systemd's system manager or that of every user.
type Manager string

const (
	System Manager = "system"
	User   Manager = "user"
)

// Etc is where links of the manager go, relative to the root.
func (m Manager) Etc() string { return "etc/systemd/" + string(m) }

// Lib is where packages have the manager's units, relative to the root.
func (m Manager) Lib() string { return "usr/lib/systemd/" + string(m) }

// An Enabled is a unit that is to be enabled.
type Enabled struct {
	Manager Manager `json:"manager"`
	Name    string  `json:"name"`
	Preset  bool    `json:"preset,omitempty"` // only where presets do not disable it
}

// FromCalls finds the units that a maintainer script enables.
func FromCalls(pkg string, calls []maint.Call) ([]Enabled, error) {
	var units []Enabled
	for _, c := range calls {
		program := c.Args[0]
		if program != "deb-systemd-helper" && program != "systemctl" {
			continue
		}
		verb := slices.Index(c.Args, "enable")
		if verb < 0 || !c.Sure {
			continue
		}
		manager := System
		if slices.Contains(c.Args[:verb], "--user") || slices.Contains(c.Args, "--global") {
			manager = User
		}
		for _, name := range c.Args[verb+1:] {
			if strings.HasPrefix(name, "-") {
				continue
			}
			if strings.Contains(name, maint.Unknown) || !ValidName(name) {
				return nil, fmt.Errorf("%s postinst: enables a unit that its text does not name: %q", pkg, c.Args)
			}
			units = append(units, Enabled{manager, name, program == "deb-systemd-helper"})
		}
	}
	return units, nil
}

// suffixes of units that can be enabled.
var suffixes = []string{".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".device", ".scope"}

// ValidName reports whether name is a unit's: systemd.unit(5).
func ValidName(name string) bool {
	return len(name) < 256 && slices.Contains(suffixes, path.Ext(name)) && len(path.Ext(name)) < len(name) &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(`:-_.\@`, r))
		})
}

// Install is the [Install] section of a unit.
type Install struct {
	Alias, WantedBy, RequiredBy, UpheldBy, Also []string
	DefaultInstance                             string
}

// ParseInstall reads the [Install] section of a unit file; other sections are
// passed over.
func ParseInstall(data []byte) Install {
	var in Install
	section := ""
	lists := map[string]*[]string{"Alias": &in.Alias, "WantedBy": &in.WantedBy, "RequiredBy": &in.RequiredBy, "UpheldBy": &in.UpheldBy, "Also": &in.Also}
	text := strings.ReplaceAll(string(data), "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			section = line
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || section != "[Install]" {
			continue
		}
		key = strings.TrimSpace(key)
		if key == "DefaultInstance" {
			in.DefaultInstance = strings.Trim(strings.TrimSpace(value), `"'`)
		}
		if list := lists[key]; list != nil {
			words := strings.Fields(value)
			if len(words) == 0 {
				*list = nil // an empty value starts the list anew
			}
			for _, w := range words {
				*list = append(*list, strings.Trim(w, `"'`))
			}
		}
	}
	return in
}

// A File is a unit file of a package.
type File struct {
	Path    string // "usr/lib/systemd/system/ssh.service"
	Install Install
}

// A Link is a symlink to make; Name is relative to the root.
type Link struct{ Name, Target string }

// Presets are the preset files of one manager: systemd.preset(5).
type Presets []preset

type preset struct {
	enable  bool
	pattern string
}

// ParsePresets reads preset files in the order of their names; directories of
// higher rank come first among equals.
func ParsePresets(files map[string][]byte) Presets {
	var all Presets
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for line := range strings.Lines(string(files[name])) {
			words := strings.Fields(line)
			if len(words) >= 2 && (words[0] == "enable" || words[0] == "disable") {
				all = append(all, preset{words[0] == "enable", words[1]})
			}
		}
	}
	return all
}

// enables reports what the presets say of a unit; the first that matches
// decides, and without one it is on.
func (ps Presets) enables(name string) bool {
	for _, p := range ps {
		if maint.Match(p.pattern, name) || maint.Match(p.pattern, Template(name)) {
			return p.enable
		}
	}
	return true
}

// Links returns the links that enable units, sorted by name. Find gives a
// unit's file by its name; an instance is looked up as its template. A unit
// that is not there is an error, one named by Also= is passed over.
func Links(enabled []Enabled, presets map[Manager]Presets, find func(Manager, string) (File, bool)) ([]Link, error) {
	links := map[string]string{}
	seen := map[string]bool{}
	var enable func(e Enabled, also bool) error
	enable = func(e Enabled, also bool) error {
		if seen[string(e.Manager)+"/"+e.Name] || (e.Preset && !presets[e.Manager].enables(e.Name)) {
			return nil
		}
		seen[string(e.Manager)+"/"+e.Name] = true
		file, ok := find(e.Manager, Template(e.Name))
		if !ok {
			if also {
				return nil
			}
			return fmt.Errorf("unit %q is to be enabled and no package brings it", e.Name)
		}
		for name, target := range linksOf(e, file) {
			if have, ok := links[name]; ok && have != target {
				return fmt.Errorf("units: %q is to point to %q and to %q", name, have, target)
			}
			links[name] = target
		}
		for _, other := range file.Install.Also {
			if err := enable(Enabled{e.Manager, other, e.Preset}, true); err != nil {
				return err
			}
		}
		return nil
	}
	for _, e := range enabled {
		if err := enable(e, false); err != nil {
			return nil, err
		}
	}
	out := make([]Link, 0, len(links))
	for _, name := range slices.Sorted(maps.Keys(links)) {
		out = append(out, Link{name, links[name]})
	}
	return out, nil
}

// Template returns the name of the file of a unit: "getty@.service" for
// "getty@tty1.service".
func Template(name string) string {
	if prefix, rest, ok := strings.Cut(name, "@"); ok {
		return prefix + "@" + path.Ext(rest)
	}
	return name
}

func linksOf(e Enabled, file File) map[string]string {
	links := map[string]string{}
	target := "/" + file.Path
	name := e.Name
	prefix, rest, template := strings.Cut(name, "@")
	instance := strings.TrimSuffix(rest, path.Ext(rest))
	if template && instance == "" && file.Install.DefaultInstance != "" {
		instance = file.Install.DefaultInstance
		name = prefix + "@" + instance + path.Ext(rest)
	}
	fill := strings.NewReplacer("%i", instance, "%I", instance, "%j", prefix, "%p", prefix, "%n", name, "%%", "%").Replace
	dir := e.Manager.Etc() + "/"
	for suffix, list := range map[string][]string{".wants": file.Install.WantedBy, ".requires": file.Install.RequiredBy, ".upholds": file.Install.UpheldBy} {
		if template && instance == "" {
			break // a template alone cannot be started
		}
		for _, by := range list {
			if by = fill(by); ValidName(by) {
				links[dir+by+suffix+"/"+name] = target
			}
		}
	}
	for _, alias := range file.Install.Alias {
		if alias = fill(alias); alias != e.Name && ValidName(alias) {
			links[dir+alias] = target
		}
	}
	return links
}
