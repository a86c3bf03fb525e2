// Package tuning decides what is done to a machine that runs already so that
// it is as another configuration of the same packages says: files of /etc,
// units, parameters of loaded drivers. A session from a medium is made that of
// its machine with it: the plain configuration is the one that the system was
// composed from, the advised one has what package advice says besides.
//
// Words: a setting waits when only a start of the machine, or an installation,
// can bring it.
//
// Invariants:
//   - Make is a function of its arguments, and its plan is sorted.
//   - What is written is, byte for byte and at the same place, what a system
//     composed from the advised configuration has there.
//   - Where the two configurations do not differ, nothing is done.
package tuning

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/effect/machine"
)

// A Plan is what is done, in the order of its fields.
type Plan struct {
	// Files and Links are new or changed, by their path: "etc/default/rtirq".
	// Links are by their place, with where they lead.
	Files map[string]machine.File
	Links map[string]string
	// Gone are files and links that the advised configuration does not have.
	Gone []string
	// Rules says that udev has new rules: devices that are there already obey
	// them once they are told.
	Rules bool
	// Parameters are those of drivers, for the ones that are loaded.
	Parameters []Parameter
	// Stops are units of the system that are there no more, Units those that are
	// new or changed: they are started anew.
	Stops, Units []string
	// UserUnits of people are new or changed, or read what is. They count from
	// the start of their own manager.
	UserUnits []string
	// Waits are the settings that wait, one sentence each.
	Waits []string
}

// A Parameter is a file below /sys/module.
type Parameter struct{ Module, Name, Value string }

// Empty says that there is nothing to do and nothing to tell.
func (p *Plan) Empty() bool {
	return len(p.Files)+len(p.Links)+len(p.Gone)+len(p.Waits) == 0
}

// Make decides how a machine that is as plain says becomes as advised says.
func Make(plain, advised *config.Config) (*Plan, error) {
	before, linksBefore, err := machine.Settings(plain)
	if err != nil {
		return nil, fmt.Errorf("settings of the system: %w", err)
	}
	after, linksAfter, err := machine.Settings(advised)
	if err != nil {
		return nil, fmt.Errorf("advised settings: %w", err)
	}
	p := &Plan{Files: changed(before, after), Links: changed(linksBefore, linksAfter), Waits: waits(plain, advised)}
	for name := range before {
		if _, file := after[name]; !file && linksAfter[name] == "" {
			p.Gone = append(p.Gone, name)
		}
	}
	for name := range linksBefore {
		if _, file := after[name]; !file && linksAfter[name] == "" {
			p.Gone = append(p.Gone, name)
		}
	}
	slices.Sort(p.Gone)
	units, people := map[string]bool{}, map[string]bool{}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(p.Files)), slices.Collect(maps.Keys(p.Links)), p.Gone) {
		p.Rules = p.Rules || strings.HasPrefix(name, "etc/udev/rules.d/")
		if unit := readBy[path.Dir(name)+"/"]; unit != "" {
			units[unit] = true
		}
		if unit := readBy[name]; unit != "" {
			units[unit] = true
		}
		if unit := readByPeople[path.Dir(name)+"/"]; unit != "" {
			people[unit] = true
		}
		if unit, ok := unitOf(name, "etc/systemd/system/"); ok {
			units[unit] = true
		}
		if unit, ok := unitOf(name, "etc/systemd/user/"); ok {
			people[unit] = true
		}
	}
	for unit := range units {
		u, declared := advised.Systemd.Units[unit]
		if !declared && slices.Contains(p.Gone, "etc/systemd/system/"+unit) || declared && !u.Enable {
			delete(units, unit)
			p.Stops = append(p.Stops, unit)
		}
	}
	slices.Sort(p.Stops)
	p.Units, p.UserUnits = slices.Sorted(maps.Keys(units)), slices.Sorted(maps.Keys(people))
	const drivers = "etc/modprobe.d/reprise.conf"
	if f, ok := p.Files[drivers]; ok {
		old := parameters(before[drivers].Text)
		for _, param := range parameters(f.Text) {
			if !slices.Contains(old, param) {
				p.Parameters = append(p.Parameters, param)
			}
		}
	}
	return p, nil
}

// changed are the entries of after that before lacks or has otherwise.
func changed[V comparable](before, after map[string]V) map[string]V {
	some := map[string]V{}
	for name, v := range after {
		if old, ok := before[name]; !ok || old != v {
			some[name] = v
		}
	}
	return some
}

// readBy are services that read a file, or a directory, once.
var readBy = map[string]string{
	"etc/default/rtirq": "rtirq.service",
	"etc/sysctl.d/":     "systemd-sysctl.service",
}

// readByPeople are services of people that do so.
var readByPeople = map[string]string{
	"etc/pipewire/pipewire.conf.d/":       "pipewire.service",
	"etc/wireplumber/wireplumber.conf.d/": "wireplumber.service",
}

// unitOf is the unit that a file, drop-in or link below dir is about.
// Templates are none: they have no instance of their own.
func unitOf(name, dir string) (string, bool) {
	rest, ok := strings.CutPrefix(name, dir)
	if !ok {
		return "", false
	}
	head, tail, deep := strings.Cut(rest, "/")
	switch {
	case deep && strings.HasSuffix(head, ".d"):
		rest = strings.TrimSuffix(head, ".d")
	case deep:
		rest = tail
	}
	return rest, !strings.Contains(rest, "@.")
}

// parameters reads the lines "options MODULE NAME=VALUE…" of modprobe.d(5), in
// their order; of two values of one parameter the last counts.
func parameters(text string) []Parameter {
	var all []Parameter
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "options" {
			continue
		}
		module := strings.ReplaceAll(words[1], "-", "_")
		for _, word := range words[2:] {
			name, value, ok := strings.Cut(word, "=")
			if !ok || name == "" || strings.ContainsAny(module+name, "/.") {
				continue
			}
			all = slices.DeleteFunc(all, func(p Parameter) bool { return p.Module == module && p.Name == name })
			all = append(all, Parameter{module, name, value})
		}
	}
	return all
}

// waits says what a running machine cannot get.
func waits(plain, advised *config.Config) []string {
	var all []string
	if a, b := plain.KernelPackage(), advised.KernelPackage(); a != b {
		all = append(all, fmt.Sprintf("The kernel %s takes the place of %s.", b, a))
	}
	if more := less(advised.Boot.KernelParams, plain.Boot.KernelParams); len(more) > 0 {
		all = append(all, "The kernel gets the parameters "+strings.Join(more, " ")+".")
	}
	kernels := []string{plain.KernelPackage(), advised.KernelPackage()}
	if more := less(less(advised.Roots(), plain.Roots()), kernels); len(more) > 0 {
		all = append(all, "The system gets the packages "+strings.Join(more, ", ")+".")
	}
	return all
}

// less are the elements of all that are not in some.
func less(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}
