package deb

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// chunkSize is the piece in which decoded bytes travel between
	// goroutines.
	chunkSize = 256 << 10

	// maxWindow bounds the dictionary of xz and the window of zstd. dpkg-deb
	// writes xz with 8 MiB at its default level and 64 MiB at the highest.
	maxWindow = 128 << 20
)

// decompress starts to decode the member in r. Decoding runs in goroutines of
// its own; Close ends them, and returns an error when the decoder ended badly.
// xz stands in for our own decoder of xz; nil means our own, which decodes
// the blocks of a stream side by side.
func decompress(ctx context.Context, r *io.SectionReader, compression string, xz func(io.Reader) (io.ReadCloser, error)) (io.ReadCloser, error) {
	switch compression {
	case "":
		return io.NopCloser(r), nil
	case "gz":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return pump(ctx, compression, z, false), nil
	case "zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return pump(ctx, compression, z.IOReadCloser(), false), nil
	case "xz":
		if xz == nil {
			return newXZ(ctx, r)
		}
		z, err := xz(r)
		if err != nil {
			return nil, err
		}
		return pump(ctx, compression, z, true), nil
	}
	return nil, fmt.Errorf("unknown compression %q", compression)
}

// A stream is decoded output on its way from producers to one reader. Parts
// follow each other in order; each part is filled by one goroutine.
type stream struct {
	ctx    context.Context
	cancel context.CancelFunc
	parts  <-chan *part
	now    *part
	chunk  []byte // rest of the chunk being read
	whole  []byte // the chunk it is the rest of
	err    error
	group  sync.WaitGroup
	close  func() error // of the decoder; nil: none needed
	pipe   bool
	once   sync.Once
	closed error
}

// A part is a run of decoded bytes made by one goroutine. err is set before
// chunks is closed.
type part struct {
	form   string // how it is compressed, for messages
	chunks chan []byte
	err    error
	done   func() // called once the reader has taken all of it
}

var chunkPool = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}

// fill reads r to its end into the part's channel.
func (p *part) fill(ctx context.Context, r io.Reader) {
	defer close(p.chunks)
	for {
		b := *chunkPool.Get().(*[]byte)
		n, err := readChunk(r, b[:chunkSize])
		if n > 0 {
			select {
			case p.chunks <- b[:n]:
			case <-ctx.Done():
				p.err = context.Cause(ctx)
				return
			}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			p.err = fmt.Errorf("decode %s: %w", p.form, err)
			return
		}
	}
}

// readChunk is io.ReadFull that keeps the reader's own io.ErrUnexpectedEOF, by
// which decoders tell a cut stream, apart from a last chunk that is short.
func readChunk(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = r.Read(b[n:])
		n += k
	}
	return n, err
}

// pump decodes r one step ahead of its reader. pipe says that r may wait for
// another process, so that only closing it ends a read.
func pump(ctx context.Context, form string, r io.ReadCloser, pipe bool) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	parts := make(chan *part, 1)
	p := &part{form: form, chunks: make(chan []byte, 8)}
	parts <- p
	close(parts)
	s := &stream{ctx: ctx, cancel: cancel, parts: parts, close: r.Close, pipe: pipe}
	s.group.Go(func() { p.fill(ctx, r) })
	return s
}

func (s *stream) Read(to []byte) (int, error) {
	for len(s.chunk) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.recycle()
		if s.now == nil {
			select {
			case p, ok := <-s.parts:
				if !ok {
					if s.err = s.ctx.Err(); s.err == nil {
						s.err = io.EOF
					}
					continue
				}
				s.now = p
			case <-s.ctx.Done():
				s.err = context.Cause(s.ctx)
				continue
			}
		}
		select {
		case chunk, ok := <-s.now.chunks:
			if ok {
				s.chunk, s.whole = chunk, chunk
				continue
			}
			s.err = s.now.err
			if s.now.done != nil {
				s.now.done()
			}
			s.now = nil
		case <-s.ctx.Done():
			s.err = context.Cause(s.ctx)
		}
	}
	n := copy(to, s.chunk)
	s.chunk = s.chunk[n:]
	return n, nil
}

func (s *stream) recycle() {
	if s.whole != nil {
		b := s.whole[:cap(s.whole)]
		chunkPool.Put(&b)
		s.whole = nil
	}
}

// Close ends the decoding. It returns the error of the decoder's own Close
// (that of a pipe to a program that failed, for one).
func (s *stream) Close() error {
	s.once.Do(func() {
		s.cancel()
		if s.close != nil && s.pipe {
			s.closed = s.close()
		}
		s.group.Wait()
		if s.close != nil && !s.pipe {
			s.closed = s.close()
		}
		if s.err == nil {
			s.err = errClosed
		}
	})
	return s.closed
}
