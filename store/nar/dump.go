package nar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"reprise/store/tree"
)

// bufferSize is how much is read and written at once. One buffer serves a
// whole archive, so that many small files cost one write together.
const bufferSize = 1 << 20

// buffers keeps buffers between archives: most are smaller than their buffer.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// DumpPath writes the NAR of the file, directory or symlink at path. Devices,
// sockets and named pipes are errors, and so is a file that changes while it
// is read.
func DumpPath(ctx context.Context, w io.Writer, path string) error {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	d := dumper{ctx: ctx, w: w, buf: buf[:]}
	d.str(magic)
	if err := d.node(spot{unix.AT_FDCWD, path}, path, spot{}); err != nil {
		return fmt.Errorf("archive %q: %w", path, err)
	}
	if d.flush(); d.err != nil {
		return fmt.Errorf("archive %q: %w", path, d.err)
	}
	return nil
}

// dumper writes through one buffer. After the first error of w it writes
// nothing more.
type dumper struct {
	ctx  context.Context
	w    io.Writer
	buf  []byte
	n    int // bytes of buf that wait to be written
	err  error
	copy *copier // nil: no copy is made
}

func (d *dumper) flush() {
	if d.err == nil && d.n > 0 {
		_, d.err = d.w.Write(d.buf[:d.n])
	}
	d.n = 0
	if d.err == nil {
		d.err = d.ctx.Err()
	}
}

// length writes a string's length.
func (d *dumper) length(n int64) {
	if len(d.buf)-d.n < 8 {
		d.flush()
	}
	binary.LittleEndian.PutUint64(d.buf[d.n:], uint64(n))
	d.n += 8
}

// pad writes the zeros that follow n bytes.
func (d *dumper) pad(n int64) {
	if len(d.buf)-d.n < 8 {
		d.flush()
	}
	zeros := int(-n & 7)
	clear(d.buf[d.n : d.n+zeros])
	d.n += zeros
}

// str writes a string that is much shorter than the buffer.
func (d *dumper) str(s string) {
	d.length(int64(len(s)))
	if len(d.buf)-d.n < len(s) {
		d.flush()
	}
	d.n += copy(d.buf[d.n:], s)
	d.pad(int64(len(s)))
}

func (d *dumper) strs(list ...string) {
	for _, s := range list {
		d.str(s)
	}
}

// A spot is a name below an open directory.
type spot struct {
	dir  int
	name string
}

// node writes what stands at a spot, and makes its copy at another; path is
// for messages.
func (d *dumper) node(at spot, path string, to spot) error {
	fd, err := unix.Openat(at.dir, at.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return d.symlink(at, path, to)
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
		d.strs("(", "type", "regular")
		mode := uint32(tree.FileMode)
		if st.Mode&unix.S_IXUSR != 0 {
			d.strs("executable", "")
			mode = tree.ExecMode
		}
		d.str("contents")
		if err := d.contents(fd, st.Size, mode, path, to); err != nil {
			return err
		}
	case unix.S_IFDIR:
		if err := d.directory(fd, path, to); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q is neither a file nor a directory nor a symlink", path)
	}
	d.str(")")
	return d.err
}

func (d *dumper) symlink(at spot, path string, to spot) error {
	target := make([]byte, maxTarget+1)
	n, err := unix.Readlinkat(at.dir, at.name, target)
	if err != nil {
		return &fs.PathError{Op: "read the symlink", Path: path, Err: err}
	}
	d.strs("(", "type", "symlink", "target", string(target[:n]), ")")
	if d.err != nil {
		return d.err
	}
	return d.copy.symlink(string(target[:n]), to)
}

func (d *dumper) contents(fd int, size int64, mode uint32, path string, to spot) (err error) {
	out, err := d.copy.file(to)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = d.err
		}
		err = d.copy.end(out, mode, to, err)
	}()
	d.length(size)
	for left := size; left > 0 && d.err == nil; {
		if d.n == len(d.buf) {
			d.flush()
			continue
		}
		n, err := unix.Read(fd, d.buf[d.n:d.n+int(min(left, int64(len(d.buf)-d.n)))])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return fmt.Errorf("%q became shorter than %d bytes while it was read", path, size)
		}
		if err := d.copy.write(out, d.buf[d.n:d.n+n], to); err != nil {
			return err
		}
		d.n += n
		left -= int64(n)
	}
	d.pad(size)
	return nil
}

func (d *dumper) directory(fd int, path string, to spot) (err error) {
	out, err := d.copy.directory(to)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = d.err
		}
		err = d.copy.end(out, tree.DirMode, to, err)
	}()
	d.strs("(", "type", "directory")
	names, err := readNames(fd)
	if err != nil {
		return &fs.PathError{Op: "read the directory", Path: path, Err: err}
	}
	slices.SortFunc(names, strings.Compare)
	for _, name := range names {
		d.strs("entry", "(", "name", name, "node")
		if err := d.node(spot{fd, name}, filepath.Join(path, name), spot{out, name}); err != nil {
			return err
		}
		d.str(")")
	}
	return nil
}

// readNames returns the names in the directory fd, without "." and "..".
func readNames(fd int) (names []string, err error) {
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}
