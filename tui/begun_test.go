package tui

import "testing"

// TestBegun holds that a first key, or a first line, says once that somebody is
// there, and that nothing else does.
func TestBegun(t *testing.T) {
	count := 0
	begun := func() { count++ }
	r := newRig(t, laptop)
	r.m.s.Begun = begun
	r.screen()
	if count != 0 {
		t.Error("the first screen alone says that somebody is there")
	}
	r.press("enter")
	r.press("enter")
	if count != 1 {
		t.Errorf("two keys say %d times that somebody is there", count)
	}
	r = newRig(t, laptop)
	r.m.s.Begun = begun
	count = 0
	_, _, _ = talks(r, "", "4")
	if count != 1 {
		t.Errorf("two lines say %d times that somebody is there", count)
	}
}
