// Package recipe turns a configuration and a lock into derivations: values in,
// values out. Nothing here touches disk or network.
//
// There are three stages, because what a package holds is known only once it
// is unpacked:
//
//	Sets     which packages the configuration asks the resolver for
//	Unpack   lock → one fixed-output derivation per package
//	System   configuration + contents of the packages → effects, root, initrd, system
package recipe

import (
	"reprise/internal/config"
	"reprise/internal/lock"
)

// Names of the sets of a lock.
const (
	SystemSet = "system"    // what the machine consists of
	BootSet   = "boot"      // boot loaders, as files to copy
	DiskSet   = "tool/disk" // mke2fs and grub-mkimage
)

// Sets returns what to ask the resolver for, sorted by name.
func Sets(cfg *config.Config) []lock.Set {
	return []lock.Set{
		{Name: BootSet, Alone: true, Roots: []string{"grub-pc-bin", "shim-helpers-amd64-signed", "shim-signed", "systemd-boot-efi-amd64-signed"}},
		{Name: SystemSet, Essential: true, Recommends: cfg.Environment.Recommends, Roots: cfg.Roots()},
		{Name: DiskSet, Roots: []string{"e2fsprogs", "grub-common", "grub-pc-bin", "libarchive13t64"}},
	}
}

// ToolSets returns the sets of a lock for programs alone, such as QEMU.
func ToolSets(name string, roots ...string) []lock.Set {
	return []lock.Set{{Name: name, Roots: roots}}
}
