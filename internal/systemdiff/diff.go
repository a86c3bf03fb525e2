package systemdiff

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"reprise/internal/layer"
	"reprise/store/storepath"
)

// Kind says what became of something.
type Kind string

// Kinds of changes.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
)

// A Report is what two systems differ in. All lists are sorted by name.
type Report struct {
	Same     bool // they are one system
	Packages []PackageChange
	Options  []OptionChange
	Units    []UnitChange
	Kernel   *Versions // nil: the same
	Params   ParamChange
	Files    []FileChange // of /etc, without units

	// OptionsKnown, FilesKnown and SizesKnown say whether both systems tell;
	// Files and Units need FilesKnown.
	OptionsKnown, FilesKnown, SizesKnown bool

	AddedPaths, RemovedPaths int   // store paths that only one of the two needs
	AddedBytes, RemovedBytes int64 // their sizes
}

// Versions are two versions of the same thing.
type Versions struct{ From, To string }

// A PackageChange is one package: its versions, "" for none. With the same
// version in both its contents differ.
type PackageChange struct {
	Name, From, To string
	Kind           Kind
}

// A ParamChange is the words of the kernel line that only one system has.
// Moved says that both have the same words in another order.
type ParamChange struct {
	Added, Removed []string
	Moved          bool
}

// A FileChange is one file of /etc, by its path "etc/hostname".
type FileChange struct {
	Path string
	Kind Kind
	What []string // of a changed one: "contents", "target", "mode", "owner", "kind"
	// Unified is the change of the contents as a patch; "" where nobody asked
	// for it, where they are no text, or the same.
	Unified string
}

// Diff compares two systems. With unified it has the changes of text files.
func Diff(from, to *System, read Contents, unified bool) (*Report, error) {
	r := &Report{
		Packages:     comparePackages(from.Packages, to.Packages),
		Params:       compareParams(from.Params, to.Params),
		OptionsKnown: from.About != nil && to.About != nil,
		FilesKnown:   from.Files != nil && to.Files != nil,
		SizesKnown:   from.Sizes != nil && to.Sizes != nil,
	}
	r.Same = from.Path != "" && from.Path == to.Path
	if from.Kernel != to.Kernel && from.Kernel != "" && to.Kernel != "" {
		r.Kernel = &Versions{from.Kernel, to.Kernel}
	}
	if r.OptionsKnown {
		r.Options = compareOptions(from.About, to.About)
	}
	if r.FilesKnown {
		changes, err := compareFiles(from.Files, to.Files, read, unified)
		if err != nil {
			return nil, err
		}
		r.Units = compareUnits(from.Files, to.Files, changes)
		r.Files = changes
		if !unified { // units tell of their own files
			r.Files = slices.DeleteFunc(changes, func(c FileChange) bool { return scopeOf(c.Path) != "" })
		}
	}
	if r.SizesKnown {
		r.AddedPaths, r.AddedBytes = extra(to.Sizes, from.Sizes)
		r.RemovedPaths, r.RemovedBytes = extra(from.Sizes, to.Sizes)
	}
	return r, nil
}

// Nothing says whether no difference was found.
func (r *Report) Nothing() bool {
	return r.Same || len(r.Packages)+len(r.Options)+len(r.Units)+len(r.Files)+len(r.Params.Added)+len(r.Params.Removed) == 0 && r.Kernel == nil && !r.Params.Moved
}

// extra counts the paths of a that b does not have.
func extra(a, b map[storepath.Path]int64) (paths int, bytes int64) {
	for path, size := range a {
		if _, ok := b[path]; !ok {
			paths++
			bytes += size
		}
	}
	return paths, bytes
}

func comparePackages(from, to []Package) []PackageChange {
	var changes []PackageChange
	was := map[string]Package{}
	for _, p := range from {
		was[p.Name] = p
	}
	for _, p := range to {
		old, ok := was[p.Name]
		delete(was, p.Name)
		switch {
		case !ok:
			changes = append(changes, PackageChange{p.Name, "", p.Version, Added})
		case old.Version != p.Version, old.Path != p.Path && old.Path != "" && p.Path != "":
			changes = append(changes, PackageChange{p.Name, old.Version, p.Version, Changed})
		}
	}
	for name, p := range was {
		changes = append(changes, PackageChange{name, p.Version, "", Removed})
	}
	slices.SortFunc(changes, func(a, b PackageChange) int { return strings.Compare(a.Name, b.Name) })
	return changes
}

func compareParams(from, to []string) ParamChange {
	c := ParamChange{Added: less(to, from), Removed: less(from, to)}
	c.Moved = len(c.Added)+len(c.Removed) == 0 && !slices.Equal(from, to)
	return c
}

// less returns the words of a that b has not, each as often as it is missing.
func less(a, b []string) (words []string) {
	count := map[string]int{}
	for _, w := range b {
		count[w]++
	}
	for _, w := range a {
		if count[w]--; count[w] < 0 {
			words = append(words, w)
		}
	}
	return words
}

func compareFiles(from, to map[string]File, read Contents, unified bool) ([]FileChange, error) {
	paths := slices.Collect(maps.Keys(from))
	for path := range to {
		if _, ok := from[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var changes []FileChange
	for _, path := range paths {
		a, inA := from[path]
		b, inB := to[path]
		if !inA && b.Kind == layer.Dir || !inB && a.Kind == layer.Dir {
			continue // what is in it tells
		}
		c := FileChange{Path: path, Kind: Changed}
		var old, now []byte
		var err error
		switch {
		case !inA:
			c.Kind = Added
		case !inB:
			c.Kind = Removed
		default:
			if c.What, old, now, err = compareFile(a, b, read); err != nil {
				return nil, err
			}
			if len(c.What) == 0 {
				continue
			}
		}
		if unified {
			if !inA && b.Kind == layer.File {
				now, err = read(b.Source)
			}
			if !inB && a.Kind == layer.File {
				old, err = read(a.Source)
			}
			if err != nil {
				return nil, err
			}
			c.Unified = patch(path, inA, old, inB, now)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// compareFile says what differs, and the contents when they do.
func compareFile(a, b File, read Contents) (what []string, old, now []byte, err error) {
	if a.Kind != b.Kind {
		return []string{"kind"}, nil, nil, nil
	}
	if a.Kind == layer.File && a.Source != b.Source {
		if old, err = read(a.Source); err != nil {
			return nil, nil, nil, err
		}
		if now, err = read(b.Source); err != nil {
			return nil, nil, nil, err
		}
		if bytes.Equal(old, now) {
			old, now = nil, nil
		} else {
			what = append(what, "contents")
		}
	}
	if a.Target != b.Target {
		what = append(what, "target")
	}
	if a.Mode != b.Mode {
		what = append(what, "mode")
	}
	if a.UID != b.UID || a.GID != b.GID {
		what = append(what, "owner")
	}
	return what, old, now, nil
}

// mostPatch bounds the contents that a patch is made of, bytes: longer files
// are tables that programs have made.
const mostPatch = 1 << 20

func patch(path string, inA bool, old []byte, inB bool, now []byte) string {
	if bytes.Equal(old, now) {
		return ""
	}
	if len(old)+len(now) > mostPatch {
		return fmt.Sprintf("%s: %d and %d bytes differ\n", path, len(old), len(now))
	}
	for _, data := range [][]byte{old, now} {
		if bytes.IndexByte(data, 0) >= 0 {
			return fmt.Sprintf("binary files a/%s and b/%s differ\n", path, path)
		}
	}
	a, b := "a/"+path, "b/"+path
	if !inA {
		a = "/dev/null"
	}
	if !inB {
		b = "/dev/null"
	}
	text := string(diff.Diff(a, old, b, now))
	_, text, _ = strings.Cut(text, "\n") // "diff A B", which git and patch do not want
	return text
}
