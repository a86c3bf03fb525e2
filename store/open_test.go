package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/diag"
	"reprise/store/storepath"
)

func TestLayout(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	s := newStore(t)
	for path, want := range map[string]os.FileMode{
		"nix/store": os.ModeDir | 0o755, "nix/var/nix/db": os.ModeDir | 0o755, "nix/var/nix/db/db.sqlite": 0o644,
		"nix/var/nix/db/schema": 0o644, "nix/var/nix/db/big-lock": 0o600, "nix/var/nix/temproots": os.ModeDir | 0o755,
		"nix/var/nix/gcroots/profiles": os.ModeDir | 0o755,
	} {
		info, err := os.Stat(filepath.Join(s.Root(), path))
		if err != nil || info.Mode() != want {
			t.Errorf("%q: mode %v, %v, want %s", path, info, err, want)
		}
	}
	if schema, err := os.ReadFile(s.state("db/schema")); string(schema) != "10" {
		t.Errorf("schema is %q, %v", schema, err)
	}
	if s.Real("/nix/store/x") != filepath.Join(s.Root(), "nix/store/x") {
		t.Errorf("Real = %q", s.Real("/nix/store/x"))
	}
}

// TestOpenFresh opens a store that is not there from many sides at once.
func TestOpenFresh(t *testing.T) {
	root := t.TempDir()
	t.Cleanup(func() { RemoveAll(root) })
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			s, err := Open(t.Context(), filepath.Join(root, "deep/er"))
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := s.AddText(t.Context(), "x", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	checkWhole(t, filepath.Join(root, "deep/er"), false)
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(s *Store) error
		code  int
		says  string
	}{
		"newer schema": {func(s *Store) error { return os.WriteFile(s.state("db/schema"), []byte("11"), 0o644) },
			diag.ExitFailed, "schema 11"},
		"spoiled schema": {func(s *Store) error { return os.WriteFile(s.state("db/schema"), []byte("10\n"), 0o644) },
			diag.ExitStore, `"10\n"`},
		"no database": {func(s *Store) error { return os.Remove(s.state("db/db.sqlite")) },
			diag.ExitStore, "db.sqlite"},
		"spoiled database": {func(s *Store) error {
			return os.WriteFile(s.state("db/db.sqlite"), bytes.Repeat([]byte("no database "), 1000), 0o644)
		}, diag.ExitStore, "database"},
		"file in the way": {func(s *Store) error {
			return errors.Join(os.RemoveAll(s.state("profiles")), os.WriteFile(s.state("profiles"), nil, 0o644))
		}, diag.ExitFailed, "profiles"},
	} {
		root := t.TempDir()
		s := openStore(t, root)
		must(t, s.Close())
		must(t, test.spoil(s))
		again, err := Open(t.Context(), root)
		if err == nil {
			again.Close()
			t.Errorf("%s: Open succeeds", name)
			continue
		}
		if diag.Exit(err) != test.code || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v (exit code %d), want %q and code %d", name, err, diag.Exit(err), test.says, test.code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, t.TempDir()); diag.Exit(err) != diag.ExitInterrupted {
		t.Errorf("Open with a cancelled context: %v", err)
	}
}

func TestLock(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	p := must2(storepath.MakeText("p", nil, nil))
	var holders atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				unlock, err := s.Lock(ctx, p)
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				holders.Add(-1)
				unlock()
			}
		})
	}
	group.Wait()
	if _, err := os.Lstat(s.Real(p) + ".lock"); err == nil {
		t.Error("the lock file stays")
	}
	// A lock file that is not empty is one that its holder has given up.
	must(t, os.WriteFile(s.Real(p)+".lock", []byte("d"), 0o600))
	go func() { time.Sleep(20 * time.Millisecond); os.Remove(s.Real(p) + ".lock") }()
	unlock, err := s.Lock(ctx, p)
	must(t, err)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(short, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of what is locked: %v", err)
	}
	unlock()
}

func TestTempDir(t *testing.T) {
	s := newStore(t)
	dir, release, err := s.TempDir("x-*")
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "read-only"), 0o555))
	// What dead processes left: ours, locked by nobody.
	stale := filepath.Join(s.StateDir("tmp"), "owner-1")
	must(t, os.MkdirAll(filepath.Join(stale, "a/b"), 0o755))
	must(t, os.Chmod(filepath.Join(stale, "a"), 0o555))
	other := openStore(t, s.Root())
	if _, err := os.Lstat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open leaves what a dead process left: %v", err)
	}
	if _, err := os.Lstat(dir); err != nil {
		t.Errorf("Open removes what a living one has: %v", err)
	}
	release()
	if _, err := os.Lstat(dir); err == nil {
		t.Error("release leaves the directory")
	}
	dir, _, err = other.TempDir("y-*")
	must(t, err)
	must(t, other.Close())
	if _, err := os.Lstat(dir); err == nil {
		t.Error("Close leaves the directory")
	}
}

// TestLongRoot has a root whose sockets and files have long names.
func TestLongRoot(t *testing.T) {
	root := filepath.Join(t.TempDir(), strings.Repeat("long/", 20), strings.Repeat("n", 200))
	s := openStore(t, root)
	other := openStore(t, root)
	_, err := s.AddText(t.Context(), "x", nil, nil)
	must(t, err)
	s = reopen(t, s)
	p := must2(storepath.MakeText("y", nil, nil))
	sink := &slow{fn: func() { must(t, other.TempRoot(t.Context(), p)) }}
	_, err = s.Collect(t.Context(), CollectOptions{Sink: sink})
	must(t, err)
}

func TestVerifyFinds(t *testing.T) {
	ctx := t.Context()
	root := t.TempDir()
	t.Cleanup(func() { RemoveAll(root) })
	s := openStore(t, root)
	missing, modified, lostBit := addTree(t, s, "missing", "1"), addTree(t, s, "modified", "2"), addTree(t, s, "bit", "3")
	whole := addTree(t, s, "whole", "4", missing)
	must(t, RemoveAll(s.Real(missing)))
	file := s.Real(modified) + "/data"
	must(t, os.Chmod(file, 0o644))
	must(t, os.WriteFile(file, []byte("X"), 0o644))
	must(t, os.Chmod(s.Real(lostBit)+"/bin/tool", 0o444))
	must(t, os.WriteFile(s.Real("/nix/store/stray"), nil, 0o644))
	must(t, each(s.db.write, "PRAGMA foreign_keys = 0", nil))
	must(t, each(s.db.write, "INSERT INTO Refs VALUES (99, 98)", nil))
	must(t, each(s.db.write, "UPDATE ValidPaths SET narSize = 1 WHERE path = ?", nil, string(whole)))

	count := func(found []Damage, p storepath.Path, kind DamageKind) (n int) {
		for _, d := range found {
			if d.Path == p && d.Kind == kind {
				n++
			}
		}
		return n
	}
	for _, contents := range []bool{false, true} {
		found, err := s.Verify(ctx, VerifyOptions{Contents: contents, Jobs: 3})
		must(t, err)
		deep := 0
		if contents {
			deep = 1
		}
		if len(found) != 4+3*deep || count(found, missing, Missing) != 1 || count(found, "", Unregistered) != 1 ||
			count(found, "", Database) != 2 || count(found, modified, Modified) != deep ||
			count(found, lostBit, Modified) != deep || count(found, whole, Database) != deep {
			t.Errorf("Verify with contents %v finds %v", contents, found)
		}
		err = DamageError(found)
		if diag.Exit(err) != diag.ExitStore || !strings.Contains(err.Error(), string(missing)) {
			t.Errorf("DamageError = %v", err)
		}
	}
	if err := DamageError([]Damage{{Kind: Unregistered}}); err != nil {
		t.Errorf("DamageError of what does no harm: %v", err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Verify(short, VerifyOptions{Contents: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify with a cancelled context: %v", err)
	}
}

func TestWriteClosureDB(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	var contents [][]byte
	for i := range 2 {
		// Another order and time, more paths, a deriver: the same bytes.
		s := newStore(t)
		if i == 1 {
			addTree(t, s, "unrelated", "x")
			time.Sleep(1100 * time.Millisecond)
		}
		leaf, text := addTree(t, s, "leaf", "leaf"), must2(s.AddText(ctx, "text", []byte("t"), nil))
		top := addTree(t, s, "top", "top", leaf, text)
		if i == 1 {
			info := must2(s.Info(ctx, leaf))
			info.Ultimate, info.Sigs = true, []string{"key:sig"}
			must(t, s.Register(ctx, *info))
		}
		closure := must2(s.Closure(ctx, top))
		if i == 1 {
			closure = append(closure[1:], closure[0], closure[1])
		}
		for _, name := range []string{"a", "b"} {
			dst := filepath.Join(dir, name)
			must(t, s.WriteClosureDB(ctx, dst, closure))
			contents = append(contents, must2(os.ReadFile(dst)))
		}
		if err := s.WriteClosureDB(ctx, filepath.Join(dir, "c"), []storepath.Path{top}); err == nil {
			t.Error("WriteClosureDB takes what is no closure")
		}
		if _, err := os.Lstat(filepath.Join(dir, "c")); err == nil {
			t.Error("WriteClosureDB leaves a file after an error")
		}
	}
	for _, c := range contents[1:] {
		if !bytes.Equal(c, contents[0]) {
			t.Error("the bytes differ")
		}
	}
}

func TestBusyDatabase(t *testing.T) {
	s := newStore(t)
	other := openStore(t, s.Root())
	release := make(chan struct{})
	held := make(chan error)
	go func() {
		other.db.commit.Lock()
		defer other.db.commit.Unlock()
		held <- each(other.db.write, "BEGIN IMMEDIATE", nil)
		<-release
		held <- each(other.db.write, "COMMIT", nil)
	}()
	must(t, <-held)
	done := make(chan error)
	go func() { _, err := s.AddText(t.Context(), "x", nil, nil); done <- err }()
	select {
	case err := <-done:
		t.Errorf("a transaction passes another process's: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	must(t, <-held)
	must(t, <-done)
}

// TestNoSpace fills a file system of its own: an error, and what is there
// stays whole. It runs itself in a namespace where it may mount one.
func TestNoSpace(t *testing.T) {
	const variable = "REPRISE_TEST_FULL_DIR"
	dir := os.Getenv(variable)
	if dir == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoSpace$")
		cmd.Env = append(os.Environ(), variable+"="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", reservedSize+(2<<20))))
	s := openStore(t, dir)
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = s.AddText(t.Context(), fmt.Sprint("text-", n), bytes.Repeat([]byte{byte(n)}, 50_000), nil)
	}
	if err == nil || n < 5 {
		t.Errorf("text %d: %v, want an error for lack of space", n, err)
	}
	checkWhole(t, dir, true)
	s = reopen(t, s)
	if _, err := s.Collect(t.Context(), CollectOptions{}); err != nil {
		t.Errorf("collect garbage on a full disk: %v", err)
	}
	_, err = s.AddText(t.Context(), "text", bytes.Repeat([]byte("x"), 20_000), nil)
	must(t, err)
	checkWhole(t, dir, false)
}

func TestErrorsAreTold(t *testing.T) {
	s := newStore(t)
	if _, err := s.AddFile(t.Context(), "x", t.TempDir()); err == nil || !strings.Contains(err.Error(), "regular") {
		t.Errorf("AddFile of a directory: %v", err)
	}
	if _, err := s.AddFile(t.Context(), "a~b", os.Args[0]); err == nil || !strings.Contains(err.Error(), "a~b") {
		t.Errorf("AddFile with a bad name: %v", err)
	}
	if _, err := s.AddText(t.Context(), "", nil, nil); err == nil {
		t.Error("AddText without a name succeeds")
	}
}
