package tui

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

// typed is an input of lines; what they answer is repeated in the transcript as
// a terminal would show it.
type typed struct {
	lines []string
	echo  io.Writer
}

func (i *typed) next() (string, error) {
	if len(i.lines) == 0 {
		return "", io.ErrUnexpectedEOF
	}
	l := i.lines[0]
	i.lines = i.lines[1:]
	return l, nil
}

func (i *typed) line() (string, error) {
	l, err := i.next()
	_, _ = io.WriteString(i.echo, l+"\n")
	return l, err
}

func (i *typed) secret() (string, error) { return i.next() }

// talks has a conversation, and returns its transcript and its end.
func talks(r *rig, lines ...string) (string, End, error) {
	var b strings.Builder
	m := New(context.Background(), r.m.s.Options)
	m.now = r.m.now
	end, err := (&talk{m: m, in: &typed{lines, &b}, out: &b}).run()
	return b.String(), end, err
}

// whole is a conversation to its end, with some that go wrong.
var whole = []string{
	"",                    // welcome
	"xx", "de_", "4", "1", // language: none, one of three
	"de-latin1", // keyboard
	"9", "1",    // network
	"<", "", // back from the machine, and again
	"",                // machine
	"2",               // profile: live-rig
	"3", "", "1", "1", // disk: a member of others, not agreed to, another one
	"", "2", // ext4, LUKS2
	"short",                                     // passphrase
	"correct horse",                             // once more
	"correct", "correct horse", "correct horse", // shorter: both again
	"stage", "ada", "", "secret", "secret", "", // person
	"berlin", // zone
	"4",      // read hardware.jsonnet
	"5",      // change it
	"9999", "1", "// mine", "1", "+// and another line", "1", "", "2", "-", "1", "",
	"",                        // keep it
	"5", "1", "nonsense", "<", // change, and leave it as it was
	"1",    // go on
	"WD-1", // wrong serial
	"S4EWNX0R",
	"2", // switch off
}

func TestTalk(t *testing.T) {
	r := newRig(t, laptop)
	transcript, end, err := talks(r, whole...)
	if err != nil || end != PowerOff {
		t.Errorf("end %q, %v", end, err)
	}
	golden(t, "talk.txt", transcript)
	if strings.Contains(transcript, "correct horse") || strings.Contains(transcript, "secret") {
		t.Error("a secret is in the transcript")
	}
	for n, l := range strings.Split(transcript, "\n") {
		if len(l) > 110 || strings.Contains(l, "\x1b") {
			t.Errorf("line %d: %q", n+1, l)
		}
	}
	if len(r.ran) != 1 || r.ran[0].Plan.Disk.Serial != "S4EWNX0R" || string(r.ran[0].Passphrase) != "correct horse" {
		t.Errorf("ran %+v", r.ran)
	}
	a := r.ran[0].Plan.Answers
	if a.Host != "stage" || a.User.Name != "ada" || a.TimeZone != "Europe/Berlin" || a.Profile != "live-rig" || a.Locale != "de_AT.UTF-8" {
		t.Errorf("answers %+v", a)
	}
}

// TestTalkSaysTheSame holds that both ways of asking come to one plan.
func TestTalkSaysTheSame(t *testing.T) {
	screens := newRig(t, laptop)
	screens.to("done")
	lines := newRig(t, laptop)
	_, _, err := talks(lines, "", "german (ge", "de-latin1", "", "", "", "1", "", "2", "correct horse", "correct horse", "", "ada", "Ada L", "secret", "secret", "", "berlin", "", "S4EWNX0R", "")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := screens.ran[0].Plan.ID, lines.ran[0].Plan.ID; a != b {
		t.Errorf("plans %s and %s", a, b)
	}
}

func TestTalkEndsEarly(t *testing.T) {
	r := newRig(t, laptop)
	for n := range whole {
		_, end, err := talks(r, whole[:n]...)
		if err == nil {
			t.Errorf("ended with %q after %d lines", end, n)
		}
	}
	if n := len(r.ran); n != 1 { // the last line but one is the consent
		t.Errorf("installed %d times", n)
	}
	_, end, err := talks(r, "", "!", "", "", "!", "3")
	if err != nil || end != PowerOff {
		t.Errorf("end %q, %v", end, err)
	}
}

func TestTalkRetries(t *testing.T) {
	r := newRig(t, laptop)
	works := r.run
	r.run = func(context.Context, Order, progress.Sink, func(plan.Name, installer.Status)) (*installer.Result, error) {
		r.run = works
		return nil, errors.New("the disk fails")
	}
	transcript, end, err := talks(r, append(append([]string{}, whole[:len(whole)-1]...), "1", "1")...)
	if err != nil || end != Reboot || len(r.ran) != 2 {
		t.Errorf("end %q, %v, ran %d times", end, err, len(r.ran))
	}
	if !strings.Contains(transcript, "the disk fails") || !strings.Contains(transcript, "reprise is installed") {
		t.Error(transcript)
	}
}

// TestPlainOnATerminal asks in lines on a terminal that says it is dumb.
func TestPlainOnATerminal(t *testing.T) {
	x := start(t, "screens", "dumb", 24, 80)
	x.wait("Plain questions")
	x.wait("Empty line to go on")
	for _, l := range []string{"", "", "", "", "", ""} {
		x.send(l + "\n")
	}
	x.wait("A number from 1 to 3:")
	x.send("1\n\n2\n")
	x.wait("Passphrase [nothing yet]")
	x.send("correct horse\n")
	x.wait("Passphrase again [nothing yet]")
	if strings.Contains(x.screen(), "correct") {
		t.Errorf("a secret is on the screen:\n%s", x.screen())
	}
	x.send("correct horse\n")
	x.wait("Host name [studio]")
}
