package test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// events counts the events on standard output, which holds nothing else.
func events(t *testing.T, stdout string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for line := range strings.Lines(stdout) {
		var e struct{ Event string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Event == "" {
			t.Errorf("%q is no event: %v", line, err)
		}
		seen[e.Event]++
	}
	return seen
}

// TestJSONAndDryRun holds that a program can read every line that --json
// prints, and that --dry-run changes nothing.
func TestJSONAndDryRun(t *testing.T) {
	r := liveRig(t)
	dir := t.TempDir()
	copyFile(t, r.lock, filepath.Join(dir, "x.lock"))
	image := filepath.Join(dir, "x.img")
	build := []string{"--json", "build", "live-rig", "--authorize", r.keyFile + ".pub", "-o", image}
	events := func(r result) map[string]int {
		t.Helper()
		return events(t, r.stdout)
	}
	paths := func() []string {
		names, err := os.ReadDir(filepath.Join(store, "nix/store"))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, n := range names {
			if !strings.HasSuffix(n.Name(), ".lock") {
				all = append(all, n.Name())
			}
		}
		return all
	}
	unchanged(t, dir, func() {
		before := paths()
		dry := reprise(t, toolLimit, append(build, "--dry-run")...)
		if seen := events(dry); dry.code != 0 || seen["plan"] != 1 {
			t.Errorf("build --dry-run: %+v", dry)
		}
		for _, verb := range []string{"lock", "update"} {
			r := reprise(t, toolLimit, "--json", verb, "live-rig", "--lock", filepath.Join(dir, "x.lock"), "--dry-run")
			if r.code != 0 || events(r)["result"] != 1 {
				t.Errorf("%s --dry-run: %+v", verb, r)
			}
		}
		gc := reprise(t, toolLimit, "store", "gc", "--dry-run")
		if gc.code != 0 || !strings.HasPrefix(gc.stdout, "would remove ") {
			t.Errorf("store gc --dry-run: %+v", gc)
		}
		gc = reprise(t, toolLimit, "--json", "store", "gc", "--dry-run")
		if gc.code != 0 || events(gc)["result"] != 1 {
			t.Errorf("store gc --dry-run --json: %+v", gc)
		}
		if diff := cmp.Diff(before, paths()); diff != "" {
			t.Errorf("dry runs changed the store:\n%s", diff)
		}
	})
	made := reprise(t, buildLimit, build...)
	if seen := events(made); made.code != 0 || seen["result"] != 1 || seen["start"] == 0 || seen["start"] != seen["done"] {
		t.Errorf("build --json: %v, %+v", seen, made)
	}
	again := reprise(t, buildLimit, build...)
	if seen := events(again); again.code != 0 || seen["start"] != 0 || !strings.Contains(again.stdout, `"unchanged"`) {
		t.Errorf("build --json again: %v, %+v", seen, again)
	}
	// Another place for the same image does not make anybody forget the first.
	other := reprise(t, buildLimit, append(build[:len(build)-1:len(build)-1], filepath.Join(dir, "y.img"), "--lock", filepath.Join(dir, "x.lock"))...)
	if other.code != 0 || !strings.Contains(other.stdout, `"written"`) {
		t.Errorf("build to another place: %+v", other)
	}
	if again := reprise(t, buildLimit, build...); again.code != 0 || !strings.Contains(again.stdout, `"unchanged"`) {
		t.Errorf("build after another place: %+v", again)
	}
	if r := reprise(t, toolLimit, "--json", "lock", "live-rig", "--lock", filepath.Join(dir, "nosuch", "x.lock")); r.code != 1 || events(r)["error"] != 1 {
		t.Errorf("lock --json: %+v", r)
	}

	// In a pipe each task has a line at its start and one at its end, and no
	// control character moves anybody's cursor.
	os.Remove(image)
	plain := reprise(t, buildLimit, build[1:]...)
	if plain.code != 0 {
		t.Fatalf("%+v", plain)
	}
	for _, c := range plain.stdout + plain.stderr {
		if c < ' ' && c != '\n' {
			t.Fatalf("control character %q in %q", c, plain.stdout+plain.stderr)
		}
	}
	if starts, ends := strings.Count(plain.stderr, "write x.img: "), strings.Count(plain.stderr, "write x.img: done, "); starts != 2 || ends != 1 {
		t.Errorf("lines of the task: %q", plain.stderr)
	}
}

// TestJSONOfPrograms runs programs and a machine with --json: what they say
// stays out of standard output.
func TestJSONOfPrograms(t *testing.T) {
	r := liveRig(t)
	tool := reprise(t, toolLimit, "--json", "tool", "-p", "coreutils,dash", "--", "sh", "-c", "echo to standard output; echo to standard error >&2")
	if seen := events(t, tool.stdout); tool.code != 0 || seen["result"] != 1 {
		t.Errorf("tool --json: %+v", tool)
	}
	for _, said := range []string{"to standard output\n", "to standard error\n"} {
		if !strings.Contains(tool.stderr, said) {
			t.Errorf("tool --json: %q is not on standard error: %+v", said, tool)
		}
	}
	tool = reprise(t, toolLimit, "--json", "tool", "-p", "coreutils,dash", "--", "sh", "-c", "echo no; exit 7")
	if seen := events(t, tool.stdout); tool.code != 7 || seen["error"] != 1 || seen["result"] != 0 {
		t.Errorf("tool --json that fails: %+v", tool)
	}
	tool = reprise(t, toolLimit, "--json", "tool", "-p", "coreutils,dash", "--where")
	if seen := events(t, tool.stdout); tool.code != 0 || seen["result"] != 1 {
		t.Errorf("tool --where --json: %+v", tool)
	}
	if verify := reprise(t, toolLimit, "--json", "store", "verify"); verify.code != 0 || events(t, verify.stdout)["result"] != 1 {
		t.Errorf("store verify --json: %+v", verify)
	}

	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	var console strings.Builder
	c := exec.CommandContext(ctx, program, "--store", store, "--json", "run", r.image)
	c.Stderr = &console
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		var machine struct {
			Event   string
			SSHHost string
			SSHPort int
		}
		if json.Unmarshal(lines.Bytes(), &machine); machine.Event != "machine" {
			continue
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(machine.SSHHost, strconv.Itoa(machine.SSHPort)))
		if err != nil {
			t.Errorf("the port that is told: %v", err)
		} else {
			conn.Close()
		}
		c.Process.Signal(os.Interrupt)
	}
	c.Wait()
	if seen := events(t, all.String()); c.ProcessState.ExitCode() != 130 || seen["machine"] != 1 || seen["error"] != 1 {
		t.Errorf("run --json: exit code %d, %q\n%s", c.ProcessState.ExitCode(), all.String(), &console)
	}
}
