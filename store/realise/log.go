package realise

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Bounds of what an error quotes from a build's log.
const (
	tailLines     = 20
	tailLineBytes = 400
	tailBytes     = tailLines * 4 * tailLineBytes // long lines are cut, not counted
)

// A buildLog is the log of one build: a file, and the end of what went into it.
// The end is kept in memory because what ends a build may be the very disk that
// the file is on; for the same reason a file that takes no more does not disturb
// the builder.
type buildLog struct {
	file *os.File

	mu  sync.Mutex
	end []byte // at least the last tailBytes written
	err error  // why the file is not whole
}

// openLog makes the log of job's build.
func (run *Run) openLog(job *Job) (*buildLog, error) {
	dir := run.r.LogDir
	if dir == "" {
		dir = filepath.Join(run.r.Store.Root(), "nix/var/log/nix")
	}
	base := job.key.Base()
	dir = filepath.Join(dir, "drvs", base[:2])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// A log of an earlier build may be open or linked elsewhere.
	name := filepath.Join(dir, base[2:])
	os.Remove(name)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &buildLog{file: file}, nil
}

// Write always takes all of p.
func (l *buildLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		_, l.err = l.file.Write(p)
	}
	l.end = append(l.end, p[max(0, len(p)-tailBytes):]...)
	if len(l.end) > 4*tailBytes {
		l.end = append(l.end[:0], l.end[len(l.end)-tailBytes:]...)
	}
	return len(p), nil
}

// Close ends the file and says why it is not whole.
func (l *buildLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.file.Close(); l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return fmt.Errorf("its log is not whole: %w", l.err)
	}
	return nil
}

// tail returns the last lines of the log, in printable form.
func (l *buildLog) tail() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	content := bytes.TrimRight(l.end[max(0, len(l.end)-tailBytes):], "\n \t\r")
	if len(content) == 0 {
		return nil
	}
	lines := strings.Split(string(content), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return lines
}

// printable takes what a terminal would obey out of a line and bounds it.
func printable(line string) string {
	// A progress line that was redrawn: only its last state.
	line = strings.TrimRight(line, "\r")
	line = line[strings.LastIndexByte(line, '\r')+1:]
	cut := strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0:
			return '?'
		}
		return r
	}, strings.ToValidUTF8(line, "?"))
	if len(cut) > tailLineBytes {
		// What was done stands in front, why it failed at the end.
		half := tailLineBytes / 2
		cut = strings.ToValidUTF8(cut[:half], "") + " … " + strings.ToValidUTF8(cut[len(cut)-half:], "")
	}
	return cut
}
