package hwdetect

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/google/go-cmp/cmp"

	"reprise/initrd/blockdev"
)

// A disk is one in memory, as go-diskfs writes tables to it.
type disk struct {
	backend.WritableFile
	data []byte
}

func (d disk) WriteAt(p []byte, at int64) (int, error) { return copy(d.data[at:], p), nil }
func (d disk) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(d.data).ReadAt(p, at)
}

// TestReadTable reads tables as other programs write them.
func TestReadTable(t *testing.T) {
	const (
		size  = 1 << 20
		linux = "0fc63daf-8483-4772-8e79-3d69d8477de4"
		uuid  = "5f3a9c10-7a1b-4c2d-8e3f-0123456789ab"
	)
	for _, block := range []int{512, 4096} {
		d := disk{data: make([]byte, size)}
		table := gpt.Table{LogicalSectorSize: block, PhysicalSectorSize: block, ProtectiveMBR: true, GUID: uuid, Partitions: []*gpt.Partition{
			{Index: 3, Start: uint64(64 << 10 / block), End: uint64(128<<10/block) - 1, Type: linux, GUID: uuid, Name: "a\x1b[31mb"},
		}}
		if err := table.Write(d, size); err != nil {
			t.Fatal(err)
		}
		want := blockdev.Partitions{3: {Type: linux, UUID: uuid, Label: "a[31mb"}}
		for _, what := range []string{"whole", "without its primary", "without its backup"} {
			kind, got := readTable(d, size, block)
			if what == "without its backup" {
				if kind != "dos" || got[1].Type != "0xee" {
					t.Errorf("the protective MBR alone: %q, %v", kind, got)
				}
			} else if diff := cmp.Diff(want, got); kind != "gpt" || diff != "" {
				t.Errorf("a GPT %s in blocks of %d: %q %s", what, block, kind, diff)
			}
			if what == "whole" {
				clear(d.data[block : 2*block])
			} else {
				clear(d.data[size-block:])
			}
		}
	}

	d := disk{data: make([]byte, 4096)}
	if kind, got := readTable(d, 4096, 512); kind != "none" || got != nil {
		t.Errorf("an empty disk: %q, %v", kind, got)
	}
	binary.LittleEndian.PutUint32(d.data[440:], 0x1234abcd)
	d.data[446+16], d.data[446+16+4], d.data[510], d.data[511] = 0x80, 0x83, 0x55, 0xaa
	kind, got := readTable(d, 4096, 512)
	if diff := cmp.Diff(blockdev.Partitions{2: {Type: "0x83", UUID: "1234abcd-02"}}, got); kind != "dos" || diff != "" {
		t.Errorf("an MBR: %q %s", kind, diff)
	}
	d.data[446] = 'R' // as the boot sector of a file system has text there
	if kind, got := readTable(d, 4096, 512); kind != "none" || got != nil {
		t.Errorf("a boot sector: %q, %v", kind, got)
	}
}
