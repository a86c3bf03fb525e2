package compose

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"reprise/internal/layer"
)

// implicit is the layer of a directory that no layer lists.
const implicit = -1

type problems []error

func (p *problems) addf(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// mostProblems bounds a message: past it a set is wrong as a whole.
const mostProblems = 20

func (p problems) err() error {
	if n := len(p); n > mostProblems {
		return errors.Join(append(slices.Clone(p[:mostProblems]), fmt.Errorf("and %d more conflicts", n-mostProblems))...)
	}
	return errors.Join(p...)
}

type merger struct {
	layers    []Layer
	entries   []Entry          // of the view, and of the state with their machine paths
	view      map[string]int32 // path in the view → index in entries
	state     map[string]int32 // path on the machine → index in entries
	identical []Identical
	problems  problems
}

func (m *merger) add(index int) {
	l := &m.layers[index]
	base := "/" + l.Path.Base() + "/"
	for i := range l.Manifest {
		e := &l.Manifest[i]
		to, inView, inState := place(e.Path)
		if !inView && !inState {
			if e.Kind == layer.File || e.Kind == layer.Hard {
				m.problems.addf("%q of %q is a file beside the top directories: it has no place in a view", "/"+e.Path, l.title())
			}
			continue
		}
		made := Entry{Entry: *e, Layer: index}
		made.Path = to
		switch e.Kind {
		case layer.Hard:
			// The target has the content in any case; the name itself need not
			// lie in the store, so that it costs nothing there.
			made.Kind, made.Target, made.Source = layer.File, "", base+e.Target
		case layer.File:
			made.Source = base + e.Path
		}
		if inView {
			m.put(m.view, made)
		} else {
			m.put(m.state, made)
		}
	}
}

// put adds e to the names in tree, or settles who of two is there.
func (m *merger) put(tree map[string]int32, e Entry) {
	at, taken := tree[e.Path]
	if !taken {
		tree[e.Path] = int32(len(m.entries))
		m.entries = append(m.entries, e)
		return
	}
	old := &m.entries[at]
	if old.Layer == implicit {
		*old = e
		return
	}
	first, second := &m.layers[old.Layer], &m.layers[e.Layer]
	switch {
	case old.Kind == layer.Dir && e.Kind == layer.Dir:
		if second.Overrides {
			*old = e
		}
	case old.Kind == layer.Dir || e.Kind == layer.Dir:
		// A link to a directory and a directory: dpkg keeps the link and
		// unpacks through it; link() does so when all layers are in.
		if old.Kind == layer.Symlink {
			return
		}
		if e.Kind == layer.Symlink {
			*old = e
			return
		}
		m.conflict(old, &e, "one is a directory, the other is not")
	case second.Overrides:
		*old = e
	case e.Layer == old.Layer:
		m.conflict(old, &e, "two paths of the layer have this one place")
	case slices.Contains(second.Replaces, first.Name) && !slices.Contains(first.Replaces, second.Name):
		*old = e
	case slices.Contains(first.Replaces, second.Name):
	case old.Kind == layer.Symlink && e.Kind == layer.Symlink && old.Target == e.Target:
	case old.Kind == layer.File && e.Kind == layer.File && alike(old, &e):
		m.identical = append(m.identical, Identical{e.Path, old.Source, e.Source})
	default:
		m.conflict(old, &e, "neither replaces the other")
	}
}

func alike(a, b *Entry) bool {
	return a.Size == b.Size && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID &&
		len(a.Xattrs) == 0 && len(b.Xattrs) == 0
}

func (m *merger) conflict(old, e *Entry, why string) {
	m.problems = append(m.problems, &Conflict{e.Path, m.layers[old.Layer].title(), m.layers[e.Layer].title(), why})
}

func (m *merger) attributes(index int) {
	l := &m.layers[index]
	for _, a := range l.Attributes {
		to, inView, inState := place(a.Path)
		tree := m.view
		if inState {
			tree = m.state
		}
		at, ok := tree[to]
		if !ok || !inView && !inState {
			m.problems.addf("%q sets the mode of %q, which no layer has", l.title(), "/"+a.Path)
			continue
		}
		e := &m.entries[at]
		if kind := a.Kind; kind != e.Kind && !(kind == layer.Hard && e.Kind == layer.File) {
			m.problems.addf("%q sets the mode of %q as kind %q, but it is %q", l.title(), "/"+a.Path, kind, e.Kind)
			continue
		}
		e.Mode, e.UID, e.GID, e.Xattrs = a.Mode, a.UID, a.GID, a.Xattrs
	}
}

// link gives every entry its parents, and moves what lies below a link to a
// directory into that directory, as unpacking would.
func (m *merger) link() {
	m.linkTree(m.view, true)
	m.linkTree(m.state, false)
}

func (m *merger) linkTree(tree map[string]int32, inView bool) {
	paths := make([]string, 0, len(tree))
	for p := range tree {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	real := map[string]string{"": ""} // directory as named → directory after links
	for _, p := range paths {
		dir, ok := m.realDir(tree, inView, real, p, parent(p), 0)
		if !ok {
			continue
		}
		moved := join(dir, path.Base(p))
		if moved == p {
			continue
		}
		e := m.entries[tree[p]]
		delete(tree, p)
		e.Path = moved
		m.put(tree, e)
	}
	// What was moved may have come upon something else.
	for p, at := range tree {
		if dir := parent(p); dir != "" && len(m.problems) == 0 && m.entries[tree[dir]].Kind != layer.Dir {
			m.problems.addf("%q of %q has no directory above it once links are followed", "/"+p, m.name(m.entries[at].Layer))
		}
	}
}

// deepestLinks bounds links that lead through links, as the kernel does.
const deepestLinks = 40

// realDir returns where the directory dir is once every link in its path is
// followed, and makes what is not there. It is false when a problem was noted:
// p is the path that needs the directory.
func (m *merger) realDir(tree map[string]int32, inView bool, real map[string]string, p, dir string, depth int) (string, bool) {
	if known, ok := real[dir]; ok {
		return known, true
	}
	above, ok := m.realDir(tree, inView, real, p, parent(dir), depth)
	if !ok {
		return "", false
	}
	here := join(above, path.Base(dir))
	at, ok := tree[here]
	if !ok {
		tree[here] = int32(len(m.entries))
		m.entries = append(m.entries, Entry{Entry: layer.Entry{Path: here, Kind: layer.Dir, Mode: 0o755}, Layer: implicit})
		real[dir] = here
		return here, true
	}
	switch e := &m.entries[at]; e.Kind {
	case layer.File:
		m.problems = append(m.problems, &Conflict{here, m.name(e.Layer), m.name(m.entries[tree[p]].Layer),
			fmt.Sprintf("a file, and %q lies below it", "/"+p)})
		return "", false
	case layer.Symlink:
		target, ok := resolve(here, e.Target)
		to, toView, toState := place(target)
		if !ok || depth == deepestLinks || to != target || toView != inView || toState == inView {
			m.problems.addf("%q of %q lies below the link %q to %q, which leaves its tree",
				"/"+p, m.name(m.entries[tree[p]].Layer), "/"+here, e.Target)
			return "", false
		}
		if here, ok = m.realDir(tree, inView, real, p, target, depth+1); !ok {
			return "", false
		}
	}
	real[dir] = here
	return here, true
}

func join(dir, base string) string {
	if dir == "" {
		return base
	}
	return dir + "/" + base
}

// resolve returns where the link at dir leads, as a path from the root.
func resolve(dir, target string) (string, bool) {
	if !strings.HasPrefix(target, "/") {
		target = "/" + parent(dir) + "/" + target
	}
	target = path.Clean(target)
	return target[1:], len(target) > 1
}

func (m *merger) name(index int) string {
	if index == implicit {
		return "no layer"
	}
	return m.layers[index].title()
}

// plan sorts what the merge left.
func (m *merger) plan() *Plan {
	p := &Plan{Entries: make([]Entry, 0, len(m.view)), Identical: m.identical}
	for _, at := range m.view {
		p.Entries = append(p.Entries, m.entries[at])
	}
	homes := map[string]bool{}
	for _, at := range m.state {
		e := m.entries[at]
		s := StateEntry{Entry: e.Entry}
		switch e.Kind {
		case layer.Dir:
			if e.Layer == implicit {
				continue
			}
		case layer.File:
			s.From = StateHome + "/" + e.Path
			e.Path = s.From
			p.Entries = append(p.Entries, e)
			for dir := parent(s.From); dir != "usr"; dir = parent(dir) {
				homes[dir] = true
			}
		}
		p.State = append(p.State, s)
	}
	for dir := range homes {
		if _, ok := m.view[dir]; !ok {
			p.Entries = append(p.Entries, Entry{Entry: layer.Entry{Path: dir, Kind: layer.Dir, Mode: 0o755}, Layer: implicit})
		}
	}
	if _, ok := m.view["usr"]; !ok && len(homes) > 0 {
		p.Entries = append(p.Entries, Entry{Entry: layer.Entry{Path: "usr", Kind: layer.Dir, Mode: 0o755}, Layer: implicit})
	}
	slices.SortFunc(p.Entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(p.State, func(a, b StateEntry) int { return strings.Compare(a.Path, b.Path) })
	slices.SortFunc(p.Identical, func(a, b Identical) int { return strings.Compare(a.Path, b.Path) })
	return p
}
