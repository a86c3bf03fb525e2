package deb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxStanza bounds one stanza, comments included. The largest of trixie's
// Packages indices has 60 KiB; a Release file is one stanza of 150 KiB.
const maxStanza = 16 << 20 // bytes

// A Field is one "Name: value" of a stanza. The value of a field of several
// lines keeps its line ends and its continuation lines as they stand, each
// without its first blank.
type Field struct{ Name, Value string }

// A Stanza is one paragraph of a control file, its fields in file order.
type Stanza []Field

// Lookup returns the value of the named field. Names are compared without
// regard to case, as deb822(5) says.
func (s Stanza) Lookup(name string) (string, bool) {
	for _, f := range s {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// Get returns the value of the named field, or "".
func (s Stanza) Get(name string) string {
	v, _ := s.Lookup(name)
	return v
}

// ReadStanzas calls fn for every stanza of r. It stops at the first error,
// which names the line. Lines that start with '#' are comments.
func ReadStanzas(r io.Reader, fn func(Stanza) error) error {
	return splitStanzas(r, func(text []byte, line int) error {
		s, err := parseStanza(string(text), line)
		if err != nil || len(s) == 0 {
			return err
		}
		return fn(s)
	})
}

// ParseStanza reads text that must hold one stanza and nothing else.
func ParseStanza(text []byte) (Stanza, error) {
	var found Stanza
	err := ReadStanzas(bytes.NewReader(text), func(s Stanza) error {
		if found != nil {
			return errors.New("more than one stanza")
		}
		found = s
		return nil
	})
	if err == nil && found == nil {
		err = errors.New("no stanza")
	}
	return found, err
}

// splitStanzas cuts r at empty lines and calls fn with each paragraph and the
// number of its first line. The bytes are valid during the call only.
func splitStanzas(r io.Reader, fn func(text []byte, line int) error) error {
	size := 1 << 20 // an index has tens of millions of bytes, a control file a thousand
	if known, ok := r.(interface{ Len() int }); ok {
		size = min(size, known.Len()+1)
	}
	b := bufio.NewReaderSize(r, size)
	var stanza []byte
	number, start := 0, 1
	flush := func() error {
		if len(stanza) == 0 {
			return nil
		}
		err := fn(stanza, start)
		stanza = stanza[:0]
		return err
	}
	for midLine := false; ; {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 && !midLine {
			number++
		}
		if blank := !midLine && err != bufio.ErrBufferFull && isBlankLine(line); blank {
			if err := flush(); err != nil {
				return err
			}
		} else {
			if len(stanza) == 0 {
				start = number
			}
			if len(stanza)+len(line) > maxStanza {
				return fmt.Errorf("line %d: a stanza of more than %d bytes", number, maxStanza)
			}
			stanza = append(stanza, line...)
		}
		midLine = err == bufio.ErrBufferFull
		switch {
		case err == io.EOF:
			return flush()
		case err != nil && !midLine:
			return err
		}
	}
}

func isBlankLine(line []byte) bool {
	for _, c := range line {
		if !isBlank(c) {
			return false
		}
	}
	return true
}

// parseStanza cuts one paragraph into fields. Values share its memory.
func parseStanza(text string, line int) (Stanza, error) {
	var s Stanza
	var folded strings.Builder // the value of the last field once it goes on
	open := false
	end := func() {
		if open {
			s[len(s)-1].Value = folded.String()
			folded, open = strings.Builder{}, false
		}
	}
	for ; text != ""; line++ {
		var row string
		row, text, _ = strings.Cut(text, "\n")
		row = strings.TrimSuffix(row, "\r")
		switch {
		case row != "" && row[0] == '#':
		case row != "" && (row[0] == ' ' || row[0] == '\t'):
			if len(s) == 0 {
				return nil, fmt.Errorf("line %d: a continuation line without a field", line)
			}
			if !open {
				folded.WriteString(s[len(s)-1].Value)
				open = true
			}
			folded.WriteByte('\n')
			folded.WriteString(row[1:])
		default:
			end()
			name, value, ok := strings.Cut(row, ":")
			if !ok || !validFieldName(name) {
				return nil, fmt.Errorf("line %d: %.60q is no \"Field: value\"", line, row)
			}
			if _, twice := s.Lookup(name); twice {
				return nil, fmt.Errorf("line %d: field %q stands there twice", line, name)
			}
			s = append(s, Field{name, trim(value)})
		}
	}
	end()
	return s, nil
}

// validFieldName holds to deb822(5): printable ASCII but blank and colon, not
// starting with '#' or '-'.
func validFieldName(name string) bool {
	if name == "" || name[0] == '#' || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return true
}
