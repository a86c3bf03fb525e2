package recipe

import (
	"fmt"
	"slices"

	"reprise/internal/builder/spec"
	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/lock"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// Names of the sets that a medium needs besides.
const (
	InstallSet = "tool/install" // programs that an installation runs, from the medium
	MediumSet  = "medium"       // GRUB for UEFI, as files to copy
)

// MediumSets returns what to ask the resolver for when the machine's system is
// to lie on an installation medium: the sets of the machine, and the medium's.
//
// A system of a medium has the key maps of every keyboard with it: which one is
// there is known only where it is installed.
func MediumSets(cfg *config.Config) []lock.Set {
	sets := Sets(cfg)
	for i := range sets {
		if sets[i].Name == SystemSet {
			sets[i].Roots = withRoots(sets[i].Roots, "console-data", "kbd")
		}
	}
	sets = append(sets,
		lock.Set{Name: MediumSet, Alone: true, Roots: []string{"grub-efi-amd64-signed", "grub-pc-bin", "shim-helpers-amd64-signed", "shim-signed"}},
		lock.Set{Name: InstallSet, Roots: []string{
			"alsa-utils", "btrfs-progs", "console-data", "cryptsetup-bin", "dash", "dosfstools", "e2fsprogs", "grub-common", "grub-pc-bin",
			"gzip", "kbd", "libarchive13t64", "pci.ids", "rt-tests", "usb.ids", "util-linux",
		}})
	slices.SortFunc(sets, func(a, b lock.Set) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return sets
}

// withRoots adds names to sorted roots.
func withRoots(roots []string, names ...string) []string {
	roots = append(slices.Clone(roots), names...)
	slices.Sort(roots)
	return slices.Compact(roots)
}

// MediumInitrd returns the derivation of the initramfs with which an
// installation medium starts g's kernel. program becomes /init. Systems of one
// medium share it when they share a kernel, so microcode is given: that of the
// first.
func (g *Graph) MediumInitrd(cfg *config.Config, program storepath.Path, microcode []storepath.Path) (*drv.Derivation, error) {
	d, err := derivation("initrd-medium", program, "initrd", spec.Initrd{
		Program: program, Kernel: g.Kernel.Path, Index: g.ModuleIndexPath(), Version: g.Kernel.Version,
		Want: cfg.Boot.Initrd.AvailableKernelModules, Medium: true, Microcode: microcode,
	})
	if err != nil {
		return nil, err
	}
	addSources(d, append(slices.Clone(microcode), g.Kernel.Path)...)
	if err := need(d, g.index); err != nil {
		return nil, err
	}
	return d, g.hasher.Fill(d)
}

// ModuleIndexPath returns the layer with the index of all modules of g's
// kernel, aliases too.
func (g *Graph) ModuleIndexPath() storepath.Path { return g.index.Outputs["out"].Path }

// ToolView returns the derivation of a view of packages alone: what their
// programs need to run in when they are entered with chroot.
func ToolView(name string, c *effect.Contents, program storepath.Path) (*drv.Derivation, error) {
	var s spec.Root
	var packages []storepath.Path
	for i := range c.Packages {
		p := &c.Packages[i]
		s.Layers = append(s.Layers, spec.Layer{Path: p.Path, Name: p.Name})
		packages = append(packages, p.Path)
	}
	d, err := derivation(name, program, "root", s)
	if err != nil {
		return nil, fmt.Errorf("view of %s: %w", name, err)
	}
	addSources(d, packages...)
	return d, new(drv.Hasher).Fill(d)
}
