// Package compose merges layers into the root file system that one generation
// sees, and writes it down: as an EROFS image of metadata alone over the store
// (see erofs.go), or as a tree of hard links (see tree.go).
//
// # Words
//
// A layer is a store path with a manifest (internal/layer): an unpacked
// package or the output of an effect. The view is what the layers make
// together. A Plan is the view as data: made by Merge, which touches nothing.
//
// # Where everything goes
//
// A machine's / is a small tmpfs of directories and the links bin, sbin, lib
// and lib64. Only /usr and /etc come from the view, so the view holds usr and
// etc and nothing beside them:
//
//	layer              view                        seen at run time
//	usr/…              usr/…                       /usr/…
//	etc/…              etc/…                       /etc/…
//	bin/… sbin/…       usr/bin/… usr/sbin/…        (a package that is not yet usr-merged)
//	lib*/…             usr/lib*/…
//	boot/…             usr/lib/reprise/boot/…      /boot, bound or linked
//	opt/…              usr/lib/reprise/opt/…       /opt, bound or linked
//	var/… root/… home/… srv/… run/… and the rest
//	    directories    Plan.State                  made at boot by tmpfiles.d
//	    symlinks       Plan.State                  made at boot by tmpfiles.d
//	    files          usr/lib/reprise/state/var/… copied at boot by tmpfiles.d
//	                   and Plan.State
//	bin, lib, … links  dropped                     stage 1 makes them
//	top directories    dropped                     stage 1 makes them
//
// # Invariants
//
//   - Plan.Entries is sorted by path, names every parent directory, and has no
//     path twice. Its first entry is "etc" or "usr".
//   - The same layers in the same order give the same plan, and the same plan
//     gives the same bytes of image on every machine.
//   - Every file is backed by exactly one store path, named in Entry.Source.
//   - No link's target is rewritten: a link into /var or /boot means the path
//     that the running machine has.
//
// # What wins
//
// Directories merge. The first layer that lists a directory gives its owner and
// mode. A file or link that two layers list is a conflict, unless both say the
// same, or one's Replaces names the other, or the later one is an Overrides
// layer. dpkg's diversions have no counterpart: no package of the sets we build
// diverts a path on a fresh install. A layer's Attributes change owner, mode and extended attributes of
// whatever the merge left at a path and are applied last.
package compose

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"reprise/internal/layer"
	"reprise/store/storepath"
)

// Home is the directory of the view for all that has no place of its own in
// /usr or /etc.
const Home = "usr/lib/reprise"

// Places below Home. BootHome holds what packages keep in /boot, OptHome what
// they keep in /opt, StateHome the initial content of files in /var and the
// other directories that are state.
const (
	BootHome  = Home + "/boot"
	OptHome   = Home + "/opt"
	StateHome = Home + "/state"
)

// AttributesPath is where a layer lists the paths whose owner, mode or extended
// attributes it changes without bringing a file: a manifest like
// layer.ManifestPath (the idea of dpkg-statoverride). Kind must be what is
// there; size and target are not looked at.
const AttributesPath = layer.Meta + "/attributes"

// A Layer is one contribution to the view.
type Layer struct {
	Path       storepath.Path
	Manifest   layer.Manifest
	Overrides  bool           // its files and links take the place of earlier layers'
	Name       string         // package name, for Replaces and messages; may be ""
	Replaces   []string       // names of packages whose files this one may take over
	Attributes layer.Manifest // of AttributesPath; nil when the layer has none
}

func (l *Layer) title() string {
	if l.Name != "" {
		return l.Name
	}
	return l.Path.Base()
}

// An Entry is one name of the view.
type Entry struct {
	layer.Entry        // Kind is Dir, File or Symlink: hard links have become files
	Source      string // of a file: "/<hash>-<name>/usr/bin/x", relative to the store directory
	Layer       int    // index of the layer that it comes from; -1 for a parent that none lists
}

// A StateEntry is a name that layers keep where the machine has state: it is
// made at boot when it is not there.
type StateEntry struct {
	layer.Entry        // Path as on the machine: "var/lib/dbus"
	From        string // of a file: its path in the view with the first content
}

// Identical is a pair of files of two layers that have one path, size, owner
// and mode. Merge keeps the first; whoever has the store at hand must see that
// the bytes are the same too, see Plan.CheckIdentical.
type Identical struct {
	Path          string
	First, Second string // sources
}

// A Plan is a view.
type Plan struct {
	Entries   []Entry
	State     []StateEntry // sorted by path
	Identical []Identical  // sorted by path
}

// A Conflict is a path that two layers claim.
type Conflict struct {
	Path          string
	First, Second string // names of the layers
	Why           string
}

func (c *Conflict) Error() string {
	return fmt.Sprintf("%q is in %q and in %q: %s", "/"+c.Path, c.First, c.Second, c.Why)
}

// Merge makes the view of layers, earlier layers first: packages by name, then
// the effects. It is pure. Its error is a Conflict, several joined, or names a
// path that has no place.
func Merge(layers []Layer) (*Plan, error) {
	m := merger{layers: layers, view: map[string]int32{}, state: map[string]int32{}}
	total := 0
	for i := range layers {
		total += len(layers[i].Manifest)
	}
	m.entries = make([]Entry, 0, total)
	for i := range layers {
		m.add(i)
	}
	m.link()
	for i := range layers {
		m.attributes(i)
	}
	if err := m.problems.err(); err != nil {
		return nil, err
	}
	return m.plan(), nil
}

// usrMerged maps the directories that trixie's /usr has taken in.
var usrMerged = []string{"bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32"}

// place says where a layer's path belongs: in the view at a path, or in the
// machine's state. Both false: the path belongs to stage 1's skeleton.
func place(p string) (to string, inView, inState bool) {
	top, rest, deeper := strings.Cut(p, "/")
	switch top {
	case "usr", "etc":
		return p, true, false
	case "boot", "opt":
		if !deeper {
			return "", false, false
		}
		return Home + "/" + p, true, false
	}
	if slices.Contains(usrMerged, top) {
		if !deeper {
			return "", false, false
		}
		return "usr/" + top + "/" + rest, true, false
	}
	return p, false, deeper
}

func parent(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}
