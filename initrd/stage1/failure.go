package stage1

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"reprise/initrd/blockdev"
)

// A Failure is why the machine cannot start, told to the person before it.
type Failure struct {
	Got  string   // what is the matter: "the root partition is not there"
	Want string   // what was looked for; "" when Got says it all
	Seen []string // what was there instead, one a line
	Do   []string // what a person can do, one a line
	Err  error    // the error beneath; nil when there is none

	Medium bool // it concerns an installation medium: no older generation helps
	Stay   bool // no reboot when nobody is there: it would only come to the same again
	Locked bool // the disk is encrypted: every generation lies on it
}

func (f *Failure) Error() string {
	if f.Err != nil {
		return f.Got + ": " + f.Err.Error()
	}
	return f.Got
}

func (f *Failure) Unwrap() error { return f.Err }

// text is what stands on the console.
func text(err error) string {
	if err == errRescue || err == errMounted {
		return "\nreprise: " + err.Error() + "\n"
	}
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Got: "stage 1 met an error", Err: err}
	}
	var b strings.Builder
	do := f.Do
	if f.Medium {
		fmt.Fprintf(&b, "\nreprise: the installation medium cannot be used: %s\n", f.Got)
	} else {
		fmt.Fprintf(&b, "\nreprise: this machine cannot start: %s\n", f.Got)
		if !f.Locked {
			do = append(slices.Clone(do), "choose an older generation in the boot menu")
		}
	}
	if f.Err != nil {
		fmt.Fprintf(&b, "  error: %s\n", f.Err)
	}
	if f.Want != "" {
		fmt.Fprintf(&b, "  want:  %s\n", f.Want)
	}
	for i, line := range f.Seen {
		b.WriteString(lead("  seen:  ", i) + line + "\n")
	}
	for i, line := range do {
		b.WriteString(lead("  do:    ", i) + line + "\n")
	}
	return b.String()
}

func lead(word string, line int) string {
	if line > 0 {
		return strings.Repeat(" ", len(word))
	}
	return word
}

func table(devices []blockdev.Device) []string {
	var lines []string
	for line := range strings.Lines(blockdev.Table(devices)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}
