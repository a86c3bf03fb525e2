package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	tea "charm.land/bubbletea/v2"

	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/diag"
	"reprise/internal/progress"
)

const laptop = "usb-motu-m4"

// shows checks that the screen has all of the texts on it.
func (r *rig) shows(texts ...string) {
	r.t.Helper()
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	for _, text := range texts {
		if !strings.Contains(words(r.screen()), words(text)) {
			r.t.Errorf("the screen lacks %q:\n%s", text, r.screen())
		}
	}
}

// TestAnswers holds what a whole conversation comes to.
func TestAnswers(t *testing.T) {
	r := newRig(t, laptop)
	r.to("done")
	if len(r.ran) != 1 {
		t.Fatalf("installed %d times", len(r.ran))
	}
	o := r.ran[0]
	a := o.Plan.Answers
	want := answers.Default()
	want.Profile, want.Disk, want.Erase, want.Encryption, want.Host = "studio", answers.List{"S4EWNX0R"}, answers.List{"S4EWNX0R"}, answers.LUKS2, "studio"
	want.User = &answers.User{Name: "ada", FullName: "Ada L", PasswordHash: a.User.PasswordHash}
	want.TimeZone, want.Locale, want.KeyMap = "Europe/Berlin", "de_DE.UTF-8", "de-latin1"
	got, err1 := a.Encode()
	exp, err2 := want.Encode()
	if err1 != nil || err2 != nil || string(got) != string(exp) {
		t.Errorf("answers\n%s\nwant\n%s", got, exp)
	}
	if problems := answers.Check(a); len(problems) > 0 {
		t.Errorf("answers that a file could not give: %v", problems)
	}
	if string(o.Passphrase) != "correct horse" || a.User.PasswordHash == "" || strings.Contains(string(got), "secret") {
		t.Errorf("passphrase %q, hash %q", o.Passphrase, a.User.PasswordHash)
	}
	r.press("enter")
	if r.m.End() != Reboot {
		t.Errorf("end %q", r.m.End())
	}
}

// TestBackKeepsEverything goes back from every step to the first screen and
// forward again with Enter alone.
func TestBackKeepsEverything(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepConfirm)
	r.press("'S4EW")
	before := r.m.s.Said
	for range len(steps()) - 1 {
		r.press("esc")
	}
	r.want(stepWelcome)
	r.press("esc") // nothing lies behind: whether to leave is asked
	r.want("quit")
	r.press("esc")
	r.want(stepWelcome)
	if r.m.s.Said != before {
		t.Errorf("said %+v, want %+v", r.m.s.Said, before)
	}
	for n := 0; r.at() != stepConfirm; n++ {
		if n > 60 {
			t.Fatalf("stuck at %s:\n%s", r.at(), r.screen())
		}
		r.press("enter")
	}
	before.Serial = "" // the consent is to a plan, and the plan was made anew
	if r.m.s.Said != before {
		t.Errorf("said %+v, want %+v", r.m.s.Said, before)
	}
	if len(r.ran) > 0 {
		t.Error("something was installed")
	}
}

func TestConsent(t *testing.T) {
	for _, typed := range []string{"", "WD-1", "s4ewnx0r", "S4EWNX0", "S4EWNX0RR", "yes", "/dev/nvme0n1"} {
		r := newRig(t, laptop)
		r.to(stepConfirm)
		r.press("'"+typed, "enter")
		r.want(stepConfirm)
		r.shows("nothing was written")
		if len(r.ran) > 0 {
			t.Fatalf("installed after %q", typed)
		}
		r.press("ctrl+u", "' S4EWNX0R ", "enter")
		r.want("done")
	}
}

// TestConsentIsToOnePlan changes the disk after the serial number was typed.
func TestConsentIsToOnePlan(t *testing.T) {
	r := newRig(t, laptop)
	r.disks[1].SizeBytes = 500 * gib
	r.to(stepConfirm)
	r.press("'S4EWNX0R")
	for r.at() != stepDisk {
		r.press("esc")
	}
	r.press("down")
	for n := 0; r.at() != stepConfirm; n++ {
		r.press("enter")
	}
	r.shows("Old disk, WD-1")
	r.press("enter")
	r.want(stepConfirm)
	r.press("'S4EWNX0R", "enter")
	r.want(stepConfirm)
	if len(r.ran) > 0 {
		t.Fatal("installed on a disk that nobody agreed to")
	}
}

func TestPassphrases(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepEncryption)
	r.press("enter", "down", "enter", "'short", "enter")
	r.shows("has 5 characters; want 8 or more")
	r.press("' but long", "enter", "'short x")
	r.shows("differs from the first one") // at once
	if strings.Contains(r.screen(), "short") {
		t.Errorf("a secret is on the screen:\n%s", r.screen())
	}
	r.press("enter")
	r.want(stepEncryption)
	r.press("backspace")
	if strings.Contains(r.screen(), "differs") {
		t.Errorf("still differs:\n%s", r.screen())
	}
	r.press("enter")
	r.shows("is shorter than the first one")
	r.press("ctrl+t")
	r.shows("[short but long ")
	r.press("'but long", "enter")
	r.want(stepPerson)
	r.press("esc", "up", "'x", "enter", "enter")
	r.want(stepEncryption)
	r.shows("Passphrase again is shorter")
	r.press("'y")
	r.shows("Passphrase again differs")
}

func TestPerson(t *testing.T) {
	tests := []struct {
		keys []string
		want string // on the screen
	}{
		{[]string{"ctrl+u", "'not a host", "enter"}, "Host name is"},
		{[]string{"down", "ctrl+u", "'root", "enter"}, "User is root"},
		{[]string{"down", "ctrl+u", "'daemon", "enter"}, "an account or a group of Debian's"},
		{[]string{"down", "down", "down", "'a", "down", "'b"}, "Password again differs"},
		{[]string{"enter", "enter", "enter", "enter", "enter", "enter"}, "nobody could log in"},
		{[]string{"down", "down", "down", "down", "down", "'ssh-rsa nonsense", "enter"}, "ssh key"},
		{[]string{"down", "down", "down", "'" + strings.Repeat("x", 73), "enter"}, "has 73 bytes; want 72 at most"},
	}
	for _, test := range tests {
		r := newRig(t, laptop)
		r.to(stepPerson)
		r.press(test.keys...)
		r.want(stepPerson)
		r.shows("! ", test.want)
	}
	r := newRig(t, laptop)
	r.to(stepPerson)
	r.press("enter", "enter", "enter", "enter", "enter")
	r.m.Update(tea.PasteMsg{Content: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX you@studio\n"})
	r.press("enter")
	r.want(stepZone)
	if a := r.m.s.answers(); len(a.User.Keys) != 1 || a.User.PasswordHash != "" {
		t.Errorf("user %+v", a.User)
	}
}

func TestDisks(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepDisk)
	r.press("enter")
	r.shows("Disk is not chosen")
	r.press("down", "down", "enter")
	r.want(stepDisk)
	r.shows("is too small by", "/dev/sda")
	r.press("down", "enter")
	r.want(stepDisk)
	r.shows("belongs to something larger", "Others need this disk", "No: leave it")
	r.press("tab", "enter")
	r.shows("No: choose another disk")
	r.press("down", "enter")
	r.want(stepEncryption)
	if !r.m.s.answers().EraseMember {
		t.Error("a member may not be erased")
	}
	r.press("esc", "shift+tab", "up", "up")
	r.shows("(*) /dev/nvme0n1")
	if strings.Contains(r.screen(), "No: leave it") || r.m.s.answers().EraseMember {
		t.Errorf("the consent goes to another disk:\n%s", r.screen())
	}
	if strings.Contains(r.screen(), "(*) /dev/sdc") || strings.Contains(r.screen(), "( ) /dev/sdc") {
		t.Errorf("the medium can be chosen:\n%s", r.screen())
	}
}

func TestDisksComeAndGo(t *testing.T) {
	r := newRig(t, laptop)
	all := r.disks
	r.disks = all[3:]
	r.to(stepProfile)
	r.do(r.m.look())
	r.press("enter")
	r.want(stepDisk)
	r.shows("No disk was found", "Not shown: /dev/sdc")
	r.press("enter")
	r.want(stepDisk)
	r.disks = append(all[:1:1], all[3])
	r.press("r")
	r.shows("(*) /dev/nvme0n1") // the only one
	r.press("enter")
	r.want(stepEncryption)
	r.disks = all[3:]
	r.press("esc", "r")
	r.shows("No disk was found")
	r.press("enter")
	r.want(stepDisk)
}

// TestMachineFails holds that nothing goes on without knowing the machine.
func TestMachineFails(t *testing.T) {
	r := newRig(t, laptop)
	r.m.Update(lookedMsg{err: errors.New("no /sys")})
	r.m.s.Facts, r.m.s.Disks = nil, nil
	r.shows("no /sys")
	for range 12 {
		r.press("enter")
	}
	r.want(stepDisk)
	r.shows("no /sys", "press r")
	r.press("r", "down", "enter")
	r.want(stepEncryption)
}

func TestNetwork(t *testing.T) {
	r := newRig(t, "fw-via-asm1083-ryzen3700x-lightbridge")
	r.to(stepNetwork)
	r.press("down", "enter", "'enp3s0", "enter", "'192.168.7.2", "enter")
	r.shows("Address is")
	r.press("'/24", "enter", "'10.0.0.1", "enter")
	r.shows("is not in 192.168.7.0/24")
	r.press("ctrl+u", "'192.168.7.1", "enter", "'192.168.7.1 9.9.9.9", "enter")
	r.want(stepMachine)
	n := r.m.s.answers().Network
	if n == nil || fmt.Sprint(*n) != "{enp3s0 192.168.7.2/24 192.168.7.1 [192.168.7.1 9.9.9.9]}" {
		t.Errorf("network %+v", n)
	}
	r.press("esc", "shift+tab", "shift+tab", "shift+tab", "shift+tab", "up", "enter")
	r.want(stepMachine)
	if r.m.s.answers().Network != nil {
		t.Error("a network is set")
	}
}

// Links that change are told once, and nobody asks for them after the end.
func TestFollow(t *testing.T) {
	var asked atomic.Int32
	told := make(chan []string, 8)
	stop := follow(t.Context(), func() []string {
		asked.Add(1)
		return links
	}, func(now []string) { told <- now })
	if got := <-told; !slices.Equal(got, links) {
		t.Errorf("told %q", got)
	}
	stop()
	if n := asked.Load(); len(told) > 0 || n < 1 {
		t.Errorf("asked %d times, told %d more", n, len(told))
	}
	follow(t.Context(), nil, nil)()
}

// The network step shows links as they are while somebody reads it.
func TestLinks(t *testing.T) {
	r := newRig(t, laptop)
	r.m.Update(linksMsg(nil))
	r.to(stepNetwork)
	if strings.Contains(r.screen(), "wired network") {
		t.Errorf("nothing is known, and that is shown:\n%s", r.screen())
	}
	r.m.Update(linksMsg{"eth0: no cable is in"})
	r.shows("The wired network of this machine now:", "eth0: no cable is in")
	r.m.Update(linksMsg{"eth0: a cable is in, and nobody gives out addresses there (DHCP): " + strings.Repeat("no answer ", 12)})
	r.shows("eth0: a cable is in", "Automatic")
	r.press("enter")
	r.want(stepMachine)
}

func TestSearch(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepZone)
	r.press("'new york")
	r.shows("(*) America/New_York", "[new york]")
	r.press("'zz")
	r.shows("[new york]")
	r.press("ctrl+u", "'etc/", "backspace", "end", "home")
	r.shows("(*) Etc/UTC")
	if r.m.s.Said.Zone != "Etc/UTC" {
		t.Errorf("zone %q", r.m.s.Said.Zone)
	}
}

func TestProfileProposesNames(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepProfile)
	r.press("down")
	if s := r.m.s.Said; s.Host != "live-rig" || s.User != "rig" {
		t.Errorf("host %q, user %q", s.Host, s.User)
	}
	r.press("up")
	if s := r.m.s.Said; s.Host != "studio" || s.User != "musician" {
		t.Errorf("host %q, user %q", s.Host, s.User)
	}
	r.m.s.Said.Host = "mine"
	r.press("down")
	if s := r.m.s.Said; s.Host != "mine" || s.User != "rig" {
		t.Errorf("host %q, user %q", s.Host, s.User)
	}
}

// TestOneLanguage is a medium whose systems have no others.
func TestOneLanguage(t *testing.T) {
	r := newRig(t, laptop)
	r.m.s.Locales, r.m.s.KeyMaps = []string{"C.UTF-8"}, []string{"us"}
	r.to(stepLanguage)
	r.shows("no language but English")
	r.press("'german", "enter")
	r.want(stepKeyboard)
	r.shows("no keyboard but the American one")
	r.press("enter")
	r.want(stepNetwork)
}

func TestSmallTerminal(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepConfirm)
	r.press("'S4EWNX0R")
	r.size(40, 10)
	r.shows("Install reprise", "too small", "40 columns, 10 lines", "80 and 24")
	r.press("enter", "esc", "'x")
	if len(r.ran) > 0 || r.m.s.Said.Serial != "S4EWNX0R" {
		t.Error("keys did something that nobody could see")
	}
	r.size(80, 24)
	r.want(stepConfirm)
}

func TestQuitAsks(t *testing.T) {
	for _, id := range []string{stepWelcome, stepZone, stepReview, stepConfirm} {
		r := newRig(t, laptop)
		r.to(id)
		r.press("ctrl+c")
		r.want("quit")
		r.shows("Nothing was written", "(*) Stay")
		r.press("enter")
		r.want(id)
		r.press("ctrl+c", "esc")
		r.want(id)
		r.press("ctrl+c", "down", "down", "enter")
		if r.m.End() != PowerOff {
			t.Errorf("end %q", r.m.End())
		}
	}
}

func TestEditing(t *testing.T) {
	r := newRig(t, laptop)
	r.m.s.Actions.CheckFiles = func(_ context.Context, files map[string][]byte) error {
		if strings.Contains(string(files[plan.HardwareFile]), "nonsense") {
			return errors.New("hardware.jsonnet:1:1: nonsense")
		}
		return nil
	}
	r.to(stepReview)
	before := string(r.m.s.Files[plan.HardwareFile])
	r.press("h")
	r.want("editing")
	r.shows(plan.HardwareFile, "1 // The hardware of this machine")
	r.press("esc")
	r.want(stepReview)
	r.press("h", "'nonsense", "ctrl+s")
	r.want("editing")
	r.shows("hardware.jsonnet:1:1: nonsense")
	if e := r.m.editor; e.row != 0 || e.lines[0].at != 0 {
		t.Errorf("the cursor is at %d,%d, the fault at 0,0", e.row, e.lines[0].at)
	}
	r.press("esc")
	r.want("drop")
	r.press("down", "down", "enter")
	r.want("editing")
	r.press(slices.Repeat([]string{"delete"}, len("nonsense"))...) // from where the fault is
	r.press("'// mine", "enter", "esc", "enter")
	r.want(stepReview)
	if got := string(r.m.s.Files[plan.HardwareFile]); got != "// mine\n"+before {
		t.Errorf("the file begins %.40q", got)
	}
	// Back, and forward with the same answers: the edit is kept.
	r.press("esc", "enter")
	r.want(stepReview)
	if got := string(r.m.s.Files[plan.HardwareFile]); got != "// mine\n"+before {
		t.Errorf("the edit is lost: the file begins %.40q", got)
	}
	r.press("h", "'x", "esc", "down", "enter")
	r.want(stepReview)
	r.press("enter", "'S4EWNX0R", "enter")
	if got := string(r.ran[0].Files[plan.HardwareFile]); got != "// mine\n"+before {
		t.Errorf("installed another file: %.40q", got)
	}
}

func TestPlanFails(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepZone)
	r.m.s.Actions.Files = func(context.Context, *plan.Plan) (map[string][]byte, error) {
		return nil, diag.Problems{{Field: "i18n.defaultLocale", Got: `"locales" is not on the medium`, Want: "a package that the medium carries", Do: "leave it out"}}
	}
	r.press("enter")
	r.want(stepZone)
	r.shows(`! The configuration cannot be made: i18n.defaultLocale "locales" is not on the`)
}

func TestFailureAndRetry(t *testing.T) {
	r := newRig(t, laptop)
	works := r.run
	failure := &installer.StepError{Step: plan.CopyStore, Device: "/dev/nvme0n1", Err: errors.New("read: input/output error"), Do: "look at the cable", Log: "/run/reprise/install.log"}
	r.run = func(context.Context, Order, progress.Sink, func(plan.Name, installer.Status)) (*installer.Result, error) {
		return nil, failure
	}
	told := ""
	r.m.s.Actions.Report = func(text string) (string, error) { told = text; return "in /run/reprise/report.txt", nil }
	r.to(stepConfirm)
	r.press("'S4EWNX0R", "enter")
	r.want("failed")
	r.shows("input/output error", "look at the cable", "/run/reprise/install.log", "(*) Try again", "Rescue shell", "Write a report")
	golden(t, "failed.80x24.txt", r.screen())
	r.press("down", "down", "enter")
	r.shows("The report is in /run/reprise/report.txt")
	if !strings.Contains(told, "input/output error") || !strings.Contains(told, "MOTU M4") || strings.Contains(told, "correct horse") {
		t.Errorf("report %s", told)
	}
	r.press("up", "enter")
	r.want(stepReview)
	r.press("enter")
	r.want(stepConfirm)
	r.press("enter")
	r.want(stepConfirm) // the consent is asked for again
	r.press("'S4EWNX0R", "enter")
	r.want("failed")
	r.run = works
	r.press("home", "enter")
	r.want("done")
	if len(r.ran) != 3 || r.ran[2].Plan.ID != r.ran[0].Plan.ID {
		t.Errorf("ran %d times, with another plan", len(r.ran))
	}
}

func TestStopping(t *testing.T) {
	r := newRig(t, laptop)
	stopped := false
	r.run = func(ctx context.Context, _ Order, sink progress.Sink, report func(plan.Name, installer.Status)) (*installer.Result, error) {
		report(plan.CopyStore, installer.Started)
		task := sink.Start("copy", progress.Bytes, 100)
		defer task.Done(nil)
		task.Add(40)
		r.m.Update(tickMsg{})
		r.want("running")
		r.shows("[>] Copy 2 store paths", "40 %", "Ctrl-C stop")
		r.press("esc")
		r.shows("Stop?", "(*) Go on installing")
		r.press("esc")
		r.want("running")
		r.press("ctrl+c", "enter")
		r.want("running")
		r.press("ctrl+c")
		r.shows("(*) Go on installing")
		r.press("down", "enter")
		stopped = ctx.Err() != nil
		return nil, ctx.Err()
	}
	r.to(stepConfirm)
	r.press("'S4EWNX0R", "enter")
	r.want("failed")
	r.shows("was stopped", "Try again")
	if !stopped {
		t.Error("the context went on")
	}
}

// TestWaiting presses keys while something is asked for.
func TestWaiting(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepZone)
	_, cmd := r.m.Update(key("enter"))
	r.want("waiting")
	r.shows("One moment")
	r.press("enter", "'x", "esc")
	r.want("waiting")
	r.do(cmd)
	r.want(stepZone)
	r.press("enter")
	r.want(stepReview)
	// Look is on its way: the step waits for it.
	for r.at() != stepDisk {
		r.press("esc")
	}
	look := r.m.look()
	r.press("enter")
	r.want("waiting")
	r.do(look)
	r.want(stepEncryption)
}
