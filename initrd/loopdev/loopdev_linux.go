// Package loopdev makes a block device of a part of a file: what squashfs needs,
// which the kernel mounts from block devices only, and what reaches a partition
// of a disk that is mounted as a whole.
package loopdev

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Range is the part of a file that becomes a device.
type Range struct {
	Offset int64 // bytes
	Size   int64 // bytes; 0 means to the end
}

// Options say how a device is made.
type Options struct {
	Range
	ReadOnly bool
	// Block is the device's logical block size, bytes; 0 means 512. Direct
	// access needs at least that of what lies beneath.
	Block uint32
	// Direct asks for access beside the page cache, so that nothing is kept
	// twice. Where the kernel cannot do that, the device works all the same.
	Direct bool
}

// A Device is an attached loop device. The kernel takes it away when the last
// user is gone: hold it open until it is mounted.
type Device struct {
	*os.File
	Direct bool // access goes beside the page cache
}

// tries bounds how often another user may be faster in taking a free device.
const tries = 64

// Attach makes a device of file. Module loop must be there.
func Attach(file *os.File, o Options) (*Device, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("attach %q: %w", file.Name(), err)
	}
	defer control.Close()
	mode := os.O_RDWR
	if o.ReadOnly {
		mode = os.O_RDONLY
	}
	for range tries {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("attach %q: find a free loop device: %w", file.Name(), err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), mode, 0)
		if err != nil {
			return nil, fmt.Errorf("attach %q: %w", file.Name(), err)
		}
		err = configure(device, file, o)
		if err == nil {
			d := &Device{File: device}
			if o.Direct {
				d.Direct = unix.IoctlSetInt(int(device.Fd()), unix.LOOP_SET_DIRECT_IO, 1) == nil
			}
			return d, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("attach %q to %q: %w", file.Name(), device.Name(), err)
		}
	}
	return nil, fmt.Errorf("attach %q: others take every free loop device first", file.Name())
}

func configure(device, file *os.File, o Options) error {
	c := unix.LoopConfig{Fd: uint32(file.Fd()), Size: o.Block}
	c.Info.Offset, c.Info.Sizelimit = uint64(o.Offset), uint64(o.Size)
	c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	if o.ReadOnly {
		c.Info.Flags |= unix.LO_FLAGS_READ_ONLY
	}
	copy(c.Info.File_name[:len(c.Info.File_name)-1], file.Name())
	return unix.IoctlLoopConfigure(int(device.Fd()), &c)
}

// fibmap is FIBMAP: it turns a block number of a file into one of its device.
// Source: include/uapi/linux/fs.h of Linux 6.12, _IO(0x00, 1).
const fibmap = 1

// Place returns where a file lies on the device of its file system, when it
// lies there in one piece. block is the file system's block size. It needs a
// file system that can tell (isofs can) and root.
func Place(file *os.File, block int64) (Range, error) {
	info, err := file.Stat()
	if err != nil {
		return Range{}, err
	}
	if info.Size() <= 0 {
		return Range{}, fmt.Errorf("%q is empty", file.Name())
	}
	last := (info.Size() - 1) / block
	first, err := physical(file, 0)
	if err != nil {
		return Range{}, err
	}
	// isofs writes a file of more than 4 GiB as several extents. Those of one
	// piece follow each other, so that its middle and its end tell.
	for _, at := range []int64{last / 2, last} {
		n, err := physical(file, at)
		if err != nil {
			return Range{}, err
		}
		if n != first+at {
			return Range{}, fmt.Errorf("%q does not lie in one piece", file.Name())
		}
	}
	return Range{Offset: first * block, Size: info.Size()}, nil
}

func physical(file *os.File, block int64) (int64, error) {
	n := int32(block)
	if int64(n) != block {
		return 0, fmt.Errorf("%q has too many blocks", file.Name())
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), fibmap, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0, fmt.Errorf("where %q lies: %w", file.Name(), errno)
	}
	if n <= 0 {
		return 0, fmt.Errorf("where %q lies is not known", file.Name())
	}
	return int64(n), nil
}
