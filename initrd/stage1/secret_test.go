package stage1

import (
	"bytes"
	"strings"
	"testing"
)

func TestSecret(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"da capo 4321\r", "da capo 4321"},
		{"da capo 4321\n", "da capo 4321"},
		{"\r", ""},
		{"wrong\x7f\x7f\b\b\bright\r", "right"},
		{"\x7f\x7fa\r", "a"},
		{"schön\x7f\x7fen\r", "schen"},
		{"all of it\x15again\r", "again"},
		{"all of it\x03again\r", "again"},
		{"a\x1b[Ab\x1b[1;5Cc\x1bOPd\x1be\r", "abcd"},
		{"tab\tin it\r", "tab\tin it"},
		{"a\x00\x01b\r", "ab"},
		{strings.Repeat("x", 600) + "\r", strings.Repeat("x", maxSecret)},
	} {
		s := newSecret()
		memory := s.text[:cap(s.text)]
		for i, key := range []byte(c.keys) {
			if done := s.key(key) == entered; done != (i == len(c.keys)-1) {
				t.Errorf("%q: key %d: entered is %v", c.keys, i, done)
			}
		}
		if string(s.text) != c.want {
			t.Errorf("%q gives %q, want %q", c.keys, s.text, c.want)
		}
		s.clear()
		if !bytes.Equal(memory, make([]byte, maxSecret)) {
			t.Errorf("%q: something is left of it", c.keys)
		}
	}
}

// What is taken back is not left in memory either.
func TestSecretTakenBack(t *testing.T) {
	s := newSecret()
	for _, key := range []byte("secret\x7f\x7f\x7f\x7f\x7f\x7f") {
		s.key(key)
	}
	if !bytes.Equal(s.text[:maxSecret], make([]byte, maxSecret)) {
		t.Errorf("left in memory: %q", s.text[:10])
	}
}

func FuzzSecret(f *testing.F) {
	f.Add([]byte("a\x1b[A\x7f\x7fö\x7f\x15\r"))
	f.Fuzz(func(t *testing.T, keys []byte) {
		s := newSecret()
		for _, key := range keys {
			s.key(key)
		}
		if len(s.text) > maxSecret || cap(s.text) != maxSecret {
			t.Errorf("%d bytes of %d", len(s.text), cap(s.text))
		}
	})
}
