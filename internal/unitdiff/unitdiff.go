// Package unitdiff decides what a switch does to units: from the views of two
// generations and from what the system manager runs, it says which units are
// stopped, started, restarted or reloaded, which go on as they are although they
// changed, and which wait for a reboot, each with its reason. It is pure: it
// reads the views it is given and touches nothing.
//
// # Words
//
// A view is what a machine sees below / under one generation. A definition is a
// unit as a view has it: its file with all drop-ins, aliases followed. A unit is
// wanted when the active targets bring it along, directly or through others.
// The place of a unit file, a drop-in, a mask or a link is that of systemd.unit(5).
//
// # What is changed
//
// A unit is changed when its definition differs in a setting that its process
// sees (not a comment, a Description=, a dependency, or how it is stopped), when
// a program that ExecStart= names comes from another version of its package, when
// a shared library does that the program loads, or when a file differs that the
// unit reads: one of /etc that its text names, one of a table (ssh.service reads
// /etc/ssh/sshd_config.d), or one that it says itself.
//
// # What is done
//
//	removed or masked       stopped
//	no longer wanted        stopped, unless a socket, timer or another unit needs it
//	newly wanted            started
//	changed
//	  service               restarted; only what it reads changed, and it can reload: reloaded
//	  oneshot, has run      run again when its text or what it reads changed, not for a new program
//	  timer, socket         restarted, a socket together with its service
//	  mount                 remounted for options, else mounted anew
//	  target, slice, path   nothing: the manager applies it
//	failed, and changed     started
//
// Units that need a unit that is stopped for a restart are restarted with it.
// Never stopped or restarted: what plays (unless Options.RestartAudio), what people are
// logged in through, what was mounted before systemd, and work of the machine's
// start. What needs one of these is not stopped either. What a person stopped
// stays stopped.
//
// # What a unit says of itself
//
// Settings in [Unit], which the manager passes over:
//
//	X-Reprise-IfChanged=restart | stop-start | reload | leave
//	X-Reprise-IfRemoved=stop | leave
//	X-Reprise-Reads=/etc/a /etc/b.d    files and directories that it reads
//	X-Reprise-Sound=yes | no           whether it plays, or carries what plays
//
// # Order
//
// Before /usr and /etc are exchanged: Plan.Before, with the old programs. Then
// the manager reads its units again, tmpfiles.d is applied, and Plan.After is
// queued all at once, so that the manager puts it in order. The same view twice
// gives an empty plan, and the way back touches the units of the way there.
//
// The kernel, its command line and the initrd are not looked at here.
package unitdiff

import (
	"cmp"
	"slices"
)

// An Action is what is done to a unit.
type Action string

const (
	Stop    Action = "stop"
	Restart Action = "restart"
	Reload  Action = "reload"
	Start   Action = "start"
	Leave   Action = "leave"  // changed, goes on as it is; counts before the next boot
	Reboot  Action = "reboot" // changed, goes on as it is; counts from the next boot
)

var actions = []Action{Stop, Restart, Reload, Start, Leave, Reboot}

// A Unit is one that the system manager has loaded.
type Unit struct {
	Name     string // without aliases: "ssh.service"
	Active   string // "active", "inactive", "failed", "activating", …
	Sub      string // "running", "exited", "mounted", …
	Fragment string // its file: "/usr/lib/systemd/system/ssh.service"; "" for what has none
	Job      string // kind of the job that waits for it: "start"; "" without one
}

// Options are the wishes of the person who switches.
type Options struct {
	RestartAudio bool     // what plays is restarted like everything else
	Self         []string // units that the switch itself runs in; never stopped
}

// A Decision is what is done to one unit.
type Decision struct {
	Unit      string `json:"unit"`
	Action    Action `json:"action"`
	StopFirst bool   `json:"stopFirst,omitempty"` // Restart: stopped by the old generation, started by the new
	Reason    string `json:"reason"`              // what happened to it, a clause
	Held      string `json:"held,omitempty"`      // why no more is done; Leave, Reboot, and a Reload in place of a Restart
}

// Sentence is the decision for a person, without the unit's name.
func (d Decision) Sentence() string {
	if d.Held == "" {
		return d.Reason
	}
	return d.Reason + "; " + d.Held
}

// A Manager action is what PID 1 does between the two lists of jobs.
type Manager string

const (
	ManagerStays   Manager = ""
	ManagerReload  Manager = "reload" // read units again
	ManagerReexec  Manager = "reexec" // the program itself changed; units are read again, too
	mostTold               = 3        // files that a reason names
	systemdProgram         = "/usr/lib/systemd/systemd"
)

// A Plan is what a switch does.
type Plan struct {
	Units        []Decision `json:"units"` // by Action in the order above, then by name
	Manager      Manager    `json:"manager"`
	UserManagers bool       `json:"userManagers"` // managers of logged-in people read their units again
	User         []Decision `json:"user"`         // units of these managers; Restart means: where it runs
	Tmpfiles     []string   `json:"tmpfiles"`     // files of tmpfiles.d that changed: systemd-tmpfiles --create
	Notes        []string   `json:"notes"`        // what changed and counts later, sentences
}

// Empty reports whether nothing is to be done and nothing to be told.
func (p *Plan) Empty() bool {
	return len(p.Units) == 0 && p.Manager == ManagerStays && !p.UserManagers && len(p.User) == 0 && len(p.Tmpfiles) == 0 && len(p.Notes) == 0
}

// A Job is one request to the manager: Stop, Start, Restart or Reload.
type Job struct {
	Do   Action
	Unit string
}

// Before lists what is stopped before /usr and /etc are exchanged.
func (p *Plan) Before() []Job {
	var jobs []Job
	for _, d := range p.Units {
		if d.Action == Stop || d.Action == Restart && d.StopFirst {
			jobs = append(jobs, Job{Stop, d.Unit})
		}
	}
	return jobs
}

// After lists what is done once the manager has read its units again.
func (p *Plan) After() []Job {
	var jobs []Job
	for _, d := range p.Units {
		switch {
		case d.Action == Restart && d.StopFirst:
			jobs = append(jobs, Job{Start, d.Unit})
		case d.Action == Restart || d.Action == Reload || d.Action == Start:
			jobs = append(jobs, Job{d.Action, d.Unit})
		}
	}
	return jobs
}

func order(list []Decision) []Decision {
	slices.SortFunc(list, func(a, b Decision) int {
		return cmp.Or(cmp.Compare(slices.Index(actions, a.Action), slices.Index(actions, b.Action)), cmp.Compare(a.Unit, b.Unit))
	})
	return list
}
