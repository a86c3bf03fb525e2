package esp

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reprise/internal/bootentry"
)

// A Firmware is what starts the machine.
type Firmware string

const (
	BIOS Firmware = "bios"
	UEFI Firmware = "uefi"
)

// A Choice is what a loader starts when nobody presses a key.
type Choice struct {
	Number         int
	Trial          bool // the kernel line says so
	Kernel, Initrd string
}

// Choose tells what the machine would start. An error says why it would start
// nothing of ours.
//
// It follows systemd 257 (boot.c: boot_entry_compare and
// config_select_default_entry; a choice that a person made in systemd-boot's
// menu with the key d is in a variable of the firmware, and goes first there)
// and our grub.cfg.
func Choose(s State, f Firmware) (Choice, error) {
	if f == BIOS {
		return s.chooseGRUB()
	}
	return s.chooseSystemdBoot()
}

func (s State) chooseSystemdBoot() (Choice, error) {
	var listed []Entry
	for _, e := range s.Entries {
		if s.has(e.Text.Kernel) { // it passes over the others
			listed = append(listed, e)
		}
	}
	if len(listed) == 0 {
		return Choice{}, errors.New("no entry names a kernel that is there")
	}
	first := slices.MinFunc(listed, func(a, b Entry) int {
		return cmp.Or(
			order(a.Counted && a.Left == 0, b.Counted && b.Left == 0),
			order(a.Text.SortKey == "", b.Text.SortKey == ""),
			cmp.Compare(a.Text.SortKey, b.Text.SortKey),
			cmp.Compare(b.Number, a.Number), // as the versions say
			strings.Compare(b.Name, a.Name),
		)
	})
	c := Choice{first.Number, strings.Contains(" "+first.Text.Options+" ", " "+bootentry.TrialParam+" "), first.Text.Kernel, first.Text.Initrd}
	return c, s.whole(c)
}

// order puts false before true.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// whole tells whether c's files are there.
func (s State) whole(c Choice) error {
	for _, image := range []string{c.Kernel, c.Initrd} {
		if !s.has(image) {
			return fmt.Errorf("generation %d would be started, and its %q is not there", c.Number, image)
		}
	}
	return nil
}

func (s State) chooseGRUB() (Choice, error) {
	if _, ok := s.texts[bootentry.GRUBConfig]; !ok {
		return Choice{}, fmt.Errorf("%q is not there", bootentry.GRUBConfig)
	}
	env := s.Env
	if s.EnvProblem != "" {
		env = bootentry.Env{}
	}
	menu, ok := s.menuInUse()
	if !ok {
		return Choice{}, errors.New("no menu of GRUB is whole")
	}
	start := menu.Default
	if env.Good != 0 {
		start = env.Good
	}
	if env.Trial != 0 && env.Left >= 1 && env.Left <= bootentry.MaxTries {
		start = env.Trial
	}
	at := slices.IndexFunc(menu.Entries, func(e bootentry.MenuEntry) bool { return e.Number == start })
	for _, at := range []int{max(at, 0), 0} { // the first one is the fallback
		e := menu.Entries[at]
		c := Choice{e.Number, e.Number == env.Trial, e.Kernel, e.Initrd}
		if s.whole(c) == nil || at == 0 {
			return c, s.whole(c)
		}
	}
	return Choice{}, errors.New("GRUB's menu is empty")
}

// menuLetter is the menu that GRUB would read first.
func (s State) menuLetter() string {
	if s.EnvProblem == "" && s.Env.Menu == bootentry.MenuB {
		return bootentry.MenuB
	}
	return bootentry.MenuA
}

func (s State) menuInUse() (bootentry.Menu, bool) {
	letter := s.menuLetter()
	if m, ok := s.Menus[letter]; ok {
		return m, true
	}
	m, ok := s.Menus[bootentry.OtherMenu(letter)]
	return m, ok
}
