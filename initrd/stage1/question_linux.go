package stage1

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A questioner asks on several terminals that do not show what is typed.
type questioner struct {
	screens screens
	typing  []*os.File // those that somebody can type on
	before  []*unix.Termios
}

// quiet keeps keys off the screens until restore is called: also those that are
// pressed between two questions.
func (s screens) quiet() *questioner {
	q := &questioner{screens: s}
	for _, screen := range s {
		f := screen.file
		fd := int(f.Fd())
		before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			continue
		}
		keys := *before
		keys.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG
		keys.Iflag &^= unix.ICRNL | unix.IXON
		keys.Cc[unix.VMIN], keys.Cc[unix.VTIME] = 1, 0
		if unix.IoctlSetTermios(fd, unix.TCSETS, &keys) != nil {
			continue
		}
		q.typing, q.before = append(q.typing, f), append(q.before, before)
	}
	return q
}

func (q *questioner) restore() {
	for i, f := range q.typing {
		fd := int(f.Fd())
		_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, q.before[i])
	}
}

var (
	errNobody    = errors.New("nobody has typed")
	errNoConsole = errors.New("there is no console to type on")
)

// ask asks a question on every screen and returns what is typed on the first of
// them that answers; the caller clears it. What was typed before is no answer,
// and an empty line is none. Nobody may take longer than most for a key; 0 is
// for ever.
func (q *questioner) ask(question string, most time.Duration) ([]byte, error) {
	poll := make([]unix.PollFd, len(q.typing))
	answers := make([]*secret, len(q.typing))
	for i, f := range q.typing {
		fd := int(f.Fd())
		_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
		poll[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		answers[i] = newSecret()
		defer answers[i].clear()
	}
	q.screens.print(question)
	input := make([]byte, 64)
	defer clear(input)
	alive := len(poll)
	hungUp := func(i int) {
		poll[i].Fd = -1
		alive--
	}
	for begun := time.Now(); alive > 0; {
		if most > 0 && time.Since(begun) >= most {
			q.screens.print("\r\n")
			return nil, errNobody
		}
		wait := time.Second
		if most > 0 {
			wait = min(wait, most-time.Since(begun)+time.Millisecond)
		}
		if n, err := unix.Poll(poll, int(wait.Milliseconds())); err != nil || n <= 0 {
			continue
		}
		for i := range poll {
			if poll[i].Fd < 0 || poll[i].Revents == 0 {
				continue
			}
			if poll[i].Revents&unix.POLLIN == 0 {
				hungUp(i)
				continue
			}
			n, err := unix.Read(int(poll[i].Fd), input)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
				continue
			}
			if err != nil || n == 0 {
				hungUp(i)
				continue
			}
			begun = time.Now()
			for _, c := range input[:n] {
				if answers[i].key(c) != entered {
					continue
				}
				if len(answers[i].text) > 0 {
					q.screens.print("\r\n")
					return bytes.Clone(answers[i].text), nil
				}
				q.screens.print(question)
			}
		}
	}
	return nil, errNoConsole
}

// names are the terminals, as a person calls them.
func (s screens) names() []string {
	var names []string
	for _, screen := range s {
		names = append(names, filepath.Base(screen.file.Name()))
	}
	return names
}
