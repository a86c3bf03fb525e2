package squashfs

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

// Types of inodes. A directory's listing has the basic one always.
const (
	basicDir     = 1
	basicFile    = 2
	basicSymlink = 3
	extendedDir  = 8
	extendedFile = 9
)

const (
	superblockBytes = 96
	magic           = 0x73717368
	compressionZstd = 6
	flagNoFragments = 0x10
	flagExport      = 0x80
	flagNoXattrs    = 0x200
	none32          = math.MaxUint32
	none64          = math.MaxUint64

	mtime = 1 // of everything, in seconds since 1970, as in a store

	// padding is what the size of an image is a multiple of: loop devices
	// have blocks of 4 KiB at most.
	padding = 4096
)

// tables collects the tables of an image: paths are added in the order of
// their names, then finish makes all bytes that follow the blocks.
type tables struct {
	blockSize   int
	inodes      metadata
	directories metadata
	fragments   []byte
	refs        []uint64 // of inodes, by number - 1

	scratch []byte // of the inode or run being written

	base int64 // where the blocks of the next path lie in the image
	top  []entry
}

// An entry is a line of a directory's listing.
type entry struct {
	name   string
	kind   uint16 // of the inode, basic
	ref    uint64
	number uint32
}

func newTables(blockSize, paths int) (*tables, error) {
	// Tables are less than a percent of an image: not worth the memory of the
	// best level.
	encoder, err := newEncoder(zstd.SpeedBetterCompression, metadataBytes, 1)
	if err != nil {
		return nil, err
	}
	t := &tables{blockSize: blockSize, inodes: metadata{encoder: encoder}, directories: metadata{encoder: encoder}, base: superblockBytes}
	t.refs = make([]uint64, 1+paths) // the root is 1, the paths follow
	return t, nil
}

// add lays out a path. Its blocks lie at base in the image.
func (t *tables) add(name string, x *index) error {
	base := t.base
	first := len(t.fragments) / fragmentBytes
	for _, f := range x.fragments {
		t.fragments = binary.LittleEndian.AppendUint64(t.fragments, uint64(base+f.start))
		t.fragments = binary.LittleEndian.AppendUint32(t.fragments, f.word)
		t.fragments = binary.LittleEndian.AppendUint32(t.fragments, 0)
	}
	number := uint32(2 + len(t.top))
	kind, err := t.node(x.root, number, 1, base, first)
	if err != nil {
		return err
	}
	t.top = append(t.top, entry{name, kind, t.refs[number-1], number})
	t.base += x.length
	return nil
}

const fragmentBytes = 16

// node writes the inode of n, which has the given number, and those of all
// below it. The numbers of a directory's entries follow each other, so that
// its listing can tell them by small differences.
func (t *tables) node(n *node, number, parent uint32, base int64, firstFragment int) (kind uint16, err error) {
	switch n.kind {
	case kindSymlink:
		t.refs[number-1] = t.inodes.ref()
		b := t.header(basicSymlink, 0o777, number)
		b = binary.LittleEndian.AppendUint32(b, 1) // links
		b = binary.LittleEndian.AppendUint32(b, uint32(len(n.target)))
		t.write(&t.inodes, append(b, n.target...))
		return basicSymlink, nil
	case kindDir:
		if uint64(len(t.refs))+uint64(len(n.children)) >= none32 {
			return 0, fmt.Errorf("more than %d files", uint32(none32))
		}
		first := uint32(len(t.refs) + 1)
		t.refs = append(t.refs, make([]uint64, len(n.children))...)
		entries := make([]entry, len(n.children))
		// Directories last: the inodes of the others stay together, which
		// makes for long runs in the listing.
		for _, dirs := range []bool{false, true} {
			for i, c := range n.children {
				if (c.kind == kindDir) != dirs {
					continue
				}
				at := first + uint32(i)
				kind, err := t.node(c, at, number, base, firstFragment)
				if err != nil {
					return 0, err
				}
				entries[i] = entry{c.name, kind, t.refs[at-1], at}
			}
		}
		return basicDir, t.directory(entries, number, parent)
	}
	mode := uint16(0o444)
	if n.kind == kindExec {
		mode = 0o555
	}
	fragment := uint32(none32)
	if n.fragment >= 0 {
		fragment = uint32(firstFragment + n.fragment)
	}
	var start, holes int64
	for i, w := range n.blocks {
		if w != 0 {
			start = base + n.start
			continue
		}
		holes += min(int64(t.blockSize), n.size-int64(i)*int64(t.blockSize))
	}
	t.refs[number-1] = t.inodes.ref()
	var b []byte
	if start > math.MaxUint32 || n.size > math.MaxUint32 || holes > 0 {
		b = t.header(extendedFile, mode, number)
		b = binary.LittleEndian.AppendUint64(b, uint64(start))
		b = binary.LittleEndian.AppendUint64(b, uint64(n.size))
		b = binary.LittleEndian.AppendUint64(b, uint64(holes))
		b = binary.LittleEndian.AppendUint32(b, 1) // links
		b = binary.LittleEndian.AppendUint32(b, fragment)
		b = binary.LittleEndian.AppendUint32(b, uint32(n.offset))
		b = binary.LittleEndian.AppendUint32(b, none32) // extended attributes
	} else {
		b = t.header(basicFile, mode, number)
		b = binary.LittleEndian.AppendUint32(b, uint32(start))
		b = binary.LittleEndian.AppendUint32(b, fragment)
		b = binary.LittleEndian.AppendUint32(b, uint32(n.offset))
		b = binary.LittleEndian.AppendUint32(b, uint32(n.size))
	}
	for _, w := range n.blocks {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	t.write(&t.inodes, b)
	return basicFile, nil
}

// header begins an inode in the scratch buffer: it has what all have.
func (t *tables) header(kind, mode uint16, number uint32) []byte {
	b := binary.LittleEndian.AppendUint16(t.scratch[:0], kind)
	b = binary.LittleEndian.AppendUint16(b, mode)
	b = binary.LittleEndian.AppendUint16(b, 0) // user: the first of the ids
	b = binary.LittleEndian.AppendUint16(b, 0) // group
	b = binary.LittleEndian.AppendUint32(b, mtime)
	return binary.LittleEndian.AppendUint32(b, number)
}

// write adds what was made in the scratch buffer.
func (t *tables) write(m *metadata, b []byte) {
	m.Write(b)
	t.scratch = b
}

// maxRun is how many entries one header of a listing has at most.
const maxRun = 256

// A stop is where a run of a listing begins that is the first in its block.
// The kernel looks for a name from the last stop before it.
type stop struct {
	index int // bytes of the listing before it
	block int // of the directory table
	name  string
}

// directory writes a listing and its inode.
func (t *tables) directory(entries []entry, number, parent uint32) error {
	block, offset := t.directories.at()
	if len(entries) == 0 {
		block, offset = 0, 0 // nothing that could be looked up
	}
	size, reached := 0, block // the block that has a stop, or needs none
	links := uint32(2)
	var stops []stop
	for len(entries) > 0 {
		// A run has one block of inodes and stays near its first number. It
		// ends where the table's block does: then each block has a stop.
		here, at := t.directories.at()
		if here != reached {
			stops = append(stops, stop{size, here, entries[0].name})
			reached = here
		}
		run, bytes := 0, 12
		for _, e := range entries {
			delta := int64(e.number) - int64(entries[0].number)
			if run == maxRun || e.ref>>16 != entries[0].ref>>16 || delta != int64(int16(delta)) || run > 0 && at+bytes >= metadataBytes {
				break
			}
			run++
			bytes += 8 + len(e.name)
		}
		b := binary.LittleEndian.AppendUint32(t.scratch[:0], uint32(run-1))
		b = binary.LittleEndian.AppendUint32(b, uint32(entries[0].ref>>16))
		b = binary.LittleEndian.AppendUint32(b, entries[0].number)
		for _, e := range entries[:run] {
			b = binary.LittleEndian.AppendUint16(b, uint16(e.ref))
			b = binary.LittleEndian.AppendUint16(b, uint16(e.number-entries[0].number))
			b = binary.LittleEndian.AppendUint16(b, e.kind)
			b = binary.LittleEndian.AppendUint16(b, uint16(len(e.name)-1))
			b = append(b, e.name...)
			if e.kind == basicDir {
				links++
			}
		}
		t.write(&t.directories, b)
		size += bytes
		entries = entries[run:]
	}
	// What the listing's size says is three more: the kernel counts "." and "..".
	const dots = 3
	if size > math.MaxInt32-dots || len(stops) > math.MaxUint16 {
		return fmt.Errorf("a directory has a listing of %d bytes", size)
	}
	if t.inodes.size()|t.directories.size() > math.MaxUint32 {
		return fmt.Errorf("more files than one image can have")
	}
	t.refs[number-1] = t.inodes.ref()
	var b []byte
	if size+dots > math.MaxUint16 || len(stops) > 0 {
		b = t.header(extendedDir, 0o555, number)
		b = binary.LittleEndian.AppendUint32(b, links)
		b = binary.LittleEndian.AppendUint32(b, uint32(size+dots))
		b = binary.LittleEndian.AppendUint32(b, uint32(block))
		b = binary.LittleEndian.AppendUint32(b, parent)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(stops)))
		b = binary.LittleEndian.AppendUint16(b, uint16(offset))
		b = binary.LittleEndian.AppendUint32(b, none32) // extended attributes
		for _, s := range stops {
			b = binary.LittleEndian.AppendUint32(b, uint32(s.index))
			b = binary.LittleEndian.AppendUint32(b, uint32(s.block))
			b = binary.LittleEndian.AppendUint32(b, uint32(len(s.name)-1))
			b = append(b, s.name...)
		}
	} else {
		b = t.header(basicDir, 0o555, number)
		b = binary.LittleEndian.AppendUint32(b, uint32(block))
		b = binary.LittleEndian.AppendUint32(b, links)
		b = binary.LittleEndian.AppendUint16(b, uint16(size+dots))
		b = binary.LittleEndian.AppendUint16(b, uint16(offset))
		b = binary.LittleEndian.AppendUint32(b, parent)
	}
	t.write(&t.inodes, b)
	return nil
}

// finish writes the root directory and returns what comes before all blocks
// and what comes after them, padding included.
func (t *tables) finish() (superblock, tail []byte, err error) {
	// The root has no parent: by convention that is a number no inode has.
	if err := t.directory(t.top, 1, uint32(len(t.refs)+1)); err != nil {
		return nil, nil, err
	}
	root := t.refs[0]
	t.inodes.flush()
	t.directories.flush()
	place := func(b []byte) int64 {
		at := t.base + int64(len(tail))
		tail = append(tail, b...)
		return at
	}
	list := func(content []byte) int64 {
		m := &metadata{encoder: t.inodes.encoder}
		m.Write(content)
		table, at := m.table(t.base + int64(len(tail)))
		tail = append(tail, table...)
		return at
	}
	inodes, directories := place(t.inodes.out), place(t.directories.out)
	flags, fragments := uint16(flagExport|flagNoXattrs), int64(-1)
	if len(t.fragments) > 0 {
		fragments = list(t.fragments)
	} else {
		flags |= flagNoFragments
	}
	var refs []byte
	for _, r := range t.refs {
		refs = binary.LittleEndian.AppendUint64(refs, r)
	}
	export := list(refs)
	ids := list(make([]byte, 4)) // one, 0
	used := t.base + int64(len(tail))
	tail = append(tail, make([]byte, -used&(padding-1))...)

	b := make([]byte, 0, superblockBytes)
	for _, v := range []uint32{magic, uint32(len(t.refs)), mtime, uint32(t.blockSize), uint32(len(t.fragments) / fragmentBytes)} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	const major, minor, idCount = 4, 0, 1
	for _, v := range []uint16{compressionZstd, uint16(bits.TrailingZeros(uint(t.blockSize))), flags, idCount, major, minor} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	for _, v := range []uint64{root, uint64(used), uint64(ids), none64, uint64(inodes), uint64(directories), uint64(fragments), uint64(export)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b, tail, nil
}
