package stage1

import (
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A console is a terminal that an installer may have. It is opened anew for
// every program: when one that has it as its terminal ends, the kernel hangs up
// what others have open of it.
type console struct {
	name   string        // "tty1", "ttyS0"
	before *unix.Termios // its settings before a program had it; nil: not known
}

type consoles []console

// findConsoles finds the first virtual terminal, and every console of the
// kernel besides.
func findConsoles() consoles {
	data, _ := os.ReadFile("/sys/class/tty/console/active")
	var all consoles
	for _, name := range consoleNames(string(data)) {
		c := console{name: name}
		f, err := c.open()
		if err != nil {
			continue // a machine without a screen has no tty1
		}
		c.before, _ = unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		f.Close()
		all = append(all, c)
	}
	return all
}

func (c console) open() (*os.File, error) {
	return os.OpenFile("/dev/"+c.name, os.O_RDWR|unix.O_NOCTTY, 0)
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

// screens opens all of them. The caller closes what it gets.
func (all consoles) screens() screens {
	var s screens
	for _, c := range all {
		if f, err := c.open(); err == nil {
			s = append(s, newScreen(f))
		}
	}
	return s
}

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

// size gives an open terminal a size where it has none.
func size(f *os.File) {
	fd := int(f.Fd())
	now, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
	if err == nil && now.Row == 0 && now.Col == 0 {
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: serialRows, Col: serialColumns})
	}
}

// restore undoes what a program that ended badly has left of the terminal's
// settings, and says what became of it.
func (c console) restore(said string) {
	f, err := c.open()
	if err != nil {
		return
	}
	defer f.Close()
	// A line that was stopped is left as it is. Fd would make the file one that
	// knows no deadline.
	if raw, err := f.SyscallConn(); err == nil && c.before != nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.IoctlSetTermios(int(fd), unix.TCSETS, c.before) })
	}
	_ = f.SetWriteDeadline(time.Now().Add(stuck))
	// The main screen, a visible cursor, plain letters.
	_, _ = f.WriteString("\x1b[?1049l\x1b[?25h\x1b[0m\r\n" + said)
}
