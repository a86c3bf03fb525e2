package resolve

import (
	"fmt"
	"strings"

	"reprise/internal/deb"
)

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

type deadEnd struct {
	Conflict
	culprit string // the chosen package to try without; "" when a root itself is lost
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
		steps = append([]string{fmt.Sprintf("%s %s %s", r.by.Name, r.kind, r.clause)}, steps...)
		name = r.by.Name
	}
	return steps
}

func (s *search) reason(name string) string { return strings.Join(s.chain(name), " → ") }

// chainTo returns the steps from a root to the requirement.
func (s *search) chainTo(r requirement) []string {
	if r.by == nil {
		return []string{r.clause.String() + " is wanted"}
	}
	return append(s.chain(r.by.Name), fmt.Sprintf("%s %s %s", r.by.Name, r.kind, r.clause))
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
