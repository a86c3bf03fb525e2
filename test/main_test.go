// Package test builds images as a user does, with the reprise program and
// nothing else, boots them, and lets programs that are not ours judge what we
// write: real Nix, apt, e2fsck, fsck.fat, fsck.erofs, sgdisk. The judges come
// from the archive through `reprise tool`, so the machine needs Go alone.
package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

var (
	program string // the reprise under test
	store   string // its store, kept between runs
	scratch string // everything else, removed at the end
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == onSmallDisk {
		if err := smallDiskMain(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == onOtherClock {
		code, err := otherClockMain(os.Args[2:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}
	if len(os.Args) == 2 && os.Args[1] == theDate {
		fmt.Println(time.Now().Year())
		os.Exit(0)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "reprise-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	// Another user runs the program in some tests.
	os.Chmod(scratch, 0o755)
	program = filepath.Join(scratch, "reprise")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "../cmd/reprise")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build reprise: %v\n%s", err, out)
		return 1
	}
	if store = os.Getenv("REPRISE_TEST_STORE"); store == "" {
		if store, err = filepath.Abs("../.cache/test-store"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// limits: five times what a slow machine was seen to take.
const (
	buildLimit = 15 * time.Minute
	toolLimit  = 10 * time.Minute
)

// result is how one run of a program ended.
type result struct {
	stdout, stderr string
	code           int
}

// reprise runs the program under test and returns how it ended.
func reprise(t *testing.T, limit time.Duration, args ...string) result {
	t.Helper()
	return run(t, limit, exec.Command(program, append([]string{"--store", store}, args...)...))
}

func run(t *testing.T, limit time.Duration, c *exec.Cmd) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	bounded := exec.CommandContext(ctx, c.Path, c.Args[1:]...)
	bounded.Env, bounded.Dir, bounded.Stdin, bounded.SysProcAttr = c.Env, c.Dir, c.Stdin, c.SysProcAttr
	bounded.Stdout, bounded.Stderr = &stdout, &stderr
	if c.Stdout != nil {
		bounded.Stdout = io.MultiWriter(c.Stdout, &stdout)
	}
	bounded.Cancel = func() error { return bounded.Process.Signal(os.Interrupt) }
	bounded.WaitDelay = 30 * time.Second
	err := bounded.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", c.Args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s: not done after %s\n%s%s", c.Args, limit, &stdout, &stderr)
	}
	return result{stdout.String(), stderr.String(), bounded.ProcessState.ExitCode()}
}

// must is reprise for a run that has to succeed; it returns standard output.
func must(t *testing.T, limit time.Duration, args ...string) string {
	t.Helper()
	r := reprise(t, limit, args...)
	if r.code != 0 {
		t.Fatalf("reprise %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// judge runs a program of the archive on files of this machine. binds are
// HERE:THERE[:rw].
func judge(t *testing.T, packages string, binds []string, argv ...string) result {
	t.Helper()
	args := []string{"tool", "-q", "-p", packages}
	for _, b := range binds {
		args = append(args, "--bind", b)
	}
	return reprise(t, toolLimit, append(append(args, "--"), argv...)...)
}

// rig is the live-rig image, built once for all tests.
type rig struct {
	image, lock string
	key         ssh.Signer
	keyFile     string
	system      string // store path
}

var theRig = sync.OnceValues(func() (*rig, error) {
	dir := filepath.Join(scratch, "rig")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	r := &rig{image: filepath.Join(dir, "live-rig.img"), lock: filepath.Join(dir, "live-rig.lock")}
	r.keyFile = r.image + ".key"
	c := exec.Command(program, "--store", store, "build", "live-rig", "--authorize", "auto", "-o", r.image)
	c.Env = append(os.Environ(), "HOME="+dir)
	out, err := c.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build the live-rig: %w\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "system "); ok {
			r.system = path
		}
	}
	secret, err := os.ReadFile(r.keyFile)
	if err != nil {
		return nil, err
	}
	r.key, err = ssh.ParsePrivateKey(secret)
	return r, err
})

func liveRig(t *testing.T) *rig {
	t.Helper()
	r, err := theRig()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
