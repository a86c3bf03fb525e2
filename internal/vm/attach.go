package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// EscapeKey leaves the serial line: Ctrl and ], as in telnet.
const EscapeKey = 0x1d

// ErrDetached is what Attach returns when the person left by EscapeKey.
var ErrDetached = errors.New("left the serial line")

// Attach joins a person to the serial line: out first gets what it has said,
// then both sides go on until the machine ends (nil), EscapeKey is typed
// (ErrDetached) or ctx ends. A terminal at in is in raw mode meanwhile, so
// every key but EscapeKey reaches the guest, Ctrl-C too.
func (m *Machine) Attach(ctx context.Context, in, out *os.File) error {
	if term.IsTerminal(int(in.Fd())) {
		before, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return fmt.Errorf("attach to the serial line: %w", err)
		}
		defer term.Restore(int(in.Fd()), before)
	}
	m.console.mu.Lock()
	out.Write(bytes.ReplaceAll(m.console.text, []byte("\n"), []byte("\r\n"))) // the terminal is raw
	m.console.attach = out
	m.console.mu.Unlock()
	defer func() {
		m.console.mu.Lock()
		m.console.attach = nil
		m.console.mu.Unlock()
	}()

	// Reading waits in poll with a second descriptor, so that it ends with
	// the function and no key is taken from whoever reads next.
	wakeRead, wake, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("attach to the serial line: %w", err)
	}
	typed := make(chan error, 1)
	go func() {
		defer wakeRead.Close()
		typed <- m.forward(int(in.Fd()), int(wakeRead.Fd()))
	}()
	defer wake.Close()
	for {
		select {
		case err := <-typed:
			if err != io.EOF {
				return err
			}
			typed = nil // nobody types any more; go on listening
		case <-m.done:
			return m.ended()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// forward types what it reads from in, until wake is closed.
func (m *Machine) forward(in, wake int) error {
	buffer := make([]byte, 1024)
	for {
		fds := []unix.PollFd{{Fd: int32(in), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		if fds[1].Revents != 0 {
			return nil
		}
		n, err := unix.Read(in, buffer)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN:
			continue
		case err != nil:
			return fmt.Errorf("read keys: %w", err)
		case n == 0:
			return io.EOF
		}
		for i, key := range buffer[:n] {
			if key == EscapeKey {
				return errors.Join(m.typed(buffer[:i]), ErrDetached)
			}
		}
		if err := m.typed(buffer[:n]); err != nil {
			return err
		}
	}
}

func (m *Machine) typed(keys []byte) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := m.input.Write(keys)
	return err
}
