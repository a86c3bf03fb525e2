package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/plan"
)

// Further things to choose where an installer ends.
const (
	pickStay   = "stay"
	pickStop   = "stop"
	pickRetry  = "retry"
	pickChange = "change"
	pickReport = "report"
	pickKeep   = "keep"
	pickDrop   = "drop"
)

var endLabels = map[End]string{
	Reboot: "Restart the machine", PowerOff: "Switch the machine off", Shell: "Rescue shell", Leave: "Leave the installer",
}

func endOptions(ends []End) []option {
	var list []option
	for _, e := range ends {
		list = append(list, option{value: string(e), label: endLabels[e]})
	}
	return list
}

// pick is a screen with text and one choice.
func pick(id, head string, write func(*Session, int) string, value *string, options ...option) step {
	return step{id: id, title: head, text: write, fields: func(*Session) []field {
		return []field{{id: id, kind: choice, label: "What now?", options: options, value: value}}
	}}
}

func (m *Model) quitStep() step {
	if m.mode == running {
		return pick("quit", "Stop?", say("The installation is on its way. When it is stopped, the disk does not start a system; it can be gone on with later."), &m.picked,
			option{value: pickStay, label: "Go on installing"}, option{value: pickStop, label: "Stop the installation"})
	}
	text := "Nothing was written to any disk."
	switch {
	case m.mode == finished:
		text = "The installation is complete."
	case m.err != nil:
		text = "The installation is not complete. It can be gone on with later."
	}
	return pick("quit", "Leave?", say(text), &m.picked, append([]option{{value: pickStay, label: "Stay in the installer"}}, endOptions(m.s.Ends)...)...)
}

// dropStep asks what becomes of a text that was changed.
func (m *Model) dropStep() step {
	return pick("drop", "Keep the changes?", say("You have changed "+m.editing+"."), &m.picked,
		option{value: pickKeep, label: "Keep the changes"}, option{value: pickDrop, label: "Throw them away"}, option{value: pickStay, label: "Go on editing"})
}

func (m *Model) doneStep() step {
	return pick("done", "Installed", func(s *Session, width int) string {
		p := s.Plan
		var b strings.Builder
		b.WriteString("reprise is installed\n\n")
		first := fmt.Sprintf("%s is on %s as generation %d of %s.", p.System, p.Disk.Path, m.result.Generation, p.Host)
		if m.result.Before {
			first = fmt.Sprintf("%s was on %s already, complete: nothing was done now.", p.System, p.Disk.Path)
		}
		b.WriteString(wrap(first, width) + "\n")
		b.WriteString("What to do next\n")
		next := []string{"Restart the machine, and take stick or disc out when the screen goes dark."}
		if p.LUKS != nil {
			next = append(next, fmt.Sprintf("Type the passphrase when it is asked for. The keys of this machine are then those of %q.", cmp.Or(p.Answers.KeyMap, kernelKeys)))
		}
		if u := p.Answers.User; u != nil {
			next = append(next, "Log in as "+u.Name+".")
			if len(u.Keys) > 0 {
				next = append(next, "From another machine: ssh "+u.Name+"@"+sshAddress(p.Answers)+addressHint(p.Answers))
			}
		}
		next = append(next, "The configuration lies in /etc/reprise: hardware.jsonnet says what was chosen for this machine, and why.")
		for _, h := range s.advice().Hands {
			next = append(next, h.Text)
		}
		for _, n := range next {
			b.WriteString(hang("  - ", n, width))
		}
		return b.String()
	}, &m.picked, endOptions(m.s.Ends)...)
}

// sshAddress is what stands behind the @: an address when one was given.
func sshAddress(a answers.Answers) string {
	if a.Network == nil {
		return "ADDRESS"
	}
	address, _, _ := strings.Cut(a.Network.Address, "/")
	return address
}

func addressHint(a answers.Answers) string {
	if a.Network == nil {
		return ", with the address that your router gave it. On the machine itself: ip -br address"
	}
	return ""
}

func (m *Model) failStep() step {
	options := []option{
		{value: pickRetry, label: "Try again: it goes on where it stopped"},
		{value: pickChange, label: "Look at the plan again, and change answers"},
	}
	if m.s.Actions.Report != nil {
		options = append(options, option{value: pickReport, label: "Write a report, onto the stick when it can be written"})
	}
	return pick("failed", "Not installed", func(s *Session, width int) string {
		var b strings.Builder
		if errors.Is(m.err, context.Canceled) {
			b.WriteString("The installation was stopped\n\n")
		} else {
			b.WriteString("The installation has failed\n\n")
		}
		failure := new(installer.StepError)
		known := errors.As(m.err, &failure)
		if known {
			b.WriteString(m.whereText(failure.Step, width))
		}
		if errors.Is(m.err, context.Canceled) {
			b.WriteString(wrap("You stopped it. The disk does not start a system until the installation is complete.", width))
			known = false // what stopped is no fault
		} else {
			b.WriteString(fit(m.err.Error(), width))
		}
		if !known && s.Log != "" {
			b.WriteString(fit("  log:  "+s.Log, width))
		}
		if m.reported != "" {
			b.WriteString("\n" + wrap(m.reported, width))
		}
		return b.String()
	}, &m.picked, append(options, endOptions(m.s.Ends)...)...)
}

// whereText says at which step an installation ended.
func (m *Model) whereText(name plan.Name, width int) string {
	for n, step := range m.s.Plan.Steps {
		if step.Name == name {
			return hang(fmt.Sprintf("It ended at step %d of %d: ", n+1, len(m.s.Plan.Steps)), step.Text, width) + "\n"
		}
	}
	return ""
}

// reportText is what somebody needs to find a fault: no secrets.
func (m *Model) reportText() string {
	var b strings.Builder
	fmt.Fprintf(&b, "reprise: a report of an installation that failed\n\n%v\n\n%s\n", m.err, m.s.Plan.Text(80))
	b.WriteString(m.s.advice().Text())
	if err := m.s.Facts.WritePage(&b); err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	return b.String()
}
