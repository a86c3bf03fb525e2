package tui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// walkKeys are what a walk presses; the letters are those that screens know.
var walkKeys = []string{
	"enter", "enter", "enter", "enter", "down", "down", "up", "esc", "tab", "shift+tab", "left", "right", "pgup", "pgdown", "home", "end", "backspace", "delete",
	"ctrl+c", "ctrl+s", "ctrl+o", "ctrl+t", "ctrl+u", "ctrl+k", "ctrl+w", "ctrl+a", "ctrl+e", "ctrl+home", "ctrl+end", "f2", "f3", "f4", "f5", "h", "c", "r", "a", " ", "4", "/", ".", "ä", "世", "\u0301",
}

var pastes = []string{
	"correct horse battery", "secret", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX you@studio\n", "https://example.org/you.keys", "you.pub",
	"\x1b[31mred\x00\x7f", strings.Repeat("long ", 2000), "one\ntwo\r\nthree", "WD-1", "192.168.7.2/24", "ada", "世界世界世界", "",
}

// fits checks what is on the screen: no line is longer and none is too many,
// whatever was typed.
func (r *rig) fits() {
	r.t.Helper()
	v := r.m.View()
	lines := strings.Split(v.Content, "\n")
	if r.m.small() {
		return
	}
	if len(lines) != r.m.height {
		r.t.Fatalf("%d lines on a screen of %d:\n%s", len(lines), r.m.height, r.screen())
	}
	for n, l := range lines {
		if ansi.StringWidth(l) > r.m.width {
			r.t.Fatalf("line %d has %d columns of %d: %q", n+1, ansi.StringWidth(l), r.m.width, l)
		}
		if plain := ansi.Strip(l); strings.ContainsFunc(plain, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			r.t.Fatalf("line %d has control characters: %q", n+1, plain)
		}
	}
	if c := v.Cursor; c != nil && (c.X < 0 || c.X >= r.m.width || c.Y < 0 || c.Y >= r.m.height) {
		r.t.Fatalf("cursor at %d,%d of %dx%d:\n%s", c.X, c.Y, r.m.width, r.m.height, r.screen())
	}
}

// goesBack holds that Esc alone leads to the first screen or to the question
// whether to leave, from wherever somebody is.
func (r *rig) goesBack() {
	r.t.Helper()
	for range len(r.m.steps) + 6 {
		if at := r.at(); at == stepWelcome || at == "quit" || at == "done" {
			return
		}
		if r.at() == "drop" { // Esc leads back into the text: it has to be dropped
			r.press("down", "enter")
		}
		r.press("esc")
	}
	r.t.Fatalf("Esc does not lead back from %s:\n%s", r.at(), r.screen())
}

// walk presses one key, or does what else can happen at a terminal.
func (r *rig) walk(random *rand.Rand) {
	switch random.IntN(40) {
	case 0:
		r.m.Update(tea.PasteMsg{Content: pastes[random.IntN(len(pastes))]})
	case 1:
		r.size(80+random.IntN(100), 24+random.IntN(40))
	case 2:
		if random.IntN(10) == 0 {
			r.size(random.IntN(100), random.IntN(30))
			r.fits()
			r.press(walkKeys[random.IntN(len(walkKeys))])
			r.size(80, 24)
		}
	default:
		r.press(walkKeys[random.IntN(len(walkKeys))])
	}
}

// TestWalk presses keys at random, thousands of them: no screen breaks, Esc
// always leads back, and nothing is installed by who has not typed the serial
// number of the disk.
func TestWalk(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(24) {
		random := rand.New(rand.NewPCG(seed, 7))
		r := newRig(t, machines[seed%uint64(len(machines))])
		r.disks[0].Serial = "NOBODY-TYPES-THIS"
		r.disks[1].SizeBytes, r.disks[1].Serial = 500*gib, "NOR-THIS"
		begin := []string{stepWelcome, stepNetwork, stepDisk, stepEncryption, stepPerson, stepReview, stepConfirm}[seed%7]
		r.to(begin)
		for step := range 250 {
			r.walk(random)
			seen[r.at()]++
			r.fits()
			if len(r.ran) > 0 {
				t.Fatalf("seed %d, step %d: installed on %s, and nobody agreed:\n%s", seed, step, r.ran[0].Plan.Disk.Path, r.screen())
			}
			if r.m.end != "" { // left: go on from there
				r.m.end = ""
			}
			if random.IntN(120) == 0 {
				r.goesBack()
			}
		}
		r.goesBack()
	}
	for _, at := range []string{stepWelcome, stepLanguage, stepNetwork, stepDisk, stepEncryption, stepPerson, stepReview, stepConfirm, "quit", "editing", "drop"} {
		if seen[at] == 0 {
			t.Errorf("no walk came to %s: %v", at, seen)
		}
	}
}

// FuzzKeys holds the same of keys that a fuzzer chooses.
func FuzzKeys(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0})
	f.Add([]byte{18, 5, 5, 0})
	f.Fuzz(func(t *testing.T, keys []byte) {
		r := newRig(t, laptop)
		for _, k := range keys[:min(len(keys), 60)] {
			r.press(walkKeys[int(k)%len(walkKeys)])
			if r.m.End() != "" {
				return
			}
			r.fits()
		}
		if len(r.ran) > 0 {
			t.Fatalf("installed by %q", keys)
		}
		r.goesBack()
	})
}

// TestWithoutColour holds that every screen says in letters what it says in
// colours: what is chosen has (*), what is wrong has an exclamation mark.
func TestWithoutColour(t *testing.T) {
	for name, r := range states(t) {
		for n, l := range strings.Split(r.m.View().Content, "\n") {
			plain := strings.TrimSpace(ansi.Strip(l))
			switch {
			case strings.Contains(l, "\x1b[7m") && !strings.HasPrefix(plain, "> (*)"):
				t.Errorf("%s: line %d is reversed only: %q", name, n+1, l)
			case strings.Contains(l, "\x1b[31m") && !strings.HasPrefix(plain, "!") && !strings.Contains(fmt.Sprint(r.m.View().Content), "! "):
				t.Errorf("%s: line %d is red only: %q", name, n+1, l)
			}
			for _, c := range plain {
				if c > '~' {
					t.Errorf("%s: line %d is not ASCII: %q", name, n+1, plain)
				}
			}
		}
	}
}
