package oracle

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Verdict is the outcome of a comparison.
type Verdict struct {
	Problems  []string // differences without a rule, one line each, in the judge's order
	Compared  int      // paths of the judge
	Explained int      // differences with a rule
	Moved     []string // paths not judged: packages have other versions than the listing
	Idle      []Rule   // rules that explain nothing here
}

// Compare holds a tree of ours against a listing of the judge. Set is the name
// of the set of packages, for rules that are for one.
func Compare(set string, judge *Listing, ours *Tree, rules []Rule) (*Verdict, error) {
	c := &comparison{set: set, judge: judge, ours: ours, rules: rules, used: make([]bool, len(rules)), v: &Verdict{Compared: len(judge.Entries)}}
	c.was, c.is = kernel(judge.Packages), kernel(ours.Packages)
	for name, version := range judge.Packages {
		if ours.Packages[name] != version {
			c.drift = true
		}
	}
	for _, e := range judge.Entries {
		if err := c.entry(e); err != nil {
			return nil, err
		}
	}
	for i, r := range rules {
		if !c.used[i] {
			c.v.Idle = append(c.v.Idle, r)
		}
	}
	return c.v, nil
}

type comparison struct {
	set     string
	judge   *Listing
	ours    *Tree
	rules   []Rule
	used    []bool
	was, is string // kernel releases
	drift   bool   // some package has another version
	v       *Verdict
}

// kernel returns the release that paths of the kernel's modules carry, "" when
// there is none: of linux-image-6.12.1+deb13-rt-amd64 all after the prefix.
func kernel(packages map[string]string) string {
	for name := range packages {
		if release, ok := strings.CutPrefix(name, "linux-image-"); ok && release != "" && release[0] >= '0' && release[0] <= '9' {
			return release
		}
	}
	return ""
}

func (c *comparison) today(name string) string {
	if c.was == "" || c.is == "" {
		return name
	}
	return strings.ReplaceAll(name, c.was, c.is)
}

// moved reports whether the listing is too old to judge a path that was made
// from packages.
func (c *comparison) moved(e Entry) bool {
	return c.drift && slices.ContainsFunc(e.From, func(name string) bool {
		// The kernel's package has its version in its name, and so have the paths.
		return c.ours.Packages[c.today(name)] != c.judge.Packages[name] && !strings.Contains(name, "linux-image-")
	})
}

func (c *comparison) entry(theirs Entry) error {
	theirs.Path, theirs.Target = c.today(theirs.Path), c.today(theirs.Target)
	ours, ok := c.ours.Lookup(theirs.Path)
	if !ok {
		if c.explain(theirs.Path, "") {
			return nil
		}
		if c.moved(theirs) {
			c.v.Moved = append(c.v.Moved, theirs.Path)
			return nil
		}
		c.problem("%s is not on our machine (a %s, %04o %s:%s)", theirs.Path, theirs.Kind, theirs.Mode, theirs.Owner, theirs.Group)
		return nil
	}
	differ := func(aspect Aspect, format string, args ...any) {
		switch {
		case c.explain(theirs.Path, aspect):
		case c.moved(theirs):
			c.v.Moved = append(c.v.Moved, theirs.Path)
		default:
			c.problem(theirs.Path+": "+string(aspect)+" "+format, args...)
		}
	}
	if theirs.Kind != ours.Kind {
		differ(AspectKind, "is %q, the judge's is %q", ours.Kind, theirs.Kind)
		return nil
	}
	if theirs.Kind == Link {
		if a, b := c.canonical(theirs.Path, ours.Target), c.canonical(theirs.Path, theirs.Target); a != b {
			differ(AspectTarget, "is %q, the judge's is %q", ours.Target, theirs.Target)
		}
		return nil
	}
	if theirs.Owner == "" { // a plain list of names
		return nil
	}
	if theirs.Mode != ours.Mode {
		differ(AspectMode, "is %04o, the judge's is %04o", ours.Mode, theirs.Mode)
	}
	if ours.Owner != "" && (theirs.Owner != ours.Owner || theirs.Group != ours.Group) {
		differ(AspectOwner, "is %s:%s, the judge's is %s:%s", ours.Owner, ours.Group, theirs.Owner, theirs.Group)
	}
	if theirs.Kind == File && theirs.Sum != "" && (!c.drift || len(theirs.From) > 0 && !c.moved(theirs)) {
		sum, err := c.ours.Sum(ours)
		if err != nil {
			return fmt.Errorf("compare: %w", err)
		}
		if sum != theirs.Sum {
			differ(AspectContent, "is %s, the judge's is %s", sum, theirs.Sum)
		}
	}
	return nil
}

// canonical is where a link leads in words: "../x" and "/usr/x" may be one.
func (c *comparison) canonical(link, target string) string {
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(link), target)
	}
	target = path.Clean(target)
	for _, top := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if rest, ok := strings.CutPrefix(target, "/"+top+"/"); ok {
			return "/usr/" + top + "/" + rest
		}
	}
	return target
}

func (c *comparison) problem(format string, args ...any) {
	c.v.Problems = append(c.v.Problems, fmt.Sprintf(format, args...))
}

// explain looks for a rule; aspect "" is absence.
func (c *comparison) explain(name string, aspect Aspect) bool {
	found := false
	for i, r := range c.rules {
		if r.Set != "" && r.Set != c.set {
			continue
		}
		fits := aspect == "" && len(r.Aspects) == 0 || aspect != "" && slices.Contains(r.Aspects, aspect)
		if fits && r.Match(name) {
			c.used[i] = true
			found = true
			break
		}
	}
	if found {
		c.v.Explained++
	}
	return found
}
