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
	"slices"

	"reprise/internal/config"
	"reprise/internal/lock"
)

// Names of the sets of a lock.
const (
	SystemSet = "system"    // what the machine consists of
	BootSet   = "boot"      // boot loaders, as files to copy
	XZSet     = "tool/xz"   // liblzma for unpacking
	DiskSet   = "tool/disk" // mke2fs and grub-mkimage
)

// base is what every machine of ours needs to boot to a login prompt, beyond
// Debian's Essential packages.
var base = []string{
	"systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd", "systemd-timesyncd", "systemd-resolved",
	"kmod", "iproute2", "login", "passwd", "procps", "mount", "util-linux", "bash", "ca-certificates", "e2fsprogs",
}

// Sets returns what to ask the resolver for, sorted by name.
func Sets(cfg *config.Config) []lock.Set {
	roots := slices.Concat(base, cfg.Packages())
	slices.Sort(roots)
	sets := []lock.Set{
		{Name: BootSet, Alone: true, Roots: []string{"grub-pc-bin", "shim-helpers-amd64-signed", "shim-signed", "systemd-boot-efi-amd64-signed"}},
		{Name: SystemSet, Essential: true, Roots: slices.Compact(roots)},
		{Name: DiskSet, Roots: []string{"e2fsprogs", "grub-common", "libarchive13t64"}},
		{Name: XZSet, Roots: []string{"xz-utils"}},
	}
	return sets
}
