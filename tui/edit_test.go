package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"reprise/installer/plan"
)

// An ed is an editor of somebody's own that puts a line on top.
type ed struct {
	text []byte
	err  error
	out  io.Writer
}

func (e *ed) SetStdin(io.Reader)    {}
func (e *ed) SetStdout(w io.Writer) { e.out = w }
func (e *ed) SetStderr(io.Writer)   {}
func (e *ed) Text() ([]byte, error) { return e.text, nil }
func (e *ed) Run() error {
	e.text = append([]byte("// from outside\n"), e.text...)
	return e.err
}

func TestPlaceIn(t *testing.T) {
	const complaint = "hardware.jsonnet:12:5: boot.kernelParams is wrong\n  want: a list\nconfiguration.jsonnet:3:1: x"
	for _, test := range []struct {
		file        string
		row, column int
		ok          bool
	}{{"hardware.jsonnet", 11, 4, true}, {"configuration.jsonnet", 2, 0, true}, {"reprise.lock", 0, 0, false}} {
		if row, column, ok := placeIn(complaint, test.file); row != test.row || column != test.column || ok != test.ok {
			t.Errorf("%s: %d,%d %v", test.file, row, column, ok)
		}
	}
	for _, c := range []string{"", "hardware.jsonnet", "hardware.jsonnet:", "hardware.jsonnet:x", "hardware.jsonnet:99999999999999999999:1: x", "hardware.jsonnet:-4:-4: x"} {
		row, column, _ := placeIn(c, "hardware.jsonnet")
		e := newEditor("one\n")
		e.goTo(row, column)
		if row < 0 || column < 0 || e.row != 0 {
			t.Errorf("%q: %d,%d, row %d", c, row, column, e.row)
		}
	}
}

// TestEditingShowsTheFault puts the cursor where the configuration is wrong.
func TestEditingShowsTheFault(t *testing.T) {
	r := newRig(t, laptop)
	r.m.s.Actions.CheckFiles = func(context.Context, map[string][]byte) error {
		return errors.New("hardware.jsonnet:39:7: musnix.rtirq.enable is 1\n  want: true or false")
	}
	r.to(stepReview)
	r.press("h", "'// ", "ctrl+s")
	r.want("editing")
	r.shows("hardware.jsonnet:39:7:", "want: true or false", "\n39 ")
	if e := r.m.editor; e.row != 38 || e.lines[38].at != 6 {
		t.Errorf("the cursor is at %d,%d", e.row, e.lines[e.row].at)
	}
}

// TestEditorOutside hands the text to another editor and back.
func TestEditorOutside(t *testing.T) {
	r := newRig(t, laptop)
	r.m.s.Editor = "nano"
	given, fails := "", error(nil)
	r.m.s.Actions.Edit = func(name string, text []byte) (Outside, error) {
		given = name
		return &ed{text: text, err: fails}, nil
	}
	r.to(stepReview)
	before := string(r.m.s.Files[plan.HardwareFile])
	r.press("h")
	r.shows("Ctrl-O open in nano")
	work := r.m.program()
	r.m.Update(outsideMade(work, work.Run()))
	if given != plan.HardwareFile || r.m.editor.value() != "// from outside\n"+before {
		t.Errorf("%s begins %.40q", given, r.m.editor.value())
	}
	r.m.Update(outsideMsg{[]byte("\xff"), nil})
	r.shows("nano: what it wrote is not UTF-8 text")
	r.m.Update(outsideMsg{nil, errors.New("exit status 1")})
	r.shows("nano: exit status 1")
	r.m.Update(outsideMsg{bytes.Repeat([]byte("x\n"), maxText), nil})
	if n := len(r.m.editor.value()); n > maxText+2 {
		t.Errorf("the text has %d bytes", n)
	}
	r.m.editor.replace("// from outside\n" + before)
	r.press("ctrl+s")
	r.want(stepReview)
	if got := string(r.m.s.Files[plan.HardwareFile]); got != "// from outside\n"+before {
		t.Errorf("the file begins %.40q", got)
	}
}

// TestTalkEditsOutside does so between plain questions.
func TestTalkEditsOutside(t *testing.T) {
	r := newRig(t, laptop)
	r.m.s.Actions.Edit = func(_ string, text []byte) (Outside, error) { return &ed{text: text}, nil }
	lines := []string{"", "german (ge", "de-latin1", "", "", "", "1", "", "", "", "ada", "", "secret", "secret", "", "berlin", "5", "", "", "S4EWNX0R", ""}
	transcript, _, err := talks(r, lines...)
	if err != nil {
		t.Fatalf("%v\n%s", err, transcript)
	}
	if got := string(r.ran[0].Files[plan.HardwareFile]); !strings.HasPrefix(got, "// from outside\n") {
		t.Errorf("the file begins %.40q", got)
	}
}

// TestEditorMovesSideways shows the ends of all lines when the cursor goes to
// the end of one.
func TestEditorMovesSideways(t *testing.T) {
	e := newEditor("// a line that is longer than the screen\nshort\n// another that is longer than it\n")
	rows, _, _ := e.show(20, 5)
	if got, want := strings.Join(rows, "\n"), "1 // a line that is>\n2 short\n3 // another that i>"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e.key(key("end"), 5)
	rows, x, y := e.show(20, 5)
	if got, want := strings.Join(rows, "\n"), "1 r than the screen\n2 \n3 er than it"; got != want || x != 19 || y != 0 {
		t.Errorf("%q, cursor at %d,%d, want %q", got, x, y, want)
	}
}
