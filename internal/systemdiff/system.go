package systemdiff

import (
	"reprise/internal/deb"
	"reprise/internal/layer"
	"reprise/store/storepath"
)

// A System is what there is to know of one system.
type System struct {
	Name   string         // what to call it: "generation 7", a store path, a file
	Path   storepath.Path // "" for what is not built
	Config string         // what places call the configuration: "configuration.jsonnet"
	Note   string         // what else to know of it, a sentence; "" for nothing
	About  *About         // nil where the system has none: it is older than about.json
	Kernel string         // version, as uname -r
	Params []string       // of the kernel line

	Packages []Package // sorted by name

	// Files is the part of the view that is compared, by path: "etc/…" and
	// units, see Trees. nil: not known, as of a configuration that is not built.
	Files map[string]File

	// Sizes has the bytes of every store path. nil: not known.
	Sizes map[storepath.Path]int64
}

// A Package is one package of a system. Of one that is not unpacked, only
// Name and Version are known.
type Package struct {
	deb.Package
	Path storepath.Path // "" for one that is not unpacked
}

// A File is one name of the view.
type File struct {
	layer.Entry        // never a Hard
	Source      string // "/<hash>-<name>/etc/x", relative to the store directory
}

// Contents reads the file at a File.Source.
type Contents func(source string) ([]byte, error)

// unitDirs are the directories of systemd's units by scope; a file in a later
// one hides that of its name in an earlier one.
var unitDirs = map[string][]string{
	"system": {"usr/lib/systemd/system", "etc/systemd/system"},
	"user":   {"usr/lib/systemd/user", "etc/systemd/user"},
}

// Trees are the directories of the view that System.Files has.
func Trees() []string { return []string{"etc", "usr/lib/systemd/system", "usr/lib/systemd/user"} }
