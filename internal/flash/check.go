package flash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"reprise/internal/progress"
)

// check reads w.pieces back from the medium and compares their sums.
func (w *writer) check(ctx context.Context) error {
	if err := w.device.Drop(); err != nil {
		return fmt.Errorf("drop the caches of the device: %w", err)
	}
	var total int64
	for _, p := range w.pieces {
		total += p.n
	}
	sink := w.sink
	if total <= headBytes {
		sink = progress.Discard // a blink
	}
	task := sink.Start("check "+w.device.Name(), progress.Bytes, total)
	err := w.compare(ctx, task)
	task.Done(err)
	return err
}

// compare lets reading the device and summing overlap.
func (w *writer) compare(ctx context.Context, task progress.Task) error {
	ctx, cancel := context.WithCancel(ctx)
	full, free := make(chan chunk), make(chan []byte, buffers)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(full)
		for _, p := range w.pieces {
			var c chunk
			select {
			case c.buf = <-free:
			case <-ctx.Done():
				return
			}
			c.buf, c.off = c.buf[:p.n], p.off
			if n, err := w.device.ReadAt(c.buf, p.off); err != nil {
				c.err = fmt.Errorf("read %d bytes back at %d: %w", p.n, p.off+int64(n), err)
			}
			select {
			case full <- c:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { cancel(); <-done }()
	for range buffers {
		free <- aligned(chunkBytes)
	}
	for _, p := range w.pieces {
		c, ok := <-full
		switch {
		case ctx.Err() != nil || !ok:
			return ctx.Err()
		case c.err != nil:
			return c.err
		case sha256.Sum256(c.buf) != p.sum:
			cancel()
			<-done // locate reads the image, which nobody else may then
			return w.locate(c, p)
		}
		task.Add(p.n)
		free <- c.buf[:chunkBytes]
	}
	return nil
}

// locate makes the bytes of a piece again and finds the first that differs.
func (w *writer) locate(c chunk, p piece) error {
	want, err := w.again(p)
	if err != nil {
		return fmt.Errorf("reading back differs between bytes %d and %d; where exactly is not known: %w", p.off, p.off+p.n, err)
	}
	m := &Mismatch{Offset: -1, Until: p.off + p.n}
	for i := range want {
		if want[i] != c.buf[i] {
			if m.Offset < 0 {
				m.Offset, m.Got, m.Want = p.off+int64(i), c.buf[i], want[i]
			}
			m.Differ++
		}
	}
	return m
}

// again returns what was written as p.
func (w *writer) again(p piece) ([]byte, error) {
	want := make([]byte, p.n)
	if p.off < int64(len(w.head)) {
		copy(want, w.head[p.off:])
		return want, nil
	}
	if p.off < w.image.Size {
		// Not bound to the caller's context: what is wrong with the device is
		// worth the time.
		r, err := w.image.open(context.Background())
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if _, err := io.CopyN(io.Discard, r, p.off); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(r, want[:min(p.n, w.image.Size-p.off)]); err != nil {
			return nil, err
		}
	}
	apply(w.move.patches, want, p.off)
	if sum := sha256.Sum256(want); !bytes.Equal(sum[:], p.sum[:]) {
		return nil, fmt.Errorf("%q was changed meanwhile", w.image.Path)
	}
	return want, nil
}
