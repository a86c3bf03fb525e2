package deb

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"runtime"
	"sync"

	"github.com/therootcompany/xz"

	"reprise/internal/deb/lzma"
)

// The format of .xz files: a stream is a header of 12 bytes, blocks, an index
// of the blocks' sizes and a footer of 12 bytes. xz writes a new block every
// 24 MiB of input when it compresses with threads (dpkg-deb does), so that
// large packages can be decoded on several cores.
//
// A file of one stream whose blocks use LZMA2 alone, which is every one that
// dpkg-deb writes, is decoded block by block by package lzma. Anything else
// (several streams, filters for machine code) goes through a general decoder.
// Source: The .xz File Format, version 1.2.0, sections 2 to 4.
const (
	xzHeaderSize = 12
	xzMagic      = "\xfd7zXZ\x00"
	xzEndMagic   = "YZ"
	xzLZMA2      = 0x21 // filter id

	// maxXZIndex bounds the index: 100,000 blocks.
	maxXZIndex = 1 << 20 // bytes

	// maxXZBlock is the largest block that is decoded beside others, because
	// all but the first are held in memory until their turn.
	maxXZBlock = 64 << 20 // bytes

	// smallXZ is up to what a file of one block is decoded by its reader: for a
	// kernel module, and most packages, other goroutines cost more than they
	// bring.
	smallXZ = 1 << 20 // bytes

	// maxXZWorkers bounds the memory of one stream to so many blocks and
	// dictionaries.
	maxXZWorkers = 4
)

var (
	errXZ     = errors.New("xz: damaged data")
	errClosed = errors.New("read after close")
)

// NewXZ decodes the .xz file in r, of the given size in bytes, on several
// cores where the file has several blocks. Close must be called.
func NewXZ(ctx context.Context, r io.ReaderAt, size int64) (io.ReadCloser, error) {
	return newXZ(ctx, io.NewSectionReader(r, 0, size))
}

func newXZ(ctx context.Context, r *io.SectionReader) (io.ReadCloser, error) {
	blocks, ok, err := xzBlocks(r)
	if err != nil {
		return nil, err
	}
	if !ok {
		z, err := xz.NewReader(io.NewSectionReader(r, 0, r.Size()), maxWindow)
		if err != nil {
			return nil, err
		}
		return pump(ctx, "xz", io.NopCloser(z), false), nil
	}
	if len(blocks) == 1 && blocks[0].plain <= smallXZ {
		return blocks[0].open(r), nil
	}
	workers := min(maxXZWorkers, runtime.GOMAXPROCS(0), len(blocks))
	for _, b := range blocks {
		if b.plain > maxXZBlock {
			workers = 1
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	parts := make(chan *part)
	s := &stream{ctx: ctx, cancel: cancel, parts: parts}
	free := make(chan struct{}, max(1, workers))
	s.group.Go(func() {
		defer close(parts)
		for _, b := range blocks {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			ahead := int64(8)
			if workers > 1 {
				ahead = b.plain/chunkSize + 1
			}
			p := &part{form: "xz", chunks: make(chan []byte, ahead), done: func() { <-free }}
			s.group.Go(func() {
				plain := b.open(r)
				defer plain.Close()
				p.fill(ctx, plain)
			})
			select {
			case parts <- p:
			case <-ctx.Done():
				return
			}
		}
	})
	return s, nil
}

// An xzBlock is one block of a stream.
type xzBlock struct {
	offset   int64
	header   int64 // bytes
	unpadded int64 // header, compressed data and check
	plain    int64 // decoded size
	dict     uint32
	check    byte // type of the check at the end
}

// xzBlocks finds the blocks of the one stream that r holds, from its index. ok
// is false when the file is not of the kind that is decoded block by block.
func xzBlocks(r *io.SectionReader) (blocks []xzBlock, ok bool, err error) {
	size := r.Size()
	var header, footer [xzHeaderSize]byte
	if size < 2*xzHeaderSize+8 {
		return nil, false, io.ErrUnexpectedEOF
	}
	if err := errors.Join(readFull(r, header[:], 0, size), readFull(r, footer[:], size-xzHeaderSize, size)); err != nil {
		return nil, false, err
	}
	if string(header[:6]) != xzMagic {
		return nil, false, errors.New("xz: this is no .xz file")
	}
	flags := header[6:8]
	check := header[7]
	indexSize := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	if size%4 != 0 || string(footer[10:]) != xzEndMagic || !bytes.Equal(flags, footer[8:10]) ||
		binary.LittleEndian.Uint32(header[8:]) != crc32.ChecksumIEEE(flags) ||
		binary.LittleEndian.Uint32(footer[:]) != crc32.ChecksumIEEE(footer[4:10]) ||
		flags[0] != 0 || newXZCheck(check) == nil ||
		indexSize < 8 || indexSize > min(maxXZIndex, size-2*xzHeaderSize) {
		return nil, false, nil
	}
	index := make([]byte, indexSize)
	if err := readFull(r, index, size-xzHeaderSize-indexSize, size); err != nil {
		return nil, false, err
	}
	body := index[:indexSize-4]
	if body[0] != 0 || crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(index[indexSize-4:]) {
		return nil, false, nil
	}
	rest, good := body[1:], true
	next := func() int64 {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n >= 1<<62 {
			good = false
			return 0
		}
		rest = rest[used:]
		return int64(n)
	}
	at, end := int64(xzHeaderSize), size-xzHeaderSize-indexSize
	for count := next(); count > 0 && good; count-- {
		b := xzBlock{offset: at, unpadded: next(), plain: next(), check: check}
		if !good || b.unpadded <= 0 || b.unpadded > end-at || !b.readHeader(r) {
			return nil, false, nil
		}
		at += (b.unpadded + 3) / 4 * 4
		blocks = append(blocks, b)
	}
	for _, c := range rest {
		good = good && c == 0
	}
	return blocks, good && at == end && len(rest) < 4, nil
}

// readHeader reads the block's header; false means that the block wants the
// general decoder.
func (b *xzBlock) readHeader(r io.ReaderAt) bool {
	var space [1024]byte
	if readFull(r, space[:1], b.offset, b.offset+b.unpadded) != nil || space[0] == 0 {
		return false
	}
	b.header = (int64(space[0]) + 1) * 4
	h := space[:b.header]
	if readFull(r, h, b.offset, b.offset+b.unpadded) != nil ||
		binary.LittleEndian.Uint32(h[b.header-4:]) != crc32.ChecksumIEEE(h[:b.header-4]) {
		return false
	}
	flags, rest, good := h[1], h[2:b.header-4], true
	size := func(flag byte, want int64) {
		if flags&flag == 0 {
			return
		}
		n, used := binary.Uvarint(rest)
		if used <= 0 || int64(n) != want {
			good = false
			return
		}
		rest = rest[used:]
	}
	size(0x40, b.packed())
	size(0x80, b.plain)
	// One filter: its id, the length of its properties, and for LZMA2 the
	// size of the dictionary as 2 or 3 times a power of two.
	if !good || flags&0x3f != 0 || len(rest) < 3 || rest[0] != xzLZMA2 || rest[1] != 1 || rest[2] > 40 {
		return false
	}
	bits := uint(rest[2])
	if bits == 40 {
		b.dict = 1<<32 - 1
	} else {
		b.dict = (2 | uint32(bits&1)) << (bits/2 + 11)
	}
	for _, c := range rest[3:] {
		good = good && c == 0
	}
	return good && b.packed() > 0
}

// packed returns the bytes of compressed data.
func (b *xzBlock) packed() int64 {
	return b.unpadded - b.header - int64(newXZCheck(b.check).Size())
}

// open returns a reader of the block's plain bytes, which fails at its end
// when sizes or checksum are not right. Close gives its memory to the next.
func (b xzBlock) open(r io.ReaderAt) io.ReadCloser {
	if b.dict > maxWindow {
		return failing{fmt.Errorf("xz: a dictionary of %d bytes, more than %d", b.dict, maxWindow)}
	}
	x := &xzReader{b: b, decoder: decoders.Get().(*decoder), sum: newXZCheck(b.check)}
	x.in.Reset(io.NewSectionReader(r, b.offset+b.header, (b.unpadded+3)/4*4-b.header))
	x.packed = io.LimitedReader{R: x.in, N: b.packed()}
	// A block that is smaller than its dictionary needs no more than itself.
	dict := uint32(min(int64(b.dict), max(b.plain, lzma.MinDictionary)))
	x.plain.Reset(&x.packed, dict)
	x.plain.Expect(b.plain)
	return x
}

// A decoder is the memory that decoding takes, a megabyte and more: far more
// than a kernel module.
type decoder struct {
	in    *bufio.Reader
	plain lzma.Reader
}

var decoders = sync.Pool{New: func() any { return &decoder{in: bufio.NewReaderSize(nil, 128<<10)} }}

type xzReader struct {
	*decoder
	b      xzBlock
	packed io.LimitedReader
	sum    hash.Hash
	n      int64
	err    error
}

// Close implements io.Closer. Nothing can be read afterwards.
func (x *xzReader) Close() error {
	if x.decoder != nil {
		x.in.Reset(nil)
		x.plain.Reset(nil, 0)
		decoders.Put(x.decoder)
		x.decoder, x.err = nil, errClosed
	}
	return nil
}

func (x *xzReader) Read(p []byte) (int, error) {
	if x.err != nil {
		return 0, x.err
	}
	n, err := x.plain.Read(p)
	x.sum.Write(p[:n])
	if x.n += int64(n); x.n > x.b.plain {
		n, err = 0, fmt.Errorf("%w: a block is longer than the index says", errXZ)
	} else if err == io.EOF {
		err = x.end()
	}
	x.err = err
	return n, err
}

// end checks what follows the data: filling bytes and the checksum.
func (x *xzReader) end() error {
	if x.n != x.b.plain || x.packed.N != 0 {
		return fmt.Errorf("%w: a block ends before the size that the index says", errXZ)
	}
	tail := make([]byte, (x.b.unpadded+3)/4*4-x.b.header-x.b.packed())
	if _, err := io.ReadFull(x.in, tail); err != nil {
		return noEOF(err)
	}
	fill := len(tail) - x.sum.Size()
	for _, c := range tail[:fill] {
		if c != 0 {
			return fmt.Errorf("%w: filling bytes after a block", errXZ)
		}
	}
	if !bytes.Equal(x.sum.Sum(nil), tail[fill:]) {
		return fmt.Errorf("%w: wrong checksum", errXZ)
	}
	return io.EOF
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (f failing) Close() error             { return nil }

var crc64Table = crc64.MakeTable(crc64.ECMA)

// newXZCheck returns the checksum of a type whose Sum has the byte order of
// the file, or nil for one that is not known.
func newXZCheck(kind byte) hash.Hash {
	switch kind {
	case 0:
		return noCheck{}
	case 1:
		return littleEndian{crc32.NewIEEE()}
	case 4:
		return littleEndian{crc64.New(crc64Table)}
	case 10:
		return sha256.New()
	}
	return nil
}

// littleEndian turns the sum of a CRC around.
type littleEndian struct{ hash.Hash }

func (l littleEndian) Sum(b []byte) []byte {
	sum := l.Hash.Sum(nil)
	for i := len(sum) - 1; i >= 0; i-- {
		b = append(b, sum[i])
	}
	return b
}

type noCheck struct{}

func (noCheck) Write(p []byte) (int, error) { return len(p), nil }
func (noCheck) Sum(b []byte) []byte         { return b }
func (noCheck) Reset()                      {}
func (noCheck) Size() int                   { return 0 }
func (noCheck) BlockSize() int              { return 1 }
