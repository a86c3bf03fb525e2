package squashfs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// scan lists the tree at dir. Of files it tells the kind and the size; their
// blocks come later. bytes is how many bytes the files have together.
func scan(ctx context.Context, dir string) (root *node, bytes int64, err error) {
	s := &scanner{ctx: ctx}
	root, err = s.node(unix.AT_FDCWD, dir, func() string { return dir }, 0)
	if err == nil {
		root.name = ""
	}
	return root, s.bytes, err
}

// A scanner goes through a tree by open directories: there are tens of
// thousands of files, and a path for each would be most of what packing needs
// of memory beside the compressors.
type scanner struct {
	ctx   context.Context
	bytes int64
}

// node lists what is at name below the directory at; path tells errors where
// that is.
func (s *scanner) node(at int, name string, path func() string, depth int) (*node, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, &os.PathError{Op: "stat", Path: path(), Err: err}
	}
	n := &node{name: name, fragment: -1}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		if n.kind = kindFile; st.Mode&unix.S_IXUSR != 0 {
			n.kind = kindExec
		}
		if n.size = st.Size; n.size > maxFile {
			return nil, fmt.Errorf("%q has %d bytes: at most %d are possible", path(), n.size, int64(maxFile))
		}
		s.bytes += n.size
		return n, nil
	case unix.S_IFLNK:
		n.kind = kindSymlink
		var target [maxTarget + 2]byte
		size, err := unix.Readlinkat(at, name, target[:])
		if err != nil {
			return nil, &os.PathError{Op: "read the symlink", Path: path(), Err: err}
		}
		n.target = string(target[:size])
		if err := checkTarget(n.target); err != nil {
			return nil, fmt.Errorf("%q: %w", path(), err)
		}
		return n, nil
	case unix.S_IFDIR:
		n.kind = kindDir
		return n, s.children(n, at, path, depth)
	}
	return nil, fmt.Errorf("%q is %s: a store holds files, directories and symlinks", path(), described(st.Mode))
}

func (s *scanner) children(n *node, at int, path func() string, depth int) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if depth >= maxDepth {
		return fmt.Errorf("%q is deeper than %d directories", path(), maxDepth)
	}
	fd, err := unix.Openat(at, n.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path(), Err: err}
	}
	d := os.NewFile(uintptr(fd), n.name)
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return &os.PathError{Op: "list", Path: path(), Err: err}
	}
	slices.Sort(names) // bytewise
	n.children = make([]*node, len(names))
	for i, name := range names {
		if n.children[i], err = s.node(fd, name, func() string { return filepath.Join(path(), name) }, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func described(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return "a named pipe"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFBLK, unix.S_IFCHR:
		return "a device"
	}
	return fmt.Sprintf("of an unknown kind (mode %o)", mode)
}

// files calls do for each file below n, which lies at path, in the order of
// the names.
func (n *node) files(path string, do func(path string, n *node) error) error {
	if n.kind.isFile() {
		return do(path, n)
	}
	for _, c := range n.children {
		if err := c.files(filepath.Join(path, c.name), do); err != nil {
			return err
		}
	}
	return nil
}
