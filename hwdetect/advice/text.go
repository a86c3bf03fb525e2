package advice

import (
	"fmt"
	"strings"
)

// Text writes advice for people, wrapped at 80 columns.
func (a Advice) Text() string {
	var b strings.Builder
	section := func(title string) { fmt.Fprintf(&b, "\n%s\n", title) }
	b.WriteString(fold("", "", "This machine: "+a.Machine+"."))
	if s, ok := a.Studio(); ok {
		b.WriteString(fold("", "", "Studio card: "+s.Name+", "+s.Device+"."))
	} else {
		b.WriteString("Studio card: none.\n")
	}
	for _, part := range []struct {
		title string
		notes []Note
	}{{"To do by hand", a.Hands}, {"What does not go together", a.Conflicts}} {
		if len(part.notes) > 0 {
			section(part.title)
			for _, n := range part.notes {
				b.WriteString(fold("  - ", "    ", n.Text))
			}
		}
	}
	if len(a.Starts) > 0 {
		section("Where to begin with each card")
		for _, s := range a.Starts {
			b.WriteString(fold("  - ", "    ", s.sentence()))
			for _, t := range append(append([]string{}, s.Why...), s.Trouble...) {
				b.WriteString(fold("    ", "    ", t))
			}
		}
	}
	if len(a.Grades) > 0 {
		section("FireWire")
		for _, g := range a.Grades {
			b.WriteString(fold("  - ", "    ", g.sentence()))
		}
	}
	if chosen := a.Chosen(); len(chosen) > 0 {
		section("Settings")
		for _, s := range chosen {
			b.WriteString("  " + s.Option + " " + strings.TrimSpace(compact(s.Value)) + "\n")
			for _, r := range s.Reasons {
				b.WriteString(fold("    ", "    ", r))
			}
		}
	}
	if offers := a.Offers(); len(offers) > 0 {
		section("Offered, and not chosen")
		for _, s := range offers {
			b.WriteString("  " + s.Option + " " + strings.TrimSpace(compact(s.Value)) + "\n")
			for _, r := range append(append([]string{}, s.Reasons...), s.Risk) {
				b.WriteString(fold("    ", "    ", r))
			}
		}
	}
	for _, part := range []struct {
		title string
		notes []Note
	}{{"Good to know", a.Notes}, {"Not known", a.Unknown}} {
		if len(part.notes) > 0 {
			section(part.title)
			for _, n := range part.notes {
				b.WriteString(fold("  - ", "    ", n.Text))
			}
		}
	}
	return b.String()
}

// fold wraps a sentence for a terminal of 80 columns.
func fold(first, next, text string) string {
	var b strings.Builder
	at, fresh := first, true
	for _, word := range strings.Fields(text) {
		if !fresh && runes(at)+1+runes(word) > 80 {
			b.WriteString(at + "\n")
			at, fresh = next, true
		}
		if !fresh {
			at += " "
		}
		at, fresh = at+word, false
	}
	b.WriteString(at + "\n")
	return b.String()
}

func (g Grade) sentence() string {
	return fmt.Sprintf("%s (%s): %s. %s", g.Name, g.Device, g.Grade, g.Why)
}

// sentence says where to begin with a card.
func (s Start) sentence() string {
	text := fmt.Sprintf("%s (%s): %s, %d Hz, %d frames, %d periods.", s.Name, s.Device, s.Driver, s.Rate, s.Period, s.Periods)
	if s.Other != nil {
		text += fmt.Sprintf(" Or %s: %d frames, %d periods.", s.Other.Driver, s.Other.Period, s.Other.Periods)
	}
	return text
}
