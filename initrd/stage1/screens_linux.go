package stage1

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// screens are the terminals of the consoles that the kernel writes to.
type screens []*screen

// openScreens opens every console that is there. The kernel's "tty0" is the
// virtual terminal in front; a shell needs one that can be its terminal.
func openScreens() screens {
	data, _ := os.ReadFile("/sys/class/tty/console/active")
	names := strings.Fields(string(data))
	if len(names) == 0 {
		names = []string{"console"}
	}
	var s screens
	for _, name := range names {
		if name == "tty0" {
			name = "tty1"
		}
		f, err := os.OpenFile("/dev/"+name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			continue
		}
		s = append(s, newScreen(f))
	}
	return s
}

// countdown waits so long for a key on any screen that gives a shell, and says
// whether there was one; 0 waits for ever.
func (s screens) countdown(most time.Duration) bool {
	return s.wait(most, "Press a key for a shell.\n", "\rReboot in %d s. Press a key for a shell. ")
}

// pause waits so long before a reboot, and a key ends it; 0 waits for ever.
func (s screens) pause(most time.Duration) {
	s.wait(most, "Press a key to reboot.\n", "\rReboot in %d s, or press a key. ")
}

// wait waits so long for a key on any screen, and says whether there was one;
// 0 waits for ever. It shows forever once, or left with the seconds that are
// left as they go.
func (s screens) wait(most time.Duration, forever, left string) bool {
	var poll []unix.PollFd
	for _, screen := range s {
		fd := int(screen.file.Fd())
		before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			continue
		}
		keys := *before
		keys.Lflag &^= unix.ICANON | unix.ECHO
		keys.Cc[unix.VMIN], keys.Cc[unix.VTIME] = 1, 0
		if unix.IoctlSetTermios(fd, unix.TCSETS, &keys) != nil {
			continue
		}
		defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }()
		// What was typed before the question is no answer to it.
		_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
		poll = append(poll, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	begun := time.Now()
	for shown := -1; ; {
		wait := time.Second
		if most == 0 {
			if shown < 0 {
				s.print(forever)
				shown = 0
			}
		} else {
			remains := most - time.Since(begun)
			if remains <= 0 {
				s.print("\n")
				return false
			}
			if seconds := int((remains + time.Second - 1) / time.Second); seconds != shown {
				s.print(fmt.Sprintf(left, seconds))
				shown = seconds
			}
			wait = min(wait, remains%time.Second+time.Millisecond)
		}
		n, err := unix.Poll(poll, int(wait.Milliseconds()))
		if err != nil || n <= 0 {
			continue
		}
		for i, p := range poll {
			if p.Revents&unix.POLLIN != 0 {
				_ = unix.IoctlSetInt(int(p.Fd), unix.TCFLSH, unix.TCIFLUSH)
				s.print("\n")
				return true
			}
			if p.Revents != 0 {
				poll[i].Fd = -1 // the line has hung up
			}
		}
	}
}

// attachConsole makes the console of devtmpfs our standard files: those that
// the kernel gave us belong to a file of the initramfs that will be gone.
func attachConsole() {
	f, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	for fd := range 3 {
		_ = unix.Dup3(int(f.Fd()), fd, 0)
	}
}
