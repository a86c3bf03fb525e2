package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"reprise/internal/archive"
	"reprise/internal/atomicfile"
	"reprise/internal/config"
	"reprise/internal/deb"
	"reprise/internal/diag"
	"reprise/internal/lock"
	"reprise/internal/progress"
	"reprise/internal/resolve"
)

// architecture is the only one so far; the code that reads it takes any.
const architecture = "amd64"

// lockPath returns where the lock of a configuration is: reprise.lock beside
// the user's own file; a profile that we ship has none, so its lock is beside
// the output (live-rig.img → live-rig.lock).
func lockPath(configuration, flag, out string) string {
	if flag != "" {
		return flag
	}
	// As config.Evaluate takes it: a directory of the profile's name is no file.
	if info, err := os.Stat(configuration); err == nil && !info.IsDir() {
		return filepath.Join(filepath.Dir(configuration), "reprise.lock")
	}
	return strings.TrimSuffix(out, filepath.Ext(out)) + ".lock"
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readLock returns the lock at path, or nil when there is none.
func readLock(path string) (*lock.Lock, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return lock.Parse(path, data)
}

func writeLock(path string, l *lock.Lock) error {
	return atomicfile.WriteBytes(path, 0o644, l.Encode())
}

// serves reports whether the lock answers these requests. It may answer more:
// the lock of an installation medium serves a disk image, too.
func serves(l *lock.Lock, sets []lock.Set) bool {
	if l == nil {
		return false
	}
	for _, b := range sets {
		a, ok := l.Set(b.Name)
		if !ok || !slices.Equal(a.Roots, b.Roots) || a.Recommends != b.Recommends ||
			a.Essential != b.Essential || a.Alone != b.Alone {
			return false
		}
	}
	return true
}

// resolved returns a lock for sets. old, when not nil, holds the versions to
// keep, except for the packages named in fresh; fresh == nil keeps all and
// "*" none. cfg, when not nil, says where a package was asked for.
func (s *session) resolved(ctx context.Context, cfg *config.Config, sets []lock.Set, old *lock.Lock, fresh []string) (*lock.Lock, error) {
	client, err := s.client(cfg)
	if err != nil {
		return nil, err
	}
	notOlder := map[string]time.Time{}
	prefer := map[string]string{}
	known := map[string]lock.Package{}
	if old != nil {
		for _, suite := range old.Archive {
			notOlder[suite.Name] = suite.Date
		}
		for _, p := range old.Packages {
			known[p.Name] = p
			if !slices.Contains(fresh, "*") && !slices.Contains(fresh, p.Name) {
				prefer[p.Name] = p.Version
			}
		}
	}
	index, err := client.Index(ctx, notOlder)
	if err != nil {
		return nil, err
	}
	task := s.sink.Start("resolve", progress.Items, 0)
	l, err := solve(cfg, index, sets, prefer)
	task.Done(err)
	if err != nil {
		return nil, err
	}
	// The index takes 100 MB. Every sandbox starts as a fork of this process,
	// since a user namespace rules vfork out, and copies its page tables.
	index = nil
	debug.FreeOSMemory()
	// What was unpacked before keeps its NAR hash.
	for i, p := range l.Packages {
		if have, ok := known[p.Name]; ok && have.SHA256 == p.SHA256 {
			l.Packages[i].NarHash = have.NarHash
		}
	}
	return l, nil
}

func solve(cfg *config.Config, index *archive.Index, sets []lock.Set, prefer map[string]string) (*lock.Lock, error) {
	universe := resolve.NewUniverse(index.Packages, architecture)
	l := &lock.Lock{Architecture: architecture, Sets: sets}
	for _, suite := range index.Suites {
		l.Archive = append(l.Archive, lock.Suite{Name: suite.Suite, Date: suite.Date, InReleaseSHA256: suite.InReleaseSHA256})
	}
	packages := map[string]*lock.Package{}
	var problems diag.Problems
	for _, set := range sets {
		answer, err := universe.Solve(resolve.Request{
			Roots: set.Roots, Recommends: set.Recommends, Essential: set.Essential, Alone: set.Alone, Prefer: prefer,
		})
		if err != nil {
			problems = append(problems, unsolved(cfg, universe, set, err)...)
			continue
		}
		for _, p := range answer {
			add(packages, p, set.Name)
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		l.Packages = append(l.Packages, *packages[name])
	}
	return l, nil
}

func add(packages map[string]*lock.Package, p deb.Package, set string) {
	if packages[p.Name] == nil {
		packages[p.Name] = &lock.Package{
			Name: p.Name, Version: p.Version, Architecture: p.Architecture, Suite: p.Suite,
			Path: p.Filename, Size: p.Size, SHA256: p.SHA256,
		}
	}
	packages[p.Name].Sets = append(packages[p.Name].Sets, set)
}

// unsolved turns the resolver's refusal into problems at the places of the
// configuration where the packages were asked for: every unknown name at once.
func unsolved(cfg *config.Config, u *resolve.Universe, set lock.Set, err error) diag.Problems {
	var unknown *resolve.Unknown
	if !errors.As(err, &unknown) {
		return diag.Problems{{Field: "set " + set.Name, Got: "has no solution", Want: err.Error(), Do: "remove one of the packages that collide"}}
	}
	var problems diag.Problems
	for _, name := range set.Roots {
		if u.Has(name) {
			continue
		}
		got, want := fmt.Sprintf("%q is not in the archive", name), "a Debian package of the configured suites and components"
		do := "look the name up, or add the component that has it to archive.components"
		if near := diag.Nearest(name, u.Names()); len(near) > 0 {
			do = "write " + strings.Join(near, " or ")
		}
		if cfg != nil {
			problems = append(problems, cfg.PackageProblem(name, got, want, do))
		} else {
			problems = append(problems, diag.Problem{Field: "package", Got: got, Want: want, Do: do})
		}
	}
	return problems
}
