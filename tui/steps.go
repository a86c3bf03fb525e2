package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/config"
	"reprise/internal/diag"
)

// Names of steps, for going back to one.
const (
	stepWelcome    = "welcome"
	stepLanguage   = "language"
	stepKeyboard   = "keyboard"
	stepNetwork    = "network"
	stepMachine    = "machine"
	stepProfile    = "profile"
	stepDisk       = "disk"
	stepEncryption = "encryption"
	stepPerson     = "person"
	stepZone       = "zone"
	stepReview     = "review"
	stepConfirm    = "confirm"
)

// title is what the first screen says on every console.
const title = "Install reprise"

// steps are the screens in their order, up to the consent.
func steps() []step {
	return []step{
		{id: stepWelcome, title: "Welcome", text: welcomeText,
			hint: "Keys: Enter goes on, Esc goes back, the arrows and Tab move. Ctrl-C leaves; it asks first."},
		{id: stepLanguage, title: "Language", text: unlessOne((*Session).locales, "This medium carries no language but English: go on.", "The language of the installed system, and how it writes dates and numbers. Type a part of its name, such as german. This installer speaks English."),
			fields: func(s *Session) []field {
				return []field{{id: "locale", kind: search, label: "Language", options: s.locales(), value: &s.Said.Locale}}
			}},
		{id: stepKeyboard, title: "Keyboard", text: keyboardText, leave: pressKeys,
			fields: func(s *Session) []field {
				return []field{{id: "keyMap", kind: search, label: "Keyboard", options: s.keyMaps(), value: &s.Said.KeyMap}}
			}},
		{id: stepNetwork, title: "Network", text: networkText, fields: networkFields},
		{id: stepMachine, title: "This machine", text: machineText, keys: "r look again"},
		{id: stepProfile, title: "Profile", fields: profileFields, text: say("What this machine is to be. All of it stands in /etc/reprise/configuration.jsonnet afterwards.")},
		{id: stepDisk, title: "Disk", text: diskText, fields: diskFields, leave: probeDisk, keys: "r look again"},
		{id: stepEncryption, title: "File system and encryption", text: keysText("at each start"), fields: encryptionFields, keys: "Ctrl-T show or hide"},
		{id: stepPerson, title: "Host and user", text: keysText("once it is installed"), fields: personFields, leave: leavePerson, keys: "Ctrl-T show or hide"},
		{id: stepZone, title: "Time zone", text: say("For the clock. Type the name of the next large town, such as berlin or new york."), fields: func(s *Session) []field {
			return []field{{id: "zone", kind: search, label: "Time zone", options: s.zones(), value: &s.Said.Zone}}
		}, leave: makePlan},
		{id: stepReview, title: "Review", text: reviewText, keys: "h hardware   c configuration",
			hint: "Press h to read and edit hardware.jsonnet, c for configuration.jsonnet."},
		{id: stepConfirm, title: "Erase and install", text: confirmText, fields: confirmFields},
	}
}

// say is a text that is always the same.
func say(sentence string) func(*Session, int) string {
	return func(_ *Session, width int) string { return wrap(sentence, width) }
}

// unlessOne is a text for those who have a choice, and another for the others.
func unlessOne(options func(*Session) []option, one, sentence string) func(*Session, int) string {
	return func(s *Session, width int) string {
		if len(options(s)) == 1 {
			return wrap(one, width)
		}
		return wrap(sentence, width)
	}
}

func welcomeText(s *Session, width int) string {
	var b strings.Builder
	b.WriteString(title + "\n\n")
	b.WriteString(wrap("This makes a studio or a stage machine of the computer in front of you: a Linux that is tuned for sound, on one of its disks. You are asked a few questions, each with an answer to begin with. Then you see all that is going to be done.", width))
	b.WriteString("\n" + wrap("Nothing is written to any disk before you have agreed to that, so look around.", width))
	b.WriteString("\nOn this medium:\n\n")
	if s.Medium != nil {
		for _, system := range s.Medium.Systems {
			b.WriteString(hang(fmt.Sprintf("  %-12s ", system.Name), system.Title, width))
		}
	}
	// Drivers have come once the machine was looked at.
	if s.Facts != nil && s.Keyboard != nil && !s.Keyboard() {
		b.WriteString("\n" + hang("! ", "No keyboard is found. Plug one in: it works at once. Or install without one: by a serial line, or with "+answers.FileName+" on a stick with the label REPRISEDATA.", width))
	}
	if s.LookErr != nil {
		b.WriteString("\n" + hang("! ", "The machine could not be looked at: "+s.LookErr.Error(), width))
	}
	return b.String()
}

// looking stands where what the machine is will stand. Drivers are loaded in
// that time, and disks wake up.
const looking = "Looking at the machine: its processor, its sound cards, its disks and what is on them.\nThis takes some seconds; on an old machine, a minute.\n"

// machineText says what the machine means for sound, and then what it is.
func machineText(s *Session, width int) string {
	if s.Facts == nil {
		return looking
	}
	var page strings.Builder
	if err := s.Facts.WritePage(&page); err != nil {
		return err.Error()
	}
	const intro = "What was found, and what it means for sound. Nothing is to be decided here: the settings go into hardware.jsonnet with their reasons, where you can change them first (Review, key h)."
	const words = "A period is the piece of sound that is computed at a time, in frames, samples of each channel. Fewer frames: you hear yourself sooner, and the machine has less time for each piece."
	return wrap(intro, width) + "\n" + measuredText(s, width) + fit(s.advice().Text()+"\nTwo words\n"+hang("  - ", words, width)+"\nWHAT WAS FOUND\n\n"+page.String(), width)
}

func profileFields(s *Session) []field {
	f := field{id: "profile", kind: choice, label: "Profile", value: &s.Said.Profile}
	for _, system := range s.Medium.Systems {
		o := option{value: system.Name, label: system.Name}
		if system.Title != "" {
			o.label += ": " + system.Title
		}
		kernel := "kernel " + system.KernelVersion
		if system.Realtime {
			kernel = "real-time kernel, made for small buffers (" + system.KernelVersion + ")"
		}
		var size int64
		for _, p := range s.Medium.Needed(&system, false) {
			size += p.Size
		}
		o.detail = []string{kernel, amount(size) + " of the disk"}
		f.options = append(f.options, o)
	}
	return []field{f}
}

// checkOption judges a value as the configuration would.
func checkOption(name, value string) string {
	if value == "" {
		return "is not answered"
	}
	p := config.CheckText(name, value)
	if p == nil {
		return ""
	}
	return p.Got + "; want " + p.Want
}

// makePlan decides the installation.
func makePlan(s *Session) func(context.Context) (func(*Session), string) {
	a, actions := s.answers(), s.Actions
	return func(ctx context.Context) (func(*Session), string) {
		p, err := actions.Plan(ctx, a)
		if err != nil {
			return nil, complaintOf(err)
		}
		files, err := actions.Files(ctx, p)
		if err != nil {
			return nil, "The configuration cannot be made: " + complaintOf(err)
		}
		return func(s *Session) {
			s.Plan, s.Files, s.Said.Serial = p, files, ""
			s.keepEdits()
		}, ""
	}
}

// complaintOf tells problems to somebody at a screen, who writes no file.
func complaintOf(err error) string {
	var problems diag.Problems
	if !errors.As(err, &problems) {
		return err.Error()
	}
	var lines []string
	for _, p := range problems {
		lines = append(lines, strings.TrimSpace(p.Field+" "+p.Got)+". Wanted: "+p.Want+".")
	}
	return strings.Join(lines, "\n")
}

func reviewText(s *Session, width int) string {
	if s.Plan == nil {
		return ""
	}
	text := s.Plan.Text(width)
	var names []string
	for name := range s.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	if keys := s.keys(); len(keys) > 0 {
		text += "\n"
		for _, key := range keys {
			text += hang("ssh key     ", nameKey(key), width)
		}
	}
	return text + "\n" + hang("/etc/reprise: ", strings.Join(names, ", ")+". What was chosen for this machine, and why, stands in hardware.jsonnet.", width)
}

func confirmText(s *Session, width int) string {
	if s.Plan == nil {
		return ""
	}
	disk := plan.Disk{Path: s.Plan.Disk.Path, Model: s.Plan.Disk.Model, Serial: s.Plan.Disk.Serial, SizeBytes: s.Plan.Disk.SizeBytes}
	var b strings.Builder
	b.WriteString(wrap("EVERYTHING ON THIS DISK WILL BE LOST:", width) + "\n")
	b.WriteString(hang("  ", disk.Name(), width))
	if d := s.disk(); d != nil {
		for _, line := range holdings(*d) {
			b.WriteString("    " + line + "\n")
		}
	}
	b.WriteString("\n" + wrap("No other disk is written to. To agree, type "+wordName(disk)+" of the disk as it stands above, letter by letter: so nobody erases the wrong disk by accident. Then the installation begins.", width))
	return b.String()
}

func wordName(d plan.Disk) string {
	if d.Serial != "" {
		return "the serial number"
	}
	return "the path"
}

func confirmFields(s *Session) []field {
	if s.Plan == nil {
		return nil
	}
	disk := plan.Disk{Path: s.Plan.Disk.Path, Serial: s.Plan.Disk.Serial}
	name := map[bool]string{true: "Serial number", false: "Path"}[disk.Serial != ""]
	return []field{{id: "serial", kind: text, label: name, value: &s.Said.Serial, check: func() string {
		switch typed := strings.TrimSpace(s.Said.Serial); {
		case typed == "":
			return "is not answered: nothing was written"
		case typed != disk.Word():
			return fmt.Sprintf("is %q, and the disk has %q: nothing was written", typed, disk.Word())
		}
		return ""
	}}}
}

func amount(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
