package iso9660

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"reprise/image/layout"
)

// Places in GRUB 2.12's images that whoever writes the medium fills.
const (
	mbrCode      = 440   // bytes of boot_hybrid.img; the disk signature follows
	mbrImage     = 0x1b0 // u64 of boot_hybrid.img: block where it goes on in the El Torito image
	mbrSignature = 440
	mbrTable     = 446

	// cdboot.img, the first sector of the El Torito image, has a table like
	// ISOLINUX's: sector of the volume descriptor, sector and length of the
	// image, sum of what follows the table. Source: grub-core/boot/i386/pc/cdboot.S.
	bootTable    = 8
	bootTableEnd = 64
	// Behind it lies diskboot.img, whose list of blocks begins with this u64:
	// where the rest of the image lies on a disk. Source: "grub2_boot_info" in
	// libisofs's doc/boot_sectors.txt.
	bootBlocklist = 2548

	bootLoadBlocks = 4 // that the BIOS loads of the image: cdboot.img
	bootImageMin   = bootBlocklist + 8
	bootImageMax   = 480 << 10 // what fits below the BIOS's own memory
)

// patchBoot gives the El Torito image content, which lies at offset, its boot
// information.
func patchBoot(content []byte, offset int64) []byte {
	b := bytes.Clone(content)
	le := binary.LittleEndian
	le.PutUint64(b[bootBlocklist:], uint64(offset/block)+5) // behind cdboot.img and diskboot.img
	var sum uint32
	for at := bootTableEnd; at < len(b); at += 4 {
		var word [4]byte
		copy(word[:], b[at:])
		sum += le.Uint32(word[:])
	}
	clear(b[bootTable:bootTableEnd])
	le.PutUint32(b[bootTable:], descriptorSector)
	le.PutUint32(b[bootTable+4:], sector(offset))
	le.PutUint32(b[bootTable+8:], uint32(len(b)))
	le.PutUint32(b[bootTable+12:], sum)
	return b
}

// bootCatalogue writes the El Torito catalogue: the BIOS's image first, then
// a section for UEFI. Without one of them the other is the first entry.
func (m *metadata) bootCatalogue(b []byte) {
	const (
		platformBIOS, platformUEFI = 0, 0xef
		bootable                   = 0x88
		lastSection                = 0x91
		slot                       = 32
	)
	le := binary.LittleEndian
	image := func(b []byte, blocks uint16, offset int64) {
		b[0] = bootable // b[1] is 0: no emulation of a drive
		le.PutUint16(b[6:], blocks)
		le.PutUint32(b[8:], sector(offset))
	}
	// The count is 16 bits wide. 0 stands for a system partition beyond: UEFI
	// then takes everything up to the end of the medium.
	// Source: PartitionInstallElToritoChildHandles of EDK II.
	var espBlocks uint16
	if n := m.esp.size / block; n <= 0xffff {
		espBlocks = uint16(n)
	}
	b[0], b[30], b[31] = 1, 0x55, 0xaa
	copy(b[4:28], "REPRISE")
	first := b[slot:]
	switch {
	case m.bios == nil:
		b[1] = platformUEFI
		image(first, espBlocks, m.esp.offset)
	case m.esp.size == 0:
		image(first, bootLoadBlocks, m.bios.offset)
	default:
		image(first, bootLoadBlocks, m.bios.offset)
		section := b[2*slot:]
		section[0], section[1] = lastSection, platformUEFI
		le.PutUint16(section[2:], 1) // entries in it
		image(b[3*slot:], espBlocks, m.esp.offset)
	}
	var sum uint16
	for at := 0; at < slot; at += 2 {
		sum += le.Uint16(b[at:])
	}
	le.PutUint16(b[28:], -sum)
}

// Types of the partitions. Windows offers to format what it takes for a
// partition of its own, so the ISO's area is Linux's.
const (
	typeESP  = layout.TypeESP
	typeData = layout.TypeLinux
)

// system writes MBR and GPT into the head and the backup GPT into the tail,
// which begins at end.
func (l *Layout) system(end int64) error {
	l.tail = make([]byte, l.size-end)
	mbr := l.head[:block]
	if l.image.MBR != nil {
		copy(mbr, l.image.MBR[:mbrCode])
		// boot_hybrid.img loads diskboot.img, which lies behind cdboot.img.
		binary.LittleEndian.PutUint64(mbr[mbrImage:], uint64(l.places[l.image.BIOS].offset/block)+4)
	}
	signature := l.name("disk signature")
	copy(mbr[mbrSignature:], signature[:4])

	table := &gpt.Table{
		LogicalSectorSize: block, PhysicalSectorSize: block,
		GUID: DiskGUID(l.image.Seed).String(), ProtectiveMBR: true,
	}
	add := func(number int, name, kind string, offset, size int64) {
		table.Partitions = append(table.Partitions, &gpt.Partition{
			Index: number, Name: name, Type: gpt.Type(kind), GUID: l.name(name).String(),
			Start: uint64(offset / block), End: uint64((offset+size)/block - 1), Size: uint64(size),
		})
	}
	// Nothing of the medium is left out, or a partitioning program would
	// offer it as free.
	begin := int64(systemSectors * Sector)
	stop := end
	if l.esp.size > 0 {
		stop = l.esp.offset
		// Not "ESP": an installed machine finds its own by that name.
		add(2, "REPRISE-ESP", typeESP, l.esp.offset, l.esp.size)
	}
	add(1, "iso", typeData, begin, stop-begin)
	if err := table.Write(edges{head: l.head, tail: l.tail, tailAt: end}, l.size); err != nil {
		return err
	}
	if l.image.MBR != nil {
		// Some BIOSes start no disk without an active partition: an empty one
		// of type 0 is none to whoever reads GPT.
		copy(mbr[mbrTable+16:], []byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0})
	}
	return nil
}

// DiskGUID is the GUID that the GPT of an image with this seed has: what tells
// it from another with the same label.
func DiskGUID(seed layout.Seed) layout.GUID { return nameOf(seed, "disk") }

// name derives a GUID from the seed.
func (l *Layout) name(what string) layout.GUID { return nameOf(l.image.Seed, what) }

func nameOf(seed layout.Seed, what string) (g layout.GUID) {
	sum := layout.SeedOf("reprise ISO identity 1", string(seed[:]), what)
	copy(g[:], sum[:])
	g[6] = g[6]&0x0f | 0x80 // version 8: made by a rule of our own, RFC 9562
	g[8] = g[8]&0x3f | 0x80 // variant
	return g
}

// edges are the begin and the end of an image as go-diskfs takes a disk.
type edges struct {
	head, tail []byte
	tailAt     int64
}

func (e edges) WriteAt(p []byte, at int64) (int, error) {
	into, where := e.head[:systemSectors*Sector], at
	if at >= e.tailAt {
		into, where = e.tail, at-e.tailAt
	}
	if where < 0 || where+int64(len(p)) > int64(len(into)) {
		return 0, fmt.Errorf("%d bytes at %d: outside the system area and the end", len(p), at)
	}
	return copy(into[where:], p), nil
}

func (edges) Stat() (fs.FileInfo, error)        { return nil, errors.ErrUnsupported }
func (edges) Read([]byte) (int, error)          { return 0, errors.ErrUnsupported }
func (edges) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (edges) Seek(int64, int) (int64, error)    { return 0, errors.ErrUnsupported }
func (edges) Close() error                      { return nil }
