package recipe

import (
	"fmt"
	"slices"
	"strings"

	"reprise/internal/builder/spec"
	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/effect"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// Names of effects whose outputs the system needs beyond the view.
const (
	ModuleIndex = "kernel-modules-index" // modules.dep and so on, per kernel
	Activation  = "activation"           // activation.json, applied by stage 1
	Keymap      = "console-keymap"       // of the console, for stage 1; where it is not the kernel's own
)

// A Graph is the derivations of one system, inputs before what needs them.
type Graph struct {
	Derivations  []*drv.Derivation
	Root, System *drv.Derivation
	Kernel       Kernel
	Microcode    []storepath.Path // unpacked packages that the initrd begins with

	index  *drv.Derivation // of the kernel's modules
	hasher *drv.Hasher     // knows all Derivations
}

// SystemPath returns the store path of the system.
func (g *Graph) SystemPath() storepath.Path { return g.System.Outputs["out"].Path }

// A Kernel is the unpacked package of a kernel image.
type Kernel struct {
	Package string
	Version string // "6.12.107+deb13-rt-amd64", as uname -r
	Path    storepath.Path
}

// FindKernel returns the one kernel among the contents.
func FindKernel(c *effect.Contents) (Kernel, error) {
	var found []Kernel
	for i := range c.Packages {
		p := &c.Packages[i]
		for _, e := range p.Below("boot") {
			if version, ok := strings.CutPrefix(e.Path, "boot/vmlinuz-"); ok {
				found = append(found, Kernel{p.Name, version, p.Path})
			}
		}
	}
	switch len(found) {
	case 0:
		return Kernel{}, diag.Problem{Field: "boot.kernelPackages", Got: "brings no kernel image", Want: "a package with /boot/vmlinuz-…", Do: `write boot.kernelPackages: "linux-rt"`}
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, k := range found {
		names[i] = k.Package
	}
	return Kernel{}, diag.Problem{Field: "boot.kernelPackages", Got: "brings " + strings.Join(names, " and "), Want: "one kernel", Do: "remove the others from environment.systemPackages"}
}

// Effect returns the derivation of one effect, or nil when the machine does
// not need it. Output paths are filled in.
func Effect(h *drv.Hasher, e *effect.Effect, cfg *config.Config, c *effect.Contents, builder storepath.Path) (*drv.Derivation, error) {
	job, err := e.Plan(cfg, c)
	if err != nil || job == nil {
		return nil, err
	}
	d, err := derivation(e.Name, builder, "effect", job)
	if err != nil {
		return nil, err
	}
	addSources(d, job.Inputs()...)
	return d, h.Fill(d)
}

// System returns the derivations of the machine that cfg describes.
func System(cfg *config.Config, c *effect.Contents, effects []*effect.Effect, builder storepath.Path) (*Graph, error) {
	h := &drv.Hasher{}
	g := &Graph{hasher: h}
	kernel, err := FindKernel(c)
	if err != nil {
		return nil, err
	}
	g.Kernel = kernel
	for _, name := range cfg.MicrocodePackages() {
		p := c.Get(name)
		if p == nil {
			return nil, fmt.Errorf("package %q is not among the contents", name)
		}
		g.Microcode = append(g.Microcode, p.Path)
	}

	var layers []spec.Layer
	for i := range c.Packages {
		layers = append(layers, spec.Layer{Path: c.Packages[i].Path, Name: c.Packages[i].Name})
	}
	outputs := map[string]*drv.Derivation{}
	for _, e := range effects {
		d, err := Effect(h, e, cfg, c, builder)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		outputs[e.Name] = d
		g.Derivations = append(g.Derivations, d)
		layers = append(layers, spec.Layer{Path: d.Outputs["out"].Path, Overrides: e.Overrides})
	}
	for _, name := range []string{ModuleIndex, Activation} {
		if outputs[name] == nil {
			return nil, fmt.Errorf("no effect %q for this machine", name)
		}
	}
	g.index = outputs[ModuleIndex]
	// The program itself is part of every machine: it looks after it.
	program, err := derivation("reprise-program", builder, "program", spec.Program{File: builder})
	if err != nil {
		return nil, err
	}
	if err := h.Fill(program); err != nil {
		return nil, err
	}
	g.Derivations = append(g.Derivations, program)
	layers = append(layers, spec.Layer{Path: program.Outputs["out"].Path})
	packages := make([]storepath.Path, len(c.Packages))
	for i := range c.Packages {
		packages[i] = c.Packages[i].Path
	}

	root, err := derivation("root", builder, "root", spec.Root{Layers: layers})
	if err != nil {
		return nil, err
	}
	addSources(root, packages...)
	for _, d := range g.Derivations {
		if err := need(root, d); err != nil {
			return nil, err
		}
	}

	inside := spec.Initrd{
		Program: builder, Kernel: kernel.Path, Index: outputs[ModuleIndex].Outputs["out"].Path, Version: kernel.Version,
		Want: cfg.Boot.Initrd.AvailableKernelModules, Load: cfg.Boot.Initrd.KernelModules,
		Microcode: g.Microcode,
	}
	if k := outputs[Keymap]; k != nil {
		inside.Keymap = k.Outputs["out"].Path
	}
	initrd, err := derivation("initrd", builder, "initrd", inside)
	if err != nil {
		return nil, err
	}
	addSources(initrd, append(slices.Clone(g.Microcode), kernel.Path)...)
	if k := outputs[Keymap]; k != nil {
		if err := need(initrd, k); err != nil {
			return nil, err
		}
	}
	if err := need(initrd, outputs[ModuleIndex]); err != nil {
		return nil, err
	}
	for _, d := range []*drv.Derivation{root, initrd} {
		if err := h.Fill(d); err != nil {
			return nil, err
		}
		g.Derivations = append(g.Derivations, d)
	}

	s := spec.System{
		Host: cfg.Networking.HostName, Root: root.Outputs["out"].Path, Initrd: initrd.Outputs["out"].Path,
		Kernel: kernel.Path, Version: kernel.Version, Activation: outputs[Activation].Outputs["out"].Path,
		Params: cfg.Boot.KernelParams,
	}
	for _, l := range layers {
		s.Layers = append(s.Layers, l.Path)
	}
	slices.Sort(s.Layers)
	if s.About, err = About(cfg); err != nil {
		return nil, err
	}
	system, err := derivation("system-"+cfg.Networking.HostName, builder, "system", s)
	if err != nil {
		return nil, err
	}
	addSources(system, packages...)
	for _, d := range g.Derivations {
		if err := need(system, d); err != nil {
			return nil, err
		}
	}
	if err := h.Fill(system); err != nil {
		return nil, err
	}
	g.Derivations = append(g.Derivations, system)
	g.Root, g.System = root, system
	return g, nil
}

// need makes input's output an input of d.
func need(d, input *drv.Derivation) error {
	path, err := input.Path()
	if err != nil {
		return err
	}
	d.InputDrvs[path] = []string{"out"}
	return nil
}
