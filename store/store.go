// Package store is the package store on disk, in Nix's formats: real Nix
// verifies, copies, serves and collects what it holds.
//
//	ROOT/nix/store/<hash>-<name>          the store paths, never changed once registered
//	ROOT/nix/var/nix/db/db.sqlite         which of them are valid, and their references
//	ROOT/nix/var/nix/db/schema            "10"
//	ROOT/nix/var/nix/db/reserved          8 MiB of nothing, given up to collect on a full disk
//	ROOT/nix/var/nix/gcroots, profiles    symlinks to what must stay
//	ROOT/nix/var/nix/temproots/<pid>      what running processes still need
//	ROOT/nix/var/reprise/<name>           our caches, which are no store paths
//	ROOT/nix/var/reprise/tmp/<owner>/     unfinished work, swept by Open when its owner is gone
//
// ROOT is "/" on an installed machine and any directory elsewhere; store
// paths are written "/nix/store/…" in either case, and Real says where one
// lies. Real Nix opens the same directory as 'local?root=ROOT'. The store
// belongs to the user who made it, root or not.
//
// A path is valid when the database says so; whatever else lies in nix/store
// is the rest of interrupted work. Invariants:
//   - A path's tree is complete, canonical and on stable storage before its
//     row is committed. A row goes before its tree. So a store that was cut
//     off at any moment verifies.
//   - The references of a valid path are valid.
//   - Nothing that a root or a temp root reaches is removed.
//
// Several processes, real Nix among them, and any number of goroutines may
// use one store at a time. They keep out of each other's way by Nix's locks:
// db/big-lock (shared while the store is open), <path>.lock (one builder a
// path), gc.lock and temproots (the collector against everybody).
//
// Source: Nix 2.26, libstore/local-store.cc, gc.cc, pathlocks.cc.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"reprise/store/storepath"
	"reprise/store/tree"
)

// A Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	root     string
	storeDir *os.File // for syncfs
	bigLock  *os.File // shared lock while the store is open
	db       *database
	temp     tempDirs
	roots    tempRoots

	closing sync.Once
	fault   func(step string) error // tests make a step fail, or the process end there
}

// Open opens the store below root and makes an empty one where there is none.
// root must be writable. What an interrupted process left in nix/var/reprise/tmp
// is removed. The store must be closed.
func Open(ctx context.Context, root string) (*Store, error) {
	s, err := open(ctx, root, nil)
	if err != nil {
		return nil, fmt.Errorf("open the store in %q: %w", root, err)
	}
	return s, nil
}

func open(ctx context.Context, root string, fault func(string) error) (_ *Store, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	s := &Store{root: root, fault: fault}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.makeDirs(); err != nil {
		return nil, err
	}
	if s.storeDir, err = os.Open(s.Real(storepath.Dir)); err != nil {
		return nil, err
	}
	if err := s.openDatabase(ctx); err != nil {
		return nil, err
	}
	s.temp.dir = s.StateDir("tmp")
	s.roots.dir = s.state("temproots")
	s.reserve()
	if err := sweep(s.temp.dir); err != nil {
		return nil, fmt.Errorf("clear away interrupted work: %w", err)
	}
	return s, nil
}

// makeDirs makes the directories of the store, whatever the umask.
func (s *Store) makeDirs() error {
	for _, dir := range []string{
		s.Real(storepath.Dir), s.state("db"), s.state("gcroots"), s.state("profiles"),
		s.state("temproots"), s.state("gc-socket"), s.StateDir("tmp"),
	} {
		if err := mkdirAll(dir); err != nil {
			return err
		}
	}
	// Nix makes this link too, with the directory's full name. Relative, it
	// also holds in an image that is mounted elsewhere.
	err := os.Symlink("../profiles", s.state("gcroots", "profiles"))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// mkdirAll makes dir and its parents with mode 0755. What is there stays as
// it is.
func mkdirAll(dir string) error {
	err := os.Mkdir(dir, 0o755)
	switch {
	case err == nil:
		return os.Chmod(dir, 0o755)
	case errors.Is(err, os.ErrNotExist):
		parent := filepath.Dir(dir)
		if parent == dir {
			return err
		}
		if err := mkdirAll(parent); err != nil {
			return err
		}
		// Once more and no further: some parents, as /proc, are there and
		// refuse in just this way.
		if err := os.Mkdir(dir, 0o755); err == nil {
			return os.Chmod(dir, 0o755)
		} else if !errors.Is(err, os.ErrExist) {
			return err
		}
		return mkdirAll(dir)
	case errors.Is(err, os.ErrExist):
		if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
			return nil
		}
	}
	return err
}

// Close gives up the locks, the temp roots and the temporary directories of
// this Store. What is in use by running work must be finished before. Closing
// twice is harmless.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		errs := []error{s.temp.close(), s.roots.close()}
		if s.db != nil {
			errs = append(errs, s.db.close())
		}
		for _, f := range []*os.File{s.bigLock, s.storeDir} {
			if f != nil {
				errs = append(errs, f.Close())
			}
		}
		err = errors.Join(errs...)
	})
	return err
}

// Root returns the absolute directory that holds nix/store and nix/var.
func (s *Store) Root() string { return s.root }

// Real returns where p lies on this machine.
func (s *Store) Real(p storepath.Path) string { return filepath.Join(s.root, string(p)) }

// Profiles returns the directory of profiles, nix/var/nix/profiles.
func (s *Store) Profiles() string { return s.state("profiles") }

// StateDir returns nix/var/reprise/<name>, for caches that are no store
// paths. The caller makes and fills it; the collector leaves it alone.
func (s *Store) StateDir(name string) string {
	return filepath.Join(s.root, "nix/var/reprise", name)
}

// state returns a path below Nix's state directory.
func (s *Store) state(elem ...string) string {
	return filepath.Join(append([]string{s.root, "nix/var/nix"}, elem...)...)
}

// step is called before every change on disk that a crash could cut off.
func (s *Store) step(name string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(name)
}

// Canonicalise brings the tree at path into the form that store paths have:
// 0444 and 0555, modification time 1, no extended attributes.
func Canonicalise(path string) error { return tree.Canonicalise(path) }

// RemoveAll removes the tree at path, read-only directories included.
func RemoveAll(path string) error { return tree.Remove(path) }
