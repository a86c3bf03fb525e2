package compose

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// FuzzRead lists the view of any image: names are relative and clean, none
// stands twice. Images are signed again, which no fuzzer could do.
func FuzzRead(f *testing.F) {
	for _, layers := range [][]Layer{{sampleLayer(f)}, {lay(f, "small", "d 755 usr", "f 644 usr/x")}} {
		p, err := Merge(layers)
		if err != nil {
			f.Fatal(err)
		}
		image, err := p.EROFS()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(image)
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		image = bytes.Clone(image)
		signEROFS(image)
		entries, err := Read(bytes.NewReader(image))
		if err != nil {
			return
		}
		last := ""
		for _, e := range entries {
			if e.Path <= last || e.Path[0] == '/' || len(e.Path) > len(image) {
				t.Errorf("%q stands behind %q", e.Path, last)
			}
			last = e.Path
		}
	})
}

// signEROFS mends the checksum of the superblock: CRC-32C, not inverted at the
// end, from the superblock to the end of its block.
// Source: fs/erofs/super.c of Linux 6.12, erofs_superblock_csum_verify.
func signEROFS(image []byte) {
	const super, checksum, blockBits, block = 1024, 4, 12, 4096
	if len(image) < block {
		return
	}
	image[super+blockBits] = 12
	binary.LittleEndian.PutUint32(image[super+checksum:], 0)
	sum := ^crc32.Checksum(image[super:block], crc32.MakeTable(crc32.Castagnoli))
	binary.LittleEndian.PutUint32(image[super+checksum:], sum)
}
