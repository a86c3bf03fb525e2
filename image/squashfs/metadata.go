package squashfs

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"
)

// metadataBytes is what a metadata block holds before compression.
const metadataBytes = 8192

// metadataStored in a metadata block's header says that it is not compressed.
const metadataStored = 1 << 15

// A metadata is a table of squashfs: a stream of bytes, cut into blocks of
// metadataBytes, each compressed by itself behind a 16-bit header.
type metadata struct {
	encoder *zstd.Encoder
	out     []byte // finished blocks
	starts  []int  // where in out each of them begins
	open    []byte // the block being filled, never full
	buffer  []byte
}

// at is where the next byte will be: the place in the table of its block's
// header, and the place in that block.
func (m *metadata) at() (block, offset int) { return len(m.out), len(m.open) }

// size is how many bytes the finished blocks of the table take.
func (m *metadata) size() uint64 { return uint64(len(m.out)) }

// ref is at in the form of a reference to an inode.
func (m *metadata) ref() uint64 { return uint64(len(m.out))<<16 | uint64(len(m.open)) }

func (m *metadata) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p[:min(len(p), metadataBytes-len(m.open))]
		m.open = append(m.open, part...)
		p = p[len(part):]
		if len(m.open) == metadataBytes {
			m.flush()
		}
	}
	return n, nil
}

// flush ends the block.
func (m *metadata) flush() {
	if len(m.open) == 0 {
		return
	}
	m.starts = append(m.starts, len(m.out))
	m.buffer = m.encoder.EncodeAll(m.open, m.buffer[:0])
	if len(m.buffer) < len(m.open) {
		m.out = append(binary.LittleEndian.AppendUint16(m.out, uint16(len(m.buffer))), m.buffer...)
	} else {
		m.out = append(binary.LittleEndian.AppendUint16(m.out, uint16(len(m.open))|metadataStored), m.open...)
	}
	m.open = m.open[:0]
}

// table ends a table that is found by the places of its blocks: fragments,
// export and ids. It returns all of its bytes, to be placed at start in the
// image, and where in the image the list of places is.
func (m *metadata) table(start int64) (table []byte, list int64) {
	m.flush()
	list = start + int64(len(m.out))
	for _, s := range m.starts {
		m.out = binary.LittleEndian.AppendUint64(m.out, uint64(start)+uint64(s))
	}
	return m.out, list
}
