package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"reprise/internal/atomicfile"
	"reprise/store/storepath"
)

// A Root is something that keeps a path and all it refers to in the store.
type Root struct {
	Link   string // where it stands: a link, a file of temp roots, or a file in /proc
	Target storepath.Path
	Temp   bool // a temp root or a running process: Target need not be valid
}

// SetRoot makes nix/var/nix/gcroots/<name> a symlink to target, which must be
// valid: a direct root. name may hold slashes. A root of this name is
// replaced, in one step.
func (s *Store) SetRoot(name string, target storepath.Path) error {
	link, err := s.rootLink(name)
	if err != nil {
		return err
	}
	if err := s.Keep(context.Background(), target); err != nil {
		return fmt.Errorf("set the root %q: %w", name, err)
	}
	if err := mkdirAll(filepath.Dir(link)); err != nil {
		return fmt.Errorf("set the root %q: %w", name, err)
	}
	if err := ReplaceLink(string(target), link); err != nil {
		return fmt.Errorf("set the root %q: %w", name, err)
	}
	return nil
}

// RemoveRoot removes what SetRoot made. A root that is not there is no error.
func (s *Store) RemoveRoot(name string) error {
	link, err := s.rootLink(name)
	if err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the root %q: %w", name, err)
	}
	return nil
}

func (s *Store) rootLink(name string) (string, error) {
	first, _, _ := strings.Cut(name, "/")
	if !filepath.IsLocal(name) || name != filepath.Clean(name) || name == "." || first == "profiles" || first == "auto" {
		return "", fmt.Errorf("%q cannot be the name of a root: want a relative path, not below profiles or auto", name)
	}
	return s.state("gcroots", name), nil
}

// SetIndirectRoot makes link, anywhere on the machine, a symlink to target,
// which must be valid and stays in the store while link is there. As Nix does
// it, gcroots/auto points to link.
func (s *Store) SetIndirectRoot(ctx context.Context, link string, target storepath.Path) error {
	link, err := filepath.Abs(link)
	if err != nil {
		return err
	}
	if err := s.Keep(ctx, target); err != nil {
		return fmt.Errorf("set the root %q: %w", link, err)
	}
	if info, err := os.Lstat(link); err == nil && info.Mode().Type() != fs.ModeSymlink {
		return fmt.Errorf("set the root %q: something that is no symlink stands there", link)
	}
	auto := s.state("gcroots", "auto")
	if err := mkdirAll(auto); err != nil {
		return fmt.Errorf("set the root %q: %w", link, err)
	}
	sum := sha256.Sum256([]byte(link))
	name := storepath.EncodeBase32(sum[:20])
	if err := errors.Join(ReplaceLink(string(target), link), ReplaceLink(link, filepath.Join(auto, name))); err != nil {
		return fmt.Errorf("set the root %q: %w", link, err)
	}
	return nil
}

// Keep makes target a temp root, so that a collector at work spares it, and
// checks that it is valid.
func (s *Store) Keep(ctx context.Context, target storepath.Path) error {
	ok, err := s.rootedAndValid(ctx, target)
	if err == nil && !ok {
		err = fmt.Errorf("%q: %w", target, ErrNotFound)
	}
	return err
}

// ReplaceLink makes link a symlink to target, durably and in one step: at no
// moment is there no link.
func ReplaceLink(target, link string) error {
	dir := filepath.Dir(link)
	for n := 0; ; n++ {
		tmp := filepath.Join(dir, fmt.Sprintf("%s%s-%d-%d", atomicfile.TempPrefix, filepath.Base(link), os.Getpid(), n))
		err := os.Symlink(target, tmp)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.Rename(tmp, link); err != nil {
			return errors.Join(err, os.Remove(tmp))
		}
		return atomicfile.SyncDir(dir)
	}
}

// Roots returns the roots, sorted by target and link: the links below gcroots
// and profiles whose targets are valid, the temp roots of running processes,
// and, when the store is that of the running machine (Root is "/"), what its
// processes have open.
func (s *Store) Roots(ctx context.Context) ([]Root, error) {
	roots, err := s.linkedRoots(ctx)
	if err != nil {
		return nil, fmt.Errorf("roots of the store: %w", err)
	}
	temp, err := s.tempRootsOfAll()
	if err != nil {
		return nil, fmt.Errorf("roots of the store: %w", err)
	}
	roots = append(roots, temp...)
	if s.root == "/" {
		running, err := processRoots("/proc")
		if err != nil {
			return nil, fmt.Errorf("roots of the store: %w", err)
		}
		roots = append(roots, running...)
	}
	slices.SortFunc(roots, func(a, b Root) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Link, b.Link))
	})
	return slices.Compact(roots), nil
}

// linkedRoots returns the roots below gcroots and profiles.
func (s *Store) linkedRoots(ctx context.Context) ([]Root, error) {
	var found []Root
	for _, dir := range []string{s.state("gcroots"), s.state("profiles")} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return nil // gone meanwhile, or another user's
			}
			if err != nil {
				return err
			}
			switch entry.Type() {
			case fs.ModeSymlink:
				if target, at, ok := s.followRoot(path); ok {
					found = append(found, Root{Link: at, Target: target})
				}
			case 0: // an empty file with the name of a store path
				if target, err := storepath.ParseBase(entry.Name()); err == nil {
					found = append(found, Root{Link: path, Target: target})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	targets := make([]storepath.Path, len(found))
	for i, root := range found {
		targets[i] = root.Target
	}
	valid, err := s.Valid(ctx, targets...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(r Root) bool { return !valid[r.Target] }), nil
}

// followRoot returns the store path that the symlink at path leads to: at
// once, or through one more symlink outside the store, which is then the link
// that counts.
func (s *Store) followRoot(path string) (target storepath.Path, link string, ok bool) {
	text, err := os.Readlink(path)
	if err != nil {
		return "", "", false
	}
	if target, ok := s.inStore(text); ok {
		return target, path, true
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(filepath.Dir(path), text)
	}
	second, err := os.Readlink(text)
	if err != nil {
		return "", "", false
	}
	target, ok = s.inStore(second)
	return target, text, ok
}

// inStore returns the store path that text is or lies in, whether it is
// written "/nix/store/…" or with the directory of this store before it.
func (s *Store) inStore(text string) (storepath.Path, bool) {
	if p, _, ok := storepath.In(text); ok {
		return p, true
	}
	if below, ok := strings.CutPrefix(text, s.root+"/"); ok {
		p, _, ok := storepath.In("/" + below)
		return p, ok
	}
	return "", false
}

// tempRootsOfAll reads the temp roots of all running processes, this one
// included, and removes the files of processes that are gone.
func (s *Store) tempRootsOfAll() ([]Root, error) {
	dir := s.state("temproots")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var roots []Root
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		content, err := readTempRoots(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// What follows the last zero is still being written.
		lines := bytes.Split(content, []byte{0})
		for _, line := range lines[:len(lines)-1] {
			if p, err := storepath.Parse(string(line)); err == nil {
				roots = append(roots, Root{Link: path, Target: p, Temp: true})
			}
		}
	}
	return roots, nil
}

// readTempRoots returns the content of a file of temp roots, or nothing, and
// no file, when its process is gone.
func readTempRoots(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stale, err := tryFlock(f, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	if stale {
		os.Remove(path)
		f.WriteString("d") // for a process that waits for this lock
		return nil, nil
	}
	return os.ReadFile(path)
}

// inText matches store paths in the memory maps and environments of processes.
var inText = regexp.MustCompile(regexp.QuoteMeta(storepath.Dir) + `/[` + storepath.Alphabet + `]{32}-[0-9A-Za-z+\-._?=]+`)

// processRoots returns the store paths that running processes have open: their
// programs, directories, files, mapped libraries and environment.
func processRoots(proc string) ([]Root, error) {
	dirs, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return nil, err
	}
	seen := map[storepath.Path]bool{}
	var roots []Root
	add := func(link, text string) {
		if p, _, ok := storepath.In(text); ok && !seen[p] {
			seen[p] = true
			roots = append(roots, Root{Link: link, Target: p, Temp: true})
		}
	}
	// Processes end while we look, and some may not be looked at.
	for _, dir := range dirs {
		links := []string{filepath.Join(dir, "exe"), filepath.Join(dir, "cwd"), filepath.Join(dir, "root")}
		if files, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
			for _, file := range files {
				links = append(links, filepath.Join(dir, "fd", file.Name()))
			}
		}
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil {
				add(link, strings.TrimSuffix(target, " (deleted)"))
			}
		}
		for _, name := range []string{"maps", "environ"} {
			file := filepath.Join(dir, name)
			content, _ := os.ReadFile(file)
			for _, match := range inText.FindAll(content, -1) {
				add(file, string(match))
			}
		}
	}
	for _, name := range []string{"modprobe", "poweroff_cmd"} {
		file := filepath.Join(proc, "sys/kernel", name)
		if content, err := os.ReadFile(file); err == nil {
			add(file, strings.TrimSpace(string(content)))
		}
	}
	return roots, nil
}
