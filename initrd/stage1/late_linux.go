package stage1

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// lateAnswers is the search for answers that goes on behind the first screen: a
// stick may show up seconds after the medium, or be put in by hand. Who has
// pressed a key is not interrupted: the installer's processes see to that.
type lateAnswers struct {
	begins chan struct{} // closed when answers are found
	begun  chan struct{} // closed by who has let go of the consoles
	ended  chan struct{} // closed when next and err are there
	stop   context.CancelFunc

	next Next
	err  error
}

// lookAgain begins the search, which before was done where there were these
// block devices.
func (b *boot) lookAgain(m Medium, all consoles, before []string) *lateAnswers {
	ctx, cancel := context.WithCancel(context.Background())
	l := &lateAnswers{begins: make(chan struct{}), begun: make(chan struct{}), ended: make(chan struct{})}
	l.stop = func() {
		cancel()
		<-l.ended
	}
	go func() {
		defer close(l.ended)
		out := &lateWriter{ctx: ctx, answers: l, consoles: all}
		defer func() { out.screens.close() }()
		for {
			var err error
			if before, err = waitForDisk(ctx, lookEvery, before, blockDevices); err != nil {
				return
			}
			if l.next, l.err = b.unattended(ctx, m, out); !errors.Is(l.err, errNoAnswers) || errors.Is(l.err, errBegun) {
				return
			}
		}
	}()
	return l
}

// lookEvery is how often block devices are counted.
const lookEvery = 500 * time.Millisecond

// waitForDisk returns the list of block devices once it is another one than
// before and has stayed so for two looks: partitions come after their disk.
func waitForDisk(ctx context.Context, every time.Duration, before []string, list func() []string) ([]string, error) {
	last, steady := before, 0
	for {
		now := list()
		if slices.Equal(now, last) {
			steady++
		} else {
			last, steady = now, 0
		}
		if steady >= 2 && !slices.Equal(now, before) {
			return now, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(every):
		}
	}
}

// blockDevices are the disks and partitions that are there, with their sizes: a
// reader has its name before a card is in it.
func blockDevices() []string {
	entries, _ := os.ReadDir("/sys/class/block")
	names := make([]string, len(entries))
	for i, e := range entries {
		size, _ := os.ReadFile(filepath.Join("/sys/class/block", e.Name(), "size"))
		names[i] = e.Name() + " " + strings.TrimSpace(string(size))
	}
	return names
}

// A lateWriter takes the consoles over before it shows anything on them.
type lateWriter struct {
	ctx      context.Context // ends when the consoles are somebody else's for good
	answers  *lateAnswers
	consoles consoles
	once     sync.Once
	screens  screens
}

func (w *lateWriter) Write(p []byte) (int, error) {
	w.once.Do(func() {
		close(w.answers.begins)
		select {
		case <-w.answers.begun:
		case <-w.ctx.Done():
			return
		}
		for _, c := range w.consoles {
			c.restore("")
		}
		w.screens = w.consoles.screens()
		w.screens.all((*screen).steady)
	})
	return w.screens.Write(p)
}
