// Package spec holds what a derivation tells its builder: the JSON in the
// environment variable "spec", one type for each kind of `reprise builder`.
// Changing a type changes every derivation of that kind, so the fields are
// what the output depends on and nothing else.
package spec

import (
	"reprise/internal/systemdiff"
	"reprise/store/storepath"
)

// Unpack is the specification of kind "unpack": a .deb becomes a layer.
type Unpack struct {
	Deb storepath.Path `json:"deb"`
}

// Root is the specification of kind "root": layers become the metadata image
// root.erofs and state.json.
type Root struct {
	Layers []Layer `json:"layers"` // earlier first; packages by name, then effects
}

// Layer is one layer of a root.
type Layer struct {
	Path      storepath.Path `json:"path"`
	Name      string         `json:"name,omitempty"` // of a package
	Overrides bool           `json:"overrides,omitempty"`
}

// Program is the specification of kind "program": this program becomes a
// layer with usr/bin/reprise.
type Program struct {
	File storepath.Path `json:"file"`
}

// Initrd is the specification of kind "initrd".
type Initrd struct {
	Program storepath.Path `json:"program"` // becomes /init
	Kernel  storepath.Path `json:"kernel"`  // unpacked kernel package
	Index   storepath.Path `json:"index"`   // layer with the module index
	Version string         `json:"version"` // of the kernel: "6.12.107+deb13-rt-amd64"
	Want    []string       `json:"want,omitempty"`
	Load    []string       `json:"load,omitempty"`
	Medium  bool           `json:"medium,omitempty"` // it starts from an installation medium
	Keymap  storepath.Path `json:"keymap,omitempty"` // layer with the console's key map

	Microcode []storepath.Path `json:"microcode,omitempty"` // unpacked packages with corrections of processors
}

// System is the specification of kind "system": all that a boot needs, in one
// store path.
type System struct {
	Host       string           `json:"host"`
	Root       storepath.Path   `json:"root"`       // output of kind "root"
	Initrd     storepath.Path   `json:"initrd"`     // output of kind "initrd"
	Kernel     storepath.Path   `json:"kernel"`     // unpacked kernel package
	Version    string           `json:"version"`    // of the kernel
	Activation storepath.Path   `json:"activation"` // layer with activation.json
	Params     []string         `json:"params"`     // kernel parameters, without root= and reprise.system=
	Layers     []storepath.Path `json:"layers"`     // the closure: all that the view shows

	About *systemdiff.About `json:"about"`
}
