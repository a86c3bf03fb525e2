// Package growroot lets the root file system fill the disk that an image was
// copied to, while it is mounted: first the partition, then the encrypted device
// on it, where there is one, then ext4 or btrfs.
//
// It can be run at any time and as often as one likes; a root that fills its
// disk is left alone. A power cut leaves a disk that boots and that the next
// run goes on with, since every step is whole before the next begins:
//
//  1. backup GPT at the disk's new end: entries, sync, header, sync. The
//     primary GPT is still the old one and still valid.
//  2. primary GPT: entries, sync, header, sync. Between the two the primary's
//     checksum is wrong, and the kernel, firmware and this package take the
//     backup, which is new and whole.
//  3. the kernel is told the partition's new size; nothing is written.
//  4. an encrypted device is made as large as its partition; nothing is written.
//  5. ext4 grows by its own journal, group by group; btrfs in one transaction.
//     It is what it was before or what it is now, also in between.
//
// A partition that is larger than its file system is harmless, the opposite
// never happens.
package growroot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"reprise/initrd/devmapper"
)

// A Result says what was done. Sizes are in bytes.
type Result struct {
	Disk            string // device node, such as "/dev/vda"
	PartitionBefore int64
	PartitionAfter  int64
	FSBefore        int64 // as statfs counts: without ext4's own tables
	FSAfter         int64
}

// Changed says whether anything grew.
func (r Result) Changed() bool {
	return r.PartitionBefore != r.PartitionAfter || r.FSBefore != r.FSAfter
}

// Grow grows the file system, ext4 or btrfs, that is mounted at mount, such as /.reprise/disk,
// and its partition to the end of the disk, or to the next partition. It
// needs /dev and /sys, and root. A file system that is not on a GPT partition
// gets its own size checked only.
func Grow(ctx context.Context, mount string) (Result, error) {
	r, err := grow(ctx, mount)
	if err != nil {
		return r, fmt.Errorf("grow the file system at %q: %w", mount, err)
	}
	return r, nil
}

func grow(ctx context.Context, mount string) (Result, error) {
	dir, err := os.Open(mount)
	if err != nil {
		return Result{}, err
	}
	defer dir.Close()
	var before unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &before); err != nil {
		return Result{}, err
	}
	if before.Type != unix.EXT4_SUPER_MAGIC && before.Type != unix.BTRFS_SUPER_MAGIC {
		return Result{}, fmt.Errorf("it is of type %#x: ext4 and btrfs grow here", before.Type)
	}
	device, err := deviceOf(dir, before.Type)
	if err != nil {
		return Result{}, fmt.Errorf("its block device: %w", err)
	}
	p, err := partitionAt(device)
	if err != nil {
		return Result{}, err
	}
	r := Result{
		Disk: p.disk, PartitionBefore: p.bytes, PartitionAfter: p.bytes,
		FSBefore: int64(before.Blocks) * before.Bsize, FSAfter: int64(before.Blocks) * before.Bsize,
	}
	if p.number > 0 {
		if r.PartitionAfter, err = p.grow(); err != nil {
			return r, err
		}
	}
	if err := ctx.Err(); err != nil {
		return r, err
	}
	room := r.PartitionAfter
	if p.mapped != "" {
		if room, err = devmapper.Fill(p.mapped); err != nil {
			return r, err
		}
	}
	if before.Type == unix.BTRFS_SUPER_MAGIC {
		if err := growBtrfs(dir); err != nil {
			return r, fmt.Errorf("grow btrfs: %w", err)
		}
	} else {
		blocks := uint64(room / before.Bsize)
		if err := ioctl(dir, extIOCResizeFS, unsafe.Pointer(&blocks)); err != nil {
			return r, fmt.Errorf("grow ext4 to %d blocks: %w", blocks, err)
		}
	}
	var after unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &after); err != nil {
		return r, err
	}
	r.FSAfter = int64(after.Blocks) * after.Bsize
	return r, nil
}

// extIOCResizeFS is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64): the new size in
// blocks. Given the size that the file system has, it does nothing.
// Source: include/uapi/linux/ext4.h of Linux 6.12.
const extIOCResizeFS = 0x40086610

// A partition as the kernel sees it.
type partition struct {
	disk         string // device node of the whole disk
	number       int    // 0 when the file system has the whole disk
	start, bytes int64
	mapped       string // name of the encrypted device on it; "" for none
}

// partitionAt finds what a block device lies on, by its place in /sys. An
// encrypted one lies on one other.
func partitionAt(place string) (partition, error) {
	mapped := ""
	if below, err := filepath.Glob(filepath.Join(place, "slaves/*")); err == nil && len(below) == 1 {
		name, err := os.ReadFile(filepath.Join(place, "dm/name"))
		if err != nil {
			return partition{}, err
		}
		mapped = strings.TrimSpace(string(name))
		if place, err = filepath.EvalSymlinks(below[0]); err != nil {
			return partition{}, err
		}
	}
	p := partition{disk: "/dev/" + filepath.Base(place), mapped: mapped}
	sectors, err := number(place, "size")
	if err != nil {
		return partition{}, err
	}
	p.bytes = sectors * kernelSector
	n, err := number(place, "partition")
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	} else if err != nil {
		return partition{}, err
	}
	first, err := number(place, "start")
	if err != nil {
		return partition{}, err
	}
	p.number, p.start = int(n), first*kernelSector
	p.disk = "/dev/" + filepath.Base(filepath.Dir(place))
	return p, nil
}

// kernelSector is what /sys counts in, whatever the disk's own sectors are.
const kernelSector = 512

func number(dir, name string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// grow enlarges p in the GPT and in the kernel and returns its size.
func (p partition) grow() (int64, error) {
	disk, err := os.OpenFile(p.disk, os.O_RDWR, 0)
	if err != nil {
		return p.bytes, err
	}
	defer disk.Close()
	var size uint64
	if err := ioctl(disk, unix.BLKGETSIZE64, unsafe.Pointer(&size)); err != nil {
		return p.bytes, fmt.Errorf("size of %q: %w", p.disk, err)
	}
	sector, err := unix.IoctlGetInt(int(disk.Fd()), unix.BLKSSZGET)
	if err != nil {
		return p.bytes, fmt.Errorf("sector size of %q: %w", p.disk, err)
	}
	bytes, err := Table(disk, int64(size), sector, p.number, p.start)
	if err != nil {
		return p.bytes, fmt.Errorf("partition table of %q: %w", p.disk, err)
	}
	if bytes <= p.bytes {
		return p.bytes, nil
	}
	change := unix.BlkpgPartition{Start: p.start, Length: bytes, Pno: int32(p.number)}
	order := unix.BlkpgIoctlArg{
		Op: unix.BLKPG_RESIZE_PARTITION, Datalen: int32(unsafe.Sizeof(change)), Data: (*byte)(unsafe.Pointer(&change)),
	}
	if err := ioctl(disk, unix.BLKPG, unsafe.Pointer(&order)); err != nil {
		return p.bytes, fmt.Errorf("tell the kernel that partition %d of %q has %d bytes: %w", p.number, p.disk, bytes, err)
	}
	return bytes, nil
}

func ioctl(f *os.File, request uintptr, argument unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(argument))
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
			continue
		}
		return errno
	}
}
