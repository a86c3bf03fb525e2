package profiles

import "testing"

// TestSentence holds that the installer can say what each profile is for.
func TestSentence(t *testing.T) {
	for _, name := range Names() {
		if text := Sentence(name); len(text) < 10 || len(text) > 60 || text[len(text)-1] == '.' {
			t.Errorf("%s: %q, want some words", name, text)
		}
	}
	if text := Sentence("live-rig"); text != "a box for the stage, without a screen" {
		t.Errorf("live-rig: %q", text)
	}
	for _, name := range []string{"", "nosuch", "../profiles/live-rig", "lib/hardware"} {
		if text := Sentence(name); text != "" {
			t.Errorf("%q: %q", name, text)
		}
	}
}
