package resolve

import (
	"fmt"
	"slices"

	"reprise/internal/deb"
)

// negative yields the relations that a package must not meet.
func negative(p *deb.Package) func(yield func(string, []deb.Relation) bool) {
	return func(yield func(string, []deb.Relation) bool) {
		for _, clause := range p.Conflicts {
			if !yield("conflicts with", clause) {
				return
			}
		}
		for _, clause := range p.Breaks {
			if !yield("breaks", clause) {
				return
			}
		}
	}
}

// hits reports whether relation r of some package is about p or what p provides.
func hits(r deb.Relation, p *deb.Package) bool {
	if r.Name == p.Name {
		return r.Allows(p.Version)
	}
	for _, clause := range p.Provides {
		for _, v := range clause {
			if v.Name == r.Name && provides(r, v.Version) {
				return true
			}
		}
	}
	return false
}

// provides reports whether a Provides of the given version meets the
// relation. An unversioned Provides never meets a versioned relation
// (Debian Policy 7.5).
func provides(r deb.Relation, version string) bool {
	return r.Op == "" || version != "" && r.Allows(version)
}

// Check returns the first requirement that does not hold within packages.
func Check(packages []deb.Package) error {
	s := &search{chosen: map[string]*deb.Package{}, real: map[string][]provision{}}
	for i := range packages {
		p := &packages[i]
		s.chosen[p.Name] = p
		for _, clause := range p.Provides {
			for _, v := range clause {
				s.real[v.Name] = append(s.real[v.Name], provision{p, v.Version})
			}
		}
	}
	for i := range packages {
		p := &packages[i]
		for _, clause := range slices.Concat(p.PreDepends, p.Depends) {
			if !s.satisfied(clause) {
				return fmt.Errorf("%s depends on %s, which is not met", p.Name, clause)
			}
		}
		for kind, against := range negative(p) {
			for _, r := range against {
				if other := s.chosen[r.Name]; other != nil && other.Name != p.Name && r.Allows(other.Version) {
					return fmt.Errorf("%s %s %s, but %s %s is there", p.Name, kind, r, other.Name, other.Version)
				}
				for _, v := range s.real[r.Name] {
					if v.by.Name != p.Name && provides(r, v.version) {
						return fmt.Errorf("%s %s %s, but %s provides it", p.Name, kind, r, v.by.Name)
					}
				}
			}
		}
	}
	return nil
}
