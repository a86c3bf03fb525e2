package unitdiff

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// generatorFiles are what generators read and what the manager itself reads:
// units may change with them although no unit file does.
var generatorFiles = []string{"etc/fstab", "etc/crypttab", "etc/systemd/system.conf", "etc/systemd/system.conf.d", "usr/lib/systemd/system.conf.d",
	"etc/systemd/system-generators", "usr/lib/systemd/system-generators"}

// tmpfilesPlaces are what systemd-tmpfiles reads.
var tmpfilesPlaces = []string{"etc/tmpfiles.d", "usr/lib/tmpfiles.d"}

// manager decides what PID 1 does, what tmpfiles.d means, and what the person
// is told.
func (p *planner) manager(plan *Plan) error {
	pid1 := &definition{name: "init.service", settings: settings{"Service.ExecStart": {systemdProgram}}}
	if programChange(p.oldFiles, p.newFiles, pid1, pid1) != "" {
		plan.Manager = ManagerReexec
	} else if changes, err := p.all(append(slices.Clone(generatorFiles), p.new.dirs...)); err != nil {
		return err
	} else if len(changes) > 0 || len(p.out) > 0 {
		plan.Manager = ManagerReload
	}
	changes, err := p.all(tmpfilesPlaces)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.how != "removed" {
			plan.Tmpfiles = append(plan.Tmpfiles, c.path)
		}
	}
	for _, l := range later {
		changes, err := p.all(l.places)
		if err != nil {
			return err
		}
		if len(changes) > 0 {
			p.notes = append(p.notes, fmt.Sprintf("%s (%s)", l.sentence, names(changes)))
		}
	}
	return nil
}

func names(changes []change) string {
	var all []string
	for _, c := range changes[:min(len(changes), mostTold)] {
		all = append(all, "/"+c.path)
	}
	text := strings.Join(all, ", ")
	if more := len(changes) - mostTold; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (p *planner) all(places []string) ([]change, error) {
	var all []change
	for _, place := range places {
		changes, err := p.compare(place)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// userRoots are the units that people's managers start from.
var userRoots = []string{"default.target", "sockets.target", "timers.target", "paths.target", "graphical-session.target", "graphical-session-pre.target"}

// people decides for the managers of those who are logged in. Their units are
// not asked for: they are left alone, but for what plays when the person wants
// it restarted.
func (p *planner) people(plan *Plan) error {
	changes, err := p.all([]string{"etc/systemd/user", "usr/lib/systemd/user", "etc/systemd/user.conf", "etc/systemd/user.conf.d",
		"etc/systemd/user-generators", "usr/lib/systemd/user-generators"})
	if err != nil {
		return err
	}
	plan.UserManagers = len(changes) > 0
	old, err := newTree(p.oldFiles, "user")
	if err != nil {
		return err
	}
	new, err := newTree(p.newFiles, "user")
	if err != nil {
		return err
	}
	before, err := old.started(userRoots)
	if err != nil {
		return err
	}
	after, err := new.started(userRoots)
	if err != nil {
		return err
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d, err := p.person(name, before[name], after[name])
		if err != nil {
			return err
		}
		if d.Unit != "" {
			plan.User = append(plan.User, d)
		}
	}
	order(plan.User)
	return nil
}

// started lists the services that some units bring along, themselves or by a
// socket, timer or path.
func (t *tree) started(roots []string) (map[string]*definition, error) {
	by, err := t.pulled(roots, true)
	if err != nil {
		return nil, err
	}
	all := map[string]*definition{}
	for name := range by {
		d, err := t.load(name)
		if err != nil {
			return nil, err
		}
		if d != nil && !d.masked && kind(name) == ".service" {
			all[name] = d
		}
	}
	return all, nil
}

// person decides for one service of people's managers.
func (p *planner) person(name string, old, new *definition) (Decision, error) {
	d := Decision{Unit: name}
	sound := false
	switch {
	case new == nil:
		d.Action, d.Reason, sound = Stop, "the new system does not start it", p.oldFiles.sound(old)
	case old == nil:
		d.Action, d.Reason, sound = Start, "it is new", p.newFiles.sound(new)
	default:
		diff, err := p.differ(old, new, userReads)
		if err != nil || diff.none() {
			return Decision{}, err
		}
		d.Action, d.Reason, sound = Restart, diff.reason(), p.oldFiles.sound(old) || p.newFiles.sound(new)
	}
	switch {
	case sound && p.RestartAudio:
	case sound && d.Action == Start:
		d.Action, d.Held = Leave, "it starts at the next login"
	case sound:
		d.Action, d.Held = Leave, "not stopped, because it may be playing"
	default:
		d.Action, d.Held = Leave, "it belongs to people's sessions; it counts from the next login"
	}
	return d, nil
}
