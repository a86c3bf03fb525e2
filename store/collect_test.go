package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/progress"
	"reprise/store/drv"
	"reprise/store/nar"
	"reprise/store/storepath"
)

// reopen returns another Store of the same directory, so that the temp roots
// of s are gone.
func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	must(t, s.Close())
	return openStore(t, s.Root())
}

func dead(t testing.TB, s *Store) []string {
	t.Helper()
	report, err := s.Collect(t.Context(), CollectOptions{DryRun: true})
	must(t, err)
	var names []string
	for _, d := range report.Paths {
		names = append(names, d.Base)
	}
	slices.Sort(names)
	return names
}

func TestRoots(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	leaf := addTree(t, s, "leaf", "x")
	direct := addTree(t, s, "direct", "x", leaf)
	indirect := addTree(t, s, "indirect", "x")
	named := addTree(t, s, "named", "x")
	garbage := addTree(t, s, "garbage", "x", leaf)
	must(t, s.SetRoot("group/direct", direct))
	link := filepath.Join(t.TempDir(), "result")
	must(t, s.SetIndirectRoot(ctx, link, indirect))
	must(t, os.WriteFile(s.state("gcroots", named.Base()), nil, 0o644))
	must(t, os.Symlink("/nowhere", s.state("gcroots", "dangling")))
	must(t, os.Symlink("dangling", s.state("gcroots", "dangling-too")))
	if roots, err := s.Roots(ctx); err != nil || !slices.ContainsFunc(roots, func(r Root) bool { return r.Temp && r.Target == garbage }) {
		t.Errorf("Roots = %v, %v, want the temp root %q among them", roots, err, garbage)
	}
	s = reopen(t, s)
	roots, err := s.Roots(ctx)
	must(t, err)
	want := []Root{
		{Link: s.state("gcroots/group/direct"), Target: direct},
		{Link: link, Target: indirect},
		{Link: s.state("gcroots", named.Base()), Target: named},
	}
	slices.SortFunc(want, func(a, b Root) int { return strings.Compare(string(a.Target), string(b.Target)) })
	if !slices.Equal(roots, want) {
		t.Errorf("Roots = %v, want %v", roots, want)
	}
	if got := dead(t, s); !slices.Equal(got, []string{garbage.Base()}) {
		t.Errorf("dead are %q, want %q", got, garbage)
	}
	must(t, os.Remove(link))
	must(t, s.RemoveRoot("group/direct"))
	must(t, s.RemoveRoot("group/direct"))
	report, err := s.Collect(ctx, CollectOptions{})
	must(t, err)
	if len(report.Paths) != 4 {
		t.Errorf("collected %+v, want 4 paths", report)
	}
	for _, bad := range []string{"", ".", "../x", "/x", "a/../b", "profiles/x", "auto/x", "a//b"} {
		if err := s.SetRoot(bad, named); err == nil {
			t.Errorf("SetRoot(%q) succeeds", bad)
		}
	}
	must(t, os.WriteFile(link, nil, 0o644))
	if err := s.SetIndirectRoot(ctx, link, named); err == nil {
		t.Error("SetIndirectRoot replaces a file")
	}
}

// TestKeepDerivations: a derivation stays while an output of its stays, and
// with it what it needs; an output does not stay because of its derivation.
func TestKeepDerivations(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	var h drv.Hasher
	a := sampleDrv(t, &h, "a")
	b := sampleDrv(t, &h, "b", a)
	drvs, err := s.AddDerivations(ctx, a, b)
	must(t, err)
	outs := []storepath.Path{a.Outputs["out"].Path, b.Outputs["out"].Path}
	for i, out := range outs {
		must(t, os.WriteFile(s.Real(out), []byte("x"), 0o444))
		must(t, Canonicalise(s.Real(out)))
		sum, size := nar.HashFile([]byte("x"), false)
		must(t, s.Register(ctx, Info{Path: out, NarHash: sum, NarSize: size, Deriver: drvs[i]}))
	}
	must(t, s.SetRoot("b", outs[1]))
	s = reopen(t, s)
	if got := dead(t, s); !slices.Equal(got, []string{outs[0].Base()}) {
		t.Errorf("dead are %q, want %q", got, outs[0])
	}
}

func TestCollectLeavesWork(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	inWork := must2(storepath.MakeText("in-work", nil, nil))
	old := must2(storepath.MakeText("old", nil, nil))
	must(t, s.TempRoot(ctx, inWork))
	unlock, err := s.Lock(ctx, inWork)
	must(t, err)
	for _, p := range []storepath.Path{inWork, old} {
		must(t, os.MkdirAll(s.Real(p)+"/below", 0o755))
		must(t, os.WriteFile(s.Real(p)+"/below/file", []byte("12345"), 0o644))
	}
	dir := s.Real(storepath.Dir)
	must(t, os.WriteFile(filepath.Join(dir, "stray"), []byte("123"), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "tmp-held"), 0o755))
	must(t, os.Mkdir(filepath.Join(dir, "tmp-free"), 0o755))
	held, err := os.Open(filepath.Join(dir, "tmp-held"))
	must(t, err)
	defer held.Close()
	must(t, flock(ctx, held, unix.LOCK_EX))
	must(t, os.Mkdir(filepath.Join(dir, ".links"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, ".links/alone"), nil, 0o444))
	must(t, os.WriteFile(filepath.Join(dir, ".links/shared"), nil, 0o444))
	shared := addTree(t, s, "shared", "")
	must(t, os.Chmod(s.Real(shared), 0o755))
	must(t, os.Remove(s.Real(shared)+"/data"))
	must(t, os.Link(filepath.Join(dir, ".links/shared"), s.Real(shared)+"/data"))
	must(t, Canonicalise(s.Real(shared)))

	report, err := s.Collect(ctx, CollectOptions{})
	must(t, err)
	if len(report.Paths) != 3 || report.Bytes != 8 {
		t.Errorf("collected %+v, want old (5 bytes), stray (3) and tmp-free", report)
	}
	left, err := filepath.Glob(dir + "/*")
	must(t, err)
	want := []string{filepath.Join(dir, linksDir), s.Real(inWork), s.Real(inWork) + ".lock", filepath.Join(dir, "tmp-held"), s.Real(shared)}
	slices.Sort(want)
	if !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if links, _ := os.ReadDir(filepath.Join(dir, ".links")); len(links) != 1 || links[0].Name() != "shared" {
		t.Errorf(".links holds %q", links)
	}
	unlock()
	held.Close()
	must(t, RemoveAll(s.Real(inWork)))
	must(t, RemoveAll(filepath.Join(dir, "tmp-held")))
	if rest := dead(t, reopen(t, s)); len(rest) != 1 {
		t.Errorf("dead are %q, want the shared tree", rest)
	}
}

// slow is a Sink that runs a function at the first report of a collection.
type slow struct {
	progress.Sink
	fn func()
}

func (s *slow) Start(string, progress.Unit, int64) progress.Task { return s }
func (s *slow) Add(int64) {
	if fn := s.fn; fn != nil {
		s.fn = nil
		fn()
	}
}
func (s *slow) SetTotal(int64) {}
func (s *slow) Detail(string)  {}
func (s *slow) Done(error)     {}

// TestRootsWhileCollecting adds temp roots, paths and permanent roots while
// the collector is at work.
func TestRootsWhileCollecting(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	const n = 3 * atOnce
	var tops, leaves []storepath.Path
	for i := range n {
		leaf, err := s.AddText(ctx, fmt.Sprint("leaf-", i), []byte{byte(i), byte(i >> 8)}, nil)
		must(t, err)
		top, err := s.AddText(ctx, fmt.Sprint("top-", i), []byte(leaf), []storepath.Path{leaf})
		must(t, err)
		tops, leaves = append(tops, top), append(leaves, leaf)
	}
	s = reopen(t, s)
	other := openStore(t, s.Root())
	saved := map[storepath.Path]bool{}
	var during error
	var added storepath.Path
	sink := &slow{fn: func() {
		// The first batch is gone. What is saved now, with what it refers
		// to, must stay.
		if during = other.TempRoot(ctx, tops...); during != nil {
			return
		}
		valid, err := other.Valid(ctx, append(slices.Clone(tops), leaves...)...)
		if during = err; err != nil {
			return
		}
		for p, ok := range valid {
			if ok {
				saved[p] = true
			}
		}
		added, during = other.AddText(ctx, "added", nil, nil)
		if during == nil {
			during = other.SetRoot("added", added)
		}
	}}
	report, err := s.Collect(ctx, CollectOptions{Sink: sink})
	must(t, err)
	must(t, during)
	if len(report.Paths) < atOnce || len(report.Paths) > 2*n-1 || len(saved) == 0 {
		t.Errorf("%d paths collected, %d saved", len(report.Paths), len(saved))
	}
	saved[added] = true
	for p := range saved {
		if _, err := s.Info(ctx, p); err != nil {
			t.Errorf("a path that was valid after TempRoot: %v", err)
		}
	}
	for i, top := range tops { // leaves of what was saved
		if saved[top] && !saved[leaves[i]] {
			t.Errorf("%q is saved without its reference", top)
		}
	}
}

func TestCollectInterrupted(t *testing.T) {
	s := newStore(t)
	for i := range atOnce + 10 {
		_, err := s.AddText(t.Context(), fmt.Sprint(i), nil, nil)
		must(t, err)
	}
	s = reopen(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	report, err := s.Collect(ctx, CollectOptions{Sink: &slow{fn: cancel}})
	if !errors.Is(err, context.Canceled) || len(report.Paths) != atOnce {
		t.Errorf("interrupted after %d paths: %v", len(report.Paths), err)
	}
	if rest := dead(t, s); len(rest) != 10 {
		t.Errorf("%d paths are still dead, want 10", len(rest))
	}
	lock, err := openLock(s.state("gc.lock"))
	must(t, err)
	defer lock.Close()
	must(t, flock(t.Context(), lock, unix.LOCK_SH))
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Collect(ctx, CollectOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Collect while gc.lock is taken: %v", err)
	}
}

func TestProcessRoots(t *testing.T) {
	proc := t.TempDir()
	ps := make([]storepath.Path, 5)
	for i := range ps {
		ps[i] = must2(storepath.MakeText(fmt.Sprint("p-", i), nil, nil))
	}
	must(t, os.MkdirAll(filepath.Join(proc, "12/fd"), 0o755))
	must(t, os.MkdirAll(filepath.Join(proc, "sys/kernel"), 0o755))
	must(t, os.Symlink(string(ps[0])+"/bin/x (deleted)", filepath.Join(proc, "12/exe")))
	must(t, os.Symlink(string(ps[1]), filepath.Join(proc, "12/fd/3")))
	must(t, os.WriteFile(filepath.Join(proc, "12/maps"), []byte("7f00-7f01 r--p 0 fe:01 12   "+ps[2]+"/lib/x.so\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(proc, "12/environ"), []byte("PATH="+ps[3]+"/bin:/bin\x00A=b\x00"), 0o644))
	must(t, os.WriteFile(filepath.Join(proc, "sys/kernel/modprobe"), []byte(ps[4]+"/bin/modprobe\n"), 0o644))
	roots, err := processRoots(proc)
	must(t, err)
	var got []storepath.Path
	for _, r := range roots {
		got = append(got, r.Target)
	}
	slices.Sort(got)
	slices.Sort(ps)
	if !slices.Equal(got, ps) {
		t.Errorf("found %q, want %q", got, ps)
	}
}

func TestTempRoots(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	other := openStore(t, s.Root()) // the same process: another file
	a, b := must2(storepath.MakeText("a", nil, nil)), must2(storepath.MakeText("b", nil, nil))
	must(t, s.TempRoot(ctx, a))
	must(t, other.TempRoot(ctx, b, a))
	// A dead process of some other id, and what it did not finish writing.
	must(t, os.WriteFile(s.state("temproots", "1"), []byte(string(a)+"\x00"), 0o600))
	roots, err := s.Roots(ctx)
	must(t, err)
	if len(roots) != 3 {
		t.Errorf("Roots = %v, want three temp roots", roots)
	}
	if _, err := os.Lstat(s.state("temproots", "1")); err == nil {
		t.Error("the file of a dead process stays")
	}
	must(t, other.Close())
	if roots, err = s.Roots(ctx); err != nil || len(roots) != 1 {
		t.Errorf("Roots = %v, %v, want one temp root", roots, err)
	}
}
