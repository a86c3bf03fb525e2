package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// console collects what the serial line says.
type console struct {
	mu      sync.Mutex
	log     io.Writer
	text    []byte // without escape sequences, all of it
	pending []byte // the begin of an escape sequence that has not ended
	seen    int    // where Expect goes on
	ended   bool
	changed chan struct{} // closed and replaced at every change
	attach  io.Writer     // what a person sees; nil when nobody looks
}

func newConsole(log io.Writer) *console {
	return &console{log: log, changed: make(chan struct{})}
}

func (c *console) readFrom(r io.Reader) {
	buffer := make([]byte, 1<<15)
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			c.add(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// escapes are ANSI sequences that move, colour and ask, and the carriage
// return. Source: ECMA-48, 5.4.
var escapes = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b[^\\[]|\r|\x00")

// unfinished is a sequence at the end of what was read that goes on.
var unfinished = regexp.MustCompile("\x1b(\\[[0-?]*[ -/]*)?$")

func (c *console) add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log.Write(p)
	if c.attach != nil {
		c.attach.Write(p)
	}
	p = append(c.pending, p...)
	c.pending = nil
	if at := unfinished.FindIndex(p); at != nil && at[1]-at[0] < 64 {
		c.pending = bytes.Clone(p[at[0]:])
		p = p[:at[0]]
	}
	c.text = append(c.text, escapes.ReplaceAll(p, nil)...)
	c.signal()
}

func (c *console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.signal()
}

func (c *console) signal() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Text is everything the serial line has said, without escape sequences.
func (m *Machine) Text() string {
	m.console.mu.Lock()
	defer m.console.mu.Unlock()
	return string(m.console.text)
}

// Expect waits until the serial line says text, for limit at most. It looks
// behind what the last Expect found, so calls follow a boot from step to
// step.
func (m *Machine) Expect(text string, limit time.Duration) error {
	_, err := m.ExpectAny(limit, text)
	return err
}

// ExpectAny waits for the first of texts and returns its index.
func (m *Machine) ExpectAny(limit time.Duration, texts ...string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := m.console
	for {
		c.mu.Lock()
		first, which := -1, -1
		for i, text := range texts {
			if at := bytes.Index(c.text[c.seen:], []byte(text)); at >= 0 && (first < 0 || at < first) {
				first, which = at, i
			}
		}
		if which >= 0 {
			c.seen += first + len(texts[which])
			c.mu.Unlock()
			return which, nil
		}
		changed, ended := c.changed, c.ended
		c.mu.Unlock()
		if ended {
			<-m.done
			err := fmt.Errorf("the machine ended before its serial line said %q", texts)
			if e := m.ended(); e != nil {
				err = fmt.Errorf("%w: %w", err, e)
			}
			return -1, m.explain(err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return -1, m.explain(fmt.Errorf("the serial line did not say %q within %s", texts, limit))
		}
	}
}

// ExpectLine waits for a whole line that begins with prefix, behind what the
// last wait found, and returns it.
func (m *Machine) ExpectLine(prefix string, limit time.Duration) (string, error) {
	deadline := time.Now().Add(limit)
	if err := m.Expect("\n"+prefix, limit); err != nil {
		return "", err
	}
	m.console.mu.Lock()
	from := m.console.seen
	m.console.mu.Unlock()
	// The line end is left for the next line to begin with.
	if err := m.Expect("\n", max(0, time.Until(deadline))); err != nil {
		return "", err
	}
	m.console.mu.Lock()
	defer m.console.mu.Unlock()
	m.console.seen--
	return prefix + string(m.console.text[from:m.console.seen]), nil
}

// explain adds the last lines of the serial line to err.
func (m *Machine) explain(err error) error {
	const most = 20
	lines := strings.Split(strings.TrimSpace(m.Text()), "\n")
	lines = lines[max(0, len(lines)-most):]
	return fmt.Errorf("%w; it is kept in %q and ends:\n  %s", err, m.LogFile, strings.Join(lines, "\n  "))
}

// Send types text on the serial line.
func (m *Machine) Send(text string) error {
	if _, err := io.WriteString(m.input, text); err != nil {
		return fmt.Errorf("type on the serial line: %w", err)
	}
	return nil
}
