package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hinshun/vt10x"

	"reprise/internal/vm"
)

// A person sits at a machine's serial line and reads its screen.
type person struct {
	t       *testing.T
	vt      vt10x.Terminal
	keys    *os.File
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
}

// lookAt joins a person to the machine's serial line.
func lookAt(t *testing.T, m *vm.Machine) *person {
	t.Helper()
	theirs, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	said, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &person{t: t, vt: vt10x.New(vt10x.WithWriter(keys), vt10x.WithSize(80, 24)), keys: keys, changed: make(chan struct{})}
	attached, drawn := make(chan error, 1), make(chan struct{})
	go func() {
		attached <- m.Attach(t.Context(), theirs, out)
		out.Close()
	}()
	go func() {
		defer close(drawn)
		chunk := make([]byte, 4096)
		for {
			n, err := said.Read(chunk)
			if err != nil {
				return
			}
			s.mu.Lock()
			_, _ = s.vt.Write(chunk[:n])
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		m.Close()
		if err := <-attached; err != nil && !errors.Is(err, vm.ErrDetached) && t.Context().Err() == nil {
			t.Errorf("the serial line: %v", err)
		}
		<-drawn
		for _, f := range []*os.File{theirs, keys, said} {
			f.Close()
		}
	})
	return s
}

// text is what the screen shows.
func (s *person) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(s.vt.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// shows waits until the screen shows all of texts.
func (s *person) shows(limit time.Duration, texts ...string) {
	s.t.Helper()
	s.until(limit, fmt.Sprintf("%q", texts), func(now string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(now, text) })
	})
}

// finds presses a key that looks again until the screen shows all of texts.
func (s *person) finds(again string, texts ...string) {
	s.t.Helper()
	const looks = 30
	for range looks {
		text := s.text()
		if !slices.ContainsFunc(texts, func(want string) bool { return !strings.Contains(text, want) }) {
			return
		}
		s.types(again)
		time.Sleep(bootLimit / looks / 4)
	}
	s.t.Fatalf("looked for %q %d times:\n%s", texts, looks, s.text())
}

// until waits for a screen that is as wanted.
func (s *person) until(limit time.Duration, want string, good func(screen string) bool) {
	s.t.Helper()
	end := time.After(limit)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		now := s.text()
		if good(now) {
			return
		}
		select {
		case <-changed:
		case <-end:
			s.t.Fatalf("after %s the screen does not show %s:\n%s", limit, want, now)
		}
	}
}

func (s *person) types(keys string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// Keys of a terminal.
const (
	keyDown  = "\x1b[B"
	keyEnter = "\r"
	keyErase = "\x15" // Ctrl-U empties a field
)

// screenLimit is how long a screen of the installer takes at most.
const screenLimit = bootLimit / 4

// soundCards are two of QEMU: on the board, and a USB interface.
var soundCards = []string{"-audiodev", "none,id=silence", "-device", "intel-hda", "-device", "hda-duplex,audiodev=silence",
	"-device", "qemu-xhci,id=audio", "-device", "usb-audio,bus=audio.0,audiodev=silence"}

// TestGuided goes through the whole installer on the serial line, as a person
// does who reads each screen before the next key, and boots what came of it.
func TestGuided(t *testing.T) {
	t.Parallel()
	m := newBox(t, box{firmware: vm.UEFI, usb: true, bus: vm.USB, answered: withNobody, args: soundCards, unlike: jackChecks}, map[string]any{"host": "by-hand"})
	g := m.install(t)
	s := lookAt(t, g)
	begun := time.Now()
	s.shows(bootLimit, "Install reprise", "Welcome (1 of", "live-rig", "Enter go on")
	t.Logf("first screen after %s", time.Since(begun).Round(time.Second))
	pictured(t, g, "Install reprise", "Welcome (1 of", "Enter go on") // tty1 has the same
	s.types(keyEnter)
	s.shows(screenLimit, "Language (2 of", "> (*)")
	s.types(keyEnter)
	s.shows(screenLimit, "Keyboard (3 of", "> (*) us")
	s.types(keyEnter)
	s.shows(screenLimit, "Network (4 of", "> (*) Automatic", ": address 10.0.2.") // QEMU's network
	s.types("\x1b")                                                               // and forward again
	s.shows(screenLimit, "Keyboard (3 of")
	s.types(keyEnter)
	s.shows(screenLimit, "Network (4 of")
	s.types(keyEnter)
	s.shows(bootLimit, "This machine (5 of", "QEMU")
	// On a busy machine a card may be found after the first look.
	s.finds("r", "USB Audio", "HDA Intel")
	s.types(keyEnter)
	s.shows(screenLimit, "Profile (6 of", "> (*) live-rig")
	s.types(keyEnter)
	s.shows(screenLimit, "Disk (7 of", targetSerial, foreignSerial, "WINDOWS", "Not shown: ")
	disks := []string{targetSerial, foreignSerial}
	if text := s.text(); strings.Index(text, foreignSerial) < strings.Index(text, targetSerial) {
		slices.Reverse(disks)
	}
	for _, serial := range disks[:slices.Index(disks, targetSerial)+1] {
		s.types(keyDown) // to the first one, then further
		s.until(screenLimit, serial+" is chosen", func(text string) bool { return chosen(text, serial) })
	}
	s.types(keyEnter)
	s.shows(screenLimit, "File system and encryption (8 of", "(*) ext4", "(*) None")
	s.types(keyEnter + keyEnter)
	s.shows(screenLimit, "Host and user (9 of", "> Host name:")
	s.types(keyErase + "by-hand" + keyEnter)
	s.shows(screenLimit, "> User:", "[rig ")
	s.types(keyEnter + keyEnter)
	s.shows(screenLimit, "> Password:")
	s.types(keyEnter)
	s.shows(screenLimit, "> Password again:")
	s.types(keyEnter)
	s.shows(screenLimit, "> ssh key:")
	s.types(m.key() + keyEnter)
	s.shows(screenLimit, "Time zone (10 of", "> Time zone")
	s.types("berlin" + keyEnter)
	s.shows(screenLimit, "Review (11 of", targetSerial, "live-rig as by-hand")
	s.types("h")
	s.shows(screenLimit, "The hardware of this machine")
	s.types("\x1b")
	s.shows(screenLimit, "Review (11 of", targetSerial)
	s.types(keyEnter)
	s.shows(screenLimit, "EVERYTHING ON THIS DISK WILL BE LOST", targetSerial)
	s.types(foreignSerial + keyEnter)
	s.shows(screenLimit, "nothing was")
	if sum(t, m.foreign) != m.before {
		t.Fatal("something was written before anybody agreed")
	}
	s.types(keyErase + targetSerial + keyEnter)
	s.shows(installLimit, "reprise is installed", "generation 1 of", "(*) Restart the machine")
	t.Logf("installed after %s", time.Since(begun).Round(time.Second))
	s.types(keyDown)
	s.shows(screenLimit, "(*) Switch the machine off")
	s.types(keyEnter)
	select {
	case <-g.Done():
	case <-time.After(bootLimit):
		t.Fatalf("the machine does not switch itself off:\n%s", s.text())
	}
	m.sound(t)
	m.boots(t, check("its time zone", "readlink /etc/localtime | grep -c Europe/Berlin", "1"),
		has("jackd is to play on the USB interface", "systemctl --user show -P ExecStart jackd.service", "-d alsa -d hw:Audio "))
}

// chosen says whether a line of the screen has the mark of a choice before
// text.
func chosen(screen, text string) bool {
	for line := range strings.Lines(screen) {
		if strings.Contains(line, text) {
			return strings.Contains(line, "(*)")
		}
	}
	return false
}

// TestSessionInstalls tries the system of the medium without installing it, and
// then installs from within that session, with answers that lie in it.
func TestSessionInstalls(t *testing.T) {
	t.Parallel()
	m := newBox(t, box{firmware: vm.BIOS, usb: true, bus: vm.SATA, answered: withNobody}, map[string]any{"host": "after-a-try"})
	answers := m.text(t)
	g := m.install(t)
	if err := g.Expect("Rescue shell", bootLimit); err != nil {
		t.Fatal(err)
	}
	if err := g.Send(menuDown + menuEnter); err != nil {
		t.Fatal(err)
	}
	if err := g.Expect("live-rig login: rig (automatic login)", bootLimit); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), installLimit)
	defer cancel()
	client, err := g.SSH(ctx, "rig", m.signer)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	say := func(command string) string {
		t.Helper()
		out, err := vm.Output(ctx, client, command)
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return out
	}
	// A machine without a sound card keeps what its profile has, and no unit fails.
	keeps(ctx, t, client, append([]rigCheck{
		check("all units are well in the session", "systemctl is-system-running --wait", "running"),
		check("it was tuned, too", "systemctl show -p ActiveState,ExecMainStatus reprise-tune.service | sort | xargs", "ActiveState=active ExecMainStatus=0"),
		has("who logs in is told", "cat /run/motd.d/reprise-session", "no sound card"),
	}, jackChecks...))
	list := say("sudo -n reprise install --list")
	for _, want := range []string{targetSerial, foreignSerial, "WINDOWS", "the medium itself"} {
		if !strings.Contains(list, want) {
			t.Errorf("reprise install --list lacks %q:\n%s", want, list)
		}
	}
	say("cat > answers.json <<'END'\n" + string(answers) + "\nEND")
	plan := say("sudo -n reprise install --answers answers.json --dry-run")
	if !strings.Contains(plan, targetSerial) || !strings.Contains(plan, "after-a-try") {
		t.Errorf("the plan:\n%s", plan)
	}
	if _, written := sizes(t, m.target); written != 0 {
		t.Errorf("%d bytes were written before anybody asked", written)
	}
	const mounts = "findmnt -rn -o TARGET,SOURCE,FSTYPE | sort"
	before, begun := say(mounts), time.Now()
	said := say("sudo -n reprise install -q --answers answers.json")
	t.Logf("installed from the session in %s", time.Since(begun).Round(time.Second))
	if !strings.HasSuffix(said, installPrefix+"done generation=1\n") {
		t.Fatalf("the installation ended with %q", said)
	}
	if diff := cmp.Diff(before, say(mounts)); diff != "" {
		t.Errorf("the session's mounts (-before +after the installation):\n%s", diff)
	}
	if err := g.Shutdown(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
	m.sound(t)
	m.boots(t)
}
