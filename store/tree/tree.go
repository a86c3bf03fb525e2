// Package tree treats the trees of the store as files on a disk: it brings
// them into canonical form, moves them and removes them.
//
// Canonical form is all that a store path may have of metadata: files are
// 0444 or 0555, directories 0555, the modification time is one second after
// the epoch, the owner is who writes the store, and there are no extended
// attributes or access lists. Trees in this form cannot be moved or removed
// by an ordinary user without making directories writable for a moment, which
// Move and Remove do.
//
// No function follows a symlink.
//
// Source: Nix 2.26, libstore/posix-fs-canonicalise.cc.
package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Mtime is the modification time of everything in the store, in seconds.
const Mtime = 1

// Modes of canonical files and directories.
const (
	FileMode = 0o444
	ExecMode = 0o555
	DirMode  = 0o555
)

// Times is Mtime as the two times that utimensat takes.
func Times() []unix.Timespec { return []unix.Timespec{{Sec: Mtime}, {Sec: Mtime}} }

// openDir opens the directory name below at without following a symlink.
func openDir(at int, name, path string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Canonicalise brings the file, symlink or directory at path, and all below
// it, into canonical form. It refuses devices, sockets and named pipes, and
// files of another user unless it runs as root. Doing it twice is harmless.
func Canonicalise(path string) error {
	if err := canonicalise(unix.AT_FDCWD, path, path); err != nil {
		return fmt.Errorf("bring %q into canonical form: %w", path, err)
	}
	return nil
}

func canonicalise(at int, name, path string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid() {
		if err := unix.Fchownat(at, name, os.Geteuid(), os.Getegid(), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "change the owner of", Path: path, Err: err}
		}
	}
	var mode uint32
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		mode = FileMode
		if st.Mode&unix.S_IXUSR != 0 {
			mode = ExecMode
		}
	case unix.S_IFLNK:
		mode = st.Mode & 0o7777
	case unix.S_IFDIR:
		mode = DirMode
		if err := canonicaliseEntries(at, name, path, st.Mode); err != nil {
			return err
		}
		// What was done inside may have moved the time, and the mode.
		if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "stat", Path: path, Err: err}
		}
	default:
		return fmt.Errorf("%q is neither a file nor a directory nor a symlink", path)
	}
	changed, err := dropXattrs(at, name, path, st.Mode)
	if err != nil {
		return err
	}
	if changed || st.Mode&0o7777 != mode {
		if err := unix.Fchmodat(at, name, mode, 0); err != nil {
			return &fs.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	if st.Mtim != (unix.Timespec{Sec: Mtime}) {
		if err := unix.UtimesNanoAt(at, name, Times(), unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "set the time of", Path: path, Err: err}
		}
	}
	return nil
}

func canonicaliseEntries(at int, name, path string, mode uint32) error {
	if mode&0o700 != 0o700 && os.Geteuid() != 0 {
		if err := unix.Fchmodat(at, name, 0o700, 0); err != nil {
			return &fs.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	dir, err := openDir(at, name, path)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, entry := range names {
		if err := canonicalise(int(dir.Fd()), entry, filepath.Join(path, entry)); err != nil {
			return err
		}
	}
	return nil
}

// kept says of an extended attribute that some file systems give it to every
// file and let nobody take it away.
func kept(xattr string) bool {
	return xattr == "security.selinux" || xattr == "system.nfs4_acl"
}

// dropXattrs removes the extended attributes. It says whether there were any;
// the mode may then have become writable, as an ordinary user needs it.
func dropXattrs(at int, name, path string, mode uint32) (changed bool, err error) {
	names, err := xattrs(path)
	if err != nil || len(names) == 0 {
		return false, err
	}
	if mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(at, name, mode&0o777|0o200, 0); err != nil {
			return false, &fs.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	for _, xattr := range names {
		if err := unix.Lremovexattr(path, xattr); err != nil && !errors.Is(err, unix.ENODATA) {
			return true, &fs.PathError{Op: "remove the extended attribute " + xattr + " of", Path: path, Err: err}
		}
	}
	return true, nil
}

func xattrs(path string) ([]string, error) {
	size, err := unix.Llistxattr(path, nil)
	if size == 0 || errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	list := make([]byte, max(size, 0))
	if err == nil {
		size, err = unix.Llistxattr(path, list)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "list the extended attributes of", Path: path, Err: err}
	}
	var names []string
	for name := range strings.SplitSeq(string(list[:size]), "\x00") {
		if name != "" && !kept(name) {
			names = append(names, name)
		}
	}
	return names, nil
}
