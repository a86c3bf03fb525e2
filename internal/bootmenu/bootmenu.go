// Package bootmenu writes the menu of the installation medium. It is pure:
// values in, one grub.cfg out, which GRUB reads under BIOS and UEFI alike.
//
//	Install reprise                     starts by itself after the timeout
//	Try … without installing            one for each system that can be tried
//	Check this medium
//	Rescue shell
//	Install reprise with plain questions …  key a
//
// Two notes sound when the menu is there: who cannot see it presses a, and is
// asked in plain lines. The medium has no speech and no driver of a Braille
// display: a screen reader listens on the serial line or over ssh.
//
// The menu is on the screen and, where the machine has a first serial port,
// on that too, at 115,200 baud. Every entry gives the kernel both consoles.
// Which is which, stage 1 learns from the kernel line:
//
//	reprise.medium=LABEL=REPRISE reprise.mode=install|live|check|rescue
//	reprise.accessible     the installer asks in plain lines
package bootmenu

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Places on the medium, without a leading slash.
const (
	Config = "boot/grub/grub.cfg"
	Kernel = "boot/kernel"
	Initrd = "boot/initrd"
	Info   = ".disk/info" // what the signed GRUB of Debian looks for
)

// Words of the kernel line.
const (
	MediumParam = "reprise.medium"
	ModeParam   = "reprise.mode"
	SystemParam = "reprise.system"
	// AccessibleParam has no value: it asks for plain lines.
	AccessibleParam = "reprise.accessible"
)

// Modes that stage 1 knows.
const (
	Install = "install"
	Live    = "live"
	Check   = "check"
	Rescue  = "rescue"
)

// LeastMemory is what the entries that install and try a system need, in bytes
// as the kernel counts (MemTotal). It lets the installer, the copy of a store and
// the making of the machine's own system run. Machines sold with 1 GiB show some
// 70 MiB less, those whose graphics take a part of it less again.
const LeastMemory = 900 << 20

// Accessible is the entry that installs with plain questions.
const Accessible = "accessible"

// Consoles are on every kernel line; what the kernel says goes to both. The
// last one is /dev/console, or the screen where there is no serial port.
var consoles = []string{"console=tty0", "console=ttyS0,115200"}

// DefaultTimeout is in seconds.
const DefaultTimeout = 10

// Options are what a medium's menu is made from.
type Options struct {
	Label   string // volume id of the medium
	Timeout int    // seconds until the first entry starts; 0 means DefaultTimeout
	Live    []System
	// Params are further words of every kernel line, one parameter each,
	// without quotes.
	Params []string
}

// A System is one that can be tried without installing it.
type System struct {
	Name   string   // for people, such as "studio"
	Path   string   // its store path
	Params []string // further words of its kernel line

	// Its kernel and the medium's initramfs for that, on the medium without a
	// leading slash; "" for Kernel and Initrd, which all other entries have.
	Kernel, Initrd string
}

// modules are built into GRUB's image for BIOS: what reads the medium, what
// the menu uses and what a person at GRUB's prompt needs.
var modules = []string{
	"biosdisk", "iso9660", "part_gpt", "part_msdos", "normal", "configfile", "linux", "search", "search_fs_file", "search_label",
	"test", "echo", "play", "serial", "terminal", "minicmd", "reboot", "halt", "sleep", "true", "ls", "cat",
}

// Modules returns the modules of GRUB's image for BIOS.
func Modules() []string { return slices.Clone(modules) }

// Prefix is where that image looks for grub.cfg on the medium it came from.
const Prefix = "/boot/grub"

// GRUB writes grub.cfg. It reports every problem at once.
func GRUB(o Options) ([]byte, error) {
	if err := check(o); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Written by reprise with the medium.
# The UEFI of QEMU has its screen on the serial line too: a menu of GRUB's own
# there would be drawn through the other.
set mirrored=
if [ "$grub_platform" = efi ]; then
  if smbios --type 1 --get-string 4 --set maker; then
    if [ "$maker" = QEMU ]; then set mirrored=yes; fi
  fi
fi
if [ -z "$mirrored" ]; then
  if serial --unit=0 --speed=115200; then
    terminal_input console serial
    terminal_output console serial
  fi
fi
set timeout_style=menu
set timeout=%d
set default=%s
play 960 440 1 0 1 660 1
`, cmp.Or(o.Timeout, DefaultTimeout), Install)
	for _, e := range entries(o) {
		fmt.Fprintf(&b, "\nmenuentry %s --id %s%s {\n  echo 'Loading ...'\n  linux /%s", quote(e.title), quote(e.id), e.hotkey(), cmp.Or(e.kernel, Kernel))
		for _, word := range e.words {
			b.WriteString(" " + quote(word))
		}
		fmt.Fprintf(&b, "\n  initrd /%s\n}\n", cmp.Or(e.initrd, Initrd))
	}
	return b.Bytes(), nil
}

type menuEntry struct {
	title, id string
	words     []string

	kernel, initrd string // "" for Kernel and Initrd
	key            string // chooses and starts it; "" for none
}

func (e menuEntry) hotkey() string {
	if e.key == "" {
		return ""
	}
	return " --hotkey " + e.key
}

func entries(o Options) []menuEntry {
	line := func(mode string, more ...string) []string {
		words := []string{MediumParam + "=LABEL=" + o.Label, ModeParam + "=" + mode}
		return slices.Concat(words, more, o.Params, consoles)
	}
	list := []menuEntry{{title: "Install reprise", id: Install, words: line(Install)}}
	for _, s := range o.Live {
		list = append(list, menuEntry{
			title: "Try " + s.Name + " without installing", id: Live + "-" + s.Name,
			words:  line(Live, append([]string{SystemParam + "=" + s.Path}, s.Params...)...),
			kernel: s.Kernel, initrd: s.Initrd,
		})
	}
	return append(list,
		menuEntry{title: "Check this medium", id: Check, words: line(Check)},
		menuEntry{title: "Rescue shell", id: Rescue, words: line(Rescue)},
		menuEntry{title: "Install reprise with plain questions, for screen readers (key a)", id: Accessible, key: "a", words: line(Install, AccessibleParam)},
	)
}

// quote writes one word of a GRUB script; check refuses quotes.
func quote(s string) string { return "'" + s + "'" }

// Problems are all that is wrong with Options.
type Problems []string

func (p Problems) Error() string { return "boot menu: " + strings.Join(p, "; ") }

var (
	isLabel = regexp.MustCompile(`^[A-Z0-9_]{1,32}$`)
	isName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	isFile  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
	isPath  = regexp.MustCompile(`^/[A-Za-z0-9+._?=/-]+$`)
)

// commandLineMax is the longest kernel line on x86, its NUL not counted.
// Source: COMMAND_LINE_SIZE in arch/x86/include/asm/setup.h of Linux 6.12.
const commandLineMax = 2047

func check(o Options) error {
	var p Problems
	say := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	if !isLabel.MatchString(o.Label) {
		say("label %q: want 1 to 32 of A-Z, 0-9 and _", o.Label)
	}
	if o.Timeout < 0 || o.Timeout > 3600 {
		say("timeout of %d seconds: want 0 to 3600", o.Timeout)
	}
	words := func(who string, params []string) {
		for _, word := range params {
			switch {
			case word == "" || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }):
				say("%skernel parameter %q: want visible characters", who, word)
			case strings.ContainsAny(word, "\"'\\ "):
				say("%skernel parameter %q: quotes, backslashes and spaces do not reach the kernel unchanged", who, word)
			case strings.HasPrefix(word, MediumParam+"="), strings.HasPrefix(word, ModeParam+"="), strings.HasPrefix(word, SystemParam+"="), word == AccessibleParam:
				say("%skernel parameter %q is set by the menu alone", who, word)
			}
		}
	}
	words("", o.Params)
	seen := map[string]bool{}
	for _, s := range o.Live {
		if !isName.MatchString(s.Name) {
			say("system %q: want a name of letters, digits, dots and dashes", s.Name)
		}
		if seen[s.Name] {
			say("system %q is there twice", s.Name)
		}
		seen[s.Name] = true
		if !isPath.MatchString(s.Path) {
			say("system %q: path %q: want a store path", s.Name, s.Path)
		}
		if (s.Kernel == "") != (s.Initrd == "") {
			say("system %q: a kernel of its own wants an initramfs of its own", s.Name)
		}
		for _, file := range []string{s.Kernel, s.Initrd} {
			if file != "" && !isFile.MatchString(file) {
				say("system %q: file %q: want a name of the medium without a leading slash", s.Name, file)
			}
		}
		words(fmt.Sprintf("system %q: ", s.Name), s.Params)
	}
	for _, e := range entries(o) {
		if n := len(strings.Join(e.words, " ")); n > commandLineMax {
			say("kernel line of %q has %d bytes: at most %d", e.title, n, commandLineMax)
		}
	}
	if p != nil {
		return p
	}
	return nil
}
