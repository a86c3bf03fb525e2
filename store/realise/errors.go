package realise

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"reprise/store/storepath"
)

// Bounds of what an error quotes from a build's log.
const (
	tailLines     = 20
	tailLineBytes = 400
)

// A BuildError is a build that did not succeed.
type BuildError struct {
	Name string         // of the derivation
	Drv  storepath.Path // its file; "" while its output is being learnt
	Err  error          // how the builder ended, or what is wrong with its output
	Tail []string       // the last lines of its log, 20 at most
	Log  string         // where the whole log is, "" when there is none
	Kept string         // where its working directory is, "" when it is gone
}

func (e *BuildError) Unwrap() error { return e.Err }

func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "build %s: %v", e.Name, e.Err)
	if len(e.Tail) > 0 {
		fmt.Fprintf(&b, "\n  last lines of its log:")
		for _, line := range e.Tail {
			fmt.Fprintf(&b, "\n    %s", line)
		}
	}
	if e.Log != "" {
		fmt.Fprintf(&b, "\n  log:  %s", e.Log)
	}
	if e.Kept != "" {
		fmt.Fprintf(&b, "\n  kept: %s", e.Kept)
	}
	return b.String()
}

// A HashMismatch is a fixed output with other content than its derivation
// says.
type HashMismatch struct {
	Name      string
	Recursive bool // the hashes are of the NAR, else of the file
	Want, Got [32]byte
}

func (e *HashMismatch) Error() string {
	of := "file"
	if e.Recursive {
		of = "NAR"
	}
	return fmt.Sprintf("output of %s has %s hash sha256:%s (%s), its derivation says sha256:%s (%s)",
		e.Name, of, storepath.EncodeBase32(e.Got[:]), hex.EncodeToString(e.Got[:]),
		storepath.EncodeBase32(e.Want[:]), hex.EncodeToString(e.Want[:]))
}

// tail returns the last lines of the log at path, in printable form.
func tail(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	const most = tailLines * 4 * tailLineBytes // long lines are cut, not counted
	if size, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil
	} else if _, err := f.Seek(max(0, size-most), io.SeekStart); err != nil {
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil
	}
	content = bytes.TrimRight(content, "\n \t\r")
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
