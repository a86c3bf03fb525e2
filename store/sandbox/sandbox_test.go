package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary its own sandbox-init and the program that
// the sandboxes run: "probe WHAT ARG…" does one thing and tells.
func TestMain(m *testing.M) {
	Init(probe)
	if len(os.Args) > 1 && os.Args[1] == "probe" {
		os.Exit(probe(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// inside runs a probe in a sandbox made by spec, which gets the test binary
// bound at /probe, and returns what it printed.
func inside(t *testing.T, spec Spec, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	spec = probing(t, spec, args...)
	spec.Stdout, spec.Stderr = &out, &out
	err := Run(ctx, spec)
	return strings.TrimSpace(out.String()), err
}

func probing(t *testing.T, spec Spec, args ...string) Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	spec.Binds = append([]Bind{{Source: self, Target: "/probe"}}, spec.Binds...)
	spec.Argv = append([]string{"/probe", "probe"}, args...)
	return spec
}

func TestRunSeesOnlyWhatIsDeclared(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := inside(t, Spec{Binds: []Bind{{Source: dir, Target: "/in/here"}}}, "list", "/", "/in", "/in/here", "/dev", "/etc")
	if err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	want := "/: dev etc in probe proc\n/in: here\n/in/here: file\n" +
		"/dev: fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n/etc: group hosts passwd"
	if got != want {
		t.Errorf("inside:\n%s\nwant:\n%s", got, want)
	}
}

func TestExit(t *testing.T) {
	var exit *ExitError
	if out, err := inside(t, Spec{}, "exit", "7"); !errors.As(err, &exit) || exit.Code != 7 || out != "leaving" {
		t.Errorf("exit 7: %v %q", err, out)
	}
	if _, err := inside(t, Spec{}, "die"); !errors.As(err, &exit) || exit.Signal != 15 {
		t.Errorf("killed: %v", err)
	}
	if _, err := inside(t, Spec{InProcess: true}, "exit", "9"); !errors.As(err, &exit) || exit.Code != 9 {
		t.Errorf("in process: %v", err)
	}
	err := Run(t.Context(), Spec{Argv: []string{"/nowhere"}})
	if err == nil || !strings.Contains(fmt.Sprint(err), `"/nowhere"`) {
		t.Errorf("no program: %v", err)
	}
}
