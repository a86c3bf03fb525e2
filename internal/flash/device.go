package flash

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

// A Device is written and read in whole logical blocks. Buffers are aligned as
// direct access wants it. It is used by one goroutine at a time.
type Device interface {
	Name() string // node or file, as a person knows it
	Size() int64  // bytes, a multiple of Block
	Block() int64 // bytes of a logical block

	// WriteAt and ReadAt move all of p or return an error. ReadAt reads what
	// the medium holds once Drop was called after the last write.
	io.WriterAt
	io.ReaderAt

	// Zero makes n bytes at off read as zeros. ErrNoZero says that the device
	// knows no better way than to write them.
	Zero(off, n int64) error
	Sync() error   // what was written survives a power cut
	Drop() error   // the machine forgets what it keeps in memory of the device
	Reread() error // the kernel reads the partition table anew
	Gone() bool    // it was unplugged
	Close() error
}

// ErrNoZero is what Device.Zero returns when zeros have to be written.
var ErrNoZero = errors.New("the device cannot zero by itself")

// ErrBusy is in the chain of the error when something holds a device.
var ErrBusy = errors.New("it is in use")

// Open opens a block device, or a regular file in its place, for writing and
// for nobody else. The file's size is the device's. ErrBusy is in the chain of
// the error when it is in use, fs.ErrPermission when it may not be written.
func Open(path string) (Device, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Mode().IsRegular():
		return openFile(path)
	case info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0:
		return openBlock(path)
	}
	return nil, fmt.Errorf("open %q: it is no block device", path)
}

// fileBlock is what a file in a device's place is written in.
const fileBlock = 512 // bytes

// file is a regular file in a device's place.
type file struct {
	*os.File
	size int64
}

func openFile(path string) (Device, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %q: %w", path, errors.Join(ErrBusy, err))
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{f, info.Size() / fileBlock * fileBlock}, nil
}

func (f *file) Size() int64  { return f.size }
func (f *file) Block() int64 { return fileBlock }

func (f *file) Zero(off, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return ErrNoZero
	}
	return err
}

func (f *file) Drop() error   { return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
func (f *file) Reread() error { return nil }
func (f *file) Gone() bool    { return false }

// size prints bytes for a person, and exactly.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%s, %s bytes", humanize.IBytes(uint64(n)), humanize.Comma(n))
}
