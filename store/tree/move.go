package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Move renames the tree at from to the free name to on the same file system.
// An ordinary user may give a directory a new parent only while it is
// writable, so a directory's mode is widened before and canonical after.
func Move(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if info.IsDir() && os.Geteuid() != 0 {
		if err := os.Chmod(from, 0o755); err != nil {
			return err
		}
	}
	// RENAME_NOREPLACE: what another process has put there stays.
	err = unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system without it
		if _, statErr := os.Lstat(to); statErr == nil {
			err = unix.EEXIST
		} else {
			err = unix.Rename(from, to)
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	if info.IsDir() && os.Geteuid() != 0 {
		if err := os.Chmod(to, DirMode); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the file or tree at path, read-only directories included. A
// path that does not exist is no error. What cannot be removed is told once,
// and the rest is removed all the same.
func Remove(path string) error {
	if err := remove(unix.AT_FDCWD, path, path); err != nil {
		return fmt.Errorf("remove %q: %w", path, err)
	}
	return nil
}

func remove(at int, name, path string) error {
	err := unix.Unlinkat(at, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	dir, openErr := openDir(at, name, path)
	if errors.Is(openErr, unix.EACCES) {
		// Not even readable. The mode is changed by name, so a symlink put
		// in the directory's place at this moment would be followed: that
		// can only widen what this same user owns.
		if chmodErr := unix.Fchmodat(at, name, 0o700, 0); chmodErr == nil {
			dir, openErr = openDir(at, name, path)
		}
	}
	if openErr != nil {
		return &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	defer dir.Close()
	if os.Geteuid() != 0 {
		if err := dir.Chmod(0o700); err != nil {
			return err
		}
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	var first error
	for _, entry := range names {
		if err := remove(int(dir.Fd()), entry, filepath.Join(path, entry)); err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		return first
	}
	if err := unix.Unlinkat(at, name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "rmdir", Path: path, Err: err}
	}
	return nil
}

// Size returns the number of bytes that the files below path hold, as far as
// they can be read.
func Size(path string) (size int64) {
	filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}
