package unitdiff

import (
	"fmt"
	"maps"
	"slices"
)

// pulled lists all that some units bring along, with who brings it. With
// triggers it goes on with what sockets, timers and paths among them start.
func (t *tree) pulled(roots []string, triggers bool) (map[string]string, error) {
	by := map[string]string{}
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		d, err := t.load(name)
		if err != nil {
			return nil, err
		}
		if d == nil || d.masked {
			continue
		}
		brings := t.brings(d)
		if n := t.triggered(d); triggers && n != "" {
			brings = append(brings, n)
		}
		for _, n := range brings {
			if by[n] == "" {
				by[n] = d.name
				todo = append(todo, n)
			}
		}
	}
	return by, nil
}

// wanted finds what the active targets bring along, before and after. The
// default target of the new system counts when that of the old one is active.
func (p *planner) wanted() error {
	var roots []string
	for name, u := range p.have {
		if kind(name) == ".target" && u.runs() {
			roots = append(roots, name)
		}
	}
	slices.Sort(roots)
	var err error
	if p.wantedOld, err = p.old.pulled(roots, false); err != nil {
		return err
	}
	if next := p.new.canonical("default.target"); slices.Contains(roots, p.old.canonical("default.target")) && !slices.Contains(roots, next) {
		roots = append(roots, next)
		if p.wantedNew, err = p.new.pulled(roots, false); err == nil && p.wantedNew[next] == "" {
			p.wantedNew[next] = "default.target"
		}
		return err
	}
	p.wantedNew, err = p.new.pulled(roots, false)
	return err
}

// unwanted stops what nothing brings along any more, and nothing else needs.
func (p *planner) unwanted() error {
	going := map[string]*definition{}
	for name, by := range p.wantedOld {
		u, loaded := p.have[name]
		d := p.out[name]
		if by == "" || p.wantedNew[name] != "" || !loaded || !u.runs() || !u.ofView() || d != nil && d.Action == Stop {
			continue
		}
		switch kind(name) {
		case ".service", ".socket", ".timer", ".path":
		default:
			continue
		}
		new, err := p.new.load(name)
		if err != nil {
			return err
		}
		if whyGone(name, new) != "" || len(p.triggers(p.new, name)) > 0 {
			continue
		}
		going[name] = new
	}
	for again := true; again; {
		again = false
		for _, user := range slices.Sorted(maps.Keys(p.have)) {
			if u := p.have[user]; going[user] != nil || !u.runs() || p.out[user] != nil && p.out[user].Action == Stop {
				continue
			}
			d, err := p.new.load(user)
			if err != nil {
				return err
			}
			if d == nil || d.masked {
				continue
			}
			for _, n := range p.new.brings(d) {
				if going[n] != nil {
					delete(going, n)
					again = true
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(going)) {
		delete(p.out, name)
		reason := fmt.Sprintf("nothing starts it any more (%s did)", p.wantedOld[name])
		old := p.old.units[name]
		switch why, reboot := p.held(name, old, going[name]); {
		case going[name].last("Unit."+ifRemoved) == "leave":
			p.leave(name, reason, "it asks to be left alone", false)
		case why != "":
			p.leave(name, reason, why, reboot)
		default:
			p.set(Decision{Unit: name, Action: Stop, Reason: reason})
		}
	}
	return nil
}

// triggers lists the sockets, timers and paths that start a unit and that are
// wanted in a view.
func (p *planner) triggers(t *tree, name string) []string {
	by := p.wantedOld
	if t == p.new {
		by = p.wantedNew
	}
	var all []string
	for n := range by {
		if d, err := t.load(n); err == nil && d != nil && !d.masked && t.triggered(d) == name {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// triggered is the unit that a socket, timer or path starts: systemd.socket(5),
// Service=, and Unit= of the others. "" for other units, and for a socket with a
// service for each connection.
func (t *tree) triggered(d *definition) string {
	base, suffix := cutSuffix(d.name)
	key, ok := map[string]string{".socket": "Socket.Service", ".timer": "Timer.Unit", ".path": "Path.Unit"}[suffix]
	if !ok || suffix == ".socket" && d.yes("Socket.Accept", false) {
		return ""
	}
	to := base + ".service"
	if u := d.last(key); u != "" {
		to = u
	}
	return t.canonical(specifiers(d.name)(to))
}

// newcomers starts what is wanted and was not before, or was not there.
func (p *planner) newcomers() error {
	for _, name := range slices.Sorted(maps.Keys(p.wantedNew)) {
		u := p.have[name]
		if u.runs() || u.Job != "" && u.Job != "stop" {
			continue
		}
		new, err := p.new.load(name)
		if err != nil {
			return err
		}
		if new == nil || new.masked || new.name != name || new.yes("Unit.RefuseManualStart", false) {
			continue
		}
		old, err := p.old.load(name)
		if err != nil {
			return err
		}
		if p.wantedOld[name] != "" && old != nil && !old.masked && old.name == name {
			continue
		}
		reason := fmt.Sprintf("it is new (%s starts it)", p.wantedNew[name])
		if old != nil && old.masked {
			reason = fmt.Sprintf("it is no longer masked (%s starts it)", p.wantedNew[name])
		}
		switch kind(name) {
		case ".service", ".socket", ".timer", ".path", ".target", ".automount", ".swap":
		case ".mount":
			if held(mountPoint(name)) {
				p.leave(name, reason, "it is mounted when the machine starts", true)
				continue
			}
		default:
			continue
		}
		if matchesOnce(name) {
			p.leave(name, reason, "it does its work when the machine starts", true)
			continue
		}
		delete(p.out, name)
		p.set(Decision{Unit: name, Action: Start, Reason: reason})
	}
	return nil
}

// socket decides for a socket that changed; sockets adds the service.
func (p *planner) socket(old, new *definition, d differences) {
	reason := d.reason()
	if why, reboot := p.held(new.name, old, new); why != "" {
		p.leave(new.name, reason, why, reboot)
		return
	}
	if matches([]string{"systemd-*.socket", "syslog.socket", "dbus.socket"}, new.name) {
		p.leave(new.name, reason, "everything that runs is connected to it", true)
		return
	}
	to := p.old.triggered(old)
	service, err := p.new.load(to)
	if u := p.have[to]; err == nil && u.runs() {
		if why, reboot := p.held(to, p.old.units[to], service); why != "" {
			p.leave(new.name, reason, fmt.Sprintf("%s: %s", to, why), reboot)
			return
		}
	}
	p.set(Decision{Unit: new.name, Action: Restart, StopFirst: true, Reason: reason})
}

// sockets stops the service of every socket that is stopped or restarted: a
// socket cannot be opened while its service has it, and a service that goes on
// keeps the old one.
func (p *planner) sockets() error {
	for _, name := range slices.Sorted(maps.Keys(p.out)) {
		d := p.out[name]
		if kind(name) != ".socket" || d.Action != Restart {
			continue
		}
		old, err := p.old.load(name)
		if err != nil {
			return err
		}
		to := p.old.triggered(old)
		if u := p.have[to]; to == "" || !u.runs() {
			continue
		}
		if s := p.out[to]; s != nil && (s.Action == Stop || s.Action == Restart) {
			s.StopFirst = s.Action == Restart
			continue
		}
		delete(p.out, to)
		p.set(Decision{Unit: to, Action: Restart, StopFirst: true, Reason: fmt.Sprintf("%s is restarted", name)})
	}
	return nil
}

// dependents sees to units that stop because one they need is stopped: they
// are restarted with it, or it is not stopped.
func (p *planner) dependents() error {
	users := map[string][]string{} // unit → those that stop with it
	for name, u := range p.have {
		if !u.runs() || !u.ofView() {
			continue
		}
		for _, t := range []*tree{p.old, p.new} {
			d, err := t.load(name)
			if err != nil {
				return err
			}
			if d == nil || d.masked {
				continue
			}
			for _, n := range t.needs(d) {
				if n != name && !slices.Contains(users[n], name) {
					users[n] = append(users[n], name)
				}
			}
		}
	}
	// First what must not stop holds what it needs, all the way down.
	for again := true; again; {
		again = false
		for _, name := range slices.Sorted(maps.Keys(p.out)) {
			d := p.out[name]
			if d.Action != Stop && d.Action != Restart {
				continue
			}
			if user, why, reboot := p.holder(name, users, map[string]bool{}); user != "" {
				action := Leave
				if reboot {
					action = Reboot
				}
				*d = Decision{Unit: name, Action: action, Reason: d.Reason, Held: fmt.Sprintf("%s needs it: %s", user, why)}
				again = true
			}
		}
	}
	// Then the rest stops together.
	todo := slices.Sorted(maps.Keys(p.out))
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		d := p.out[name]
		if d.Action != Stop && d.Action != Restart {
			continue
		}
		slices.Sort(users[name])
		for _, user := range users[name] {
			if p.follow(user, name, d) {
				todo = append(todo, user)
			}
		}
	}
	return nil
}

// holder finds a unit that stops with another and must not.
func (p *planner) holder(name string, users map[string][]string, seen map[string]bool) (user, why string, reboot bool) {
	seen[name] = true
	list := slices.Sorted(slices.Values(users[name]))
	for _, u := range list {
		if seen[u] || kind(u) == ".target" || kind(u) == ".slice" {
			continue
		}
		if why, reboot := p.held(u, p.old.units[u], p.new.units[u]); why != "" {
			return u, why, reboot
		}
		if user, why, reboot := p.holder(u, users, seen); user != "" {
			return user, why, reboot
		}
	}
	return "", "", false
}

// follow makes user stop and start with the unit that it needs. It reports
// whether that is news.
func (p *planner) follow(user, name string, d *Decision) bool {
	first := d.Action == Stop || d.StopFirst
	have := p.out[user]
	switch {
	case kind(user) == ".slice" || kind(user) == ".mount":
		return false
	case have != nil && have.Action == Stop, have != nil && have.Action == Restart && (have.StopFirst || !first):
		return false
	case have != nil && have.Action == Restart:
		have.StopFirst = true
		return true
	}
	reason := fmt.Sprintf("it needs %s, which is %s", name, map[Action]string{Stop: "stopped", Restart: "restarted"}[d.Action])
	delete(p.out, user)
	if kind(user) == ".target" {
		if first {
			p.set(Decision{Unit: user, Action: Start, Reason: reason})
		}
		return false
	}
	p.set(Decision{Unit: user, Action: Restart, StopFirst: first, Reason: reason})
	return true
}
