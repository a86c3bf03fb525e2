// Package resolve chooses the packages that satisfy a request, as apt would on
// an empty system: it is pure, and the same universe and request always give
// the same answer.
//
// Each package name has one candidate: the version that the request prefers,
// else the newest of the suites. A clause is one entry of Depends or
// Pre-Depends with its alternatives. Clauses that only one candidate can
// satisfy are followed first; a clause with alternatives is decided once
// nothing else is left to follow, and takes the first alternative that stands
// against nothing chosen before: a real package before its providers, then
// providers by priority and, as apt breaks the tie, by name backwards. A choice that leads nowhere is set aside and
// the search starts again without it, so a dead end in one alternative falls
// back to the next.
//
// Invariant of an answer: every clause of every chosen package is satisfied
// within the answer, and no Conflicts or Breaks of a chosen package names
// another. Check holds it, and Solve runs Check on what it returns.
package resolve

import (
	"fmt"
	"maps"
	"slices"

	"reprise/internal/deb"
	"reprise/internal/diag"
)

// A Universe is every package that could be chosen.
type Universe struct {
	arch     string
	versions map[string][]*deb.Package // by name, newest first
	provides map[string][]provision    // by virtual name
}

type provision struct {
	by      *deb.Package
	version string // "" for an unversioned Provides
}

// NewUniverse indexes packages. Those of other architectures than arch and
// "all" are left out.
func NewUniverse(packages []deb.Package, arch string) *Universe {
	u := &Universe{arch, make(map[string][]*deb.Package, len(packages)), map[string][]provision{}}
	for i := range packages {
		p := &packages[i]
		if p.Architecture != arch && p.Architecture != "all" {
			continue
		}
		u.versions[p.Name] = append(u.versions[p.Name], p)
		for _, clause := range p.Provides {
			for _, r := range clause {
				u.provides[r.Name] = append(u.provides[r.Name], provision{p, r.Version})
			}
		}
	}
	for _, versions := range u.versions {
		slices.SortStableFunc(versions, func(a, b *deb.Package) int { return deb.CompareVersions(b.Version, a.Version) })
	}
	return u
}

// Names returns every real package name, sorted.
func (u *Universe) Names() []string { return slices.Sorted(maps.Keys(u.versions)) }

// Has reports whether name is a package or provided by one.
func (u *Universe) Has(name string) bool {
	return len(u.versions[name]) > 0 || len(u.provides[name]) > 0
}

// A Request asks for packages.
type Request struct {
	Roots      []string          // package names; a virtual name takes its best provider
	Recommends bool              // follow Recommends where they can be satisfied
	Essential  bool              // add every package marked Essential
	Alone      bool              // the roots only, nothing that they depend on
	Prefer     map[string]string // name to the version that a lock holds
	Exclude    []string          // names that must not be chosen
}

// Solve returns the chosen packages sorted by name. The error is *Unknown or
// *Conflict.
func (u *Universe) Solve(r Request) ([]deb.Package, error) {
	roots := slices.Clone(r.Roots)
	if r.Essential {
		for _, name := range u.Names() {
			if u.versions[name][0].Essential {
				roots = append(roots, name)
			}
		}
	}
	for _, name := range roots {
		if !u.Has(name) {
			return nil, &Unknown{name, diag.Nearest(name, u.Names())}
		}
	}
	s := &search{Universe: u, request: r, banned: map[string]*Conflict{}}
	for _, name := range r.Exclude {
		s.banned[name] = &Conflict{Why: name + " is excluded by the configuration"}
	}
	for {
		conflict := s.run(roots)
		if conflict == nil {
			break
		}
		if conflict.culprit == "" {
			return nil, &conflict.Conflict
		}
		s.banned[conflict.culprit] = &conflict.Conflict
	}
	answer := make([]deb.Package, 0, len(s.chosen))
	for _, name := range slices.Sorted(maps.Keys(s.chosen)) {
		answer = append(answer, *s.chosen[name])
	}
	if err := Check(answer); err != nil && !r.Alone {
		return nil, fmt.Errorf("the resolver's own answer does not hold, please report it: %w", err)
	}
	return answer, nil
}
