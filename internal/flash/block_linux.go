package flash

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// block is a block device of Linux, opened for nobody else.
type block struct {
	*os.File
	size, block int64
	number      string // "8:16"
	direct      bool   // reads and writes pass the page cache
}

func openBlock(path string) (Device, error) {
	// O_EXCL on a block device fails while it or a partition of it is mounted,
	// swapped to, or part of something larger; and keeps others from that.
	// Source: open(2).
	direct := true
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_EXCL|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EINVAL) {
		direct = false
		f, err = os.OpenFile(path, os.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
	}
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("open %q: %w", path, errors.Join(ErrBusy, err))
	}
	if err != nil {
		return nil, err
	}
	b := &block{File: f, direct: direct}
	if err := b.measure(); err != nil {
		f.Close()
		return nil, fmt.Errorf("measure %q: %w", path, err)
	}
	return b, nil
}

func (b *block) measure() error {
	var bytes uint64
	if err := ioctl(b.File, unix.BLKGETSIZE64, unsafe.Pointer(&bytes)); err != nil {
		return err
	}
	sector, err := unix.IoctlGetInt(int(b.Fd()), unix.BLKSSZGET)
	if err != nil {
		return err
	}
	if sector < 512 || sector > bootBytes {
		return fmt.Errorf("it has sectors of %d bytes, want 512 to %d", sector, bootBytes)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(b.Fd()), &st); err != nil {
		return err
	}
	b.block = int64(sector)
	b.size = int64(bytes) / b.block * b.block
	b.number = fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	return nil
}

func (b *block) Size() int64  { return b.size }
func (b *block) Block() int64 { return b.block }

// ReadAt is that of the file, but that the end of the device is an error.
func (b *block) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.File.ReadAt(p, off)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Zero lets the device do it where it can, else the kernel writes zeros. Both
// promise that zeros are read afterwards, which discarding does not.
// Source: blkdev_issue_zeroout in block/blk-lib.c of Linux 6.12.
func (b *block) Zero(off, n int64) error {
	span := [2]uint64{uint64(off), uint64(n)}
	err := ioctl(b.File, unix.BLKZEROOUT, unsafe.Pointer(&span))
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
		return ErrNoZero
	}
	return err
}

// Drop empties the caches of the device. BLKFLSBUF wants root; with direct
// access nothing of it was read into them.
func (b *block) Drop() error {
	err := ioctl(b.File, unix.BLKFLSBUF, nil)
	if err != nil && b.direct && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) {
		err = nil
	}
	return errors.Join(err, unix.Fadvise(int(b.Fd()), 0, 0, unix.FADV_DONTNEED))
}

// Reread tells the kernel of the new table. Devices without partitions refuse.
func (b *block) Reread() error {
	err := ioctl(b.File, unix.BLKRRPART, nil)
	if errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

// Gone asks whether the kernel still knows the device: its number goes when it
// is unplugged, whatever is open.
func (b *block) Gone() bool {
	_, err := os.Stat("/sys/dev/block/" + b.number)
	return errors.Is(err, os.ErrNotExist)
}

func ioctl(f *os.File, request uintptr, argument unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(argument))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}
