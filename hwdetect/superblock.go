package hwdetect

import (
	"bytes"
	"io"

	"reprise/initrd/blockdev"
)

// A signature is bytes at a place that tell what a device holds. at counts
// from the start, or back from the end when it is negative.
type signature struct {
	magic string
	at    int64
	kind  string
}

// signatures of what package blockdev does not know because a boot has no use
// for it, and of members of arrays, inside which a file system would be found.
var signatures = []signature{
	{"\xfc\x4e\x2b\xa9", 4096, "linux_raid_member"},        // md, version 1.2; drivers/md: MD_SB_MAGIC
	{"\xfc\x4e\x2b\xa9", 0, "linux_raid_member"},           // 1.1
	{"Intel Raid ISM Cfg Sig. ", -1024, "isw_raid_member"}, // mdadm, super-intel.c
	{"-FVE-FS-", 3, "BitLocker"},
	{"NXSB", 32, "apfs"},
	{"H+", 1024, "hfsplus"},
	{"HX", 1024, "hfsplus"},
	{"\x10\x20\xf5\xf2", 1024, "f2fs"},
	{"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", 4096 + 24, "bcache"},
	{"bcachefs", 0, "bcachefs"},
}

// ZFS keeps 128 blocks of state in the second half of its first label.
// Source: ZFS On-Disk Specification, 1.3.
const (
	zfsBlocks     = 128 << 10 // bytes from the start, and bytes of them
	zfsBlockBytes = 1 << 10
)

// probeContent says what a disk or partition of size bytes holds.
func probeContent(r io.ReaderAt, size int64) Content {
	read := func(at, n int64) []byte {
		if at < 0 || at+n > size {
			return nil
		}
		b := make([]byte, n)
		if _, err := r.ReadAt(b, at); err != nil {
			return nil
		}
		return b
	}
	for _, s := range signatures {
		at := s.at
		if at < 0 {
			at += size
		}
		if string(read(at, int64(len(s.magic)))) == s.magic {
			return Content{Type: Is(s.kind)}
		}
	}
	// md 1.0 and 0.90 have their superblock at the end.
	for _, at := range []int64{size&^0xfff - 8<<10, size&^0xffff - 64<<10} {
		if string(read(at, 4)) == "\xfc\x4e\x2b\xa9" {
			return Content{Type: Is("linux_raid_member")}
		}
	}
	found := blockdev.Probe(r)
	if found.Type != "" {
		return Content{Type: some(found.Type), Label: some(clean(found.Label)), UUID: some(found.UUID)}
	}
	blocks := read(zfsBlocks, zfsBlocks)
	for i := 0; i+8 <= len(blocks); i += zfsBlockBytes {
		if m := blocks[i : i+8]; bytes.Equal(m, []byte("\x0c\xb1\xba\x00\x00\x00\x00\x00")) || bytes.Equal(m, []byte("\x00\x00\x00\x00\x00\xba\xb1\x0c")) {
			return Content{Type: Is("zfs_member")}
		}
	}
	return Content{}
}
