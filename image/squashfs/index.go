package squashfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// kind is what a node of a tree is.
type kind byte

const (
	kindDir kind = iota
	kindFile
	kindExec // a file that may be run
	kindSymlink
	kinds
)

func (k kind) isFile() bool { return k == kindFile || k == kindExec }

// A node is a file, directory or symlink of one path, with all of its content
// that the tables need.
type node struct {
	kind     kind
	name     string  // the path's own node has none
	children []*node // of a directory, sorted by name, bytewise
	target   string  // of a symlink

	size     int64    // of a file, in bytes
	start    int64    // of its first block within the path's blocks; 0 when it has none on disk
	blocks   []uint32 // one word for each block: bytes on disk, see stored
	fragment int      // number within the path, -1: no part of it is in a fragment
	offset   int      // of its part within the fragment, in bytes
}

// Words of blocks: bytes on disk in the low bits, 0 for a hole.
const (
	stored   = 1 << 24 // not compressed
	sizeBits = stored - 1
)

// A piece is a fragment block within a path's blocks.
type piece struct {
	start int64
	word  uint32
}

// An index tells all of a path but the blocks themselves.
type index struct {
	key       string // what the cache file is for, see key
	root      *node
	fragments []piece
	length    int64    // bytes of all blocks
	sums      []uint32 // CRC-32C of each sumBytes of the blocks
}

// sumBytes is how many bytes of blocks one sum covers. It is what WriteTo
// holds in memory.
const sumBytes = 1 << 20

// maxDepth bounds how deep trees are. Linux paths have 4,096 bytes at most.
const maxDepth = 2048

// encode writes the index: numbers are unsigned LEB128, texts have their
// length before them, and the nodes come parents first. It is what a cache
// file holds, in the format that is part of its key.
func (x *index) encode() []byte {
	b := appendText(nil, x.key)
	b = binary.AppendUvarint(b, uint64(x.length))
	for _, s := range x.sums {
		b = binary.LittleEndian.AppendUint32(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(x.fragments)))
	for _, f := range x.fragments {
		b = binary.AppendUvarint(b, uint64(f.start))
		b = binary.AppendUvarint(b, uint64(f.word))
	}
	return appendNode(b, x.root)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendNode(b []byte, n *node) []byte {
	b = appendText(append(b, byte(n.kind)), n.name)
	switch {
	case n.kind == kindDir:
		b = binary.AppendUvarint(b, uint64(len(n.children)))
		for _, c := range n.children {
			b = appendNode(b, c)
		}
	case n.kind == kindSymlink:
		b = appendText(b, n.target)
	default:
		b = binary.AppendUvarint(b, uint64(n.size))
		b = binary.AppendUvarint(b, uint64(n.start))
		b = binary.AppendUvarint(b, uint64(n.fragment+1))
		if n.fragment >= 0 {
			b = binary.AppendUvarint(b, uint64(n.offset))
		}
		for _, w := range n.blocks { // their number follows from size and fragment
			b = binary.AppendUvarint(b, uint64(w))
		}
	}
	return b
}

var errIndex = errors.New("the index is damaged")

// parseIndex reads what encode wrote with the given block size. It refuses
// everything that could not be laid out.
func parseIndex(b []byte, blockSize int) (*index, error) {
	p := &parser{rest: b, blockSize: int64(blockSize)}
	x := &index{key: p.text(), length: p.number(1 << 62)}
	p.length = x.length
	sums := (x.length + sumBytes - 1) / sumBytes
	if p.bad || sums > int64(len(p.rest)/4) {
		return nil, errIndex
	}
	x.sums = make([]uint32, sums)
	for i := range x.sums {
		x.sums[i] = binary.LittleEndian.Uint32(p.rest)
		p.rest = p.rest[4:]
	}
	count := p.number(int64(len(p.rest)))
	for range count {
		f := piece{p.number(x.length), p.word()}
		if f.word&sizeBits == 0 || f.start+int64(f.word&sizeBits) > x.length {
			return nil, errIndex
		}
		x.fragments = append(x.fragments, f)
	}
	p.fragments = count
	x.root = p.node(0)
	if p.bad || len(p.rest) != 0 || x.root.name != "" {
		return nil, errIndex
	}
	return x, nil
}

// A parser reads an index. After the first mistake it is bad, and what it
// returns means nothing.
type parser struct {
	rest      []byte
	bad       bool
	blockSize int64
	length    int64 // of the path's blocks
	fragments int64
}

// number reads a number that is at most most.
func (p *parser) number(most int64) int64 {
	v, n := binary.Uvarint(p.rest)
	if p.bad || n <= 0 || v > uint64(most) {
		p.bad = true
		return 0
	}
	p.rest = p.rest[n:]
	return int64(v)
}

func (p *parser) word() uint32 {
	w := uint32(p.number(stored | sizeBits))
	if int64(w&sizeBits) > p.blockSize || w == stored {
		p.bad = true
	}
	return w
}

func (p *parser) text() string {
	n := p.number(int64(len(p.rest)))
	if p.bad || n > int64(len(p.rest)) {
		p.bad = true
		return ""
	}
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

func (p *parser) node(depth int) *node {
	n := &node{fragment: -1}
	if len(p.rest) == 0 || p.rest[0] >= byte(kinds) || depth > maxDepth {
		p.bad = true
		return n
	}
	n.kind, p.rest = kind(p.rest[0]), p.rest[1:]
	n.name = p.text()
	if depth > 0 && checkName(n.name) != nil {
		p.bad = true
	}
	switch n.kind {
	case kindDir:
		count := p.number(int64(len(p.rest)))
		for i := int64(0); i < count && !p.bad; i++ {
			c := p.node(depth + 1)
			if i > 0 && n.children[i-1].name >= c.name {
				p.bad = true
			}
			n.children = append(n.children, c)
		}
	case kindSymlink:
		n.target = p.text()
		if checkTarget(n.target) != nil {
			p.bad = true
		}
	default:
		p.file(n)
	}
	return n
}

func (p *parser) file(n *node) {
	n.size, n.start = p.number(maxFile), p.number(p.length)
	n.fragment = int(p.number(p.fragments)) - 1
	count := (n.size + p.blockSize - 1) / p.blockSize
	if n.fragment >= 0 {
		n.offset = int(p.number(p.blockSize))
		count = n.size / p.blockSize
		if tail := n.size % p.blockSize; tail == 0 || int64(n.offset)+tail > p.blockSize {
			p.bad = true
		}
	}
	if p.bad || count > int64(len(p.rest)) {
		p.bad = true
		return
	}
	n.blocks = make([]uint32, count)
	end := n.start
	for i := range n.blocks {
		n.blocks[i] = p.word()
		end += int64(n.blocks[i] & sizeBits)
	}
	if end > p.length {
		p.bad = true
	}
}

// Bounds of squashfs and of Linux.
const (
	maxName   = 255  // bytes
	maxTarget = 4095 // bytes; the kernel refuses a symlink of a page and more
	maxFile   = 1 << 46
)

// checkName refuses what is no name of a directory's entry.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("%q is no name of a file", name)
	case len(name) > maxName:
		return fmt.Errorf("the name %q has %d bytes: at most %d are possible", name, len(name), maxName)
	}
	return nil
}

func checkTarget(target string) error {
	switch {
	case target == "" || strings.ContainsRune(target, 0):
		return fmt.Errorf("a symlink to %q", target)
	case len(target) > maxTarget:
		return fmt.Errorf("a symlink to %d bytes: at most %d are possible", len(target), maxTarget)
	}
	return nil
}
