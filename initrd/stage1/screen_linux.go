package stage1

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A screen is a terminal that shows text without anybody waiting for it: a line
// that stands still (XOFF, Scroll Lock, a modem that is not ready) must hold up
// neither an installation nor the other screens.
type screen struct {
	file   *os.File
	before *unix.Termios // its settings before steady; nil: they are as they were

	mu      sync.Mutex
	queue   []byte        // text that is not shown yet
	shown   int           // bytes, ever
	idle    chan struct{} // closed when nothing is left to show; nil when nothing is
	givenUp bool          // it stood still: nothing is shown on it any more
}

const (
	// mostQueued bounds what is kept for a screen, in bytes: what an installation
	// without a person says, many times over. Of more the older part is lost.
	mostQueued = 256 << 10
	// portion is shown at once, in bytes: a line of 1,200 baud takes one second.
	portion = 128
	// stuck is how long a screen may show nothing new before it is given up.
	stuck = 2 * time.Second
)

func newScreen(f *os.File) *screen { return &screen{file: f} }

// Write shows text as soon as the terminal takes it. It never fails.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.givenUp {
		return len(text), nil
	}
	s.queue = append(s.queue, text...)
	s.queue = s.queue[max(0, len(s.queue)-mostQueued):]
	if s.idle == nil {
		s.idle = make(chan struct{})
		go s.show()
	}
	return len(text), nil
}

// show writes what is queued, until nothing is.
func (s *screen) show() {
	for {
		s.mu.Lock()
		next := s.queue[:min(portion, len(s.queue))]
		s.queue = s.queue[len(next):]
		if len(next) == 0 || s.givenUp {
			close(s.idle)
			s.idle, s.queue = nil, nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		_, _ = s.file.Write(next) // a line that has hung up shows nothing
		s.mu.Lock()
		s.shown += len(next)
		s.mu.Unlock()
	}
}

// settle waits until the terminal has taken all text, and gives it up when it
// takes nothing for a while. It says whether it has.
func (s *screen) settle() bool {
	for last := -1; ; {
		s.mu.Lock()
		idle, shown, ok := s.idle, s.shown, !s.givenUp
		if ok && idle != nil && shown == last {
			s.givenUp, ok = true, false
		}
		s.mu.Unlock()
		if !ok || idle == nil {
			return ok
		}
		last = shown
		select {
		case <-idle:
		case <-time.After(stuck):
		}
	}
}

// steady keeps Ctrl-S from stopping the terminal, and lets it go on that was.
func (s *screen) steady() {
	fd := int(s.file.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	flowing := *before
	flowing.Iflag &^= unix.IXON
	if unix.IoctlSetTermios(fd, unix.TCSETS, &flowing) == nil {
		s.before = before
	}
	_ = unix.IoctlSetInt(fd, unix.TCXONC, unix.TCOON)
}

func (s *screen) close() {
	if s.before != nil {
		_ = unix.IoctlSetTermios(int(s.file.Fd()), unix.TCSETS, s.before)
	}
	s.file.Close()
}

// all does the same with each screen at once, and waits for it.
func (s screens) all(do func(*screen)) {
	var doing sync.WaitGroup
	for _, screen := range s {
		doing.Go(func() { do(screen) })
	}
	doing.Wait()
}

func (s screens) print(text string) { _, _ = s.Write([]byte(text)) }

// Write shows the same on every screen.
func (s screens) Write(text []byte) (int, error) {
	for _, screen := range s {
		_, _ = screen.Write(text)
	}
	return len(text), nil
}

func (s screens) settle() { s.all(func(screen *screen) { screen.settle() }) }

func (s screens) close() {
	s.settle()
	for _, screen := range s {
		screen.close()
	}
}

// drain waits until what was printed has left the machine, within reason.
func (s screens) drain() {
	s.all(func(screen *screen) {
		if !screen.settle() {
			return
		}
		left := make(chan struct{})
		go func() {
			_ = unix.IoctlSetInt(int(screen.file.Fd()), unix.TCSBRK, 1)
			close(left)
		}()
		select {
		case <-left:
		case <-time.After(stuck):
		}
	})
}
