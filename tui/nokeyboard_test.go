package tui

import (
	"strings"
	"testing"

	"reprise/hwdetect"
)

// The first screen says that there is no keyboard, once drivers have had their
// time, and stops saying so when one is there.
func TestNoKeyboard(t *testing.T) {
	there := false
	s := &Session{Options: Options{Keyboard: func() bool { return there }}}
	const said = "No keyboard is found."
	if text := welcomeText(s, 80); strings.Contains(text, said) {
		t.Errorf("said before the machine was looked at:\n%s", text)
	}
	s.Facts = &hwdetect.Facts{}
	if text := welcomeText(s, 80); !strings.Contains(text, said) || !strings.Contains(text, "REPRISEDATA") {
		t.Errorf("not said:\n%s", text)
	}
	there = true
	if text := welcomeText(s, 80); strings.Contains(text, said) {
		t.Errorf("still said:\n%s", text)
	}
	s.Keyboard = nil
	if text := welcomeText(s, 80); strings.Contains(text, said) {
		t.Errorf("said on a serial line:\n%s", text)
	}
}
