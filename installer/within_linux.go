package installer

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"reprise/initrd/blockdev"
	"reprise/initrd/loopdev"
)

// Within mounts the file system of a partition, for reading or for writing, as
// long as use takes. mounted says whether it came to that; without it err says
// why not. For reading nothing is written, no journal replayed.
//
// The medium's own further partitions are reached as well: the ISO is mounted
// from the whole disk, which keeps the kernel from mounting a partition of it
// (EBUSY), but not from reading one through a loop device.
func Within(d blockdev.Device, write bool, use func(dir string) error) (mounted bool, err error) {
	dir, err := os.MkdirTemp("", "reprise-partition-")
	if err != nil {
		return false, err
	}
	defer os.Remove(dir)
	var flags uintptr = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	options := ""
	if !write {
		flags |= unix.MS_RDONLY
		if strings.HasPrefix(d.Type, "ext") {
			options = "noload"
		}
	}
	done := func() error { return nil }
	path := "/dev/" + d.Name
	err = unix.Mount(path, dir, d.Type, flags, options)
	if errors.Is(err, unix.EBUSY) {
		done, err = mountLoop(path, dir, d.Type, write, flags, options)
	}
	if err != nil {
		return false, &os.PathError{Op: "mount", Path: path, Err: err}
	}
	err = use(dir)
	if !write {
		return true, errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH), done())
	}
	return true, errors.Join(err, unix.Unmount(dir, 0), done())
}

// mountLoop mounts the file system at path through a loop device. done, after
// it was unmounted, brings what was written to the disk.
func mountLoop(path, dir, kind string, write bool, flags uintptr, options string) (done func() error, err error) {
	mode := os.O_RDONLY
	if write {
		mode = os.O_RDWR
	}
	file, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return nil, err
	}
	loop, err := loopdev.Attach(file, loopdev.Options{ReadOnly: !write})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// The mount holds the loop device, which goes with it.
	err = unix.Mount(loop.Name(), dir, kind, flags, options)
	if err = errors.Join(err, loop.Close()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		if write {
			return errors.Join(file.Sync(), file.Close())
		}
		return file.Close()
	}, nil
}
