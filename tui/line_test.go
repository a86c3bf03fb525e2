package tui

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

func TestLine(t *testing.T) {
	for _, test := range []struct {
		keys []string
		want string // with | where the cursor is
	}{
		{[]string{"'abc"}, "abc|"},
		{[]string{"'abc", "left", "left", "'x"}, "ax|bc"},
		{[]string{"'abc", "home", "delete", "end", "backspace"}, "b|"},
		{[]string{"'one two  ", "ctrl+w"}, "one |"},
		{[]string{"'one two", "left", "left", "ctrl+u"}, "|wo"},
		{[]string{"'one two", "home", "right", "ctrl+k"}, "o|"},
		{[]string{"backspace", "delete", "left", "right", "'äöü", "left", "backspace"}, "ä|ü"},
	} {
		l := newLine("")
		for _, k := range test.keys {
			if word, ok := strings.CutPrefix(k, "'"); ok {
				l.insert(word)
				continue
			}
			if !l.key(key(k)) {
				t.Errorf("%q does nothing", k)
			}
		}
		if got := string(l.runes[:l.at]) + "|" + string(l.runes[l.at:]); got != test.want {
			t.Errorf("%q: %q, want %q", test.keys, got, test.want)
		}
	}
	l := newLine("")
	l.insert(strings.Repeat("x", maxLine+10) + "\x1b[2J\n")
	if len(l.runes) != maxLine {
		t.Errorf("a line of %d characters", len(l.runes))
	}
	if shown, at := l.show(20, false); shown != strings.Repeat("x", 19) || at != 19 {
		t.Errorf("shows %q, cursor at %d", shown, at)
	}
}

func TestEditor(t *testing.T) {
	e := newEditor("one\n\ttwo\nthree\n")
	press := func(keys ...string) {
		for _, k := range keys {
			if word, ok := strings.CutPrefix(k, "'"); ok {
				e.insert(word)
				continue
			}
			e.key(key(k), 10)
		}
	}
	if e.changed() {
		t.Error("a text is changed by opening it")
	}
	press("down", "end", "enter", "'new", "up", "up", "end", "delete", "ctrl+end", "home", "backspace")
	if got, want := e.value(), "one  two\nnewthree\n"; got != want || !e.changed() {
		t.Errorf("%q, want %q", got, want)
	}
	press("ctrl+home", "home", "'a\r\nb\r\n", "ctrl+end", "end", "tab")
	if got, want := e.value(), "a\nb\none  two\nnewthree  \n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	press("ctrl+home", "end", "ctrl+k", "ctrl+home", "ctrl+u", "ctrl+k")
	if got, want := e.value(), "\none  two\nnewthree  \n"; got != want && got != "one  two\nnewthree  \n" {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzEditor holds that any text can be opened, moved in and shown.
func FuzzEditor(f *testing.F) {
	f.Add("one\ntwo\n", []byte("\x00\x01\x02"), 20, 5)
	f.Add("", []byte{3, 4, 5, 6, 7}, 80, 20)
	names := []string{"up", "down", "left", "right", "enter", "backspace", "delete", "pgup", "pgdown", "home", "end", "ctrl+k", "ctrl+u", "tab", "x", "ä", "世"}
	f.Fuzz(func(t *testing.T, text string, keys []byte, width, height int) {
		if !utf8.ValidString(text) || len(text) > 1<<16 {
			return
		}
		width, height = 20+(width&0x7f), 1+(height&0x3f)
		e := newEditor(text)
		for _, k := range keys {
			e.key(key(names[int(k)%len(names)]), height)
			rows, x, y := e.show(width, height)
			if len(rows) > height || y < 0 || y >= len(rows) || x < 0 || x > width {
				t.Fatalf("%d rows, cursor at %d,%d", len(rows), x, y)
			}
			for _, r := range rows {
				if ansi.StringWidth(r) > width {
					t.Fatalf("row %q does not fit into %d", r, width)
				}
			}
		}
		if again := newEditor(e.value()); again.value() != e.value() {
			t.Fatalf("%q is read back as %q", e.value(), again.value())
		}
	})
}

func TestWrap(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{wrap("one two three", 8), "one two\nthree\n"},
		{hang("  - ", "one two three", 9), "  - one\n    two\n    three\n"},
		{hang("1 ", "a\nb", 9), "1 a\n  b\n"},
		{fit("  a  table\n  and a longer line\n", 14), "  a  table\n  and a longer\n  line\n"},
		{cut("abcdef", 4), "abc~"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

// TestRunning holds the screen of an installation on its way.
func TestRunning(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepConfirm)
	now := noon
	w := newWatch(func() time.Time { return now })
	for _, s := range r.m.s.Plan.Steps[:5] {
		w.report(s.Name, installer.Done)
	}
	w.report(plan.CopyStore, installer.Started)
	w.report(plan.CheckMedium, installer.Kept)
	task := w.Start("copy", progress.Bytes, 3<<30)
	other := w.Start("another", progress.Items, 0)
	now = now.Add(65 * time.Second)
	task.Add(1 << 30)
	task.Detail("ardour-8.12")
	other.Done(nil)
	w.Note("The clock cannot be set: %s", "no such device")
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		r.size(size[0], size[1])
		r.m.mode, r.m.far = running, w.snapshot()
		golden(t, "running."+map[int]string{80: "80x24", 120: "120x40"}[size[0]]+".txt", r.screen())
	}
	s := w.snapshot()
	if left, ok := s.left(); !ok || left != 130*time.Second {
		t.Errorf("%v left", left)
	}
	for _, s := range []snapshot{{}, {task: "x", total: 10, running: time.Minute}, {task: "x", done: 20, total: 10, running: time.Minute}, {task: "x", done: 5, total: 10}} {
		if left, ok := s.left(); ok {
			t.Errorf("%+v: %v left", s, left)
		}
		if got := bar(s, 10); len(got) != 12 {
			t.Errorf("bar %q", got)
		}
	}
}
