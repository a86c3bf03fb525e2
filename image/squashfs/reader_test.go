package squashfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A found is what a reader finds of one file.
type found struct {
	mode    uint16
	content string // of a file, or the target of a symlink
	dir     bool
	link    bool
	start   uint64 // of a file's blocks
	frag    uint32
	holes   uint64
}

// reader reads an image as the kernel does and complains of what the kernel
// would not like, or could not find.
type reader struct {
	r         io.ReaderAt
	zstd      *zstd.Decoder
	super     superblock
	fragments []byte
	export    []byte
	seen      map[uint32]uint64 // inode numbers
	listing   bool              // content is left out
	files     map[string]found
	blocks    map[uint64]metadataBlock // that were read
}

type superblock struct {
	Magic, Inodes, Time, BlockSize, Fragments       uint32
	Compression, BlockLog, Flags, IDs, Major, Minor uint16
	Root, Used, IDTable, XattrTable, InodeTable     uint64
	DirTable, FragmentTable, ExportTable            uint64
}

type failure struct{ error }

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// readImage returns all files of an image of the given size, by path.
func readImage(r io.ReaderAt, size int64, contents bool) (files map[string]found, err error) {
	defer func() {
		if f, ok := recover().(failure); ok {
			err = f.error
		}
	}()
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(4<<20))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	x := &reader{r: r, zstd: d, seen: map[uint32]uint64{}, files: map[string]found{}, blocks: map[uint64]metadataBlock{}, listing: !contents}
	if err := binary.Read(io.NewSectionReader(r, 0, superblockBytes), binary.LittleEndian, &x.super); err != nil {
		return nil, err
	}
	s := x.super
	switch {
	case s.Magic != 0x73717368 || s.Major != 4 || s.Minor != 0 || s.Compression != 6:
		fail("superblock %+v", s)
	case 1<<s.BlockLog != s.BlockSize || s.IDs != 1 || s.Time != 1 || s.XattrTable != none64:
		fail("superblock %+v", s)
	case size%4096 != 0 || int64(s.Used) > size || size-int64(s.Used) >= 4096:
		fail("%d bytes used of %d", s.Used, size)
	case !(s.InodeTable < s.DirTable && s.DirTable < s.ExportTable && s.ExportTable < s.IDTable && s.IDTable < s.Used):
		fail("tables are out of order: %+v", s)
	}
	if id := x.table(s.IDTable, 4, s.Used); !bytes.Equal(id, make([]byte, 4)) {
		fail("ids: %x", id)
	}
	x.export = x.table(s.ExportTable, 8*int(s.Inodes), x.place(s.IDTable))
	if s.Fragments > 0 {
		x.fragments = x.table(s.FragmentTable, 16*int(s.Fragments), x.place(s.ExportTable))
	} else if s.FragmentTable != none64 || s.Flags&flagNoFragments == 0 {
		fail("no fragments, table at %d, flags %x", s.FragmentTable, s.Flags)
	}
	x.inode("", s.Root, s.Inodes+1)
	if len(x.seen) != int(s.Inodes) {
		fail("%d inodes of %d were found", len(x.seen), s.Inodes)
	}
	for number := range s.Inodes {
		if ref := binary.LittleEndian.Uint64(x.export[8*number:]); x.seen[number+1] != ref {
			fail("inode %d is at %x, exported as %x", number+1, x.seen[number+1], ref)
		}
	}
	return x.files, nil
}

func (x *reader) bytes(at uint64, n int) []byte {
	b := make([]byte, n)
	if _, err := x.r.ReadAt(b, int64(at)); err != nil {
		fail("read %d bytes at %d: %v", n, at, err)
	}
	return b
}

func (x *reader) place(list uint64) uint64 { return binary.LittleEndian.Uint64(x.bytes(list, 8)) }

// table reads size bytes through the list of their blocks, which must end
// where the next table begins, as the kernel wants it.
func (x *reader) table(list uint64, size int, next uint64) []byte {
	blocks := (size + metadataBytes - 1) / metadataBytes
	if list+uint64(8*blocks) != next {
		fail("the list at %d has %d blocks, next is %d", list, blocks, next)
	}
	var out []byte
	for i := range blocks {
		part, _ := x.block(x.place(list + uint64(8*i)))
		out = append(out, part...)
	}
	if len(out) != size {
		fail("a table of %d bytes, want %d", len(out), size)
	}
	return out
}

// block reads a metadata block and tells where the next one is.
func (x *reader) block(at uint64) ([]byte, uint64) {
	if b, ok := x.blocks[at]; ok {
		return b.content, b.next
	}
	header := binary.LittleEndian.Uint16(x.bytes(at, 2))
	size := int(header &^ metadataStored)
	raw := x.bytes(at+2, size)
	if header&metadataStored == 0 {
		raw = x.decode(raw, metadataBytes)
	}
	if len(raw) > metadataBytes {
		fail("a metadata block of %d bytes", len(raw))
	}
	next := at + 2 + uint64(size)
	x.blocks[at] = metadataBlock{raw, next}
	return raw, next
}

type metadataBlock struct {
	content []byte
	next    uint64
}

func (x *reader) decode(b []byte, most int) []byte {
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		fail("%v", err)
	}
	// The kernel has room for the larger of a block and 8 KiB.
	if !h.SingleSegment || h.HasCheckSum || h.FrameContentSize > uint64(most) {
		fail("frame %+v", h)
	}
	out, err := x.zstd.DecodeAll(b, nil)
	if err != nil {
		fail("%v", err)
	}
	return out
}

// A cursor reads a metadata stream.
type cursor struct {
	x    *reader
	next uint64
	rest []byte
}

func (x *reader) cursor(table, block uint64, offset int) *cursor {
	c := &cursor{x: x, next: table + block}
	c.fill()
	if offset > len(c.rest) {
		fail("offset %d in a block of %d bytes", offset, len(c.rest))
	}
	c.rest = c.rest[offset:]
	return c
}

func (c *cursor) fill() { c.rest, c.next = c.x.block(c.next) }

func (c *cursor) take(n int) []byte {
	var out []byte
	for n > 0 {
		if len(c.rest) == 0 {
			c.fill()
		}
		part := c.rest[:min(n, len(c.rest))]
		out, c.rest, n = append(out, part...), c.rest[len(part):], n-len(part)
	}
	return out
}

func (c *cursor) u16() uint16 { return binary.LittleEndian.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }

// inode reads an inode and all below it. It returns the basic type.
func (x *reader) inode(path string, ref uint64, parent uint32) (number uint32, kind uint16) {
	if ref&0xffff >= metadataBytes {
		fail("%q: reference %x", path, ref)
	}
	c := x.cursor(x.super.InodeTable, ref>>16, int(ref&0xffff))
	kind = c.u16()
	f := found{mode: c.u16(), frag: none32}
	if uid, gid, time := c.u16(), c.u16(), c.u32(); uid != 0 || gid != 0 || time != 1 {
		fail("%q belongs to %d %d, time %d", path, uid, gid, time)
	}
	number = c.u32()
	if _, twice := x.seen[number]; twice || number == 0 || number > x.super.Inodes {
		fail("%q: inode number %d", path, number)
	}
	x.seen[number] = ref
	switch kind {
	case basicSymlink:
		f.link = true
		if links := c.u32(); links != 1 {
			fail("%q: %d links", path, links)
		}
		f.content = string(c.take(int(c.u32())))
	case basicFile:
		f.start = uint64(c.u32())
		f.frag = c.u32()
		offset, size := c.u32(), uint64(c.u32())
		f.content = x.content(path, c, f, uint64(offset), size)
	case extendedFile:
		f.start = c.u64()
		size := c.u64()
		f.holes = c.u64()
		links := c.u32()
		f.frag = c.u32()
		offset := c.u32()
		if xattr := c.u32(); xattr != none32 || links != 1 {
			fail("%q: xattr %d, %d links", path, xattr, links)
		}
		f.content = x.content(path, c, f, uint64(offset), size)
		kind = basicFile
	case basicDir:
		f.dir = true
		block, links, size, offset := c.u32(), c.u32(), c.u16(), c.u16()
		x.parentIs(path, c.u32(), parent)
		x.directory(path, number, uint64(block), int(offset), int(size), links, nil)
	case extendedDir:
		f.dir = true
		links, size, block := c.u32(), c.u32(), c.u32()
		x.parentIs(path, c.u32(), parent)
		count, offset := c.u16(), c.u16()
		c.u32()
		var stops []stop
		for range count {
			s := stop{index: int(c.u32()), block: int(c.u32())}
			s.name = string(c.take(int(c.u32()) + 1))
			stops = append(stops, s)
		}
		x.directory(path, number, uint64(block), int(offset), int(size), links, stops)
		kind = basicDir
	default:
		fail("%q: type %d", path, kind)
	}
	x.files[path] = f
	return number, kind
}

func (x *reader) parentIs(path string, got, want uint32) {
	if got != want {
		fail("%q: parent %d, want %d", path, got, want)
	}
}

func (x *reader) directory(path string, number uint32, block uint64, offset, size int, links uint32, stops []stop) {
	dirs, last := uint32(0), ""
	if left := size - 3; left > 0 {
		c := x.cursor(x.super.DirTable, block, offset)
		at, reached := 0, block
		for left > at {
			// Each block that a run begins in, but the first, has a stop.
			here := block
			for where := offset + at; where >= metadataBytes; where -= metadataBytes {
				_, next := x.block(x.super.DirTable + here)
				here = next - x.super.DirTable
			}
			run, start, base := int(c.u32())+1, c.u32(), c.u32()
			if run > 256 {
				fail("%q: a run of %d", path, run)
			}
			for i := range run {
				offset, delta, kind := c.u16(), int16(c.u16()), c.u16()
				name := string(c.take(int(c.u16()) + 1))
				if i == 0 && here != reached {
					if len(stops) == 0 || stops[0] != (stop{at, int(here), name}) {
						fail("%q: the run of %q has no stop: %v", path, name, stops)
					}
					stops, reached = stops[1:], here
				}
				if i == 0 {
					at += 12
				}
				at += 8 + len(name)
				if name <= last {
					fail("%q: %q comes after %q", path, name, last)
				}
				last = name
				n, k := x.inode(strings.TrimPrefix(path+"/"+name, "/"), uint64(start)<<16|uint64(offset), number)
				if n != uint32(int64(base)+int64(delta)) || k != kind {
					fail("%q/%q: number %d, type %d: the listing says %d, %d", path, name, n, k, int64(base)+int64(delta), kind)
				}
				if k == basicDir {
					dirs++
				}
			}
		}
		if at != left {
			fail("%q: a listing of %d bytes, want %d", path, at, left)
		}
	}
	if links != 2+dirs || len(stops) > 0 {
		fail("%q: %d links, %d directories, stops left: %v", path, links, dirs, stops)
	}
}

func (x *reader) content(path string, c *cursor, f found, offset, size uint64) string {
	bs := uint64(x.super.BlockSize)
	count := size / bs
	if f.frag == none32 {
		count = (size + bs - 1) / bs
	}
	var out strings.Builder
	at, holes := f.start, uint64(0)
	for i := range count {
		want := int(min(bs, size-i*bs))
		w := c.u32()
		n := uint64(w & sizeBits)
		if w == 0 {
			holes += uint64(want)
		}
		if at += n; at > x.super.InodeTable {
			fail("%q: a block behind the blocks", path)
		}
		if x.listing {
			continue
		}
		b := make([]byte, want)
		if w != 0 {
			if b = x.bytes(at-n, int(n)); w&stored == 0 {
				b = x.decode(b, int(bs))
			}
		}
		if len(b) != want {
			fail("%q: block %d has %d bytes, want %d", path, i, len(b), want)
		}
		out.Write(b)
	}
	if holes != f.holes {
		fail("%q: %d bytes of holes, the inode says %d", path, holes, f.holes)
	}
	if f.frag != none32 {
		if f.frag >= x.super.Fragments {
			fail("%q: fragment %d of %d", path, f.frag, x.super.Fragments)
		}
		e := x.fragments[16*f.frag:]
		start, w := binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint32(e[8:])
		if start+uint64(w&sizeBits) > x.super.InodeTable {
			fail("%q: a fragment behind the blocks", path)
		}
		if x.listing {
			return ""
		}
		b := x.bytes(start, int(w&sizeBits))
		if w&stored == 0 {
			b = x.decode(b, int(bs))
		}
		out.Write(b[offset : offset+size%bs])
	}
	if !x.listing && uint64(out.Len()) != size || bits.OnesCount64(bs) != 1 {
		fail("%q: %d bytes, want %d", path, out.Len(), size)
	}
	return out.String()
}
