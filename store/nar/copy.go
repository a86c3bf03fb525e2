package nar

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

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
	d := dumper{ctx: ctx, w: count, buf: buf[:], copy: &copier{copied}}
	d.str(magic)
	if err := d.node(spot{unix.AT_FDCWD, src}, src, spot{unix.AT_FDCWD, dst}); err != nil {
		return sum, 0, fmt.Errorf("copy %q to %q: %w", src, dst, err)
	}
	if d.flush(); d.err != nil {
		return sum, 0, fmt.Errorf("copy %q to %q: %w", src, dst, d.err)
	}
	h.Sum(sum[:0])
	return sum, count.n, nil
}

// A copier makes what a dumper archives, in canonical form; a nil one makes
// nothing. What file and directory open, end closes.
type copier struct {
	copied func(bytes int)
}

func (c *copier) symlink(target string, to spot) error {
	if c == nil {
		return nil
	}
	if err := unix.Symlinkat(target, to.dir, to.name); err != nil {
		return &fs.PathError{Op: "make the symlink", Path: to.name, Err: err}
	}
	return settle(to)
}

func (c *copier) file(to spot) (fd int, err error) {
	if c == nil {
		return -1, nil
	}
	fd, err = unix.Openat(to.dir, to.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, &fs.PathError{Op: "make", Path: to.name, Err: err}
	}
	return fd, nil
}

func (c *copier) write(fd int, data []byte, to spot) error {
	if c == nil {
		return nil
	}
	for left := data; len(left) > 0; {
		n, err := unix.Write(fd, left)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "write", Path: to.name, Err: err}
		}
		left = left[n:]
	}
	c.copied(len(data))
	return nil
}

func (c *copier) directory(to spot) (fd int, err error) {
	if c == nil {
		return -1, nil
	}
	if err := unix.Mkdirat(to.dir, to.name, 0o700); err != nil {
		return -1, &fs.PathError{Op: "make the directory", Path: to.name, Err: err}
	}
	fd, err = unix.Openat(to.dir, to.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: to.name, Err: err}
	}
	return fd, nil
}

// end closes fd; without an error before it, what stands there gets its mode
// and the canonical time.
func (c *copier) end(fd int, mode uint32, to spot, before error) error {
	if c == nil {
		return before
	}
	err := before
	if err == nil {
		if err = unix.Fchmod(fd, mode); err != nil {
			err = &fs.PathError{Op: "chmod", Path: to.name, Err: err}
		} else {
			err = settle(to)
		}
	}
	if closeErr := unix.Close(fd); err == nil && closeErr != nil {
		err = &fs.PathError{Op: "close", Path: to.name, Err: closeErr}
	}
	return err
}

// settle gives what stands at a spot the canonical time.
func settle(to spot) error {
	if err := unix.UtimesNanoAt(to.dir, to.name, tree.Times(), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &fs.PathError{Op: "set the time of", Path: to.name, Err: err}
	}
	return nil
}
