package growroot

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"io/fs"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

// memoryDisk is a disk in memory.
type memoryDisk struct {
	data []byte
	at   int64
}

func (d *memoryDisk) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
func (d *memoryDisk) Sync() error                { return nil }
func (d *memoryDisk) Close() error               { return nil }

func (d *memoryDisk) Read(p []byte) (int, error) {
	n, err := d.ReadAt(p, d.at)
	d.at += int64(n)
	return n, err
}

func (d *memoryDisk) Seek(at int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		at += d.at
	case io.SeekEnd:
		at += int64(len(d.data))
	}
	if at < 0 {
		return 0, fs.ErrInvalid
	}
	d.at = at
	return at, nil
}

func (d *memoryDisk) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 {
		return 0, fs.ErrInvalid
	}
	n := copy(p, d.data[min(at, int64(len(d.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *memoryDisk) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > int64(len(d.data)) {
		return 0, io.ErrShortWrite
	}
	return copy(d.data[at:], p), nil
}

// A header has headerBytes, and the table that begins behind its sector so many
// in all.
const headerBytes, allEntries = 92, tableEntries * entryBytes

// sign mends the checksums of a table at the front of data, which no fuzzer
// guesses. Source: UEFI 2.10, 5.3.2.
func sign(data []byte) {
	le := binary.LittleEndian
	header := data[512:]
	le.PutUint32(header[88:], crc32.ChecksumIEEE(data[1024:1024+allEntries]))
	le.PutUint32(header[16:], 0)
	le.PutUint32(header[16:], crc32.ChecksumIEEE(header[:headerBytes]))
}

// FuzzTable grows a partition of any table in front of a disk of 4 MiB. What
// Table says must be in the table afterwards, and no partition may move, or
// lose a byte.
func FuzzTable(f *testing.F) {
	const size, some = 4 * mib, 4 * entryBytes
	for _, parts := range [][]*gpt.Partition{
		{part(1, mib, mib, 512)},
		{part(1, mib, mib, 512), part(2, 2*mib, mib/2, 512)},
		{part(2, mib, mib/2, 512), part(1, 2*mib, mib/2, 512)},
	} {
		d := &memoryDisk{data: make([]byte, 3*mib)}
		table := &gpt.Table{
			LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true,
			GUID: "00112233-4455-8677-8899-AABBCCDDEEFF", Partitions: parts,
		}
		if err := table.Write(d, int64(len(d.data))); err != nil {
			f.Fatal(err)
		}
		for number, start := range []int64{mib, 2 * mib} {
			f.Add(d.data[512:512+headerBytes], d.data[1024:1024+some], number+1, start)
		}
	}
	filler := bytes.Repeat([]byte{0x5a}, size)
	f.Fuzz(func(t *testing.T, header, entries []byte, number int, start int64) {
		d := &memoryDisk{data: bytes.Clone(filler)}
		clear(d.data[:1024+allEntries])
		copy(d.data[512:512+headerBytes], header)
		copy(d.data[1024:1024+some], entries)
		sign(d.data)
		before, err := read(d, size, 512)
		if err != nil {
			return
		}
		grown, err := Table(d, size, 512, number, start)
		if err != nil {
			return
		}
		after, err := gpt.Read(d, 512, 512)
		if err != nil {
			t.Fatalf("the table cannot be read afterwards: %v", err)
		}
		if len(after.Partitions) != len(before.Partitions) {
			t.Fatalf("%d partitions, were %d", len(after.Partitions), len(before.Partitions))
		}
		for i, p := range after.Partitions {
			was := before.Partitions[i]
			if p.Index != was.Index || p.Start != was.Start || p.End < was.End || p.GUID != was.GUID || p.Index != number && p.End != was.End {
				t.Errorf("partition %d is %+v, was %+v", was.Index, p, was)
			}
			if p.Index == number && int64(p.End-p.Start+1)*512 != grown {
				t.Errorf("partition %d has sectors %d to %d, want %d bytes", number, p.Start, p.End, grown)
			}
			for at := was.Start * 512; at <= was.End*512; at += 512 {
				if d.data[at] != 0x5a {
					t.Fatalf("byte %d of partition %d was written to", at, was.Index)
				}
			}
		}
	})
}

// TestTableOfAnySize has headers that go-diskfs believes: a table of all
// memory, entries within a partition, and such a header where the backup of an
// earlier owner of the disk is.
func TestTableOfAnySize(t *testing.T) {
	fresh := func() *memoryDisk {
		d := &memoryDisk{data: make([]byte, 8*mib)}
		table := &gpt.Table{
			LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true,
			GUID: "00112233-4455-8677-8899-AABBCCDDEEFF", Partitions: []*gpt.Partition{part(1, mib, mib, 512)},
		}
		if err := table.Write(d, 4*mib); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for at, value := range map[int]uint32{80: 1 << 31, 84: 1 << 31, 72: 4096, 24: 7} {
		d := fresh()
		binary.LittleEndian.PutUint32(d.data[512+at:], value)
		sign(d.data)
		if _, err := Table(d, 8*mib, 512, 1, mib); err == nil {
			t.Errorf("%d at byte %d of the header: no error", value, at)
		}

		d = fresh()
		last := d.data[len(d.data)-512:]
		copy(last, d.data[512:512+headerBytes])
		binary.LittleEndian.PutUint32(last[at:], value)
		if got, err := Table(d, 8*mib, 512, 1, mib); err != nil || got != 6*mib {
			t.Errorf("%d at byte %d of an old backup: %d bytes, %v", value, at, got, err)
		}
	}
}
