package stage1

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A console is a terminal that an installer may have.
type console struct {
	name   string // "tty1", "ttyS0"
	file   *os.File
	before *unix.Termios // its settings before a program had it
}

type consoles []console

// openConsoles opens the first virtual terminal, and every console of the
// kernel besides.
func openConsoles() consoles {
	data, _ := os.ReadFile("/sys/class/tty/console/active")
	var all consoles
	for _, name := range consoleNames(string(data)) {
		f, err := os.OpenFile("/dev/"+name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			continue // a machine without a screen has no tty1
		}
		before, _ := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		all = append(all, console{name, f, before})
	}
	return all
}

// consoleNames turns the kernel's list of consoles into terminals.
func consoleNames(active string) []string {
	names := []string{"tty1"}
	for _, name := range strings.Fields(active) {
		if name == "tty0" {
			name = "tty1"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (all consoles) screens() screens {
	var s screens
	for _, c := range all {
		s = append(s, c.file)
	}
	return s
}

func (all consoles) close() { all.screens().close() }

// term is what programs are told to speak.
func (c console) term() string {
	if strings.HasPrefix(c.name, "tty") && len(c.name) > 3 && c.name[3] >= '0' && c.name[3] <= '9' {
		return "linux"
	}
	return "vt220"
}

// Lines and columns of a terminal that does not say how large it is, as a
// serial line never does. Programs that fill the screen need some size.
const serialRows, serialColumns = 24, 80

// size gives the terminal a size where it has none.
func (c console) size() {
	fd := int(c.file.Fd())
	now, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err == nil && now.Row == 0 && now.Col == 0 {
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: serialRows, Col: serialColumns})
	}
}

// restore undoes what a program that ended badly has left of its settings.
func (c console) restore() {
	if c.before != nil {
		_ = unix.IoctlSetTermios(int(c.file.Fd()), unix.TCSETS, c.before)
	}
	// The main screen, a visible cursor, plain letters.
	_, _ = c.file.WriteString("\x1b[?1049l\x1b[?25h\x1b[0m\r\n")
}
