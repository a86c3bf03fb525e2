package effect

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"reprise/internal/deb"
	"reprise/internal/layer"
	"reprise/store/storepath"
)

// Content is one unpacked package.
type Content struct {
	Name, Version string
	Path          storepath.Path
	Manifest      layer.Manifest
	Control       map[string][]byte // files of DEBIAN/ by name: "control", "postinst", "triggers", "conffiles" …
}

// Ref returns the package as an input.
func (c *Content) Ref() Ref { return Ref{c.Name, c.Version, c.Path} }

// Entry returns the package's entry at path ("usr/bin/su"), or nil.
func (c *Content) Entry(path string) *layer.Entry {
	i := sort.Search(len(c.Manifest), func(i int) bool { return c.Manifest[i].Path >= path })
	if i < len(c.Manifest) && c.Manifest[i].Path == path {
		return &c.Manifest[i]
	}
	return nil
}

// Below returns the package's entries below directory dir ("usr/share/mime"),
// dir itself left out, sorted.
func (c *Content) Below(dir string) layer.Manifest {
	from := sort.Search(len(c.Manifest), func(i int) bool { return c.Manifest[i].Path >= dir+"/" })
	to := from + sort.Search(len(c.Manifest)-from, func(i int) bool {
		return !strings.HasPrefix(c.Manifest[from+i].Path, dir+"/")
	})
	return c.Manifest[from:to]
}

// Contents are the packages of one machine, or some of them. Packages must not
// change once a method was called.
type Contents struct {
	Packages []Content // sorted by Name, see NewContents

	parseOnce sync.Once
	needs     map[string][]deb.Clause // Pre-Depends and Depends by package name
	providers map[string]string       // provided name → first package that provides it
	parseErr  error
}

// NewContents sorts packages by name.
func NewContents(packages []Content) *Contents {
	slices.SortFunc(packages, func(a, b Content) int { return strings.Compare(a.Name, b.Name) })
	return &Contents{Packages: packages}
}

// Get returns the named package, or nil.
func (c *Contents) Get(name string) *Content {
	i, ok := slices.BinarySearchFunc(c.Packages, name, func(p Content, name string) int {
		return strings.Compare(p.Name, name)
	})
	if !ok {
		return nil
	}
	return &c.Packages[i]
}

// Owner returns the first package that has an entry at path, or nil.
func (c *Contents) Owner(path string) *Content {
	for i := range c.Packages {
		if c.Packages[i].Entry(path) != nil {
			return &c.Packages[i]
		}
	}
	return nil
}

// Below names the packages that have a file or link below any of dirs.
func (c *Contents) Below(dirs ...string) []string {
	return c.names(func(p *Content) bool {
		for _, dir := range dirs {
			if slices.ContainsFunc(p.Below(dir), func(e layer.Entry) bool { return e.Kind != layer.Dir }) {
				return true
			}
		}
		return false
	})
}

// Matching names the packages that have a file or link whose path satisfies
// match.
func (c *Contents) Matching(match func(path string) bool) []string {
	return c.names(func(p *Content) bool {
		return slices.ContainsFunc(p.Manifest, func(e layer.Entry) bool { return e.Kind != layer.Dir && match(e.Path) })
	})
}

func (c *Contents) names(keep func(*Content) bool) []string {
	var names []string
	for i := range c.Packages {
		if keep(&c.Packages[i]) {
			names = append(names, c.Packages[i].Name)
		}
	}
	return names
}

func (c *Contents) refs(names []string) ([]Ref, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	refs := make([]Ref, 0, len(names))
	for _, name := range names {
		p := c.Get(name)
		if p == nil {
			return nil, fmt.Errorf("package %q is not among the contents", name)
		}
		refs = append(refs, p.Ref())
	}
	return refs, nil
}

// Closure names the given packages and all that they need to run, sorted: for
// each clause of Depends and Pre-Depends the first alternative that is there,
// by name or as something provided. A clause that nothing in c meets is passed
// over: the resolver has judged the set, and c may be a part of it.
func (c *Contents) Closure(names ...string) ([]string, error) {
	c.parseOnce.Do(c.parse)
	if c.parseErr != nil {
		return nil, c.parseErr
	}
	seen := map[string]bool{}
	todo := slices.Clone(names)
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[name] {
			continue
		}
		if c.Get(name) == nil {
			return nil, fmt.Errorf("package %q is not among the contents", name)
		}
		seen[name] = true
		for _, clause := range c.needs[name] {
			for _, r := range clause {
				needed := r.Name
				if c.Get(needed) == nil {
					var ok bool
					if needed, ok = c.providers[needed]; !ok {
						continue
					}
				}
				todo = append(todo, needed)
				break
			}
		}
	}
	var closure []string
	for name := range seen {
		closure = append(closure, name)
	}
	slices.Sort(closure)
	return closure, nil
}

// parse reads what Closure needs of the control files.
func (c *Contents) parse() {
	c.needs, c.providers = make(map[string][]deb.Clause, len(c.Packages)), map[string]string{}
	for i := range c.Packages {
		p := &c.Packages[i]
		parsed, err := deb.ParseControl(p.Control["control"])
		if err != nil {
			c.parseErr = fmt.Errorf("control file of %q: %w", p.Name, err)
			return
		}
		c.needs[p.Name] = slices.Concat(parsed.PreDepends, parsed.Depends)
		for _, clause := range parsed.Provides {
			for _, r := range clause {
				if _, taken := c.providers[r.Name]; !taken {
					c.providers[r.Name] = p.Name
				}
			}
		}
	}
}
