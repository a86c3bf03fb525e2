package stage1

import "unicode/utf8"

// maxSecret is the longest passphrase that can be typed, bytes: cryptsetup's
// own limit.
const maxSecret = 512

// A secret is a line that is being typed and not shown. Its memory does not
// move, so that it can be cleared.
type secret struct {
	text   []byte
	escape escape
}

// An escape is how far a key that sends several bytes has come.
type escape int

const (
	noEscape escape = iota
	begun           // ESC
	inside          // ESC [ or ESC O
)

// A typed is what became of a key.
type typed int

const (
	typing typed = iota
	entered
)

func newSecret() *secret { return &secret{text: make([]byte, 0, maxSecret)} }

// key takes one byte from a terminal in raw mode: backspace takes back one
// character, Ctrl-U and Ctrl-C all of them; arrows and the like say nothing.
func (s *secret) key(c byte) typed {
	switch s.escape {
	case begun:
		if s.escape = noEscape; c == '[' || c == 'O' {
			s.escape = inside
		}
		return typing
	case inside:
		if c >= 0x40 && c <= 0x7e {
			s.escape = noEscape
		}
		return typing
	}
	switch {
	case c == '\r' || c == '\n':
		return entered
	case c == 0x7f || c == '\b':
		_, n := utf8.DecodeLastRune(s.text)
		clear(s.text[len(s.text)-n:])
		s.text = s.text[:len(s.text)-n]
	case c == 0x15 || c == 0x03: // Ctrl-U, Ctrl-C
		s.clear()
	case c == 0x1b:
		s.escape = begun
	case c >= ' ' || c == '\t':
		if len(s.text) < maxSecret {
			s.text = append(s.text, c)
		}
	}
	return typing
}

func (s *secret) clear() {
	clear(s.text[:cap(s.text)])
	s.text = s.text[:0]
}
