// Package iso9660 writes one file that starts a machine as a CD, as a USB
// stick and as a disk, under BIOS and UEFI; and it reads such a file again, as
// far as finding one in it takes.
//
// Deciding and doing are apart: [Plan] is a function of its inputs that gives
// every extent its place, [Layout.WriteTo] writes front to back, once, to
// anything. Same inputs, same bytes: no clock, no map order, no environment
// takes part.
//
//	sector        what                                    (2,048 bytes each)
//	0   system    MBR with GRUB's boot_hybrid.img; GPT: header in 512-byte
//	              block 1, entries in 2 to 33
//	16            primary volume descriptor
//	17            boot record, when something is to boot
//	18            end of the descriptors
//	..            El Torito catalogue, path tables (LSB, MSB), directories,
//	              each with its Rock Ridge continuation areas behind it
//	..  files     in the order in which they were given; those of 1 MiB and
//	              more begin at a multiple of 64 KiB, the one with a partition
//	              of its own at a multiple of 1 MiB
//	..  ESP       at a multiple of 1 MiB, outside the file tree: a partition of
//	              the GPT and the second entry of the El Torito catalogue
//	..  end       the backup GPT; the whole is a multiple of 1 MiB
//
// Words: a sector is 2,048 bytes, as on a CD; a block is 512 bytes, as on a
// disk; an extent is a run of sectors that holds a file or a part of one,
// less than 4 GiB, so a larger file has several extents, one behind the other.
//
// Left out: Joliet, zisofs, hard links, special files, owners other than
// root, and the relocation of deep directories, which Linux, GRUB and xorriso
// all do without.
//
// Sources: ECMA-119 (1987) for ISO 9660; SUSP and RRIP 1.10 for Rock Ridge;
// El Torito 1.0 with the section headers of the UEFI specification 2.10,
// 13.3.2.1; the GPT chapter of the same.
package iso9660

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"time"

	"reprise/image/layout"
)

// Sizes of the medium, in bytes.
const (
	Sector = 2048 // what ISO 9660 counts in
	block  = 512  // what MBR, GPT and El Torito count in
	align  = 1 << 20
)

// A File is one name of the tree. Directories that only hold others need no
// File of their own; they are 0755.
type File struct {
	Path   string      // relative and clean, "/" between names: "boot/grub/grub.cfg"
	Mode   fs.FileMode // permission bits, and ModeDir or ModeSymlink; a regular file has no type bit
	Size   int64       // of a regular file: bytes
	Target string      // of a symlink, as written

	// Write writes exactly Size bytes. It is called once for each
	// [Layout.WriteTo], in the order of Image.Files; nil will do for a file of
	// no bytes.
	Write func(ctx context.Context, w io.Writer) error
}

// A Source is content outside the file tree.
type Source struct {
	Size  int64 // bytes
	Write func(ctx context.Context, w io.Writer) error
}

// An Image is a medium with all its content. Everything belongs to root.
type Image struct {
	Label string      // volume id: 1 to 32 of A-Z, 0-9 and _
	Seed  layout.Seed // what disk and partitions are named by
	Time  time.Time   // of every file and of the volume; zero means 1980-01-01 UTC
	Files []File      // parents may come after their children

	// BIOS is the Path of GRUB's eltorito image (grub-mkimage -O
	// i386-pc-eltorito), which is given its boot information while it is
	// written; "" for a medium that no BIOS starts.
	BIOS string
	// MBR is GRUB's boot_hybrid.img, for a BIOS that starts the medium as a
	// disk; nil for a protective MBR without code. It needs BIOS.
	MBR []byte
	// ESP is the EFI system partition, a FAT file system; its zero value means
	// none.
	ESP Source

	// Sums is the Path of a file that WriteTo fills with the SHA-256 of every
	// regular file but itself, as sha256sum prints it, in byte order of the
	// paths; "" for none. It is not among Files, and its content lies last.
	Sums string
}

// Text is the File of content that is at hand.
func Text(path string, content string) File {
	return File{Path: path, Mode: 0o444, Size: int64(len(content)), Write: func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	}}
}

// Problems are all that is wrong with an Image.
type Problems []string

func (p Problems) Error() string { return "lay out ISO: " + strings.Join(p, "; ") }
