package tui

import (
	"cmp"
	"context"
	"fmt"
)

// keyboardText says where the keys take effect.
func keyboardText(s *Session, width int) string {
	const where = "The keyboard of the installed system, before you log in and on its text screens. "
	sentence := where + "In this installer your keys stay as they are."
	if s.Actions.Keyboard != nil {
		sentence = where + "In this installer its keys are there as soon as you go on: what you type for a password is what you will type at a start."
	}
	return unlessOne((*Session).keyMaps, "This medium carries no keyboard but the American one: go on.", sentence)(s, width)
}

// keysText warns those who may type a secret here with other keys than later:
// those who are not at this machine's own keyboard, and those whose keys could
// not be changed. when says when it is typed again.
func keysText(when string) func(*Session, int) string {
	return func(s *Session, width int) string {
		now := cmp.Or(s.pressed, kernelKeys)
		switch {
		case s.Said.KeyMap == now:
			return ""
		case s.Actions.Keyboard != nil:
			return wrap(fmt.Sprintf("The keys could not be changed: here they are those of %q, and %s those of %q. Press Ctrl-T and look at what you type.", now, when, s.Said.KeyMap), width)
		}
		return wrap(fmt.Sprintf("The keys of this machine are those of %q %s. If you type with others now, press Ctrl-T and look at what you type.", s.Said.KeyMap, when), width)
	}
}

// kernelKeys is the key map that a console begins with.
const kernelKeys = "us"

// pressKeys makes the keys of this machine those that were chosen. Where that
// fails, an installation goes on all the same, and the steps with secrets warn.
func pressKeys(s *Session) func(context.Context) (func(*Session), string) {
	keyboard, keyMap := s.Actions.Keyboard, s.Said.KeyMap
	if keyboard == nil || keyMap == s.pressed || keyMap == kernelKeys && s.pressed == "" {
		return nil
	}
	return func(ctx context.Context) (func(*Session), string) {
		if keyboard(ctx, keyMap) != nil {
			return nil, ""
		}
		return func(s *Session) { s.pressed = keyMap }, ""
	}
}
