package resolve

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/deb"
)

// search is one walk from the roots. It restarts with more names banned.
type search struct {
	*Universe
	request Request
	banned  map[string]*Conflict // names that lead nowhere, with the reason

	chosen  map[string]*deb.Package
	because map[string]requirement
	real    map[string][]provision // what the chosen provide
	single  []requirement          // clauses to follow, in order of discovery
	open    []requirement          // clauses with alternatives, decided last
	weak    []requirement          // recommendations, after all
}

// A requirement is a clause and who asked for it.
type requirement struct {
	by     *deb.Package // nil for a root
	kind   string
	clause deb.Clause
}

func (s *search) run(roots []string) *deadEnd {
	s.chosen, s.because, s.real = map[string]*deb.Package{}, map[string]requirement{}, map[string][]provision{}
	s.single, s.open, s.weak = nil, nil, nil
	for _, name := range roots {
		s.follow(requirement{kind: "wanted", clause: deb.Clause{{Name: name}}})
	}
	for {
		var next requirement
		switch {
		case len(s.single) > 0:
			next, s.single = s.single[0], s.single[1:]
		case len(s.open) > 0:
			next, s.open = s.open[0], s.open[1:]
		case len(s.weak) > 0:
			next, s.weak = s.weak[0], s.weak[1:]
		default:
			return nil
		}
		if s.satisfied(next.clause) {
			continue
		}
		if dead := s.decide(next); dead != nil && next.kind != "recommends" {
			return dead
		}
	}
}

func (s *search) follow(r requirement) {
	switch {
	case r.kind == "recommends":
		s.weak = append(s.weak, r)
	case len(s.candidates(r.clause)) <= 1:
		s.single = append(s.single, r)
	default:
		s.open = append(s.open, r)
	}
}

// decide chooses a package for the requirement.
func (s *search) decide(r requirement) *deadEnd {
	candidates := s.candidates(r.clause)
	var why []string
	for _, p := range candidates {
		if ban := s.banned[p.Name]; ban != nil {
			if len(candidates) == 1 {
				return s.dead(r, ban) // the deeper reason is the one to tell
			}
			why = append(why, strings.TrimPrefix(ban.last()+": "+ban.Why, ": "))
			continue
		}
		if have := s.chosen[p.Name]; have != nil {
			why = append(why, fmt.Sprintf("%s %s is chosen, which does not do", have.Name, have.Version))
			continue
		}
		if clash := s.clash(p); clash != "" {
			why = append(why, clash)
			continue
		}
		s.choose(p, r)
		return nil
	}
	if len(candidates) == 0 {
		why = append(why, s.missing(r.clause))
	}
	return s.dead(r, &Conflict{s.chainTo(r), strings.Join(why, "; ")})
}

func (s *search) choose(p *deb.Package, r requirement) {
	s.chosen[p.Name], s.because[p.Name] = p, r
	if s.request.Alone {
		return
	}
	for _, clause := range p.Provides {
		for _, v := range clause {
			s.real[v.Name] = append(s.real[v.Name], provision{p, v.Version})
		}
	}
	for _, clause := range p.PreDepends {
		s.follow(requirement{p, "pre-depends on", clause})
	}
	for _, clause := range p.Depends {
		s.follow(requirement{p, "depends on", clause})
	}
	if s.request.Recommends {
		for _, clause := range p.Recommends {
			s.follow(requirement{p, "recommends", clause})
		}
	}
}

// candidates returns what could satisfy the clause, in order of preference.
func (s *search) candidates(clause deb.Clause) []*deb.Package {
	var all []*deb.Package
	for _, r := range clause {
		if p := s.candidate(r.Name); p != nil && r.Allows(p.Version) {
			all = append(all, p)
		}
		var by []*deb.Package
		for _, v := range s.provides[r.Name] {
			if s.candidate(v.by.Name) == v.by && v.by.Name != r.Name && provides(r, v.version) {
				by = append(by, v.by)
			}
		}
		slices.SortStableFunc(by, func(a, b *deb.Package) int {
			return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Name, a.Name))
		})
		all = append(all, by...)
	}
	return all
}

// rank orders providers: the more important priority first.
func rank(p *deb.Package) int {
	return slices.Index([]string{"required", "important", "standard", "optional"}, p.Priority) & 7
}

func (s *search) candidate(name string) *deb.Package {
	versions := s.versions[name]
	if len(versions) == 0 {
		return nil
	}
	if held, ok := s.request.Prefer[name]; ok {
		for _, p := range versions {
			if p.Version == held {
				return p
			}
		}
	}
	return versions[0]
}

func (s *search) satisfied(clause deb.Clause) bool {
	for _, r := range clause {
		if p := s.chosen[r.Name]; p != nil && r.Allows(p.Version) {
			return true
		}
		for _, v := range s.real[r.Name] {
			if provides(r, v.version) {
				return true
			}
		}
	}
	return false
}

// clash says what chosen package p cannot stand beside, or "".
func (s *search) clash(p *deb.Package) string {
	for name, against := range negative(p) {
		for _, r := range against {
			if other := s.chosen[r.Name]; other != nil && other.Name != p.Name && r.Allows(other.Version) {
				return fmt.Sprintf("%s %s %s %s, which is chosen because %s", p.Name, name, r, other.Name, s.reason(other.Name))
			}
			for _, v := range s.real[r.Name] {
				if v.by.Name != p.Name && provides(r, v.version) {
					return fmt.Sprintf("%s %s %s, which %s provides, chosen because %s", p.Name, name, r, v.by.Name, s.reason(v.by.Name))
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.chosen)) {
		other := s.chosen[name]
		for kind, against := range negative(other) {
			for _, r := range against {
				if hits(r, p) && other.Name != p.Name {
					return fmt.Sprintf("%s %s %s, and %s is chosen because %s", other.Name, kind, r, other.Name, s.reason(other.Name))
				}
			}
		}
	}
	return ""
}
