package flash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
	"unsafe"

	"reprise/internal/progress"
)

const (
	// headBytes is written last: it holds every place where firmware and
	// kernels look for boot code, tables and ISO 9660 descriptors.
	headBytes = 1 << 20
	// bootBytes is written at the very end: MBR and GPT header, in one write.
	bootBytes = 4 << 10
	// descriptors end here: those of ISO 9660, which lead to El Torito's boot
	// catalogue, lie from 32 KiB to this at most.
	descriptors = 64 << 10
	// tailBytes at the device's end may hold another table's backup, or
	// superblocks of md, ZFS and Intel's RAID.
	tailBytes = 1 << 20
	// chunkBytes is one write: of what sticks and card readers take at once
	// (240 blocks to some MiB), a multiple.
	chunkBytes = 4 << 20
	// syncEvery bounds what a device may hold back, and by how much progress
	// can be ahead of it.
	syncEvery = 32 << 20
	// buffers are on their way between reading and writing.
	buffers = 3
)

// ErrTooSmall is in the chain of the error for a device without room.
var ErrTooSmall = errors.New("the device is too small")

// A Result says what was done.
type Result struct {
	Bytes    int64         // of the image
	SHA256   string        // of the image, lower case
	Backup   Move          // what became of the backup GPT
	Before   *Marker       // an unfinished write that this one replaced
	Writing  time.Duration // including reading the image
	Checking time.Duration
}

// Interrupted says whether a device was left by an unfinished write.
func Interrupted(d io.ReaderAt) (Marker, bool) {
	block := aligned(bootBytes)
	if _, err := d.ReadAt(block, 0); err != nil {
		return Marker{}, false
	}
	return parseMarker(block)
}

// Write writes im, which was measured, to d, and compares. Errors are of type
// *Error. It may be run again after any of them, and after a power cut.
func Write(ctx context.Context, im *Image, d Device, sink progress.Sink) (*Result, error) {
	w := &writer{image: im, device: d, sink: sink, state: Untouched}
	result, err := w.run(ctx)
	if err == nil {
		return result, nil
	}
	return nil, &Error{Device: d.Name(), State: w.state, Gone: d.Gone(), Err: err}
}

// A piece is a part of the device with the sum of what was written there.
type piece struct {
	off, n int64
	sum    [sha256.Size]byte
}

type writer struct {
	image  *Image
	device Device
	sink   progress.Sink

	state  State
	move   Move
	head   []byte // as it will stand on the device
	pieces []piece
	dirty  int64 // bytes since the last sync
}

func (w *writer) run(ctx context.Context) (*Result, error) {
	size, block := w.image.Size, w.device.Block()
	if err := w.fits(); err != nil {
		return nil, err
	}
	result := &Result{Bytes: size}
	if m, ok := Interrupted(w.device); ok {
		result.Before = &m
	}
	source, err := w.image.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", w.image.Path, err)
	}
	defer source.Close()
	whole := sha256.New()
	r := io.TeeReader(source, whole)
	w.head = aligned(max(roundUp(min(size, headBytes), block), bootBytes)) // no less than the note that it replaces
	if _, err := io.ReadFull(r, w.head[:min(size, headBytes)]); err != nil {
		return nil, fmt.Errorf("read %q: %w", w.image.Path, err)
	}
	w.move = move(w.head, size, w.device.Size(), block)
	apply(w.move.patches, w.head, 0)
	result.Backup = w.move

	started := time.Now()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.state = Unfinished
	if err := w.erase(); err != nil {
		return nil, err
	}
	if err := w.body(ctx, r); err != nil {
		return nil, err
	}
	result.SHA256 = hex.EncodeToString(whole.Sum(nil))
	result.Writing = time.Since(started)

	started = time.Now()
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := w.finish(ctx); err != nil {
		return nil, err
	}
	result.Checking = time.Since(started)
	if err := w.device.Reread(); err != nil {
		w.sink.Note("the kernel still has the old partition table of %s: unplug it and plug it in again", w.device.Name())
	}
	return result, nil
}

func (w *writer) fits() error {
	need := max(w.image.Size, bootBytes)
	if has := w.device.Size(); has < need {
		return fmt.Errorf("%w by %s: the image has %s, the device %s", ErrTooSmall, size(need-has), size(need), size(has))
	}
	return nil
}

// erase takes away what firmware and kernels could find.
func (w *writer) erase() error {
	note, err := Marker{Image: w.image.Name(), SizeBytes: w.image.Size}.encode()
	if err != nil {
		return err
	}
	end, block := w.device.Size(), w.device.Block()
	first := aligned(bootBytes)
	copy(first, note)
	if err := w.put(first, 0); err != nil {
		return err
	}
	if err := w.device.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	if err := w.zero(bootBytes, min(headBytes, end)); err != nil {
		return err
	}
	tail := max(end-tailBytes, roundUp(w.image.Size, block), headBytes)
	if err := w.zero(tail/block*block, end); err != nil {
		return err
	}
	if err := w.device.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// zero writes zeros from one place to another, both whole blocks, at most
// headBytes or tailBytes apart.
func (w *writer) zero(from, to int64) error {
	if from >= to {
		return nil
	}
	return w.put(aligned(to-from), from)
}

func (w *writer) put(p []byte, off int64) error {
	n, err := w.device.WriteAt(p, off)
	if err != nil {
		return fmt.Errorf("write %d bytes at %d: %w", len(p), off, err)
	}
	if n != len(p) {
		return fmt.Errorf("write %d bytes at %d: %w", len(p), off, io.ErrShortWrite)
	}
	return nil
}

// A chunk is on its way from the image to the device, or back to be compared.
type chunk struct {
	buf  []byte
	off  int64
	zero bool
	err  error
}

// body writes the image behind its head, and the backup GPT.
func (w *writer) body(ctx context.Context, r io.Reader) error {
	task := w.sink.Start("write "+w.device.Name(), progress.Bytes, w.image.Size)
	task.Add(min(w.image.Size, headBytes))
	err := w.stream(ctx, r, task)
	if err == nil {
		err = w.backup()
	}
	if err == nil {
		if err = w.device.Sync(); err != nil {
			err = fmt.Errorf("sync: %w", err)
		}
	}
	task.Done(err)
	return err
}

// stream lets reading the image and writing overlap.
func (w *writer) stream(ctx context.Context, r io.Reader, task progress.Task) error {
	ctx, cancel := context.WithCancel(ctx)
	full, free := make(chan chunk), make(chan []byte, buffers)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(full)
		w.read(ctx, r, free, full)
	}()
	// The reader of the image is closed by the caller: nobody may use it then.
	defer func() { cancel(); <-done }()
	for range buffers {
		free <- aligned(chunkBytes)
	}
	for c := range full {
		if c.err != nil {
			return c.err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.write(c); err != nil {
			return err
		}
		task.Add(min(int64(len(c.buf)), w.image.Size-c.off))
		free <- c.buf[:chunkBytes]
	}
	return ctx.Err()
}

// read makes chunks of the image until its end, or until ctx ends.
func (w *writer) read(ctx context.Context, r io.Reader, free <-chan []byte, full chan<- chunk) {
	send := func(c chunk) bool {
		select {
		case full <- c:
			return c.err == nil
		case <-ctx.Done():
			return false
		}
	}
	for off := int64(headBytes); off < w.image.Size; off += chunkBytes {
		var buf []byte
		select {
		case buf = <-free:
		case <-ctx.Done():
			return
		}
		c, err := w.next(r, buf, off)
		if err != nil {
			c.err = fmt.Errorf("read %q at %d: %w", w.image.Path, off, err)
		}
		if !send(c) {
			return
		}
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
		send(chunk{err: fmt.Errorf("read %q: it grew while it was read", w.image.Path)})
	} else if err != io.EOF {
		send(chunk{err: fmt.Errorf("read %q: %w", w.image.Path, err)})
	}
}

// next reads the chunk at off as it will stand on the device.
func (w *writer) next(r io.Reader, buf []byte, off int64) (chunk, error) {
	n := min(chunkBytes, w.image.Size-off)
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("it was cut short while it was read")
		}
		return chunk{}, err
	}
	padded := roundUp(n, w.device.Block())
	clear(buf[n:padded])
	c := chunk{buf: buf[:padded], off: off}
	apply(w.move.patches, c.buf, off)
	c.zero = zeros(c.buf)
	return c, nil
}

// write writes a chunk and remembers its sum. Zeros are left to the device,
// which may know a faster way, and promises that zeros are read afterwards.
func (w *writer) write(c chunk) error {
	w.pieces = append(w.pieces, piece{c.off, int64(len(c.buf)), sha256.Sum256(c.buf)})
	err := ErrNoZero
	if c.zero {
		if err = w.device.Zero(c.off, int64(len(c.buf))); err != nil {
			err = fmt.Errorf("zero %d bytes at %d: %w", len(c.buf), c.off, err)
		}
	}
	if errors.Is(err, ErrNoZero) {
		err = w.put(c.buf, c.off)
	}
	if err != nil {
		return err
	}
	if w.dirty += int64(len(c.buf)); w.dirty >= syncEvery {
		w.dirty = 0
		if err := w.device.Sync(); err != nil {
			return fmt.Errorf("sync up to %d: %w", c.off+int64(len(c.buf)), err)
		}
	}
	return nil
}

// backup writes what of the backup GPT lies behind the image's last block.
func (w *writer) backup() error {
	from := max(roundUp(w.image.Size, w.device.Block()), int64(len(w.head)))
	for _, p := range w.move.patches {
		if end := p.at + int64(len(p.data)); end > from {
			at := max(p.at, from)
			buf := aligned(end - at)
			copy(buf, p.data[at-p.at:])
			if err := w.put(buf, at); err != nil {
				return err
			}
			w.pieces = append(w.pieces, piece{at, int64(len(buf)), sha256.Sum256(buf)})
		}
	}
	return nil
}

// finish writes the head from its end, boot code and tables last, and compares.
// A head that reads back wrong is taken away again.
func (w *writer) finish(ctx context.Context) error {
	end := int64(len(w.head))
	for _, from := range []int64{descriptors, bootBytes, 0} {
		if from >= end {
			continue
		}
		buf := aligned(end - from)
		copy(buf, w.head[from:end])
		if err := w.put(buf, from); err != nil {
			return err
		}
		end = from
		if err := w.device.Sync(); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
	}
	w.state = Unchecked
	w.pieces = []piece{{0, int64(len(w.head)), sha256.Sum256(w.head)}}
	err := w.check(ctx)
	if mismatch := new(Mismatch); errors.As(err, &mismatch) {
		if erased := w.erase(); erased == nil {
			w.state = Unfinished
		}
	}
	return err
}

// aligned makes a buffer that direct access takes: it begins at a multiple of
// 4 KiB, which is at least any logical block.
func aligned(n int64) []byte {
	const to = 4 << 10
	b := make([]byte, n+to)
	skip := to - int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))%to)
	return b[skip : skip+int(n) : skip+int(n)]
}

// zeros says whether b holds nothing else.
func zeros(b []byte) bool {
	return len(b) == 0 || b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1])
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
