package squashfs

import (
	"bytes"
	"testing"
)

// FuzzParseIndex holds that the index of a cache file, whatever it holds, is
// refused or can be laid out, and that what was read is written the same.
func FuzzParseIndex(f *testing.F) {
	const blockSize = 4096
	tree := &node{kind: kindDir, fragment: -1, children: []*node{
		{kind: kindFile, name: "a", size: 3*blockSize + 5, start: 10, blocks: []uint32{100, 0, 4096 | stored, 5 | stored}, fragment: -1},
		{kind: kindDir, name: "b", fragment: -1, children: []*node{{kind: kindExec, name: "x", size: 7, fragment: 0, offset: 3}}},
		{kind: kindSymlink, name: "c", target: "b/x", fragment: -1},
		{kind: kindFile, name: "d", fragment: -1},
	}}
	x := &index{key: "key", root: tree, length: 5000, sums: []uint32{1}, fragments: []piece{{0, 10}}}
	f.Add(x.encode())
	f.Add((&index{root: &node{kind: kindSymlink, target: "t", fragment: -1}}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIndex(b, blockSize)
		if err != nil {
			return
		}
		again := x.encode()
		y, err := parseIndex(again, blockSize)
		if err != nil {
			t.Fatalf("what encode wrote is refused: %v", err)
		}
		if !bytes.Equal(y.encode(), again) {
			t.Error("an index reads otherwise than it was written")
		}
		tables, err := newTables(blockSize, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := tables.add("path", x); err != nil {
			t.Fatal(err)
		}
		superblock, tail, err := tables.finish()
		if err != nil {
			t.Fatal(err)
		}
		const most = 64 << 20
		if x.length > most {
			return
		}
		image := append(append(superblock, make([]byte, x.length)...), tail...)
		if _, err := readImage(bytes.NewReader(image), int64(len(image)), false); err != nil {
			t.Fatal(err)
		}
	})
}
