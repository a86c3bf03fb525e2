package oracle

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// An Entry is one name of a root file system.
type Entry struct {
	Path   string `json:"path"` // absolute and clean: "/usr/bin/su"
	Kind   string `json:"kind"` // "dir", "file", "link", "device"
	Mode   uint32 `json:"mode"` // 07777 at most, decimal in JSON; of no meaning for a link
	Owner  string `json:"owner,omitempty"`
	Group  string `json:"group,omitempty"`  // names; "" where the listing does not know
	Target string `json:"target,omitempty"` // of a link, as written
	Sum    string `json:"sum,omitempty"`    // of a file in /etc or /usr: the first 16 hex digits of its SHA-256
	// Made says that no package ships the path: a script or trigger made it.
	Made bool `json:"made,omitempty"`
	// From names, for a path that was made, the packages that ship the deepest
	// directory above it, when they are few: it depends on their versions.
	From []string `json:"from,omitempty"`
}

// Kinds of entries.
const (
	Dir    = "dir"
	File   = "file"
	Link   = "link"
	Device = "device"
)

// A Listing is what Debian's tools made of packages.
type Listing struct {
	Packages map[string]string // name to version
	Entries  []Entry           // sorted by path
}

// Recorded keeps what a comparison against later versions of the packages
// needs: what scripts made, and what has an owner or mode out of the ordinary.
// The rest is in the packages themselves.
func (l *Listing) Recorded() *Listing {
	r := &Listing{Packages: l.Packages}
	for _, e := range l.Entries {
		if !e.Made && ordinary(e) {
			continue
		}
		if !e.Made {
			e.Sum = ""
		}
		r.Entries = append(r.Entries, e)
	}
	return r
}

func ordinary(e Entry) bool {
	if e.Owner != "root" || e.Group != "root" {
		return false
	}
	return e.Kind == Link || e.Mode == 0o755 || e.Kind == File && e.Mode == 0o644
}

// Encode writes one JSON object a line: the packages, then the entries.
func (l *Listing) Encode(w io.Writer) error {
	b := bufio.NewWriter(w)
	out := json.NewEncoder(b)
	if err := out.Encode(map[string]any{"packages": l.Packages}); err != nil {
		return err
	}
	for _, e := range l.Entries {
		if err := out.Encode(e); err != nil {
			return err
		}
	}
	return b.Flush()
}

// ParseListing reads what Encode wrote.
func ParseListing(r io.Reader) (*Listing, error) {
	in := json.NewDecoder(r)
	in.DisallowUnknownFields()
	var head struct {
		Packages map[string]string `json:"packages"`
	}
	if err := in.Decode(&head); err != nil {
		return nil, fmt.Errorf("listing: %w", err)
	}
	l := &Listing{Packages: head.Packages}
	for in.More() {
		var e Entry
		if err := in.Decode(&e); err != nil {
			return nil, fmt.Errorf("listing: entry %d: %w", len(l.Entries)+1, err)
		}
		if e.Path != path.Clean(e.Path) || !strings.HasPrefix(e.Path, "/") {
			return nil, fmt.Errorf("listing: path %q is not absolute and clean", e.Path)
		}
		l.Entries = append(l.Entries, e)
	}
	return l, nil
}

func sortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
}

// A Tree is a root file system of ours.
type Tree struct {
	Packages map[string]string // name to version
	entries  map[string]Entry
	// Sum is asked for the checksum of a file in /etc or /usr when one is to be
	// compared.
	Sum func(e Entry) (string, error)
}

// NewTree makes a tree of entries; the first of a path counts.
func NewTree(packages map[string]string, entries []Entry) *Tree {
	t := &Tree{Packages: packages, entries: make(map[string]Entry, len(entries))}
	for _, e := range entries {
		if _, ok := t.entries[e.Path]; !ok {
			t.entries[e.Path] = e
		}
	}
	return t
}

// deepest bounds links that lead through links, as the kernel does.
const deepest = 40

// Lookup finds a path as lstat(2) does: links in the directories above it are
// followed.
func (t *Tree) Lookup(name string) (Entry, bool) {
	if name == "/" {
		return Entry{Path: "/", Kind: Dir, Mode: 0o755, Owner: "root", Group: "root"}, true
	}
	dir, ok := t.directory(path.Dir(name), 0)
	if !ok {
		return Entry{}, false
	}
	e, ok := t.entries[path.Join(dir, path.Base(name))]
	return e, ok
}

// directory follows all links of a directory's path.
func (t *Tree) directory(name string, depth int) (string, bool) {
	if name == "/" {
		return name, true
	}
	above, ok := t.directory(path.Dir(name), depth)
	if !ok {
		return "", false
	}
	here := path.Join(above, path.Base(name))
	e, ok := t.entries[here]
	switch {
	case !ok || depth == deepest:
		return "", false
	case e.Kind == Dir:
		return here, true
	case e.Kind != Link:
		return "", false
	}
	target := e.Target
	if !path.IsAbs(target) {
		target = path.Join(above, target)
	}
	return t.directory(path.Clean(target), depth+1)
}
