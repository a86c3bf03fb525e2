package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"reprise/store/tree"
)

// tempDirs holds the temporary directories of one Store below a directory of
// its own, its owner directory, on which it keeps an exclusive lock. An owner
// directory that nobody has locked is the rest of a process that is gone.
type tempDirs struct {
	dir string // nix/var/reprise/tmp

	mu    sync.Mutex
	owner *os.File // nil until the first TempDir
}

// TempDir makes a directory for unfinished work, mode 0700, on the store's
// file system, so that a finished tree can be moved to its store path. pattern
// is os.MkdirTemp's. release removes it with all it holds; if the process ends
// before that, the next Open does.
func (s *Store) TempDir(pattern string) (dir string, release func(), err error) {
	owner, err := s.temp.open()
	if err != nil {
		return "", nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	dir, err = os.MkdirTemp(owner, pattern)
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	return dir, func() { tree.Remove(dir) }, nil
}

// open returns the owner directory.
func (t *tempDirs) open() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owner != nil {
		return t.owner.Name(), nil
	}
	for {
		dir, err := os.MkdirTemp(t.dir, "owner-*")
		if err != nil {
			return "", err
		}
		if err := os.Chmod(dir, 0o700); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		// A sweep may take the directory before it is locked; then make
		// another.
		f, err := os.Open(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if ok, err := tryFlock(f, unix.LOCK_EX); err != nil || !ok || !sameFile(f, dir) {
			f.Close()
			if err != nil {
				return "", err
			}
			continue
		}
		t.owner = f
		return dir, nil
	}
}

// sameFile says whether f is what stands at path now.
func sameFile(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(open, there)
}

func (t *tempDirs) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.owner == nil {
		return nil
	}
	err := tree.Remove(t.owner.Name())
	err = errors.Join(err, t.owner.Close())
	t.owner = nil
	return err
}

// sweep removes the owner directories below dir whose owner is gone.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		f, err := os.Open(path)
		if err != nil {
			continue // removed by another sweep, or another user's
		}
		if free, err := tryFlock(f, unix.LOCK_EX); err == nil && free {
			errs = append(errs, tree.Remove(path))
		}
		f.Close()
	}
	return errors.Join(errs...)
}
