package tui

import "context"

// keyboardText says where the keys take effect.
func keyboardText(s *Session, width int) string {
	const where = "The keyboard of the installed system, before you log in and on its text screens. "
	sentence := where + "Until then, and in this installer, the keys of this machine are those of an American keyboard."
	if s.Actions.Keyboard != nil {
		sentence = where + "In this installer its keys are there as soon as you go on: what you type for a password is what you will type at a start."
	}
	return unlessOne((*Session).keyMaps, "This medium carries no keyboard but the American one: go on.", sentence)(s, width)
}

// pressKeys makes the keys of this machine those that were chosen. Where that
// fails, an installation goes on all the same, and the steps with secrets warn.
func pressKeys(s *Session) func(context.Context) (func(*Session), string) {
	keyboard, keyMap := s.Actions.Keyboard, s.Said.KeyMap
	if keyboard == nil || keyMap == s.pressed || keyMap == "us" && s.pressed == "" {
		return nil
	}
	return func(ctx context.Context) (func(*Session), string) {
		if keyboard(ctx, keyMap) != nil {
			return nil, ""
		}
		return func(s *Session) { s.pressed = keyMap }, ""
	}
}
