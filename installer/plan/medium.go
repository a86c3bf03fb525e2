package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"reprise/store/storepath"
)

// MediumVersion is the version of medium.json.
const MediumVersion = 1

// A Medium is medium.json: what an installation medium carries. Store paths
// lie at the root of its store image; names of files are relative to the root
// of the medium.
type Medium struct {
	Version int            `json:"version"` // of this format
	Label   string         `json:"label"`   // volume id: "REPRISE"
	Builder storepath.Path `json:"builder"` // this program in the store, the builder of derivations
	Systems []System       `json:"systems"` // the one that is proposed first
	Tools   Tools          `json:"tools"`
	Paths   []Path         `json:"paths"` // every store path of the medium, sorted
}

// A System is one that the medium can install, and start without installing.
type System struct {
	Name          string         `json:"name"`          // "live-rig", "studio": of the profile or the file
	Title         string         `json:"title"`         // for people, one line
	Configuration string         `json:"configuration"` // what it was built from: a profile's name, or a file below Files
	Files         string         `json:"files"`         // directory on the medium with the configuration's own files; "" for a profile
	Lock          string         `json:"lock"`          // its lock, a file on the medium
	Path          storepath.Path `json:"path"`          // the system
	Host          string         `json:"host"`
	KernelVersion string         `json:"kernelVersion"` // as uname -r
	Realtime      bool           `json:"realtime"`      // the kernel is PREEMPT_RT
	Params        []string       `json:"params"`        // kernel parameters, without root= and reprise.system=
	Kernel        string         `json:"kernel"`        // kernel on the medium, for trying the system: "boot/kernel"
	Initrd        string         `json:"initrd"`        // the medium's initramfs for that kernel
	// Modules is the layer with the index of all modules of its kernel, at
	// usr/lib/modules/<KernelVersion>: modules.alias and so on.
	Modules storepath.Path `json:"modules"`
	// Closure is what an installed machine needs to start, sorted: the system
	// and all it refers to. What it takes to compose a changed system is in
	// Medium.Paths besides.
	Closure []storepath.Path `json:"closure"`
	// Boot has the packages that boot loaders are copied from, by name:
	// "shim-signed", "grub-pc-bin".
	Boot map[string]storepath.Path `json:"boot"`
}

// Tools is a system-like store path with root.erofs: the programs that an
// installation needs, entered with chroot.
type Tools struct {
	Path    storepath.Path   `json:"path"`
	Closure []storepath.Path `json:"closure"` // sorted
}

// A Path is what the store's database knows of a store path.
type Path struct {
	Path    storepath.Path   `json:"path"`
	NarHash string           `json:"narHash"` // SHA-256 of the NAR, 64 hexadecimal digits
	NarSize int64            `json:"narSize"` // bytes
	Size    int64            `json:"size"`    // bytes of all files: what a copy writes
	Refs    []storepath.Path `json:"refs,omitempty"`
	Deriver storepath.Path   `json:"deriver,omitempty"`
	CA      string           `json:"ca,omitempty"`
}

// ParseMedium reads medium.json.
func ParseMedium(data []byte) (*Medium, error) {
	var m Medium
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("medium.json: %w", err)
	}
	if m.Version != MediumVersion {
		return nil, fmt.Errorf("medium.json: its version is %d, this program reads %d", m.Version, MediumVersion)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("medium.json: %w", err)
	}
	return &m, nil
}

func (m *Medium) check() error {
	for i, p := range m.Paths {
		if _, err := storepath.Parse(string(p.Path)); err != nil {
			return err
		}
		if i > 0 && m.Paths[i-1].Path >= p.Path {
			return fmt.Errorf("paths are not sorted at %q", p.Path)
		}
		if p.NarSize < 0 || p.Size < 0 {
			return fmt.Errorf("%q: a size is less than nothing", p.Path)
		}
	}
	has := func(what string, paths ...storepath.Path) error {
		for _, p := range paths {
			if m.Find(p) == nil {
				return fmt.Errorf("%s: %q is not among the paths", what, p)
			}
		}
		return nil
	}
	for _, s := range m.Systems {
		if err := has("system "+s.Name, append(slices.Clone(s.Closure), s.Path)...); err != nil {
			return err
		}
	}
	if m.Tools.Path == "" {
		return nil
	}
	return has("tools", append(slices.Clone(m.Tools.Closure), m.Tools.Path)...)
}

// Find returns what is known of p; nil when the medium does not have it.
func (m *Medium) Find(p storepath.Path) *Path {
	i, ok := slices.BinarySearchFunc(m.Paths, p, func(a Path, b storepath.Path) int { return storepath.Compare(a.Path, b) })
	if !ok {
		return nil
	}
	return &m.Paths[i]
}

// System returns the carried system of that name; nil when there is none.
func (m *Medium) System(name string) *System {
	for i := range m.Systems {
		if m.Systems[i].Name == name {
			return &m.Systems[i]
		}
	}
	return nil
}

// Encode prints medium.json.
func (m *Medium) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("medium.json: %w", err)
	}
	return append(data, '\n'), nil
}
