// Package drv reads, writes and names derivations in Nix's format.
//
// A derivation is one build written down: which program runs with which
// arguments and environment, on which inputs, to make which outputs. It lives
// in the store as a text file that ends in ".drv":
//
//	Derive([("out","/nix/store/…-hello","","")],       outputs: id, path, hash algorithm, hash
//	       [("/nix/store/…-libc6.drv",["out"])],       input derivations and the outputs used
//	       ["/nix/store/…-reprise"],                   input sources
//	       "x86_64-linux","/nix/store/…/reprise",      platform, builder
//	       ["builder","unpack"],                       arguments
//	       [("name","hello"),("out","/nix/store/…")])  environment
//
// An output is fixed when the SHA-256 of what it will hold is known before
// the build; its path then follows from that hash alone. The path of any
// other output follows from the derivation modulo its fixed outputs: input
// derivations are replaced by their own modulo hash, and a fixed output's
// modulo hash does not depend on how it is fetched.
//
// The package is pure: it reads no file. It leaves out what this project does
// not use: floating content-addressed outputs, impure and dynamic derivations.
//
// Source: Nix 2.26 manual, "Derivation ATerm format" and "Complete Store Path
// Calculation"; libstore/derivations.cc.
package drv

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/store/storepath"
)

// An Output is one result of a derivation.
type Output struct {
	Path     storepath.Path // "" while it is not computed
	HashAlgo string         // "" when not fixed, "sha256" (one plain file) or "r:sha256" (NAR); from Nix also md5, sha1, sha512
	Hash     string         // lower-case hex of a fixed output's hash, else ""
}

// Fixed says whether the output's content is known before the build.
func (o Output) Fixed() bool { return o.HashAlgo != "" }

// Recursive says whether a fixed output's hash is that of its NAR.
func (o Output) Recursive() bool { return strings.HasPrefix(o.HashAlgo, "r:") }

// A Derivation is one build. Name is the name of its output "out" and of its
// .drv file less the suffix. A derivation with a fixed output has no other
// output, and that one is called "out".
type Derivation struct {
	Name      string
	Outputs   map[string]Output           // by id: "out", "dev" …
	InputDrvs map[storepath.Path][]string // the output ids used of each
	InputSrcs []storepath.Path
	Platform  string // "x86_64-linux"
	Builder   string
	Args      []string
	Env       map[string]string
}

// OutputPaths returns the paths of all outputs, sorted by output id.
func (d *Derivation) OutputPaths() []storepath.Path {
	var paths []storepath.Path
	for _, id := range slices.Sorted(maps.Keys(d.Outputs)) {
		paths = append(paths, d.Outputs[id].Path)
	}
	return paths
}

// Fixed returns the output of a fixed-output derivation.
func (d *Derivation) Fixed() (Output, bool) {
	out, ok := d.Outputs["out"]
	return out, ok && out.Fixed()
}

// References returns what the .drv file refers to: input sources and input
// derivations, sorted, each once.
func (d *Derivation) References() []storepath.Path {
	refs := slices.AppendSeq(slices.Clone(d.InputSrcs), maps.Keys(d.InputDrvs))
	slices.Sort(refs)
	return slices.Compact(refs)
}

// Path returns the path of the .drv file.
func (d *Derivation) Path() (storepath.Path, error) {
	p, err := storepath.MakeText(d.Name+storepath.DrvSuffix, d.Encode(), d.References())
	if err != nil {
		return "", fmt.Errorf("derivation %q: %w", d.Name, err)
	}
	return p, nil
}

// Clone returns a deep copy.
func (d *Derivation) Clone() *Derivation {
	c := *d
	c.Outputs = maps.Clone(d.Outputs)
	c.InputSrcs = slices.Clone(d.InputSrcs)
	c.Args = slices.Clone(d.Args)
	c.Env = maps.Clone(d.Env)
	c.InputDrvs = maps.Clone(d.InputDrvs)
	for p, ids := range c.InputDrvs {
		c.InputDrvs[p] = slices.Clone(ids)
	}
	return &c
}
