// Package layout decides where everything lies on a disk image. It is pure:
// the same request gives the same plan, and nothing is read or written.
//
// The disk, 512-byte sectors, GPT, one image for BIOS and for UEFI:
//
//	LBA 0        protective MBR and the first stage of GRUB (440 bytes)
//	LBA 1..33    GPT header and partition entries
//	LBA 2048     1 BIOS boot   1 MiB     GRUB's core image, no file system
//	LBA 4096     2 ESP         FAT32     loaders, kernels, initrds, entries
//	             3 root        ext4      nix, var, home, root, srv
//	last 33      GPT backup
//
// Partitions begin on whole MiB. The root partition is the last one, so that
// it can grow to the end of the disk that the image is copied to.
//
// Sizes follow from the content: see [ESPRoom], [RootRoom] and [Ext4]. Names
// of things that must differ between disks (GUIDs, serial numbers, UUIDs) are
// hashes of a seed, see [Identify]; nothing depends on a clock or on chance.
package layout

import (
	"errors"
	"fmt"
)

// Sector is the size of a logical sector in bytes that LBAs count.
const Sector = 512

// mebibyte is what partitions are aligned to: a multiple of every erase block
// and sector size in use.
const mebibyte = 1 << 20

// FirstLBA is where the first partition begins: 1 MiB.
const FirstLBA = mebibyte / Sector

// biosBootBytes holds GRUB's core image, which is about 160 KiB.
const biosBootBytes = mebibyte

// backupBytes is the end of the disk that the backup GPT needs (33 sectors),
// rounded up so that the image is a whole number of MiB.
const backupBytes = mebibyte

// Partition types. Source: UEFI specification 2.10, table 5.7, and the UAPI
// group's Discoverable Partitions Specification.
//
// The root is plain Linux data on purpose: stage 1 finds it by its GUID, and
// the type for a root file system invites systemd-gpt-auto-generator to mount
// or to remount what is mounted already.
const (
	TypeBIOSBoot = "21686148-6449-6E6F-744E-656564454649"
	TypeESP      = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
	TypeLinux    = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
)

// A Request says what a disk has to hold.
type Request struct {
	Identity Identity
	ESP      []Item // files below the EFI system partition; directories are implied
	// ESPGenerations is how many further kernels and initrds of the size of
	// those in ESP fit beside them; 0 means DefaultGenerations.
	ESPGenerations int
	Root           []Item // everything in the root file system, directories too
	RootRoom       int64  // bytes free in the root file system; 0 means RootRoom
}

// An Item is one name with the space that it takes.
type Item struct {
	Path string // relative, clean, "/" between names
	Kind Kind
	Size int64 // of a file: bytes of content; of a symlink: bytes of the target
}

// Kind says what an Item is.
type Kind byte

const (
	File    Kind = 'f'
	Dir     Kind = 'd'
	Symlink Kind = 'l'
	Hard    Kind = 'h' // another name for a file: a directory entry and nothing else
)

// A Plan is the disk, decided.
type Plan struct {
	DiskGUID  GUID
	SizeBytes int64 // of the whole image, a multiple of 1 MiB
	BIOSBoot  Partition
	ESP       Partition
	FATSerial uint32
	Root      Partition
	Ext4      Ext4
}

// A Partition is one entry of the GPT.
type Partition struct {
	Number            int    // 1-based
	Type              string // GUID text
	GUID              GUID
	Name              string // PARTLABEL
	FirstLBA, LastLBA int64
}

// Offset is where the partition begins, in bytes from the start of the disk.
func (p Partition) Offset() int64 { return p.FirstLBA * Sector }

// Bytes is the partition's size.
func (p Partition) Bytes() int64 { return (p.LastLBA - p.FirstLBA + 1) * Sector }

// Partitions lists the partitions in the order of their numbers.
func (p Plan) Partitions() []Partition { return []Partition{p.BIOSBoot, p.ESP, p.Root} }

// Disk lays out the disk for r. It fails for paths that are not clean, sizes
// below zero and content beyond what FAT32 or ext4 can hold.
func Disk(r Request) (Plan, error) {
	if r.Identity == (Identity{}) {
		return Plan{}, errors.New("lay out disk: no identity: make one with layout.Identify")
	}
	for _, items := range [][]Item{r.ESP, r.Root} {
		if err := check(items); err != nil {
			return Plan{}, fmt.Errorf("lay out disk: %w", err)
		}
	}
	esp, err := espBytes(r.ESP, r.ESPGenerations)
	if err != nil {
		return Plan{}, fmt.Errorf("lay out disk: %w", err)
	}
	ext4, err := ext4For(r.Root, r.RootRoom)
	if err != nil {
		return Plan{}, fmt.Errorf("lay out disk: %w", err)
	}
	ext4.UUID, ext4.HashSeed = r.Identity.RootFS, r.Identity.HashSeed

	p := Plan{DiskGUID: r.Identity.Disk, FATSerial: r.Identity.FATSerial, Ext4: ext4}
	next := int64(FirstLBA)
	place := func(kind, name string, guid GUID, number int, size int64) Partition {
		first := next
		next += size / Sector
		return Partition{Number: number, Type: kind, GUID: guid, Name: name, FirstLBA: first, LastLBA: next - 1}
	}
	p.BIOSBoot = place(TypeBIOSBoot, "bios-boot", r.Identity.BIOSBoot, 1, biosBootBytes)
	p.ESP = place(TypeESP, "ESP", r.Identity.ESP, 2, esp)
	p.Root = place(TypeLinux, "root", r.Identity.Root, 3, ext4.Bytes())
	p.SizeBytes = next*Sector + backupBytes
	return p, nil
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
