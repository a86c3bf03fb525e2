package bootentry

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// GRUBPrefix is where GRUB's core image looks for grub.cfg: the second
// partition of the disk that the BIOS booted from, whatever its number.
const GRUBPrefix = "(,gpt2)/grub"

// GRUBModules are built into the core image, so that the ESP holds none.
var grubModules = []string{
	"biosdisk", "part_gpt", "fat", "normal", "configfile", "linux", "loadenv", "test", "echo",
	"serial", "terminal", "minicmd", "reboot", "halt", "sleep", "true", "ls", "cat",
}

// GRUBModules returns the modules that grub.cfg and a person at GRUB's prompt
// need.
func GRUBModules() []string { return append([]string(nil), grubModules...) }

// Names of the two menus. The one that grubenv names is in use; a new one is
// written to the other, and then a sector of grubenv puts it to use.
const (
	MenuA = "a"
	MenuB = "b"
)

// MenuPath is the place on the ESP of a menu.
func MenuPath(menu string) string { return GRUBDir + "/menu-" + menu + ".cfg" }

// OtherMenu is the one to write while menu is in use.
func OtherMenu(menu string) string {
	if menu == MenuB {
		return MenuA
	}
	return MenuB
}

// grubConfig is the same on every machine: what differs is in grubenv and in
// the menus. When what the menu entry does fails, such as for a kernel that
// cannot be read, GRUB goes on with the first entry of the menu (fallback),
// and so it does for a default that the menu does not have.
func grubConfig() []byte {
	var b bytes.Buffer
	b.WriteString(`# Written by reprise. What to start stands in grubenv, the generations in menu-a.cfg or menu-b.cfg.
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
set timeout=3
set fallback=0
set menu=
set good=
set trial=
set left=
load_env --file "$prefix/grubenv" menu good trial left
if [ "$menu" = b ]; then
  set other=a
else
  set menu=a
  set other=b
fi
if source "$prefix/menu-$menu.cfg"; then
  true
else
  source "$prefix/menu-$other.cfg"
fi
if [ -n "$good" ]; then
  set default="reprise-$good"
fi
if [ -n "$trial" ]; then
  set now=
`)
	for left := 1; left <= MaxTries; left++ {
		fmt.Fprintf(&b, "  if [ \"$left\" = %d ]; then set now=%d; fi\n", left, left-1)
	}
	b.WriteString(`  if [ -n "$now" ]; then
    set left="$now"
    if save_env --file "$prefix/grubenv" left; then
      set default="reprise-$trial"
    else
      echo 'The tries cannot be counted: starting the last good generation.'
    fi
  fi
fi
`)
	return b.Bytes()
}

// menuEnd is the last line of a whole menu.
const menuEnd = "# This menu is whole."

// grubMenu lists the generations, the default first: it is what GRUB starts
// when grubenv does not say otherwise.
func grubMenu(ordered []Generation, o Options) []byte {
	var b bytes.Buffer
	first := fallback(ordered)
	fmt.Fprintf(&b, "set timeout=%d\nset default='reprise-%d'\n", o.Timeout, first)
	for _, pass := range []bool{true, false} {
		for _, g := range ordered {
			if (g.Number == first) == pass {
				menuEntry(&b, g, o)
			}
		}
	}
	fmt.Fprintf(&b, "\n%s\n", menuEnd)
	return b.Bytes()
}

func menuEntry(b *bytes.Buffer, g Generation, o Options) {
	fmt.Fprintf(b, "\nmenuentry %s --id 'reprise-%d' {\n  set try=\n  if [ \"$trial\" = %d ]; then set try=%s; fi\n  linux /%s $try",
		grubQuote(Title(g)), g.Number, g.Number, TrialParam, KernelPath(g.Kernel))
	for _, word := range Params(g, o) {
		b.WriteString(" " + grubQuote(word))
	}
	fmt.Fprintf(b, "\n  initrd /%s\n}\n", InitrdPath(g.Initrd))
}

// fallback is the default of ordered generations, or the first of them.
func fallback(ordered []Generation) int {
	for _, g := range ordered {
		if g.Default {
			return g.Number
		}
	}
	return ordered[0].Number
}

// A Menu is what a GRUB menu says.
type Menu struct {
	Default int // generation to start when grubenv names none
	Entries []MenuEntry
}

// A MenuEntry is a generation in a GRUB menu.
type MenuEntry struct {
	Number         int
	Kernel, Initrd string // paths on the ESP, without a leading slash
}

// menuMax is the most bytes of a menu: a thousand generations.
const menuMax = 4 << 20

var (
	menuDefault = regexp.MustCompile(`^set default='reprise-([1-9][0-9]{0,8})'$`)
	menuID      = regexp.MustCompile(`^menuentry .* --id 'reprise-([1-9][0-9]{0,8})' \{$`)
	menuLoad    = regexp.MustCompile(`^  (linux|initrd) /(\S+)`)
)

// ParseMenu reads a menu as [Files] writes it. A torn one is an error.
func ParseMenu(content []byte) (Menu, error) {
	if len(content) > menuMax || !bytes.HasSuffix(content, []byte("\n"+menuEnd+"\n")) {
		return Menu{}, fmt.Errorf("menu of %d bytes: its last line is not %q", len(content), menuEnd)
	}
	var m Menu
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		if is := menuDefault.FindStringSubmatch(line); is != nil {
			m.Default, _ = strconv.Atoi(is[1]) // nine digits at most
		} else if is := menuID.FindStringSubmatch(line); is != nil {
			n, _ := strconv.Atoi(is[1])
			m.Entries = append(m.Entries, MenuEntry{Number: n})
		} else if is := menuLoad.FindStringSubmatch(line); is != nil && len(m.Entries) > 0 {
			e := &m.Entries[len(m.Entries)-1]
			if is[1] == "linux" {
				e.Kernel = is[2]
			} else {
				e.Initrd = is[2]
			}
		}
	}
	if len(m.Entries) == 0 {
		return Menu{}, errors.New("the menu has no generation")
	}
	return m, nil
}

// grubQuote writes one word of a GRUB script; check refuses quotes.
func grubQuote(s string) string { return "'" + s + "'" }

// envBytes is the fixed size of grubenv. GRUB writes it in place, block by
// block, so it must never change.
const envBytes = 1024

const envHeader = "# GRUB Environment Block\n"

// An Env is what GRUB decides by, the content of grubenv.
type Env struct {
	Menu  string // the menu in use, MenuA or MenuB; "" means MenuA
	Good  int    // the default; 0 when there is none
	Trial int    // generation on trial; 0 when there is none
	Left  int    // tries that are left of it
}

// EnvOf is the state in which generations are installed.
func EnvOf(generations []Generation) Env {
	e := Env{Menu: MenuA}
	for _, g := range Order(generations) {
		if g.OnTrial() {
			e.Trial, e.Left = g.Number, g.Tries
		}
		if g.Default {
			e.Good = g.Number
		}
	}
	return e
}

// Bless is the state after the trial of generation went well, or after it was
// made the default.
func (e Env) Bless(generation int) Env { return Env{Menu: e.Menu, Good: generation} }

// EnvSector is how many bytes at the front of grubenv say it all: nothing after them differs
// between two of them.
const EnvSector = 512

// Encode writes the 1,024 bytes of grubenv. Two of them differ in their first
// 512 bytes alone.
func (e Env) Encode() []byte {
	text := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	left := text(e.Left)
	if e.Trial != 0 && e.Left == 0 {
		left = "0"
	}
	b := fmt.Appendf(nil, "%smenu=%s\ngood=%s\ntrial=%s\nleft=%s\n", envHeader, e.Menu, text(e.Good), text(e.Trial), left)
	return append(b, bytes.Repeat([]byte{'#'}, envBytes-len(b))...)
}

// ParseEnv reads grubenv. Variables that are not ours are passed over.
func ParseEnv(content []byte) (Env, error) {
	if len(content) != envBytes || !bytes.HasPrefix(content, []byte(envHeader)) {
		return Env{}, fmt.Errorf("grubenv: %d bytes that begin %.30q: want %d that begin %q", len(content), content, envBytes, envHeader)
	}
	var e Env
	for line := range strings.SplitSeq(string(content[len(envHeader):]), "\n") {
		name, value, found := strings.Cut(line, "=")
		if !found {
			continue
		}
		if name == "menu" {
			if value != "" && value != MenuA && value != MenuB {
				return Env{}, fmt.Errorf("grubenv: menu is %q: want %q or %q", value, MenuA, MenuB)
			}
			e.Menu = value
			continue
		}
		into := map[string]*int{"good": &e.Good, "trial": &e.Trial, "left": &e.Left}[name]
		if into == nil {
			continue
		}
		*into = 0
		if value == "" {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 999_999_999 {
			return Env{}, fmt.Errorf("grubenv: %s is %q: want a number", name, value)
		}
		*into = n
	}
	return e, nil
}
