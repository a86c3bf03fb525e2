package main

import (
	"bytes"
	"fmt"
	"slices"

	"reprise/internal/deb"
	"reprise/internal/diag"
	"reprise/internal/effect"
	"reprise/internal/lock"
	"reprise/internal/recipe"
)

// incomplete returns what the packages of a set need and the set does not have.
// The resolver leaves no such gap, a lock edited by hand may: without this
// check it would build a machine whose programs do not start.
func incomplete(set lock.Set, c *effect.Contents) (diag.Problems, error) {
	type provided struct{ version string } // "" is any
	have := map[string][]provided{}
	type need struct {
		by     string
		clause deb.Clause
	}
	var needs []need
	for _, root := range set.Roots {
		needs = append(needs, need{"", deb.Clause{{Name: root}}})
	}
	for _, p := range c.Packages {
		have[p.Name] = append(have[p.Name], provided{p.Version})
		err := deb.ReadStanzas(bytes.NewReader(p.Control["control"]), func(s deb.Stanza) error {
			provides, err := deb.ParseDepends(s.Get("Provides"))
			if err != nil {
				return err
			}
			for _, clause := range provides {
				for _, r := range clause {
					have[r.Name] = append(have[r.Name], provided{r.Version})
				}
			}
			if set.Alone {
				return nil
			}
			for _, field := range []string{"Pre-Depends", "Depends"} {
				clauses, err := deb.ParseDepends(s.Get(field))
				if err != nil {
					return err
				}
				for _, clause := range clauses {
					needs = append(needs, need{p.Name, clause})
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("control file of package %q: %w", p.Name, err)
		}
	}
	met := func(r deb.Relation) bool {
		return slices.ContainsFunc(have[r.Name], func(p provided) bool {
			return r.Op == "" || p.version != "" && r.Allows(p.version)
		})
	}
	var problems diag.Problems
	for _, n := range needs {
		if slices.ContainsFunc(n.clause, met) {
			continue
		}
		p := diag.Problem{Got: fmt.Sprintf("lacks %q", n.clause), Want: fmt.Sprintf("what package %q depends on", n.by),
			Do: "undo the change of the lock, or remove the lock and build again"}
		if n.by == "" {
			p.Want = fmt.Sprintf("every package that the configuration asks for (set %s)", set.Name)
		}
		problems = append(problems, p)
	}
	return problems, nil
}

// complete checks the sets that a build has unpacked; system is what the set of
// that name holds.
func (d *diskImage) complete(file string, system *effect.Contents, sets []string) error {
	var problems diag.Problems
	for _, name := range sets {
		set, _ := d.lock.Set(name)
		c := system
		if name != recipe.SystemSet {
			var err error
			if c, err = d.contents(d.lock, name, d.paths, nil); err != nil {
				return err
			}
		}
		found, err := incomplete(set, c)
		if err != nil {
			return err
		}
		for _, p := range found {
			p.File = file
			problems = append(problems, p)
		}
	}
	return problems.Err()
}
