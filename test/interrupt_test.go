package test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// seed returns what decides when things are interrupted; the environment can
// repeat a run.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if s := os.Getenv("REPRISE_TEST_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("REPRISE_TEST_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// TestInterrupted ends a build at random moments, by Ctrl-C, by a kill that can
// be caught and by one that cannot. The store verifies each time, a caught
// signal leaves no temporary file, and at last a build makes the same image as
// one that nobody disturbed.
func TestInterrupted(t *testing.T) {
	r, m := liveRig(t), localMirror(t)
	random := seed(t)
	dir := storeTemp(t)
	own, out := filepath.Join(dir, "store"), filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, r.lock, filepath.Join(out, "x.lock"))
	image := filepath.Join(out, "x.img")
	args := []string{"--store", own, m.flag(), "build", "live-rig", "--authorize", r.keyFile + ".pub", "-o", image}

	signals := []os.Signal{}
	for range 6 {
		signals = append(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL)
	}
	random.Shuffle(len(signals), func(i, j int) { signals[i], signals[j] = signals[j], signals[i] })
	interrupted := 0
	var killed []string // what runs that could not clean up have left
	for _, signal := range signals {
		var said bytes.Buffer
		c := exec.Command(program, args...)
		c.Stdout, c.Stderr = &said, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		after := time.Duration(random.Int64N(int64(3 * time.Second)))
		time.Sleep(after)
		sent := time.Now()
		c.Process.Signal(signal)
		c.Wait()
		code := c.ProcessState.ExitCode()
		switch {
		case code == 0: // it was faster
			if err := os.Remove(image); err != nil {
				t.Fatal(err)
			}
			continue
		case signal == syscall.SIGKILL:
			interrupted++
			killed = listing(t, out)
		case c.ProcessState.Sys().(syscall.WaitStatus).Signal() == signal && said.Len() == 0:
			// It came before the program's first statement, which asks for signals:
			// there was nothing to undo, and nobody to say so.
		default:
			interrupted++
			if code != 130 || !strings.Contains(said.String(), "reprise: interrupted; unfinished work is removed\n") {
				t.Errorf("%v after %s: exit code %d\n%s", signal, after, code, &said)
			}
			if took := time.Since(sent); took > 20*time.Second {
				t.Errorf("%v after %s: the build ended %s later", signal, after, took)
			}
			for _, name := range listing(t, out) {
				if strings.Contains(name, ".reprise-tmp-x.img") && !slices.Contains(killed, name) {
					t.Errorf("%v after %s left %s", signal, after, name)
				}
			}
		}
		if _, err := os.Stat(image); err == nil {
			t.Errorf("%v after %s: there is an image", signal, after)
		}
		sound(t, own)
	}
	if interrupted < 12 {
		t.Errorf("only %d of %d builds were interrupted", interrupted, len(signals))
	}
	if last := run(t, buildLimit, exec.Command(program, args...)); last.code != 0 {
		t.Fatalf("the build after all: %+v", last)
	}
	sound(t, own)
	for _, name := range listing(t, out) {
		if strings.Contains(name, ".reprise-tmp-x.img") {
			t.Errorf("left over: %s", name)
		}
	}
	if got, want := sum(t, image), sum(t, r.image); got != want {
		t.Errorf("the image has SHA-256 %s, an undisturbed one %s", got, want)
	}
	tmp, err := os.ReadDir(filepath.Join(own, "nix/var/reprise/tmp"))
	if err != nil || len(tmp) > 0 {
		t.Errorf("temporary directories of the store: %v, %v", tmp, err)
	}
}

// TestTwoBuilds lets two builds begin in one empty store at once.
func TestTwoBuilds(t *testing.T) {
	r, m := liveRig(t), localMirror(t)
	dir := storeTemp(t)
	own := filepath.Join(dir, "store")
	var both sync.WaitGroup
	ends := make([]string, 2)
	images := make([]string, 2)
	for i := range 2 {
		out := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(out, 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, r.lock, filepath.Join(out, "x.lock"))
		images[i] = filepath.Join(out, "x.img")
		both.Go(func() {
			text, err := exec.Command(program, "--store", own, m.flag(), "build", "live-rig", "--authorize", r.keyFile+".pub", "-o", images[i]).CombinedOutput()
			if err != nil {
				ends[i] = err.Error() + "\n" + string(text)
			}
		})
	}
	both.Wait()
	want := sum(t, r.image)
	for i := range 2 {
		if ends[i] != "" {
			t.Errorf("build %d: %s", i, ends[i])
		} else if got := sum(t, images[i]); got != want {
			t.Errorf("image %d has SHA-256 %s, one built alone %s", i, got, want)
		}
	}
	sound(t, own)
	if t.Failed() {
		return
	}
	damage(t, r, own, images)
}

// damage goes on with the store of two builds: verify finds what is changed in
// it, and gc keeps what the images need.
func damage(t *testing.T, r *rig, own string, images []string) {
	ours := func(args ...string) result {
		t.Helper()
		return run(t, toolLimit, exec.Command(program, append([]string{"--store", own}, args...)...))
	}
	dry := ours("store", "gc", "--dry-run")
	if dry.code != 0 || !strings.HasPrefix(dry.stdout, "would remove ") {
		t.Errorf("store gc --dry-run: %+v", dry)
	}
	if gc := ours("store", "gc"); gc.code != 0 || strings.TrimPrefix(gc.stdout, "removed ") != strings.TrimPrefix(dry.stdout, "would remove ") {
		t.Errorf("store gc removed other paths than its dry run said: %+v, %+v", gc, dry)
	}
	sound(t, own)
	place := strings.TrimSpace(ours("store", "path", r.system).stdout)
	closure, err := os.ReadFile(filepath.Join(place, "closure"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(closure)) {
		if _, err := os.Stat(filepath.Join(own, strings.TrimSpace(line))); err != nil {
			t.Errorf("gc took what the images need: %v", err)
		}
	}

	// One bit of a program; mtime and size stay.
	bash, err := filepath.Glob(filepath.Join(own, "nix/store/*-bash-5*/usr/bin/bash"))
	if err != nil || len(bash) != 1 {
		t.Fatalf("bash in the store: %q, %v", bash, err)
	}
	flipBit := func() {
		t.Helper()
		info, err := os.Stat(bash[0])
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(bash[0])
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.Chmod(bash[0], 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(bash[0], data, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(bash[0], info.Mode()); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(bash[0], info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	flipBit()
	path := "/nix/store/" + strings.Split(strings.TrimPrefix(bash[0], own+"/nix/store/"), "/")[0]
	found := ours("store", "verify", "--contents")
	if found.code != 4 || !strings.Contains(found.stdout, path) || !strings.Contains(found.stderr, "damaged in 1 place") {
		t.Errorf("store verify of a flipped bit in %s: %+v", path, found)
	}
	found = ours("--json", "store", "verify", "--contents")
	if found.code != 4 || !strings.Contains(found.stdout, path) {
		t.Errorf("store verify --json: %+v", found)
	}
	flipBit()
	sound(t, own)
}
