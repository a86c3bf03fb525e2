package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"reprise/internal/progress"
	"reprise/store"
	"reprise/store/nar"
	"reprise/store/storepath"
)

// Nix runs one of Nix's programs ("nix-store", "nix-env") and returns what it
// prints. The directories of the stores must be there for it, writable and
// under the same names. err tells what it wrote to stderr.
type Nix interface {
	Run(ctx context.Context, program string, args ...string) (stdout string, err error)
}

// Programs is a Nix whose programs lie in a directory and run as they are.
type Programs string

// Run runs the program in the directory.
func (dir Programs) Run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(string(dir), program), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %q: %w\n%s", program, args, err, stderr.String())
	}
	return stdout.String() + stderr.String(), err
}

// judge is one store before Nix.
type judge struct {
	*testing.T
	nix Nix
	s   *store.Store
}

func (j judge) run(program string, args ...string) string {
	j.Helper()
	out, err := j.nix.Run(j.Context(), program, append([]string{"--store", "local?root=" + j.s.Root()}, args...)...)
	if err != nil {
		j.Fatal(err)
	}
	return out
}

// paths returns the store paths among the lines that Nix prints, sorted.
func (j judge) paths(program string, args ...string) []storepath.Path {
	j.Helper()
	var paths []storepath.Path
	for line := range strings.Lines(j.run(program, args...)) {
		if p, err := storepath.Parse(strings.TrimSpace(line)); err == nil {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (j judge) same(what string, ours, nix []storepath.Path) {
	j.Helper()
	slices.Sort(ours)
	if !slices.Equal(ours, nix) {
		j.Errorf("%s:\nours %q\nNix  %q", what, ours, nix)
	}
}

// reopen closes the sample's store, so that its temp roots go, and opens it.
func (j judge) reopen(sample *Sample) *store.Store {
	j.Helper()
	check(j, sample.Store.Close())
	s, err := store.Open(j.Context(), j.s.Root())
	check(j, err)
	j.Cleanup(func() { s.Close() })
	sample.Store = s
	return s
}

// verify has Nix check every path's content.
func (j judge) verify() {
	j.Helper()
	out := j.run("nix-store", "--verify", "--check-contents")
	for _, word := range []string{"modified", "disappeared", "suspicious", "warning", "error"} {
		if strings.Contains(out, word) {
			j.Errorf("nix-store --verify --check-contents says:\n%s", out)
		}
	}
}

// RunNix has real Nix verify, query, rebuild, collect and extend stores of
// ours, and has us do the same with what it wrote. dir is an empty directory
// for the stores.
func RunNix(t *testing.T, nix Nix, dir string) {
	t.Cleanup(func() { store.RemoveAll(dir) })
	for name, test := range map[string]func(judge, *Sample){
		"query": testQuery, "check": testCheck, "collect": testCollect, "profile": testProfile,
		"together": testTogether, "collector waits": testSocket, "temp roots": testTempRoots, "closure": testClosure,
	} {
		t.Run(name, func(t *testing.T) {
			sample := Fill(t, filepath.Join(dir, strings.ReplaceAll(name, " ", "-")))
			j := judge{t, nix, sample.Store}
			test(j, sample)
			if !t.Failed() {
				j.verify()
				Whole(t, sample.Store)
			}
		})
	}
}

func testQuery(j judge, sample *Sample) {
	ctx, s := j.Context(), sample.Store
	closure, err := s.Closure(ctx, sample.Top)
	check(j, err)
	j.same("closure", closure, j.paths("nix-store", "-q", "--requisites", string(sample.Top)))
	for _, p := range append(closure, sample.Drvs...) {
		info, err := s.Info(ctx, p)
		check(j, err)
		j.same("references", info.Refs, j.paths("nix-store", "-q", "--references", string(p)))
		if info.Deriver != "" {
			j.same("deriver", []storepath.Path{info.Deriver}, j.paths("nix-store", "-q", "--deriver", string(p)))
		}
		want := "sha256:" + storepath.EncodeBase32(info.NarHash[:])
		if got := strings.TrimSpace(j.run("nix-store", "-q", "--hash", string(p))); got != want {
			j.Errorf("hash of %q: ours %s, Nix %s", p, want, got)
		}
	}
	for _, p := range sample.Drvs {
		d, err := s.Derivation(ctx, p)
		check(j, err)
		j.same("outputs", d.OutputPaths(), j.paths("nix-store", "-q", "--outputs", string(p)))
	}
}

// sandboxed has Nix build in its sandbox, without the shell that Debian's Nix
// binds into it from the building machine, and ask neither caches nor other
// machines.
var sandboxed = []string{
	"--option", "sandbox", "true", "--option", "sandbox-paths", "",
	"--option", "substituters", "", "--option", "builders", "",
}

// testCheck has Nix build everything again and compare, and build what is
// gone to the same path.
func testCheck(j judge, sample *Sample) {
	ctx, s := j.Context(), sample.Store
	for _, p := range sample.Drvs {
		j.run("nix-store", append([]string{"--realise", "--check", string(p)}, sandboxed...)...)
	}
	before, err := s.Info(ctx, sample.Top)
	check(j, err)
	check(j, s.RemoveRoot("sample/text"))
	check(j, s.Invalidate(ctx, sample.Top))
	check(j, store.RemoveAll(s.Real(sample.Top)))
	last := sample.Drvs[len(sample.Drvs)-1]
	j.run("nix-store", append([]string{"--realise", string(last)}, sandboxed...)...)
	after, err := s.Info(ctx, sample.Top)
	check(j, err)
	if before.NarHash != after.NarHash || !slices.Equal(before.Refs, after.Refs) || before.Deriver != after.Deriver ||
		before.Ultimate != after.Ultimate || before.CA != after.CA || before.NarSize != after.NarSize {
		j.Errorf("ours %+v\nNix  %+v", before, after)
	}
}

// testCollect compares what is dead, by our verdict and by Nix's, and lets
// each of them remove a part.
func testCollect(j judge, sample *Sample) {
	ctx, s := j.Context(), j.reopen(sample)
	dead := func() (paths []storepath.Path) {
		report, err := s.Collect(ctx, store.CollectOptions{DryRun: true})
		check(j, err)
		for _, d := range report.Paths {
			if !d.Unfinished {
				paths = append(paths, storepath.Path(storepath.Dir+"/"+d.Base))
			}
		}
		return paths
	}
	j.same("dead", dead(), j.paths("nix-store", "--gc", "--print-dead"))
	j.same("garbage", dead(), slices.Sorted(slices.Values(sample.Garbage)))
	// Nix removes one by name, we the rest.
	j.run("nix-store", "--delete", string(sample.Garbage[1]))
	j.same("dead", dead(), j.paths("nix-store", "--gc", "--print-dead"))
	check(j, os.Mkdir(filepath.Join(s.Real(storepath.Dir), "leftover"), 0o755))
	report, err := s.Collect(ctx, store.CollectOptions{})
	check(j, err)
	if len(report.Paths) != 3 || report.Bytes == 0 { // two paths and the leftover
		j.Errorf("collected %+v", report)
	}
	if rest := j.paths("nix-store", "--gc", "--print-dead"); len(rest) > 0 {
		j.Errorf("Nix still finds %q", rest)
	}
	// Without roots all goes, and Nix is the one to do it.
	check(j, s.RemoveRoot("sample/text"))
	for _, link := range []string{"system", "system-1-link", "system-2-link"} {
		check(j, os.Remove(filepath.Join(s.Profiles(), link)))
	}
	j.run("nix-store", "--gc")
	if valid, err := s.Valid(ctx, sample.Drvs...); err != nil || slices.ContainsFunc(sample.Drvs, func(p storepath.Path) bool { return valid[p] }) {
		j.Errorf("after Nix has collected without roots: %v, %v", valid, err)
	}
}

func testProfile(j judge, sample *Sample) {
	profile := filepath.Join(sample.Store.Profiles(), "system")
	list := func() []string {
		return strings.Fields(j.run("nix-env", "-p", profile, "--list-generations"))
	}
	if fields := list(); len(fields) != 7 || fields[0] != "1" || fields[6] != "(current)" {
		j.Errorf("nix-env lists %q", fields)
	}
	j.run("nix-env", "-p", profile, "--rollback")
	if g, ok, err := sample.Profile.Current(); g.Number != 1 || !ok || err != nil {
		j.Errorf("after nix-env --rollback: %+v, %v, %v", g, ok, err)
	}
	if _, err := sample.Profile.Rollback(j.Context()); err == nil {
		j.Error("Rollback goes below the first generation")
	}
	_, err := sample.Profile.Switch(j.Context(), 2)
	check(j, err)
	j.run("nix-env", "-p", profile, "--set", string(sample.Text))
	gens, err := sample.Profile.List()
	check(j, err)
	if len(gens) != 3 || !gens[2].Current || gens[2].Path != sample.Text {
		j.Errorf("after nix-env --set: %+v", gens)
	}
	check(j, sample.Profile.Delete(j.Context(), 1))
	if fields := list(); len(fields) != 7 || fields[0] != "2" {
		j.Errorf("nix-env lists %q", fields)
	}
}

// testTogether has Nix and us write at the same time.
func testTogether(j judge, sample *Sample) {
	ctx, s := j.Context(), sample.Store
	dir := j.TempDir()
	var group sync.WaitGroup
	errs := make(chan error, 100)
	for i := range 10 {
		file := filepath.Join(dir, fmt.Sprint("file-", i))
		check(j, os.WriteFile(file, []byte(file), 0o644))
		group.Go(func() {
			_, err := j.nix.Run(ctx, "nix-store", "--store", "local?root="+s.Root(), "--add", file)
			errs <- err
		})
	}
	for i := range 80 {
		group.Go(func() {
			_, err := s.AddText(ctx, fmt.Sprint("text-", i), []byte{byte(i)}, nil)
			errs <- err
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		check(j, err)
	}
}

// pause is a progress.Sink that holds a collection up at its first report.
type pause struct {
	progress.Sink
	reached, goOn chan struct{}
	once          sync.Once
}

func (p *pause) Start(name string, unit progress.Unit, total int64) progress.Task {
	return &pausedTask{progress.Discard.Start(name, unit, total), p}
}

type pausedTask struct {
	progress.Task
	*pause
}

func (t *pausedTask) Add(int64) {
	t.once.Do(func() { close(t.reached); <-t.goOn })
}

// testSocket has Nix add paths, and so temp roots, while we collect.
func testSocket(j judge, sample *Sample) {
	ctx, s := j.Context(), j.reopen(sample)
	p := &pause{Sink: progress.Discard, reached: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan error)
	go func() {
		_, err := s.Collect(ctx, store.CollectOptions{Sink: p})
		done <- err
	}()
	<-p.reached
	file := filepath.Join(j.TempDir(), "added-meanwhile")
	check(j, os.WriteFile(file, []byte("x"), 0o644))
	added := j.paths("nix-store", "--add", file)
	close(p.goOn)
	check(j, <-done)
	if valid, err := s.Valid(ctx, added...); err != nil || len(added) != 1 || !valid[added[0]] {
		j.Errorf("Nix added %q during our collection: %v, %v", added, valid, err)
	}
}

// testTempRoots has Nix collect while temp roots of ours stand.
func testTempRoots(j judge, sample *Sample) {
	ctx, s := j.Context(), j.reopen(sample)
	first, err := store.Open(ctx, s.Root()) // s is the second of this process
	check(j, err)
	defer first.Close()
	check(j, first.TempRoot(ctx, sample.Top))
	check(j, s.TempRoot(ctx, sample.Garbage[1])) // and what it refers to
	j.run("nix-store", "--gc")
	valid, err := s.Valid(ctx, sample.Garbage...)
	check(j, err)
	if !valid[sample.Garbage[0]] || !valid[sample.Garbage[1]] || valid[sample.Garbage[2]] {
		j.Errorf("after Nix has collected: %v", valid)
	}
	s = j.reopen(sample)
	j.run("nix-store", "--gc")
	valid, err = s.Valid(ctx, sample.Garbage...)
	check(j, err)
	if valid[sample.Garbage[0]] || valid[sample.Garbage[1]] {
		j.Errorf("after the temp roots went: %v", valid)
	}
	_, err = s.Info(ctx, sample.Garbage[0])
	if !errors.Is(err, store.ErrNotFound) {
		j.Error(err)
	}
}

// testClosure makes an image's store out of hard copies and WriteClosureDB.
func testClosure(j judge, sample *Sample) {
	ctx, s := j.Context(), sample.Store
	closure, err := s.Closure(ctx, sample.Top, sample.Text)
	check(j, err)
	root := filepath.Join(s.Root(), "image")
	image, err := store.Open(ctx, root)
	check(j, err)
	for _, p := range closure {
		var archive bytes.Buffer
		check(j, nar.DumpPath(ctx, &archive, s.Real(p)))
		check(j, nar.Restore(ctx, &archive, image.Real(p), nar.Limits{}))
	}
	check(j, image.Close())
	db := filepath.Join(root, "nix/var/nix/db/db.sqlite")
	check(j, s.WriteClosureDB(ctx, db, closure))
	other := judge{j.T, j.nix, image}
	other.verify()
	other.same("closure", closure, other.paths("nix-store", "-q", "--requisites", string(sample.Top), string(sample.Text)))
	image, err = store.Open(ctx, root)
	check(j, err)
	defer image.Close()
	Whole(j, image)
}
