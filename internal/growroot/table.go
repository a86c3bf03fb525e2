package growroot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

// align is what the partition's new end is a multiple of, in bytes: the last
// piece below it is left to disks that count differently.
const align = 1 << 20

// A Disk is a block device or the file of an image: an *os.File.
type Disk interface {
	fs.File
	io.ReaderAt
	io.WriterAt
	io.Seeker
	Sync() error
}

// Table writes the GPT of disk anew so that the partition with the given
// number, which begins at start, reaches as far as it can: to the next
// partition or the end of the disk of size bytes. Sectors have sector bytes.
// It returns the partition's size, and writes nothing when there is less than
// 1 MiB to win.
func Table(disk Disk, size int64, sector, number int, start int64) (int64, error) {
	table, err := read(disk, size, sector)
	if err != nil {
		return 0, err
	}
	var part *gpt.Partition
	for _, p := range table.Partitions {
		if p.Index == number {
			part = p
		}
	}
	if part == nil {
		return 0, fmt.Errorf("there is no partition %d", number)
	}
	bytes := int64(sector)
	if int64(part.Start)*bytes != start {
		return 0, fmt.Errorf("partition %d begins at byte %d, the kernel says %d: the table was changed since the disk was opened", number, int64(part.Start)*bytes, start)
	}
	if size < start || size%bytes != 0 {
		return 0, fmt.Errorf("the disk has %d bytes: that is not a whole number of sectors behind the partition", size)
	}
	was := int64(part.End-part.Start+1) * bytes
	table.Resize(uint64(size))
	limit := int64(table.LastDataSector()+1) * bytes
	for _, p := range table.Partitions {
		if p.Start > part.Start {
			limit = min(limit, int64(p.Start)*bytes)
		}
	}
	grown := limit/align*align - start
	if grown-was < align && !table.RecoveredFromBackup {
		return was, nil
	}
	grown = max(grown, was)
	part.End, part.Size = part.Start+uint64(grown/bytes)-1, uint64(grown)
	// Write goes backup first and syncs after every part
	// (partition/gpt/table.go:567 of go-diskfs v1.9.4): the order that the
	// package documentation promises.
	if err := table.Write(disk, size); err != nil {
		return 0, err
	}
	if err := largeMBR(disk, size/bytes); err != nil {
		return 0, fmt.Errorf("protective MBR: %w", err)
	}
	return grown, nil
}

// read reads the GPT of disk, if it is one that may be written anew: go-diskfs
// v1.9.4 takes the place and size of the table from its header, whatever they
// are, and the partitions as they come.
func read(disk Disk, size int64, sector int) (*gpt.Table, error) {
	if size < 64*int64(sector) {
		return nil, fmt.Errorf("the disk has %d bytes: too few for a partition table", size)
	}
	const first = 1
	last := size/int64(sector) - 1
	if err := plausible(disk, first, last, sector); err != nil {
		return nil, err
	}
	readable := disk
	if plausible(disk, last, last, sector) != nil {
		readable = noBackup{disk, last * int64(sector)} // of whoever had the disk before
	}
	table, err := gpt.Read(readable, sector, sector)
	if err != nil {
		return nil, err
	}
	for _, p := range table.Partitions {
		if p.Start < uint64(2+tableSectors(sector)) || p.Start > p.End || p.End > uint64(last) {
			return nil, fmt.Errorf("partition %d has sectors %d to %d, the disk %d", p.Index, p.Start, p.End, last+1)
		}
	}
	return table, nil
}

// Entries of a table as every partitioner makes them. UEFI allows more and
// larger ones.
const tableEntries, entryBytes = 128, 128

func tableSectors(sector int) int64 { return int64(tableEntries * entryBytes / sector) }

// plausible refuses a header in sector at that says other things about the
// table than we can write; what is no header go-diskfs refuses. Source of the
// offsets: UEFI 2.10, 5.3.2.
func plausible(disk Disk, at, last int64, sector int) error {
	header := make([]byte, 92)
	if _, err := disk.ReadAt(header, at*int64(sector)); err != nil {
		return fmt.Errorf("read partition table: %w", err)
	}
	if string(header[:8]) != "EFI PART" {
		return nil
	}
	le := binary.LittleEndian
	if count, bytes := le.Uint32(header[80:]), le.Uint32(header[84:]); count != tableEntries || bytes != entryBytes {
		return fmt.Errorf("the partition table has %d entries of %d bytes, want %d of %d", count, bytes, tableEntries, entryBytes)
	}
	want := int64(2)
	if at == last {
		want = last - tableSectors(sector)
	}
	if self, entries := le.Uint64(header[24:]), le.Uint64(header[72:]); self != uint64(at) || entries != uint64(want) {
		return fmt.Errorf("the header of the partition table in sector %d says that it is in sector %d and its entries in %d, want %d", at, self, entries, want)
	}
	return nil
}

// noBackup is a disk without the header at its end.
type noBackup struct {
	Disk
	end int64
}

func (d noBackup) ReadAt(p []byte, at int64) (int, error) {
	n, err := d.Disk.ReadAt(p, at)
	if at+int64(n) > d.end {
		clear(p[max(0, d.end-at):n])
	}
	return n, err
}

// largeMBR mends the size in the protective MBR of a disk with more sectors
// than it can count, where go-diskfs writes the lower 32 bits of the number
// (partition/gpt/table.go:241 of v1.9.4). UEFI 2.10, 5.2.3 wants all ones.
func largeMBR(disk Disk, sectors int64) error {
	if sectors-1 <= math.MaxUint32 {
		return nil
	}
	const entry, kind, length, protective = 446, 4, 12, 0xee
	mbr := make([]byte, 512)
	if _, err := disk.ReadAt(mbr, 0); err != nil {
		return err
	}
	if mbr[entry+kind] != protective {
		return nil // somebody's hybrid table
	}
	binary.LittleEndian.PutUint32(mbr[entry+length:], math.MaxUint32)
	_, err := disk.WriteAt(mbr[entry+length:entry+length+4], entry+length)
	return errors.Join(err, disk.Sync())
}
