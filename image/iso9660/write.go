package iso9660

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"reprise/internal/sha256sums"
)

// WriteTo writes the image to w, front to back. It fails when a Write gives
// fewer or more bytes than its file's Size, and when ctx ends; what w got
// until then is no image. It may be called again.
func (l *Layout) WriteTo(ctx context.Context, w io.Writer) error {
	s := &sequence{ctx: ctx, w: w}
	if _, err := s.Write(l.head); err != nil {
		return err
	}
	sums := map[*node][]byte{}
	for _, n := range l.order {
		source := l.image.Files[n.file].Write
		switch {
		case n.sums:
			source = l.writeSums(sums)
		case n.path() == l.image.BIOS:
			source = patched(source, n)
		}
		var h hash.Hash
		if l.image.Sums != "" {
			h = sha256.New()
		}
		if err := s.file(n.offset, n.size, source, h); err != nil {
			return fmt.Errorf("write %q: %w", n.path(), err)
		}
		if h != nil {
			sums[n] = h.Sum(nil)
		}
	}
	if l.esp.size > 0 {
		if err := s.file(l.esp.offset, l.esp.size, l.image.ESP.Write, nil); err != nil {
			return fmt.Errorf("write EFI system partition: %w", err)
		}
	}
	if err := s.zeros(l.size - int64(len(l.tail))); err != nil {
		return err
	}
	_, err := s.Write(l.tail)
	return err
}

// sequence is a writer that knows how far it is.
type sequence struct {
	ctx context.Context
	w   io.Writer
	at  int64
}

func (s *sequence) Write(p []byte) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	s.at += int64(n)
	return n, err
}

var zeroes [64 << 10]byte

// zeros fills up to offset.
func (s *sequence) zeros(offset int64) error {
	for s.at < offset {
		if _, err := s.Write(zeroes[:min(offset-s.at, int64(len(zeroes)))]); err != nil {
			return err
		}
	}
	return nil
}

// file writes what source gives at offset, and to h unless that is nil.
func (s *sequence) file(offset, size int64, source func(context.Context, io.Writer) error, h hash.Hash) error {
	if size == 0 && source == nil {
		return nil
	}
	if size > 0 {
		if err := s.zeros(offset); err != nil {
			return err
		}
	}
	m := &measured{w: s, left: size, size: size, h: h}
	if err := source(s.ctx, m); err != nil {
		return err
	}
	if m.over {
		return m.tooMuch()
	}
	if m.left > 0 {
		return fmt.Errorf("its source gave %d bytes, %d were promised", size-m.left, size)
	}
	return s.zeros(roundUp(s.at, Sector))
}

// measured takes no more than was promised.
type measured struct {
	w          io.Writer
	size, left int64
	over       bool // even if the source hides the error
	h          hash.Hash
}

func (m *measured) tooMuch() error {
	return fmt.Errorf("its source gave more than the %d bytes that were promised", m.size)
}

func (m *measured) Write(p []byte) (int, error) {
	if int64(len(p)) > m.left {
		m.over = true
		return 0, m.tooMuch()
	}
	n, err := m.w.Write(p)
	m.left -= int64(n)
	if m.h != nil {
		m.h.Write(p[:n])
	}
	return n, err
}

// patched is the source of the El Torito image with its boot information.
func patched(source func(context.Context, io.Writer) error, n *node) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		var content bytes.Buffer
		if err := source(ctx, &measured{w: &content, size: n.size, left: n.size}); err != nil {
			return err
		}
		if content.Len() < bootImageMin {
			return fmt.Errorf("its source gave %d bytes, %d were promised", content.Len(), n.size)
		}
		_, err := w.Write(patchBoot(content.Bytes(), n.offset))
		return err
	}
}

// writeSums is the source of Image.Sums.
func (l *Layout) writeSums(sums map[*node][]byte) func(context.Context, io.Writer) error {
	return func(_ context.Context, w io.Writer) error {
		var list []sha256sums.Sum
		for _, n := range l.order {
			if !n.sums {
				list = append(list, sha256sums.Sum{Path: n.path(), Digest: [sha256.Size]byte(sums[n])})
			}
		}
		slices.SortFunc(list, func(a, b sha256sums.Sum) int { return strings.Compare(a.Path, b.Path) })
		_, err := w.Write(sha256sums.Encode(list))
		return err
	}
}

// writtenByUs stands in Image.Files for what WriteTo makes itself.
func writtenByUs(context.Context, io.Writer) error {
	return errors.New("written by WriteTo alone")
}
