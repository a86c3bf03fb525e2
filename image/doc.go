// Package image writes disk images: it carries out what package layout
// decided. An image appears under its name whole or not at all, its holes
// take no space, and its bytes follow from its inputs alone: no clock, time
// zone, umask, user or environment takes part.
//
// Who writes what:
//
//	GPT, protective MBR   go-diskfs
//	GRUB's stages         this package, into the places that BIOS reads
//	ESP, FAT32            go-diskfs, then mended by this package (see fat.go)
//	root, ext4            mke2fs of the archive, in a sandbox, straight into
//	                      the partition; it is populated from a tar stream
//
// Programs are reached through [Tools] only.
package image

import (
	"context"
	"fmt"
	"io"
	"path"

	"reprise/image/layout"
	"reprise/internal/layer"
)

// Tools runs programs of a tree of unpacked packages, apart from the rest of
// the machine: no network, nothing visible but the tree and the binds.
type Tools interface {
	// Run runs c to its end. The error of a program that failed holds the
	// last lines that it wrote to standard error. When ctx ends, the
	// program is ended too.
	Run(ctx context.Context, c Command) error
	// ReadFile reads a file of the tree by its path as the programs see it.
	ReadFile(path string) ([]byte, error)
}

// A Command is one run of a program.
type Command struct {
	Argv   []string // Argv[0] is a path in the tree, such as "/usr/sbin/mke2fs"
	Env    []string // all of it
	Stdin  io.Reader
	Stdout io.Writer
	Binds  []Bind
}

// A Bind shows a file or directory of the machine to the program.
type Bind struct {
	Source, Target string
	Writable       bool
}

// An Entry is one name of the root file system.
type Entry struct {
	Path     string // relative and clean: "nix/store"
	Kind     layer.Kind
	Mode     uint32 // permission bits with setuid, setgid and sticky
	UID, GID uint32
	Size     int64  // of a file: bytes
	Source   string // of a file: where its content lies; "" when Content has it
	Content  []byte
	Target   string // of a symlink, as written; of a hard link, the Path of a file before it
}

// A File is one file of the ESP. Directories are made as needed.
type File struct {
	Path    string // relative and clean: "EFI/BOOT/BOOTX64.EFI"
	Source  string // where its content lies; "" when Content has it
	Size    int64  // bytes
	Content []byte
}

// A Disk is an image with all its content.
type Disk struct {
	Plan layout.Plan
	ESP  []File
	Root []Entry
	BIOS BIOS
}

// Text is the entry of a file whose content is at hand, owned by root.
func Text(path string, mode uint32, content []byte) Entry {
	return Entry{Path: path, Kind: layer.File, Mode: mode, Size: int64(len(content)), Content: content}
}

// Directory is the entry of a directory owned by root.
func Directory(path string, mode uint32) Entry {
	return Entry{Path: path, Kind: layer.Dir, Mode: mode}
}

// RootItems is what layout needs to know of entries.
func RootItems(entries []Entry) []layout.Item {
	items := make([]layout.Item, len(entries))
	for i, e := range entries {
		items[i] = layout.Item{Path: e.Path, Kind: layout.Kind(e.Kind), Size: e.Size}
		if e.Kind == layer.Symlink {
			items[i].Size = int64(len(e.Target))
		}
	}
	return items
}

// ESPItems is what layout needs to know of files.
func ESPItems(files []File) []layout.Item {
	items := make([]layout.Item, len(files))
	for i, f := range files {
		items[i] = layout.Item{Path: f.Path, Kind: layout.File, Size: f.Size}
	}
	return items
}

// UEFI returns the files that start a machine under UEFI from a disk that no
// firmware was told about. Shim loads its second stage by the fixed name
// grubx64.efi, whatever it is, and checks its signature alone; so the signed
// systemd-boot stands there. The fallback loader fbx64.efi is left out: it
// would write boot variables wherever the disk is tried.
func UEFI(shim, systemdBoot, mokManager []byte) []File {
	file := func(name string, content []byte) File {
		return File{Path: path.Join("EFI/BOOT", name), Size: int64(len(content)), Content: content}
	}
	return []File{file("BOOTX64.EFI", shim), file("grubx64.efi", systemdBoot), file("mmx64.efi", mokManager)}
}

func (e Entry) check() error {
	switch e.Kind {
	case layer.File:
		if e.Source == "" && int64(len(e.Content)) != e.Size {
			return fmt.Errorf("%q: size is %d, content has %d bytes", e.Path, e.Size, len(e.Content))
		}
	case layer.Symlink, layer.Hard:
		if e.Target == "" {
			return fmt.Errorf("%q: a link without a target", e.Path)
		}
	case layer.Dir:
	default:
		return fmt.Errorf("%q: unknown kind %q", e.Path, e.Kind)
	}
	if e.Mode > 07777 {
		return fmt.Errorf("%q: mode %o has more than 12 bits", e.Path, e.Mode)
	}
	return nil
}
