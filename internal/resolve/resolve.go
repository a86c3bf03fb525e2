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
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

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

// A Conflict says why a request has no answer.
type Conflict struct {
	Chain []string // from a root to the requirement that cannot be met, outermost first
	Why   string
}

func (c *Conflict) Error() string {
	var b strings.Builder
	b.WriteString("the packages cannot be installed together:\n")
	for i, step := range c.Chain {
		fmt.Fprintf(&b, "  %s%s\n", strings.Repeat("  ", i), step)
	}
	fmt.Fprintf(&b, "  %s%s", strings.Repeat("  ", len(c.Chain)), c.Why)
	return b.String()
}

// last returns the innermost requirement.
func (c *Conflict) last() string {
	if len(c.Chain) == 0 {
		return ""
	}
	return c.Chain[len(c.Chain)-1]
}

// An Unknown is a root that the archive does not have.
type Unknown struct {
	Name string
	Near []string // known names that are close
}

func (e *Unknown) Error() string {
	if len(e.Near) == 0 {
		return fmt.Sprintf("package %q is not in the archive", e.Name)
	}
	return fmt.Sprintf("package %q is not in the archive; near names: %s", e.Name, strings.Join(e.Near, ", "))
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

type deadEnd struct {
	Conflict
	culprit string // the chosen package to try without; "" when a root itself is lost
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
		if p := s.candidate(r.Name); p != nil && admits(r, p.Version) {
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
		if p := s.chosen[r.Name]; p != nil && admits(r, p.Version) {
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
			if other := s.chosen[r.Name]; other != nil && other.Name != p.Name && admits(r, other.Version) {
				return fmt.Sprintf("%s %s %s %s, which is chosen because %s", p.Name, name, relation(r), other.Name, s.reason(other.Name))
			}
			for _, v := range s.real[r.Name] {
				if v.by.Name != p.Name && provides(r, v.version) {
					return fmt.Sprintf("%s %s %s, which %s provides, chosen because %s", p.Name, name, relation(r), v.by.Name, s.reason(v.by.Name))
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.chosen)) {
		other := s.chosen[name]
		for kind, against := range negative(other) {
			for _, r := range against {
				if hits(r, p) && other.Name != p.Name {
					return fmt.Sprintf("%s %s %s, and %s is chosen because %s", other.Name, kind, relation(r), other.Name, s.reason(other.Name))
				}
			}
		}
	}
	return ""
}

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
		return admits(r, p.Version)
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

// admits reports whether a real package's version meets the relation.
func admits(r deb.Relation, version string) bool {
	if r.Op == "" {
		return true
	}
	c := deb.CompareVersions(version, r.Version)
	switch r.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	case ">>":
		return c > 0
	}
	return false
}

// provides reports whether a Provides of the given version meets the
// relation. An unversioned Provides never meets a versioned relation
// (Debian Policy 7.5).
func provides(r deb.Relation, version string) bool {
	return r.Op == "" || version != "" && admits(r, version)
}

func relation(r deb.Relation) string {
	if r.Op == "" {
		return r.Name
	}
	return fmt.Sprintf("%s (%s %s)", r.Name, r.Op, r.Version)
}

func clauseText(c deb.Clause) string {
	words := make([]string, len(c))
	for i, r := range c {
		words[i] = relation(r)
	}
	return strings.Join(words, " | ")
}

// missing says why nothing in the archive can satisfy the clause.
func (s *search) missing(clause deb.Clause) string {
	var why []string
	for _, r := range clause {
		switch p := s.candidate(r.Name); {
		case p != nil:
			why = append(why, fmt.Sprintf("the archive has %s %s", p.Name, p.Version))
		case len(s.provides[r.Name]) > 0:
			why = append(why, fmt.Sprintf("no provider of %s has a version that does", r.Name))
		default:
			why = append(why, fmt.Sprintf("%s is not in the archive", r.Name))
		}
	}
	return strings.Join(why, ", ")
}

// chain returns how the package came to be chosen, outermost first.
func (s *search) chain(name string) []string {
	var steps []string
	for range len(s.chosen) {
		r := s.because[name]
		if r.by == nil {
			return append([]string{name + " is wanted"}, steps...)
		}
		steps = append([]string{fmt.Sprintf("%s %s %s", r.by.Name, r.kind, clauseText(r.clause))}, steps...)
		name = r.by.Name
	}
	return steps
}

func (s *search) reason(name string) string { return strings.Join(s.chain(name), " → ") }

// chainTo returns the steps from a root to the requirement.
func (s *search) chainTo(r requirement) []string {
	if r.by == nil {
		return []string{clauseText(r.clause) + " is wanted"}
	}
	return append(s.chain(r.by.Name), fmt.Sprintf("%s %s %s", r.by.Name, r.kind, clauseText(r.clause)))
}

// dead turns an unmet requirement into the choice to undo: the package that
// requires it, or none when that is a root or was undone before.
func (s *search) dead(r requirement, why *Conflict) *deadEnd {
	d := &deadEnd{Conflict: *why}
	if r.by != nil && s.banned[r.by.Name] == nil {
		d.culprit = r.by.Name
	}
	return d
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
				return fmt.Errorf("%s depends on %s, which is not met", p.Name, clauseText(clause))
			}
		}
		for kind, against := range negative(p) {
			for _, r := range against {
				if other := s.chosen[r.Name]; other != nil && other.Name != p.Name && admits(r, other.Version) {
					return fmt.Errorf("%s %s %s, but %s %s is there", p.Name, kind, relation(r), other.Name, other.Version)
				}
				for _, v := range s.real[r.Name] {
					if v.by.Name != p.Name && provides(r, v.version) {
						return fmt.Errorf("%s %s %s, but %s provides it", p.Name, kind, relation(r), v.by.Name)
					}
				}
			}
		}
	}
	return nil
}
