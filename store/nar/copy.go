package nar

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"reprise/store/tree"
)

// CopyPath copies the tree at src to dst, which must not exist, in canonical
// form, and returns the SHA-256 of the NAR of what it read and the NAR's size:
// one pass over the content where reading, hashing and writing would be three.
// copied, when not nil, is told of content as it is written, in bytes. After an
// error dst may be there in part.
func CopyPath(ctx context.Context, src, dst string, copied func(bytes int)) (sum [sha256.Size]byte, size int64, err error) {
	h := sha256.New()
	count := &counter{w: h}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	if copied == nil {
		copied = func(int) {}
	}
	c := copier{dumper{ctx: ctx, w: count, buf: buf[:]}, copied}
	c.str(magic)
	if err := c.node(unix.AT_FDCWD, src, src, unix.AT_FDCWD, dst); err != nil {
		return sum, 0, fmt.Errorf("copy %q to %q: %w", src, dst, err)
	}
	if c.flush(); c.err != nil {
		return sum, 0, fmt.Errorf("copy %q to %q: %w", src, dst, c.err)
	}
	h.Sum(sum[:0])
	return sum, count.n, nil
}

// copier is a dumper that also makes what it archives.
type copier struct {
	dumper
	copied func(int)
}

// node copies what stands at the name from below the directory at to the name
// to below the directory in.
func (c *copier) node(at int, from, path string, in int, to string) error {
	fd, err := unix.Openat(at, from, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return c.link(at, from, path, in, to)
	}
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		c.strs("(", "type", "regular")
		mode := uint32(tree.FileMode)
		if st.Mode&unix.S_IXUSR != 0 {
			c.strs("executable", "")
			mode = tree.ExecMode
		}
		c.str("contents")
		if err := c.file(fd, st.Size, path, in, to, mode); err != nil {
			return err
		}
	case unix.S_IFDIR:
		if err := c.dir(fd, path, in, to); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q is neither a file nor a directory nor a symlink", path)
	}
	c.str(")")
	return c.err
}

func (c *copier) link(at int, from, path string, in int, to string) error {
	target := make([]byte, maxTarget+1)
	n, err := unix.Readlinkat(at, from, target)
	if err != nil {
		return &fs.PathError{Op: "read the symlink", Path: path, Err: err}
	}
	c.strs("(", "type", "symlink", "target", string(target[:n]), ")")
	if c.err != nil {
		return c.err
	}
	if err := unix.Symlinkat(string(target[:n]), in, to); err != nil {
		return &fs.PathError{Op: "make the symlink", Path: to, Err: err}
	}
	return settle(in, to)
}

// settle gives what stands at a name the canonical time.
func settle(in int, to string) error {
	if err := unix.UtimesNanoAt(in, to, tree.Times(), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "set the time of", Path: to, Err: err}
	}
	return nil
}

func (c *copier) file(fd int, size int64, path string, in int, to string, mode uint32) (err error) {
	out, err := unix.Openat(in, to, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &fs.PathError{Op: "make", Path: to, Err: err}
	}
	defer func() {
		if closeErr := unix.Close(out); err == nil && closeErr != nil {
			err = &fs.PathError{Op: "close", Path: to, Err: closeErr}
		}
	}()
	c.length(size)
	for left := size; left > 0 && c.err == nil; {
		if c.n == len(c.buf) {
			c.flush()
			continue
		}
		n, err := unix.Read(fd, c.buf[c.n:c.n+int(min(left, int64(len(c.buf)-c.n)))])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return fmt.Errorf("%q became shorter than %d bytes while it was read", path, size)
		}
		if err := writeAll(out, c.buf[c.n:c.n+n]); err != nil {
			return &fs.PathError{Op: "write", Path: to, Err: err}
		}
		c.copied(n)
		c.n += n
		left -= int64(n)
	}
	c.pad(size)
	if c.err != nil {
		return c.err
	}
	if err := unix.Fchmod(out, mode); err != nil {
		return &fs.PathError{Op: "chmod", Path: to, Err: err}
	}
	return settle(in, to)
}

func writeAll(fd int, data []byte) error {
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (c *copier) dir(fd int, path string, in int, to string) error {
	if err := unix.Mkdirat(in, to, 0o700); err != nil {
		return &fs.PathError{Op: "make the directory", Path: to, Err: err}
	}
	out, err := unix.Openat(in, to, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: to, Err: err}
	}
	defer unix.Close(out)
	c.strs("(", "type", "directory")
	names, err := readNames(fd)
	if err != nil {
		return &fs.PathError{Op: "read the directory", Path: path, Err: err}
	}
	slices.SortFunc(names, strings.Compare)
	for _, name := range names {
		c.strs("entry", "(", "name", name, "node")
		if err := c.node(fd, name, filepath.Join(path, name), out, name); err != nil {
			return err
		}
		c.str(")")
	}
	if c.err != nil {
		return c.err
	}
	if err := unix.Fchmod(out, tree.DirMode); err != nil {
		return &fs.PathError{Op: "chmod", Path: to, Err: err}
	}
	return settle(in, to)
}
