package unitdiff

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// planner holds what Make knows while it decides.
type planner struct {
	Options
	oldFiles, newFiles *files
	old, new           *tree
	have               map[string]Unit     // what the manager has, by name
	compared           map[string][]change // by place
	wantedOld          map[string]string   // unit → who brings it
	wantedNew          map[string]string
	out                map[string]*Decision
	notes              []string
}

// Make decides what becomes of units when a machine goes from one view to
// another. units are all that the manager has loaded. An error names a file of
// a view that cannot be read; nothing in a unit's text is one.
func Make(old, new View, units []Unit, o Options) (*Plan, error) {
	p := &planner{Options: o, oldFiles: newFiles(old), newFiles: newFiles(new), have: map[string]Unit{},
		compared: map[string][]change{}, out: map[string]*Decision{}}
	var err error
	if p.old, err = newTree(p.oldFiles, "system"); err != nil {
		return nil, err
	}
	if p.new, err = newTree(p.newFiles, "system"); err != nil {
		return nil, err
	}
	for _, u := range units {
		p.have[u.Name] = u
	}
	steps := []func() error{p.wanted, p.changes, p.unwanted, p.newcomers, p.fileSystems, p.sockets, p.dependents}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	plan := &Plan{}
	for _, d := range p.out {
		plan.Units = append(plan.Units, *d)
	}
	order(plan.Units)
	if err := p.manager(plan); err != nil {
		return nil, err
	}
	if err := p.people(plan); err != nil {
		return nil, err
	}
	plan.Notes = append(plan.Notes, p.notes...)
	return plan, nil
}

// set notes a decision; the first for a unit stands.
func (p *planner) set(d Decision) {
	if p.out[d.Unit] == nil {
		p.out[d.Unit] = &d
	}
}

func (u Unit) runs() bool {
	switch u.Active {
	case "active", "activating", "reloading", "refreshing":
		return u.Job != "stop"
	}
	return false
}

// ofView reports whether a unit's file is one of a generation: not made while
// the machine runs, such as what fstab stands for.
func (u Unit) ofView() bool {
	f := merged(strings.TrimPrefix(u.Fragment, "/"))
	return strings.HasPrefix(f, "etc/") || strings.HasPrefix(f, "usr/")
}

// differences are what is not the same about a unit.
type differences struct {
	text    []string // settings that its process sees, without their sections
	stops   bool     // how it is stopped differs
	program string   // a clause
	files   []change
}

func (d differences) none() bool {
	return len(d.text) == 0 && d.program == "" && len(d.files) == 0
}

// reason says what is different in a clause.
func (d differences) reason() string {
	var all []string
	if len(d.text) > 0 {
		all = append(all, "its unit has changed ("+strings.Join(d.text, ", ")+")")
	}
	if d.program != "" {
		all = append(all, d.program)
	}
	if len(d.files) > 0 {
		all = append(all, told(d.files))
	}
	return strings.Join(all, ", and ")
}

// told names files that changed, a few of many.
func told(files []change) string {
	var names []string
	for _, f := range files[:min(len(files), mostTold)] {
		names = append(names, fmt.Sprintf("%q", "/"+f.path))
	}
	text := strings.Join(names, ", ")
	if more := len(files) - mostTold; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if len(files) == 1 {
		switch files[0].how {
		case "added":
			return "it reads " + text + ", which is new"
		case "removed":
			return "it read " + text + ", which is gone"
		}
		return "it reads " + text + ", which has changed"
	}
	return "it reads " + text + ", which have changed"
}

func (p *planner) compare(place string) ([]change, error) {
	if known, ok := p.compared[place]; ok {
		return known, nil
	}
	c, err := compare(p.oldFiles, p.newFiles, place)
	p.compared[place] = c
	return c, err
}

// differ compares a unit of two views.
func (p *planner) differ(old, new *definition, table map[string][]string) (differences, error) {
	var d differences
	keys := map[string]bool{}
	for key := range old.settings {
		keys[key] = true
	}
	for key := range new.settings {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if slices.Equal(compact(old.settings[key]), compact(new.settings[key])) {
			continue
		}
		section, name, _ := strings.Cut(key, ".")
		switch {
		case key == "Service.ExecStop" || key == "Service.ExecStopPost":
			d.stops = true
		case section == "Install" || strings.HasPrefix(section, "X-") || applied[key] || strings.HasPrefix(name, "X-"):
		default:
			d.text = append(d.text, name)
		}
	}
	if kind(new.name) != ".service" {
		return d, nil
	}
	d.program = programChange(p.oldFiles, p.newFiles, old, new)
	seen := map[string]bool{}
	for _, place := range slices.Concat(places(old, table), places(new, table)) {
		changes, err := p.compare(place)
		if err != nil {
			return d, err
		}
		for _, c := range changes {
			if !seen[c.path] {
				seen[c.path] = true
				d.files = append(d.files, c)
			}
		}
	}
	slices.SortFunc(d.files, func(a, b change) int { return cmp.Compare(a.path, b.path) })
	return d, nil
}

// compact drops what is said twice in a row, as a drop-in may repeat a unit.
func compact(values []string) []string { return slices.Compact(slices.Clone(values)) }

// held says why a unit is not to be stopped, and whether only a reboot changes
// that; "" when it may be.
func (p *planner) held(name string, defs ...*definition) (why string, reboot bool) {
	if slices.Contains(p.Self, name) {
		return "the switch itself runs in it", true
	}
	for _, d := range defs {
		if d == nil {
			continue
		}
		f := p.newFiles
		if d == p.old.units[name] {
			f = p.oldFiles
		}
		if !p.RestartAudio && f.sound(d) {
			return "not stopped, because it may be playing", false
		}
	}
	for _, g := range guards {
		if matches(g.patterns, name) && !(p.RestartAudio && matches(soundUnits, name)) {
			if g.reboot {
				return "not stopped: " + g.why, true
			}
			return "not stopped: " + g.why, false
		}
	}
	for _, d := range defs {
		if d != nil && d.yes("Unit.RefuseManualStop", false) {
			return "it is not to be stopped by hand", true
		}
	}
	return "", false
}

// leave notes that a unit changed and goes on.
func (p *planner) leave(name, reason, why string, reboot bool) {
	action := Leave
	if reboot {
		action = Reboot
	}
	p.set(Decision{Unit: name, Action: action, Reason: reason, Held: why})
}

// changes decides for what runs, and for what failed.
func (p *planner) changes() error {
	for _, name := range slices.Sorted(maps.Keys(p.have)) {
		u := p.have[name]
		retry := (u.Active == "failed" || u.Active == "inactive") && p.wantedNew[name] != ""
		if !u.ofView() || !u.runs() && !retry {
			continue
		}
		old, err := p.old.load(name)
		if err != nil {
			return err
		}
		if old == nil || old.masked || old.name != name {
			continue // not of the generation that runs: nobody knows what it was
		}
		new, err := p.new.load(name)
		if err != nil {
			return err
		}
		if gone := whyGone(name, new); gone != "" {
			if u.runs() {
				p.removed(old, gone)
			}
			continue
		}
		d, err := p.differ(old, new, reads)
		if err != nil {
			return err
		}
		if d.none() {
			continue
		}
		if !u.runs() {
			p.again(u, old, new, d)
			continue
		}
		p.changed(u, old, new, d)
	}
	return nil
}

func whyGone(name string, new *definition) string {
	switch {
	case new == nil:
		return "the new system does not have it"
	case new.masked:
		return "it is masked in the new system"
	case new.name != name:
		return fmt.Sprintf("it is now another name of %q", new.name)
	}
	return ""
}

func (p *planner) removed(old *definition, reason string) {
	switch kind(old.name) {
	case ".slice", ".scope", ".device":
		return // they end with what is in them
	case ".mount":
		if held(mountPoint(old.name)) {
			p.leave(old.name, reason, "what runs lies on it", true)
			return
		}
	case ".swap":
		p.leave(old.name, reason, "memory may be in it", true)
		return
	}
	if old.last("Unit."+ifRemoved) == "leave" {
		p.leave(old.name, reason, "it asks to be left alone", false)
		return
	}
	if why, reboot := p.held(old.name, old); why != "" {
		p.leave(old.name, reason, why, reboot)
		return
	}
	p.set(Decision{Unit: old.name, Action: Stop, Reason: reason})
}

// again decides for what does not run: what failed is tried again, and what ran
// once at boot by the configuration's wish runs again.
func (p *planner) again(u Unit, old, new *definition, d differences) {
	if p.wantedNew[new.name] == "" || kind(new.name) != ".service" || new.yes("Unit.RefuseManualStart", false) || matchesOnce(new.name) {
		return
	}
	if u.Active == "failed" {
		p.set(Decision{Unit: new.name, Action: Start, Reason: "it failed before, and " + d.reason()})
		return
	}
	ours := strings.HasPrefix(old.path, "etc/systemd/") && strings.HasPrefix(new.path, "etc/systemd/")
	if ours && len(d.text) > 0 && new.last("Service.Type") == "oneshot" && u.Sub == "dead" {
		p.set(Decision{Unit: new.name, Action: Start, Reason: "it runs once when the machine starts, and " + d.reason()})
	}
}

func matchesOnce(name string) bool { return matches(guards[len(guards)-1].patterns, name) }

// changed decides for a unit that runs.
func (p *planner) changed(u Unit, old, new *definition, d differences) {
	switch kind(new.name) {
	case ".service":
		p.service(u, old, new, d)
	case ".timer":
		p.set(Decision{Unit: new.name, Action: Restart, Reason: d.reason()})
	case ".socket":
		p.socket(old, new, d)
	case ".mount":
		p.mount(new.name, d.reason(), slices.Equal(d.text, []string{"Options"}))
	case ".automount", ".swap":
		p.leave(new.name, d.reason(), "it is in use", true)
	}
}

func (p *planner) mount(name, reason string, options bool) {
	switch {
	case held(mountPoint(name)):
		p.leave(name, reason, "what runs lies on it", true)
	case options:
		p.set(Decision{Unit: name, Action: Reload, Reason: reason})
	default:
		p.set(Decision{Unit: name, Action: Restart, Reason: reason})
	}
}

func canReload(d *definition) bool {
	return len(d.settings["Service.ExecReload"]) > 0 || d.last("Service.Type") == "notify-reload"
}

func (p *planner) service(u Unit, old, new *definition, d differences) {
	name, reason, wish := new.name, d.reason(), new.last("Unit."+ifChanged)
	onlyFiles := len(d.text) == 0 && d.program == ""
	oneshot := new.last("Service.Type") == "oneshot" || len(new.settings["Service.ExecStart"]) == 0 && new.last("Service.Type") == ""
	why, reboot := p.held(name, old, new)
	switch {
	case wish == "leave":
		p.leave(name, reason, "it asks to be left alone", false)
	case why != "" && len(d.files) > 0 && canReload(new) && !p.newFiles.sound(new):
		if onlyFiles {
			why = ""
		}
		p.set(Decision{Unit: name, Action: Reload, Reason: reason, Held: why})
	case why != "":
		p.leave(name, reason, why, reboot)
	case oneshot && u.Active != "active":
		p.leave(name, reason, "it is at work; the change counts from its next run", false)
	case oneshot && len(d.text) == 0 && len(d.files) == 0:
		p.leave(name, reason, "it has done its work; the change counts from its next run", false)
	case canReload(new) && (wish == "reload" || wish == "" && onlyFiles):
		p.set(Decision{Unit: name, Action: Reload, Reason: reason})
	default:
		p.set(Decision{Unit: name, Action: Restart, Reason: reason, StopFirst: p.stopFirst(old, d, wish)})
	}
}

// stopFirst reports whether the old system's own commands must stop a service:
// it has such commands, and the new system's are others. A service that
// something else may start at any moment, and one through which the switch may
// come in, is restarted in one go all the same.
func (p *planner) stopFirst(old *definition, d differences, wish string) bool {
	switch {
	case wish == "stop-start":
		return true
	case wish == "restart", matches(inPlace, old.name), old.last("Service.BusName") != "", len(p.triggers(p.old, old.name)) > 0:
		return false
	}
	has := len(old.settings["Service.ExecStop"]) > 0 || len(old.settings["Service.ExecStopPost"]) > 0
	return has && (d.stops || d.program != "")
}
