package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// The keys of this machine follow what was chosen, and nobody is warned of
// keys that are right.
func TestPressKeys(t *testing.T) {
	var pressed []string
	var fails error
	s := &Session{Options: Options{Actions: Actions{Keyboard: func(_ context.Context, keyMap string) error {
		pressed = append(pressed, keyMap)
		return fails
	}}}}
	warned := func() bool { return keysText("at each start")(s, 80) != "" }
	leave := func(keyMap string) {
		t.Helper()
		s.Said.KeyMap = keyMap
		ask := pressKeys(s)
		if ask == nil {
			return
		}
		after, complaint := ask(t.Context())
		if complaint != "" {
			t.Errorf("%s: complains that %s", keyMap, complaint)
		}
		if after != nil {
			after(s)
		}
	}
	leave("us")
	if len(pressed) != 0 || warned() {
		t.Errorf("us: pressed %q, warned %v", pressed, warned())
	}
	leave("de-latin1")
	leave("de-latin1")
	if len(pressed) != 1 || warned() {
		t.Errorf("de-latin1: pressed %q, warned %v", pressed, warned())
	}
	fails = errors.New("no such map")
	leave("fr-latin9")
	if len(pressed) != 2 || !warned() {
		t.Errorf("a map that fails: pressed %q, warned %v", pressed, warned())
	}
	if text := strings.Join(strings.Fields(keysText("at each start")(s, 80)), " "); !strings.Contains(text, `here they are those of "de-latin1", and at each start those of "fr-latin9"`) {
		t.Errorf("a map that fails: %s", text)
	}
	fails = nil
	leave("us")
	if len(pressed) != 3 || warned() {
		t.Errorf("back to us: pressed %q, warned %v", pressed, warned())
	}
	if !strings.Contains(keyboardText(s, 80), "as soon as you go on") {
		t.Error("the step does not say that its keys take effect")
	}
	elsewhere := &Session{Said: Said{KeyMap: "de-latin1"}}
	if text := keysText("at each start")(elsewhere, 200); !strings.Contains(text, `those of "de-latin1" at each start`) || strings.Contains(text, "changed") {
		t.Errorf("on a serial line: %s", text)
	}
	if text := keyboardText(elsewhere, 200); !strings.Contains(text, "stay as they are") {
		t.Errorf("on a serial line: %s", text)
	}
}
