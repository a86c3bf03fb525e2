package rescue

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// run runs a script in a directory of its own, with nothing in PATH.
func run(t *testing.T, script string) (out, errs string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	sh, err := New(strings.NewReader(""), &stdout, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	status = sh.Run(ctx, "PATH=/nonexistent; cd "+t.TempDir()+"\n"+script)
	return stdout.String(), stderr.String(), status
}

func TestScripts(t *testing.T) {
	for name, test := range map[string]struct {
		script, out, err string
		status           int
	}{
		"files":      {"mkdir -p a/b; echo one > a/b/c; cp a/b/c d; mv d e; cat e; ls; rm -r a; ls", "one\na\ne\ne\n", "", 0},
		"pipes":      {"printf 'b\\na\\nc\\n' | grep -v a | tail -n 1; printf 'x\\ny\\n' | wc", "c\n2 2 4\n", "", 0},
		"control":    {"for i in 1 2 3; do if [ $i = 2 ]; then echo two; fi; done", "two\n", "", 0},
		"links":      {"echo x > f; ln -s f g; ln -sf nowhere g; ln f h; cat h; ls g", "x\ng\n", "", 0},
		"head":       {"printf '1\\n2\\n3\\n' | head -2; printf '1\\n2\\n' | head -n 1", "1\n2\n1\n", "", 0},
		"unknown":    {"frobnicate", "", `"frobnicate": executable file not found in $PATH` + "\n", 127},
		"fails":      {"cat nothing", "", "cat: open ", 1},
		"last":       {"false; true", "", "", 0},
		"exit":       {"exit 3; echo no", "", "", 3},
		"syntax":     {"if", "", "rescue: ", 2},
		"grep":       {"echo a | grep b", "", "", 1},
		"our help":   {"help | grep 'lists\\|disks and'", "", "", 1}, // Go's syntax, not grep's
		"help":       {"help | grep 'disks and partitions'", "  blk                              disks and partitions, what they hold\n", "", 0},
		"kill":       {"kill -FOO 1", "", `kill: signal "FOO" is not known` + "\n", 1},
		"mount":      {"mount /dev/x", "", "mount: usage: mount", 1},
		"umount":     {"umount", "", "umount: usage: umount", 1},
		"substitute": {"echo one two > f; echo $(cat $(ls | head -1) | wc)", "1 2 8\n", "", 0},
		"sleep":      {"sleep 0.01; sleep x", "", `sleep: "x" is not a number of seconds` + "\n", 1},
	} {
		out, errs, status := run(t, test.script)
		if !strings.HasPrefix(out, test.out) || (test.out == "") != (out == "") {
			t.Errorf("%s: out %q, want %q", name, out, test.out)
		}
		if !strings.HasPrefix(errs, test.err) || (test.err == "") != (errs == "") {
			t.Errorf("%s: err %q, want %q", name, errs, test.err)
		}
		if status != test.status {
			t.Errorf("%s: status %d, want %d", name, status, test.status)
		}
	}
}

// TestOnlyExitLeaves holds that Ctrl-C brings the prompt back, wherever in a
// script it strikes: leaving starts the machine.
func TestOnlyExitLeaves(t *testing.T) {
	for script, want := range map[string]bool{
		"exit":                            true,
		"exit 3; true":                    true,
		"false":                           false,
		"sleep 60; sleep 60":              false,
		"while true; do sleep 0.01; done": false,
		"while :; do :; done":             false,
	} {
		sh, err := New(strings.NewReader(""), io.Discard, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		keys := make(chan os.Signal, 1)
		timer := time.AfterFunc(30*time.Millisecond, func() { keys <- os.Interrupt })
		sh.runInterruptible(t.Context(), script, keys)
		timer.Stop()
		if sh.left != want {
			t.Errorf("%q: left is %v, want %v", script, sh.left, want)
		}
		if status := sh.Run(t.Context(), "true"); status != 0 || sh.left {
			t.Errorf("%q: afterwards true has status %d, left is %v", script, status, sh.left)
		}
	}
}

func TestInterrupted(t *testing.T) {
	sh, err := New(strings.NewReader(""), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	sh.Run(ctx, "sleep 60; sleep 60")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the script went on for %v", took)
	}
}

func TestIncomplete(t *testing.T) {
	for script, want := range map[string]bool{
		"echo\n": false, "for i in 1\n": true, "if true\n": true, "echo 'a\n": true, "fi\n": false, "a | \n": true, "": false,
	} {
		if got := incomplete(script); got != want {
			t.Errorf("%q: %v", script, got)
		}
	}
}

func TestParseMount(t *testing.T) {
	for _, test := range []struct {
		args string
		want mountCall
		bad  bool
	}{
		{"/dev/vda3 /mnt", mountCall{places: []string{"/dev/vda3", "/mnt"}}, false},
		{"-t ext4 -o ro,noatime,errors=remount-ro /dev/vda3 /mnt", mountCall{kind: "ext4", data: "errors=remount-ro",
			flags: unix.MS_RDONLY | unix.MS_NOATIME, places: []string{"/dev/vda3", "/mnt"}}, false},
		{"-o remount,rw /", mountCall{flags: unix.MS_REMOUNT, places: []string{"", "/"}}, false},
		{"--rbind a b", mountCall{flags: unix.MS_BIND | unix.MS_REC, places: []string{"a", "b"}}, false},
		{"/mnt", mountCall{}, true}, {"-x a b", mountCall{}, true}, {"a b c", mountCall{}, true}, {"-t", mountCall{}, true},
	} {
		got, err := parseMount(strings.Fields(test.args))
		if (err != nil) != test.bad {
			t.Errorf("%q: %v", test.args, err)
		}
		if d := cmp.Diff(test.want, got, cmp.AllowUnexported(mountCall{})); err == nil && d != "" {
			t.Errorf("%q: %s", test.args, d)
		}
	}
}

func FuzzParseMount(f *testing.F) {
	f.Add("-t ext4 -o ro a b")
	f.Fuzz(func(t *testing.T, args string) {
		if m, err := parseMount(strings.Fields(args)); err == nil && len(m.places) != 2 {
			t.Errorf("%q: %v", args, m.places)
		}
	})
}

// Lines come from a pipe as they are, and nobody typing ends the wait.
func TestLines(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	l := newLines(r, io.Discard, 50*time.Millisecond)
	if _, err := l.read(""); !errors.Is(err, errIdle) {
		t.Errorf("nobody typed: %v", err)
	}
	l = newLines(r, io.Discard, time.Minute)
	_, _ = w.WriteString("one\r\ntwo")
	if got, err := l.read(""); got != "one" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	w.Close()
	if got, err := l.read(""); got != "two" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := l.read(""); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "reprise-rescue" {
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}
