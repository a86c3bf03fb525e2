package tui

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"
)

// Run asks on a terminal until somebody has said what is next. env is the
// environment, of which TERM says what the terminal understands; one that
// cannot place a cursor is asked in plain lines.
//
// When ctx ends, what is running is cancelled and waited for.
func Run(ctx context.Context, in, out *os.File, env []string, o Options) (End, error) {
	m := New(ctx, o)
	if o.Accessible || dumb(env) {
		return (&talk{m: m, in: &lineReader{file: in}, out: out}).run()
	}
	giveSize(out)
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithEnvironment(env), tea.WithoutSignalHandler(), tea.WithFPS(framesASecond))
	stop := follow(ctx, o.Links, func(links []string) { p.Send(linksMsg(links)) })
	_, err := p.Run()
	stop()
	if m.stop != nil {
		m.stop()
	}
	m.work.close()
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("the screen of the installer: %w", err)
	}
	return m.end, nil
}

// follow asks for the links every second until stop is called, and tells those
// that differ from the last ones.
func follow(ctx context.Context, links func() []string, tell func([]string)) (stop func()) {
	if links == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		var last []string
		for {
			if now := links(); !slices.Equal(now, last) {
				last = now
				tell(now)
			}
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
		}
	})
	return func() {
		cancel()
		ended.Wait()
	}
}

// framesASecond suits a serial line, and nobody types faster.
const framesASecond = 20

// dumb says whether the terminal cannot place a cursor.
func dumb(env []string) bool {
	return !slices.ContainsFunc(env, func(v string) bool { return len(v) > 5 && v[:5] == "TERM=" && v != "TERM=dumb" && v != "TERM=unknown" })
}

// giveSize gives a terminal a size that has none: a serial line never does, and
// nothing is drawn on a screen without lines.
func giveSize(f *os.File) {
	fd := int(f.Fd())
	if now, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil && now.Row == 0 && now.Col == 0 {
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: minHeight, Col: minWidth})
	}
}
