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
			made.Kind, made.Target, made.Source = layer.File, "", base+e.Path
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
	for _, inView := range []bool{true, false} {
		tree := m.tree(inView)
		paths := make([]string, 0, len(tree))
		for p := range tree {
			paths = append(paths, p)
		}
		slices.Sort(paths)
		for _, p := range paths {
			m.parents(tree, inView, p, 0)
		}
	}
}

func (m *merger) tree(inView bool) map[string]int32 {
	if inView {
		return m.view
	}
	return m.state
}

// deepestLinks bounds links that lead through links, as the kernel does.
const deepestLinks = 40

func (m *merger) parents(tree map[string]int32, inView bool, p string, depth int) {
	dir := parent(p)
	if dir == "" {
		return
	}
	at, ok := tree[dir]
	if !ok {
		tree[dir] = int32(len(m.entries))
		m.entries = append(m.entries, Entry{Entry: layer.Entry{Path: dir, Kind: layer.Dir, Mode: 0o755}, Layer: implicit})
		m.parents(tree, inView, dir, depth)
		return
	}
	above := &m.entries[at]
	if above.Kind == layer.Dir {
		return
	}
	e := m.entries[tree[p]]
	if above.Kind == layer.File {
		m.problems = append(m.problems, &Conflict{dir, m.name(above.Layer), m.name(e.Layer),
			fmt.Sprintf("a file, and %q lies below it", "/"+p)})
		return
	}
	moved, ok := resolve(dir, above.Target)
	moved += strings.TrimPrefix(p, dir)
	if to, toView, toState := place(moved); !ok || depth == deepestLinks || to != moved || toView != inView || toState == inView {
		m.problems.addf("%q of %q lies below the link %q to %q, which leaves its tree", "/"+p, m.name(e.Layer), "/"+dir, above.Target)
		return
	}
	delete(tree, p)
	if e.Layer == implicit {
		return
	}
	e.Path = moved
	if old, taken := tree[moved]; taken && m.entries[old].Layer == implicit {
		delete(tree, moved)
	}
	m.put(tree, e)
	m.parents(tree, inView, moved, depth+1)
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
