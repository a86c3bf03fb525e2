package growroot

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deviceOf is the place in /sys of the block device under an open directory.
func deviceOf(dir *os.File, fs int64) (string, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &stat); err != nil {
		return "", err
	}
	number := stat.Dev
	if fs == unix.BTRFS_SUPER_MAGIC { // its files have a device of their own
		node, err := btrfsDevice(dir)
		if err != nil {
			return "", err
		}
		if err := unix.Stat(node, &stat); err != nil {
			return "", &os.PathError{Op: "stat", Path: node, Err: err}
		}
		number = stat.Rdev
	}
	return filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(number), unix.Minor(number)))
}

// firstDevice is the number of the only device that a btrfs of ours has.
const firstDevice = 1

// deviceInfo is struct btrfs_ioctl_dev_info_args, and btrfsIOCDevInfo asks for it.
// Source: include/uapi/linux/btrfs.h of Linux 6.12.
type deviceInfo struct {
	device      uint64
	_           [16]byte
	used, total uint64
	_           [16]byte
	_           [377]uint64
	path        [1024]byte
}

const btrfsIOCDevInfo = 0xd000941e

// btrfsDevice is the node of the device that a btrfs lies on.
func btrfsDevice(dir *os.File) (string, error) {
	info := deviceInfo{device: firstDevice}
	if err := ioctl(dir, btrfsIOCDevInfo, unsafe.Pointer(&info)); err != nil {
		return "", fmt.Errorf("ask btrfs: %w", err)
	}
	path, _, _ := bytes.Cut(info.path[:], []byte{0})
	return string(path), nil
}

// volume is struct btrfs_ioctl_vol_args.
type volume struct {
	_    int64
	name [4088]byte
}

const btrfsIOCResize = 0x50009403

// growBtrfs lets it fill its device.
func growBtrfs(dir *os.File) error {
	var v volume
	copy(v.name[:], fmt.Sprintf("%d:max", firstDevice))
	return ioctl(dir, btrfsIOCResize, unsafe.Pointer(&v))
}
