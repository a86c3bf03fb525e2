package systemdiff

import (
	"cmp"
	"slices"
	"strings"

	"reprise/internal/deb"
)

// Why tells why a package is in a system.
type Why struct {
	Package Package
	Asked   bool     // the machine asks for it by itself
	For     []Source // on behalf of these options; none when every machine has it
	// Essential: Debian has it on every machine.
	Essential bool
	// Chains are the requirements that lead to it, shortest first, one for each
	// package that needs it. None, and neither Asked nor Essential: nothing
	// needs it, it came with the lock.
	Chains []Chain
}

// A Chain leads from what the machine asks for to a package. Its first link
// has By, the last one's To is the package.
type Chain struct {
	Asked     string   // first package of the chain
	For       []Source // options that ask for it
	Essential bool     // it is there because Debian marks it so
	Links     []Link
}

// A Link is one requirement.
type Link struct {
	From, To   string
	Kind       string // "depends on", "pre-depends on" or "recommends"
	Dependency string // as the control file of From has it
}

// kinds of requirements, those that must be met first.
const (
	preDepends = "pre-depends on"
	depends    = "depends on"
	recommends = "recommends"
)

// FindPackage tells why the package of this name is there. ok is false where
// it is not there.
func (s *System) FindPackage(name string) (w Why, ok bool) {
	at, ok := slices.BinarySearchFunc(s.Packages, name, func(p Package, name string) int { return strings.Compare(p.Name, name) })
	if !ok {
		return w, false
	}
	w = Why{Package: s.Packages[at], Essential: s.Packages[at].Essential}
	asked := map[string]*Asked{}
	if s.About != nil {
		for i := range s.About.Packages {
			asked[s.About.Packages[i].Name] = &s.About.Packages[i]
		}
	}
	if a := asked[name]; a != nil {
		w.Asked, w.For = true, a.For
	}
	g := newGraph(s.Packages)
	for _, weak := range []bool{false, true} {
		w.Chains = g.chains(s.Packages, asked, at, weak)
		if len(w.Chains) > 0 || w.Asked || w.Essential {
			break
		}
	}
	return w, true
}

// Provides returns the packages that provide a virtual name, sorted.
func (s *System) Provides(name string) (by []string) {
	for _, p := range s.Packages {
		for _, clause := range p.Package.Provides {
			if slices.ContainsFunc(clause, func(r deb.Relation) bool { return r.Name == name }) {
				by = append(by, p.Name)
				break
			}
		}
	}
	return by
}

// A graph finds packages by the names that they have and provide.
type graph struct {
	packages []Package
	named    map[string]int
	provided map[string][]provision
}

type provision struct {
	by      int
	version string
}

func newGraph(packages []Package) *graph {
	g := &graph{packages, make(map[string]int, len(packages)), map[string][]provision{}}
	for i := range packages {
		g.named[packages[i].Name] = i
		for _, clause := range packages[i].Provides {
			for _, r := range clause {
				g.provided[r.Name] = append(g.provided[r.Name], provision{i, r.Version})
			}
		}
	}
	return g
}

// meets lists the packages that meet a clause. All that do count: none of
// them could go alone.
func (g *graph) meets(clause deb.Clause) (by []int) {
	for _, r := range clause {
		if i, ok := g.named[r.Name]; ok && r.Allows(g.packages[i].Version) {
			by = append(by, i)
		}
		for _, p := range g.provided[r.Name] {
			// An unversioned Provides meets no bound (Debian Policy 7.5).
			if r.Op == "" || p.version != "" && r.Allows(p.version) {
				by = append(by, p.by)
			}
		}
	}
	return by
}

// requirements calls yield for what package i needs that package to meets.
func (g *graph) requirements(i int, weak bool, yield func(to int, kind string, clause deb.Clause)) {
	p := &g.packages[i]
	for _, field := range []struct {
		kind    string
		clauses []deb.Clause
	}{{preDepends, p.PreDepends}, {depends, p.Depends}, {recommends, p.Recommends}} {
		if field.kind == recommends && !weak {
			continue
		}
		for _, clause := range field.clauses {
			for _, to := range g.meets(clause) {
				if to != i {
					yield(to, field.kind, clause)
				}
			}
		}
	}
}

// chains finds the shortest way to every package that needs target, around
// target itself.
func (g *graph) chains(packages []Package, asked map[string]*Asked, target int, weak bool) []Chain {
	type step struct {
		from int
		link Link
	}
	const unseen, start = -2, -1
	came := make([]step, len(packages))
	for i := range came {
		came[i].from = unseen
	}
	var queue []int
	begin := func(wanted func(*Package) bool) {
		for i := range packages {
			if i != target && came[i].from == unseen && wanted(&packages[i]) {
				came[i].from = start
				queue = append(queue, i)
			}
		}
	}
	// What a file asks for goes before what every machine has.
	begin(func(p *Package) bool { return asked[p.Name] != nil && len(asked[p.Name].For) > 0 })
	begin(func(p *Package) bool { return asked[p.Name] != nil })
	begin(func(p *Package) bool { return p.Essential })
	var chains []Chain
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		reached := false
		g.requirements(i, weak, func(to int, kind string, clause deb.Clause) {
			link := Link{packages[i].Name, packages[to].Name, kind, clause.String()}
			switch {
			case to == target && !reached:
				reached = true
				c := Chain{Links: []Link{link}}
				first := i
				for came[first].from != start {
					c.Links = append(c.Links, came[first].link)
					first = came[first].from
				}
				slices.Reverse(c.Links)
				c.Asked = packages[first].Name
				if a := asked[c.Asked]; a != nil {
					c.For = a.For
				} else {
					c.Essential = true
				}
				chains = append(chains, c)
			case to != target && came[to].from == unseen:
				came[to] = step{i, link}
				queue = append(queue, to)
			}
		})
	}
	slices.SortStableFunc(chains, func(a, b Chain) int {
		return cmp.Or(cmp.Compare(len(a.Links), len(b.Links)), cmp.Compare(rank(a), rank(b)))
	})
	return chains
}

// rank orders chains of one length: from what a file asks for first.
func rank(c Chain) int {
	switch {
	case len(c.For) > 0:
		return 0
	case !c.Essential:
		return 1
	}
	return 2
}

// FindOptions returns the options that a name means: the option itself, those
// below it ("services.openssh"), or, with the documentation's <name> in it,
// those that it stands for. Of an element, as in "boot.kernelParams[2]", it
// is the option.
func (a *About) FindOptions(name string) []Option {
	if o, ok := a.Option(name); ok {
		return []Option{*o}
	}
	if a == nil {
		return nil
	}
	var found []Option
	for _, o := range a.Options {
		if below(o.Name, name) || below(name, o.Name) || strings.Contains(name, "<") && Stands(name, o.Name) {
			found = append(found, o)
		}
	}
	return found
}

// below says whether name is a part of what is called above.
func below(name, above string) bool {
	rest, ok := strings.CutPrefix(name, above)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "["))
}

// Stands says whether pattern, such as "users.users.<name>.uid", stands for a
// name.
func Stands(pattern, name string) bool {
	before, rest, found := strings.Cut(pattern, ".<")
	if !found {
		return pattern == name
	}
	_, after, _ := strings.Cut(rest, ">")
	if !strings.HasPrefix(name, before+".") && !strings.HasPrefix(name, before+"[") {
		return false
	}
	// No option has two names of the user's choice.
	return strings.HasSuffix(name[len(before):], after) && len(name) > len(before)+len(after)
}
