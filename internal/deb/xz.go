package deb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"

	"github.com/therootcompany/xz"
)

// The format of .xz files: a stream is a header of 12 bytes, blocks, an index
// of the blocks' sizes and a footer of 12 bytes. xz writes a new block every
// 24 MiB of input when it compresses with threads (dpkg-deb does), so that
// large packages can be decoded on several cores.
// Source: The .xz File Format, version 1.2.0, sections 2 and 4.
const (
	xzHeaderSize = 12
	xzMagic      = "\xfd7zXZ\x00"
	xzEndMagic   = "YZ"

	// maxXZIndex bounds the index: 100,000 blocks.
	maxXZIndex = 1 << 20 // bytes

	// maxXZBlock is the largest block that is decoded beside others, because
	// all but the first are held in memory until their turn.
	maxXZBlock = 64 << 20 // bytes

	// maxXZWorkers bounds the memory of one stream to so many blocks and
	// dictionaries.
	maxXZWorkers = 4
)

// NewXZ decodes the .xz file in r, of the given size in bytes, on several
// cores where the file has several blocks. Close must be called.
func NewXZ(ctx context.Context, r io.ReaderAt, size int64) (io.ReadCloser, error) {
	return newXZ(ctx, io.NewSectionReader(r, 0, size))
}

func newXZ(ctx context.Context, r *io.SectionReader) (io.ReadCloser, error) {
	header, blocks, err := xzBlocks(r)
	if err != nil || len(blocks) < 2 {
		// One block, several streams, or something that only a decoder of
		// the whole can judge.
		z, err := xz.NewReader(io.NewSectionReader(r, 0, r.Size()), maxWindow)
		if err != nil {
			return nil, err
		}
		return pump(ctx, "xz", io.NopCloser(z), false), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	parts := make(chan *part)
	s := &stream{ctx: ctx, cancel: cancel, parts: parts}
	free := make(chan struct{}, min(maxXZWorkers, runtime.GOMAXPROCS(0)))
	s.group.Go(func() {
		defer close(parts)
		for _, b := range blocks {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			p := &part{
				form:   "xz",
				chunks: make(chan []byte, b.plain/chunkSize+1),
				done:   func() { <-free },
			}
			s.group.Go(func() { p.fill(ctx, b.open(r, header)) })
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
	unpadded int64 // header, compressed data and check
	plain    int64 // decoded size
}

// xzBlocks finds the blocks of the one stream that r holds, from its index.
func xzBlocks(r *io.SectionReader) (header [xzHeaderSize]byte, blocks []xzBlock, err error) {
	size := r.Size()
	if size < 2*xzHeaderSize+8 || size%4 != 0 {
		return header, nil, errors.New("xz: too short")
	}
	var footer [xzHeaderSize]byte
	if err := errors.Join(readFull(r, header[:], 0, size), readFull(r, footer[:], size-xzHeaderSize, size)); err != nil {
		return header, nil, err
	}
	flags := header[6:8]
	if string(header[:6]) != xzMagic || string(footer[10:]) != xzEndMagic || !bytes.Equal(flags, footer[8:10]) {
		return header, nil, errors.New("xz: no single stream")
	}
	indexSize := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	if indexSize < 8 || indexSize > min(maxXZIndex, size-2*xzHeaderSize) {
		return header, nil, errors.New("xz: the index cannot have its size")
	}
	index := make([]byte, indexSize)
	if err := readFull(r, index, size-xzHeaderSize-indexSize, size); err != nil {
		return header, nil, err
	}
	body := index[:indexSize-4]
	if body[0] != 0 || crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(index[indexSize-4:]) {
		return header, nil, errors.New("xz: damaged index")
	}
	rest := body[1:]
	next := func() int64 {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n >= 1<<62 {
			err = errors.New("xz: damaged index")
			return 0
		}
		rest = rest[used:]
		return int64(n)
	}
	count := next()
	at, end := int64(xzHeaderSize), size-xzHeaderSize-indexSize
	for ; count > 0 && err == nil; count-- {
		b := xzBlock{offset: at, unpadded: next(), plain: next()}
		if err != nil || b.unpadded <= 0 || b.unpadded > end-at || b.plain > maxXZBlock {
			return header, nil, errors.New("xz: a block that cannot be decoded by itself")
		}
		at += (b.unpadded + 3) / 4 * 4
		blocks = append(blocks, b)
	}
	if err != nil || at != end {
		return header, nil, errors.New("xz: the blocks do not fill the stream")
	}
	return header, blocks, nil
}

// open returns a reader of the block's plain bytes. It wraps the block in a
// stream of its own, so that the decoder checks its sizes and checksum.
func (b xzBlock) open(r io.ReaderAt, header [xzHeaderSize]byte) io.Reader {
	index := []byte{0, 1}
	index = binary.AppendUvarint(index, uint64(b.unpadded))
	index = binary.AppendUvarint(index, uint64(b.plain))
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	tail := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	tail = append(tail, header[6:8]...)
	footer := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(tail))
	footer = append(append(footer, tail...), xzEndMagic...)
	z, err := xz.NewReader(io.MultiReader(
		bytes.NewReader(header[:]),
		io.NewSectionReader(r, b.offset, (b.unpadded+3)/4*4),
		bytes.NewReader(append(index, footer...)),
	), maxWindow)
	if err != nil {
		return failing{fmt.Errorf("xz block at byte %d: %w", b.offset, err)}
	}
	return z
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
