package generation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"reprise/store"
	"reprise/store/storepath"
)

func newProfile(t *testing.T) (*store.Store, *Profile) {
	t.Helper()
	root := t.TempDir()
	t.Cleanup(func() { store.RemoveAll(root) })
	s, err := store.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p, err := Of(s, "system")
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

func add(t *testing.T, s *store.Store, content string) storepath.Path {
	t.Helper()
	p, err := s.AddText(t.Context(), "system-rig", []byte(content), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// state returns the numbers of the generations, the current one negative.
func state(t *testing.T, p *Profile) (ns []int) {
	t.Helper()
	gens, err := p.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range gens {
		if g.Current {
			g.Number = -g.Number
		}
		ns = append(ns, g.Number)
	}
	return ns
}

func TestGenerations(t *testing.T) {
	ctx := t.Context()
	s, p := newProfile(t)
	if ns := state(t, p); ns != nil {
		t.Errorf("a new profile has generations %d", ns)
	}
	if _, ok, err := p.Current(); ok || err != nil {
		t.Errorf("Current of a new profile: %v, %v", ok, err)
	}
	one, two := add(t, s, "1"), add(t, s, "2")
	// A directory that only looks like a link, and links of other profiles.
	for _, other := range []string{"system-x-link", "system-07-link", "system-rig-1-link", "system-0-link"} {
		if err := os.Symlink(string(one), s.Profiles()+"/"+other); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		what string
		do   func() (Generation, error)
		want []int
		ok   bool
	}{
		{"set 1", func() (Generation, error) { return p.Set(ctx, one) }, []int{-1}, true},
		{"set 1 again", func() (Generation, error) { return p.Set(ctx, one) }, []int{-1}, true},
		{"roll back below 1", func() (Generation, error) { return p.Rollback(ctx) }, []int{-1}, false},
		{"set 2", func() (Generation, error) { return p.Set(ctx, two) }, []int{1, -2}, true},
		{"roll back", func() (Generation, error) { return p.Rollback(ctx) }, []int{-1, 2}, true},
		{"set 2 again", func() (Generation, error) { return p.Set(ctx, two) }, []int{1, -2}, true},
		{"set the path of 1", func() (Generation, error) { return p.Set(ctx, one) }, []int{1, 2, -3}, true},
		{"switch to 2", func() (Generation, error) { return p.Switch(ctx, 2) }, []int{1, -2, 3}, true},
		{"switch to none", func() (Generation, error) { return p.Switch(ctx, 7) }, []int{1, -2, 3}, false},
		{"delete the current", func() (Generation, error) { return Generation{}, p.Delete(ctx, 1, 2) }, []int{1, -2, 3}, false},
		{"delete", func() (Generation, error) { return Generation{}, p.Delete(ctx, 1, 3, 9) }, []int{-2}, true},
		{"roll back to none", func() (Generation, error) { return p.Rollback(ctx) }, []int{-2}, false},
		{"set after", func() (Generation, error) { return p.Set(ctx, one) }, []int{2, -3}, true},
	}
	for _, step := range steps {
		g, err := step.do()
		if (err == nil) != step.ok {
			t.Errorf("%s: %v", step.what, err)
		}
		if got := state(t, p); !slices.Equal(got, step.want) {
			t.Errorf("%s: generations %d, want %d", step.what, got, step.want)
		}
		if g.Number != 0 && (!g.Current || g.Created.IsZero()) {
			t.Errorf("%s: %+v", step.what, g)
		}
	}
	absent, err := storepath.MakeText("absent", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Set(ctx, absent); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Set of what is not valid: %v", err)
	}
	if _, err := Of(s, "../x"); err == nil {
		t.Error("a profile may be called ../x")
	}
	roots, err := s.Roots(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(roots, func(r store.Root) bool { return r.Link == p.link(3) && r.Target == one }) {
		t.Errorf("generation 3 is none of the roots %v", roots)
	}
}

// TestFirst holds that First is what Set does.
func TestFirst(t *testing.T) {
	s, p := newProfile(t)
	path := add(t, s, "1")
	if _, err := p.Set(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	var made []Link
	entries, err := os.ReadDir(s.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(s.Profiles(), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, Link{e.Name(), target})
	}
	want := First("system", path)
	slices.SortFunc(want, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	if !slices.Equal(made, want) {
		t.Errorf("Set made %q, First says %q", made, want)
	}
}

// TestSetTogether sets generations from many sides: each gets its number.
func TestSetTogether(t *testing.T) {
	s, p := newProfile(t)
	var group sync.WaitGroup
	for i := range 10 {
		path := add(t, s, fmt.Sprint(i))
		group.Go(func() {
			if _, err := p.Set(t.Context(), path); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	gens, err := p.List()
	if err != nil || len(gens) != 10 || !gens[9].Current {
		t.Errorf("%d generations, %v: %+v", len(gens), err, gens)
	}
	left, err := os.ReadDir(s.Profiles())
	if err != nil || len(left) != 11 {
		t.Errorf("%q, %v lie there, want ten links and the profile", left, err)
	}
}
