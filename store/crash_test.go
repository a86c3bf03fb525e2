package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"reprise/store/drv"
	"reprise/store/storepath"
)

// work does everything that changes a store. seed makes its paths differ from
// those of other calls.
func work(t testing.TB, s *Store, seed string) error {
	ctx := testContext(t)
	text, err := s.AddText(ctx, "text", []byte(seed), nil)
	if err != nil {
		return err
	}
	if err := s.SetRoot("kept", text); err != nil {
		return err
	}
	var h drv.Hasher
	a := sampleDrv(t, &h, "a"+seed)
	if _, err := s.AddDerivations(ctx, a, sampleDrv(t, &h, "b"+seed, a)); err != nil {
		return err
	}
	dir, release, err := s.TempDir("work-*")
	if err != nil {
		return err
	}
	defer release()
	src := filepath.Join(dir, "src")
	if err := os.WriteFile(src, []byte(seed), 0o755); err != nil {
		return err
	}
	if _, err := s.AddFile(ctx, "file", src); err != nil {
		return err
	}
	if _, err := s.AddFlat(ctx, "flat", sha256.Sum256([]byte(seed)), src); err != nil {
		return err
	}
	tree, err := tryAddTree(t, s, "tree", seed, text)
	if err != nil {
		return err
	}
	if err := s.SetRoot("kept", tree); err != nil {
		return err
	}
	return nil
}

// workAndCollect does work in a new store and collects what no root keeps.
func workAndCollect(t testing.TB, root string, fault func(string) error) error {
	s, err := open(testContext(t), root, fault)
	if err != nil {
		return err
	}
	err = work(t, s, "seed")
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	s, err = open(testContext(t), root, fault)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Collect(testContext(t), CollectOptions{})
	return err
}

// recovered checks that the store verifies after a fault, that what was cut
// off can be done again, and that nothing unregistered outlives a collection.
func recovered(t *testing.T, root string) {
	t.Helper()
	checkWhole(t, root, true)
	if err := workAndCollect(t, root, nil); err != nil {
		t.Errorf("after the fault: %v", err)
	}
	checkWhole(t, root, false)
	left, err := os.ReadDir(filepath.Join(root, "nix/var/reprise/tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary directories left: %q, %v", left, err)
	}
}

// steps counts the steps of workAndCollect.
func steps(t *testing.T) int {
	var n atomic.Int64
	root := t.TempDir()
	t.Cleanup(func() { RemoveAll(root) })
	must(t, workAndCollect(t, root, func(string) error { n.Add(1); return nil }))
	return int(n.Load())
}

// TestFault makes the k-th step fail, for each k.
func TestFault(t *testing.T) {
	total := steps(t)
	if total < 30 {
		t.Fatalf("%d steps: the fault points are gone", total)
	}
	failed := errors.New("fault")
	for k := range total {
		root := filepath.Join(t.TempDir(), "store")
		t.Cleanup(func() { RemoveAll(root) })
		var n atomic.Int64 // a collection removes several paths at a time
		var name atomic.Value
		err := workAndCollect(t, root, func(step string) error {
			if n.Add(1) == int64(k+1) {
				name.Store(step)
				return failed
			}
			return nil
		})
		if !errors.Is(err, failed) {
			t.Errorf("fault %d (%v): %v", k, name.Load(), err)
		}
		recovered(t, root)
	}
}

// TestKill ends the process at the k-th step, for each k: the test runs
// itself, and the child kills itself there.
func TestKill(t *testing.T) {
	const variable = "REPRISE_TEST_KILL_AT"
	if at := os.Getenv(variable); at != "" {
		k, err := strconv.Atoi(at)
		must(t, err)
		var n atomic.Int64
		err = workAndCollect(t, os.Getenv("REPRISE_TEST_STORE"), func(string) error {
			if n.Add(1) > int64(k) {
				must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
				select {}
			}
			return nil
		})
		t.Fatalf("the child lives on: %v", err)
	}
	for k := range steps(t) {
		root := filepath.Join(t.TempDir(), "store")
		t.Cleanup(func() { RemoveAll(root) })
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), fmt.Sprint(variable, "=", k), "REPRISE_TEST_STORE="+root)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child that should end at step %d: %v\n%s", k, err, out)
		}
		recovered(t, root)
	}
}

// TestTogether has processes and goroutines write, collect and verify one
// store at the same time.
func TestTogether(t *testing.T) {
	const variable = "REPRISE_TEST_TOGETHER"
	if root := os.Getenv(variable); root != "" {
		s := openStore(t, root)
		for i := range 15 {
			if err := work(t, s, fmt.Sprint(i%5)); err != nil {
				t.Fatal(err)
			}
			if i%5 == 2 {
				_, err := s.Collect(t.Context(), CollectOptions{})
				must(t, err)
			}
		}
		return
	}
	s := newStore(t)
	done := make(chan error)
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTogether$")
		cmd.Env = append(os.Environ(), variable+"="+s.Root())
		go func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
			done <- err
		}()
	}
	for i := range 4 {
		go func() {
			for j := range 10 {
				if _, err := s.AddText(t.Context(), fmt.Sprint("text-", i, "-", j), []byte{byte(j)}, nil); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 7 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for i := range 4 {
		for j := range 10 { // temp roots of this store keep them
			p, err := storepath.MakeText(fmt.Sprint("text-", i, "-", j), []byte{byte(j)}, nil)
			must(t, err)
			if _, err := s.Info(t.Context(), p); err != nil {
				t.Error(err)
			}
		}
	}
}
