// Package lzma decodes LZMA2, the compression inside .xz files, fast enough
// that unpacking Debian packages does not wait for a C library.
//
// A stream of LZMA2 is a row of chunks. A chunk holds up to 2 MiB of output
// in up to 64 KiB of input, either stored or coded by LZMA: literals and
// matches into the last bytes of output (the dictionary), as bits of a range
// coder whose probabilities adapt. A chunk may reset dictionary,
// probabilities and properties.
//
// The decoder keeps its output in one linear window, of which the end is the
// dictionary, and reads every chunk's input whole. So the loop over the bits
// has no call that reads or writes. What it cannot trust, it checks: every
// distance against the output so far, every length against the chunk, and at
// the end of a chunk that its input is used up exactly.
//
// That loop is half of the processor time of a build from nothing. It is there
// in Go, and for amd64 in assembly, which takes a third less time; tests hold
// one against the other.
//
// Sources: "LZMA specification" in the LZMA SDK 23.01 (public domain) for the
// coder; the .xz file format 1.2.0, section 5.3.1, and the description of
// LZMA2 chunks in xz-embedded's documentation for the container.
package lzma

import (
	"errors"
	"fmt"
	"io"
)

// ErrData says that the input is no LZMA2, or damaged.
var ErrData = errors.New("lzma: damaged data")

const (
	maxIn  = 64 << 10 // bytes of input of one chunk
	maxOut = 2 << 20  // bytes of output of one chunk

	// slack is how far the range coder may run beyond a chunk's input before
	// it is looked at: one match takes 16 bytes of input at most. The slack
	// is zeros.
	slack = 32

	// MinDictionary is the smallest dictionary that .xz knows.
	MinDictionary = 4 << 10
)

// A Reader decodes a stream of LZMA2. Its input ends with a byte of zero; the
// Reader reads nothing after it.
type Reader struct {
	in   io.Reader
	err  error
	dict int // bytes

	window []byte // output; window[:pos] is decoded
	pos    int
	taken  int // window[:taken] was handed out
	valid  int // bytes before pos that a distance may reach
	since  int // bytes since the dictionary was reset

	needProps, needState, needDict bool

	input [maxIn + slack]byte
	s     state
}

// NewReader returns a decoder for the LZMA2 stream in r, which needs a
// dictionary of dict bytes. It takes memory for the dictionary and two chunks
// as they are needed.
func NewReader(r io.Reader, dict uint32) *Reader {
	d := &Reader{}
	d.Reset(r, dict)
	return d
}

// Reset makes the decoder read another stream. Its memory is used again.
func (d *Reader) Reset(r io.Reader, dict uint32) {
	d.in, d.dict, d.err = r, int(max(dict, MinDictionary)), nil
	d.pos, d.taken, d.valid, d.since = 0, 0, 0, 0
	d.needProps, d.needState, d.needDict = true, true, true
}

// Expect says that size bytes of output are to come, so that memory is taken
// at once instead of growing. It is a hint, and bounded as all of the memory is.
func (d *Reader) Expect(size int64) {
	if most := int64(d.dict + 2*maxOut); int64(len(d.window)) < min(size, most) && d.pos == 0 {
		d.window = make([]byte, min(size, most))
	}
}

// Read implements io.Reader. It returns io.EOF after the end of the stream
// was seen, and io.ErrUnexpectedEOF when the input ends before.
func (d *Reader) Read(p []byte) (int, error) {
	for d.taken == d.pos {
		if d.err != nil {
			return 0, d.err
		}
		d.err = d.chunk()
	}
	n := copy(p, d.window[d.taken:d.pos])
	d.taken += n
	return n, nil
}

// chunk decodes one chunk.
func (d *Reader) chunk() error {
	var h [6]byte
	if err := d.full(h[:1]); err != nil {
		return err
	}
	control := h[0]
	if control == 0 {
		return io.EOF
	}
	if control == 1 || control >= 0xe0 {
		d.needDict, d.needProps = false, true
		d.valid, d.since = 0, 0
	} else if d.needDict {
		return fmt.Errorf("%w: the first chunk does not reset the dictionary", ErrData)
	}
	if control < 0x80 {
		if control > 2 {
			return fmt.Errorf("%w: chunk type %#02x", ErrData, control)
		}
		if err := d.full(h[:2]); err != nil {
			return err
		}
		n := int(h[0])<<8 + int(h[1]) + 1
		d.room(n)
		if err := d.full(d.window[d.pos : d.pos+n]); err != nil {
			return err
		}
		d.advance(n)
		return nil
	}
	if err := d.full(h[:4]); err != nil {
		return err
	}
	out := int(control&0x1f)<<16 + int(h[0])<<8 + int(h[1]) + 1
	in := int(h[2])<<8 + int(h[3]) + 1
	switch reset := control >> 5 & 3; {
	case reset >= 2:
		if err := d.full(h[:1]); err != nil {
			return err
		}
		if err := d.s.setProperties(h[0]); err != nil {
			return err
		}
		d.needProps, d.needState = false, false
		d.s.reset()
	case d.needProps:
		return fmt.Errorf("%w: a chunk before any properties", ErrData)
	case reset == 1:
		d.needState = false
		d.s.reset()
	case d.needState:
		return fmt.Errorf("%w: a chunk before any state", ErrData)
	}
	if err := d.full(d.input[:in]); err != nil {
		return err
	}
	clear(d.input[in : in+slack])
	d.room(out)
	if err := d.s.decode(d.input[:in+slack], d.window[:d.pos+out], d.pos, d.valid, d.since); err != nil {
		return err
	}
	d.advance(out)
	return nil
}

func (d *Reader) advance(n int) {
	d.pos += n
	d.since += n
	d.valid = min(d.valid+n, d.dict)
}

// room makes place for n more bytes of output.
func (d *Reader) room(n int) {
	if d.pos+n <= len(d.window) {
		return
	}
	most := d.dict + 2*maxOut
	if d.pos+n > most {
		// The dictionary moves to the front. Everything was handed out.
		keep := d.valid
		copy(d.window, d.window[d.pos-keep:d.pos])
		d.pos, d.taken = keep, keep
	}
	if d.pos+n > len(d.window) {
		grown := make([]byte, min(most, max(2*len(d.window), d.pos+n, 1<<20)))
		copy(grown, d.window[:d.pos])
		d.window = grown
	}
}

func (d *Reader) full(p []byte) error {
	_, err := io.ReadFull(d.in, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
