package tui

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

// childWord in the environment makes this test binary the installer of a test
// on a terminal: its value is "screens" or "plain".
const childWord = "REPRISE_TEST_TUI"

// child is the installer as a process has it. Only what writes to disks is made
// up; it says on the last line what it was given.
func child(t *testing.T, way string) {
	r := newRig(t, laptop)
	o := r.m.s.Options
	o.Accessible = way == "plain"
	o.Editor, o.Actions.Edit = "ed", func(_ string, text []byte) (Outside, error) { return &ed{text: text}, nil }
	var got Order
	o.Actions.Run = func(ctx context.Context, order Order, sink progress.Sink, report func(plan.Name, installer.Status)) (*installer.Result, error) {
		got = order
		for _, s := range order.Plan.Steps {
			report(s.Name, installer.Started)
			task := sink.Start("work", progress.Bytes, 100<<20)
			for range 10 {
				task.Add(10 << 20)
				time.Sleep(2 * time.Millisecond)
			}
			task.Done(nil)
			report(s.Name, installer.Done)
		}
		return &installer.Result{Generation: 1}, ctx.Err()
	}
	end, err := Run(context.Background(), os.Stdin, os.Stdout, os.Environ(), o)
	said := map[string]any{"end": end, "err": fmt.Sprint(err)}
	if got.Plan != nil {
		said["disk"], said["host"], said["passphrase"], said["files"] = got.Plan.Disk.Serial, got.Plan.Host, string(got.Passphrase), len(got.Files)
	}
	data, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nCHILD %s\n", data)
}

// TestChild is the process that the tests on a terminal start.
func TestChild(t *testing.T) {
	if way := os.Getenv(childWord); way != "" {
		child(t, way)
	}
}

// A terminal is a screen with the installer on it, in a process of its own.
type terminal struct {
	t    *testing.T
	file *os.File
	vt   vt10x.Terminal
	ends chan struct{}
}

// start runs the installer on a terminal; one of 0 lines is like a serial line.
func start(t *testing.T, way, term string, rows, columns uint16) *terminal {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childWord+"="+way, "TERM="+term)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: rows, Cols: columns})
	if err != nil {
		t.Fatal(err)
	}
	if rows == 0 {
		rows, columns = 24, 80
	}
	x := &terminal{t, f, vt10x.New(vt10x.WithWriter(f), vt10x.WithSize(int(columns), int(rows))), make(chan struct{})}
	go func() {
		defer close(x.ends)
		b := make([]byte, 4096)
		for {
			n, err := f.Read(b)
			if n > 0 {
				_, _ = x.vt.Write(b[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		f.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-x.ends
	})
	return x
}

func (x *terminal) screen() string {
	lines := strings.Split(x.vt.String(), "\n")
	for n, l := range lines {
		lines[n] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// wait waits until the screen shows text.
func (x *terminal) wait(text string) {
	x.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(x.screen(), text) {
			return
		}
	}
	x.t.Fatalf("no %q on the screen:\n%s", text, x.screen())
}

func (x *terminal) send(keys string) {
	x.t.Helper()
	if _, err := x.file.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

const down, enter = "\x1b[B", "\r"

// TestTerminals installs key by key on the terminals that machines have.
func TestTerminals(t *testing.T) {
	for _, c := range []struct {
		name, term    string
		rows, columns uint16
	}{
		{"linux console", "linux", 25, 80},
		{"serial line without a size", "vt220", 0, 0},
		{"ssh", "xterm-256color", 40, 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := start(t, "screens", c.term, c.rows, c.columns)
			x.wait("Nothing is written to any disk before")
			x.wait("Install reprise")
			x.send(enter)
			x.wait("Language (2 of 12)")
			x.send("german (ge")
			x.wait("(*) de_DE.UTF-8")
			x.send(enter)
			x.wait("Keyboard (3 of 12)")
			x.send("de-latin1")
			x.wait("(*) de-latin1 ")
			x.send("\x1b") // and forward again
			x.wait("Language (2 of 12)")
			x.send(enter)
			x.wait("(*) de-latin1 ")
			x.send(enter)
			x.wait("Network (4 of 12)")
			x.send(enter)
			x.wait("MOTU M4")
			x.send("\x1b[6~")
			x.wait("more above")
			x.send(enter)
			x.wait("Profile (6 of 12)")
			x.send(down)
			x.wait("(*) live-rig")
			x.send(enter)
			x.wait("Disk (7 of 12)")
			x.send(down + enter)
			x.wait("File system and encryption")
			x.send(enter + down + enter)
			x.wait("> Passphrase:")
			x.send("correct horse" + enter + "correct hors" + enter)
			x.wait("Passphrase again is shorter")
			x.send("e" + enter)
			x.wait("Host and user")
			x.send(enter + enter + enter)
			x.wait("> Password:")
			x.send("secret" + enter + "secret" + enter + enter)
			x.wait("Time zone (10 of 12)")
			x.send("berlin" + enter)
			x.wait("Review (11 of 12)")
			x.wait("S4EWNX0R")
			x.wait("c configuration")
			if c.term != "vt220" { // the emulator does not know the insert mode that this one is given
				golden(t, fmt.Sprintf("terminal.%s.txt", c.term), x.screen())
			}
			x.send("h")
			x.wait("1 // The hardware of this machine")
			x.wait("Ctrl-O open in ed")
			x.send("\x0f")
			x.wait("1 // from outside")
			x.send("// mine" + enter + "\x13") // Ctrl-S
			x.wait("Review (11 of 12)")
			x.send(enter)
			x.wait("EVERYTHING ON THIS DISK WILL BE LOST")
			x.send("wrong" + enter)
			x.wait("nothing was")
			x.send("\x15S4EWNX0R" + enter) // Ctrl-U
			x.wait("reprise is installed")
			x.send("\x03")
			x.wait("The installation is complete.")
			x.send(enter)
			x.wait("(*) Restart the machine")
			x.send(down + enter)
			x.wait("CHILD")
			x.wait(`"end":"power off"`)
			for _, text := range []string{`"disk":"S4EWNX0R"`, `"host":"live-rig"`, `"passphrase":"correct horse"`, `"files":3`} {
				if !strings.Contains(strings.ReplaceAll(x.screen(), "\n", ""), text) {
					t.Errorf("no %s:\n%s", text, x.screen())
				}
			}
		})
	}
}

// TestResize makes the terminal smaller and larger while the installer runs.
func TestResize(t *testing.T) {
	x := start(t, "screens", "linux", 24, 80)
	x.wait("Nothing is written to any disk before")
	resize := func(rows, columns uint16) {
		t.Helper()
		x.vt.Resize(int(columns), int(rows))
		if err := pty.Setsize(x.file, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
			t.Fatal(err)
		}
	}
	resize(10, 40)
	x.wait("The terminal is too small")
	x.wait("40 columns, 10 lines")
	resize(40, 120)
	x.wait("Nothing is written to any disk before")
	x.send(enter)
	x.wait("Language (2 of 12)")
	x.send("\x03")
	x.wait("Nothing was written to any disk.")
	x.send(down + enter)
	x.wait(`"end":"reboot"`)
}
