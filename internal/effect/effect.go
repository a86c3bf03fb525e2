// Package effect holds what Debian's maintainer scripts and triggers would
// have done to a root file system, each as a value: an Effect. No script runs.
// An effect is one derivation: its inputs are only the packages that it reads
// and the packages whose programs it runs, so it is remembered until one of
// these changes. Its output is a layer (internal/layer).
//
// # Words
//
// Contents are the unpacked packages of one machine. A Job is an effect
// applied to contents: data that the recipe turns into a derivation and that
// the builder gets back as JSON. An Env is what an effect has at hand while it
// builds: the job, the packages, a place to write.
//
// # Invariants
//
//   - Needed, Reads, Tools and Spec are pure functions of the configuration and
//     of manifests and control files. They see no file content. The machine's
//     own choices enter a job through Spec alone.
//   - Build sees only the packages that Reads and Tools named.
//   - The output depends on the job alone: not on clock, locale, user, number
//     of processors or the order of directory entries. Two effects that need
//     the same job share one derivation.
//   - An effect writes nothing below var/: what the machine has to find there
//     lies below usr/ and a tmpfiles.d line leads to it.
//
// This package has the effects that run programs of the target or build an
// index over many packages. Those that write the machine's configuration
// (accounts, PAM, units, /etc) are in internal/effect/machine and have the
// same shape.
package effect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"reprise/internal/config"
	"reprise/store/storepath"
)

// An Effect is one generated part of the root file system. Nil functions mean:
// always needed, reads nothing, no tools, no spec.
type Effect struct {
	Name string // "ld-so-cache"; also the name of its output and builder argument

	// Needed reports whether the machine needs the effect at all.
	Needed func(*config.Config, *Contents) bool
	// Reads names the packages whose files become inputs: those it reads and
	// no others.
	Reads func(*config.Config, *Contents) []string
	// Tools names the packages whose closure (Depends, Pre-Depends) its
	// programs need.
	Tools func(*Contents) []string
	// Spec returns all else that the output depends on, JSON-encodable.
	Spec func(*config.Config, *Contents) (any, error)
	// Build writes the layer, inside the sandbox.
	Build func(context.Context, *Env) error

	// Overrides marks a layer whose files take the place of packages' files.
	Overrides bool
}

// A Ref is a package as an input of a job.
type Ref struct {
	Name    string         `json:"name"`
	Version string         `json:"version"`
	Path    storepath.Path `json:"path"`
}

// A Job is an effect applied to contents.
type Job struct {
	Effect string          `json:"effect"`
	Reads  []Ref           `json:"reads,omitempty"` // sorted by name
	Tools  []Ref           `json:"tools,omitempty"` // sorted by name; the closure, may share packages with Reads
	Spec   json.RawMessage `json:"spec,omitempty"`
}

// Inputs returns every store path of the job, sorted, without duplicates.
func (j *Job) Inputs() []storepath.Path {
	var paths []storepath.Path
	for _, refs := range [][]Ref{j.Reads, j.Tools} {
		for _, r := range refs {
			paths = append(paths, r.Path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Plan applies the effect to a machine. The job is nil when the machine does
// not need the effect.
func (e *Effect) Plan(cfg *config.Config, c *Contents) (*Job, error) {
	if e.Needed != nil && !e.Needed(cfg, c) {
		return nil, nil
	}
	job := &Job{Effect: e.Name}
	if e.Reads != nil {
		refs, err := c.refs(e.Reads(cfg, c))
		if err != nil {
			return nil, fmt.Errorf("effect %s: %w", e.Name, err)
		}
		job.Reads = refs
	}
	if e.Tools != nil {
		names, err := c.Closure(e.Tools(c)...)
		if err != nil {
			return nil, fmt.Errorf("effect %s: %w", e.Name, err)
		}
		if job.Tools, err = c.refs(names); err != nil {
			return nil, fmt.Errorf("effect %s: %w", e.Name, err)
		}
	}
	if e.Spec != nil {
		spec, err := e.Spec(cfg, c)
		if err != nil {
			return nil, fmt.Errorf("effect %s: %w", e.Name, err)
		}
		if job.Spec, err = json.Marshal(spec); err != nil {
			return nil, fmt.Errorf("effect %s: %w", e.Name, err)
		}
	}
	return job, nil
}
