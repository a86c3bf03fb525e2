package realise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/store"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// victimEnv makes the test binary a process that realises the .drv of its
// second word in the store at its first, and tells when a build has begun.
const victimEnv = "REPRISE_REALISE_VICTIM"

func victim(words string) {
	root, path, _ := strings.Cut(words, " ")
	err := func() error {
		ctx := context.Background()
		s, err := store.Open(ctx, root)
		if err != nil {
			return err
		}
		defer s.Close()
		fmt.Println("open")
		return (&Realiser{Store: s, Jobs: 2}).Realise(ctx, storepath.Path(path))
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// another starts a process that realises d, and waits until it has opened the
// store.
func (r *rig) another(d *drv.Derivation) *exec.Cmd {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), victimEnv+"="+r.store.Root()+" "+string(r.path(d)))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "open\n" {
		r.t.Fatalf("the other process said %q: %v", line, err)
	}
	return cmd
}

// asleep waits until the build of d sleeps.
func (r *rig) asleep(d *drv.Derivation) {
	r.t.Helper()
	base := r.path(d).Base()
	log := filepath.Join(r.store.Root(), "nix/var/log/nix/drvs", base[:2], base[2:])
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if b, err := os.ReadFile(log); err == nil && strings.Contains(string(b), "asleep") {
			return
		}
		if time.Now().After(end) {
			r.t.Fatal("the build does not begin")
		}
	}
}

// sleepers counts the builders of this store that run.
func (r *rig) sleepers() (n int) {
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && strings.Contains(string(b), "mark="+r.store.Root()) {
			n++
		}
	}
	return n
}

func (r *rig) sleeper(name string) *drv.Derivation {
	return r.derivation(name, "sleep", map[string]string{"mark": r.store.Root()})
}

func (r *rig) nobodyRuns() {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); r.sleepers() > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("a builder still runs")
		}
	}
}

func TestInterrupt(t *testing.T) {
	r := newRig(t)
	d := r.sleeper("endless")
	after := r.derivation("after", "text", nil, d)
	paths := r.add(d, after)
	ctx, cancel := context.WithCancel(r.ctx)
	ended := make(chan error)
	go func() { ended <- r.realise.Realise(ctx, paths...) }()
	r.asleep(d)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := r.sleepers(); n > 0 {
		t.Errorf("%d builders run", n)
	}
	if _, err := os.Lstat(r.store.Real(d.Outputs["out"].Path)); err == nil {
		t.Error("half an output is in the store")
	}
	r.clean()
}

func TestKilledThenAgain(t *testing.T) {
	r := newRig(t)
	first := r.derivation("first", "text", map[string]string{"text": "1"})
	d := r.sleeper("victim")
	d.InputDrvs[r.path(first)] = []string{"out"}
	r.fill(d)
	r.add(first, d)
	other := r.another(d)
	r.asleep(d)
	if n := r.sleepers(); n == 0 {
		t.Fatal("no builder runs")
	}
	other.Process.Kill()
	other.Wait()
	r.nobodyRuns()

	// The next to open the store sweeps, and goes on where the other was.
	s, err := store.Open(r.ctx, r.store.Root())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	left, err := filepath.Glob(filepath.Join(r.store.StateDir("tmp"), "*/*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if valid, err := s.Valid(r.ctx, first.Outputs["out"].Path); err != nil || len(valid) == 0 || !valid[first.Outputs["out"].Path] {
		t.Errorf("what was done is lost: %v", err)
	}
	last := r.derivation("last", "cat", map[string]string{"inputs": string(first.Outputs["out"].Path)}, first)
	r.realise.Store = s
	if err := r.build(last); err != nil {
		t.Error(err)
	}
	// The lock file of the killed process is no hindrance.
	ctx, cancel := context.WithCancel(r.ctx)
	ended := make(chan error)
	os.Remove(filepath.Join(r.store.Root(), "nix/var/log/nix/drvs", r.path(d).Base()[:2], r.path(d).Base()[2:]))
	go func() { ended <- r.realise.Realise(ctx, r.path(d)) }()
	r.asleep(d)
	cancel()
	<-ended
	r.clean()
}

func TestTwoProcesses(t *testing.T) {
	r := newRig(t)
	// The content tells who made it: made twice it would differ, and the
	// store would say so.
	d := r.derivation("slow", "noise", map[string]string{"nap": "300ms"})
	r.add(d)
	others := []*exec.Cmd{r.another(d), r.another(d)}
	if err := r.realise.Realise(r.ctx, r.path(d)); err != nil {
		t.Error(err)
	}
	for _, other := range others {
		if err := other.Wait(); err != nil {
			t.Errorf("the other process: %v", err)
		}
	}
	r.clean()
}
