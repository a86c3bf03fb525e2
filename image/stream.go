package image

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"reprise/internal/progress"
)

// tarBlock is what everything in a tar stream is a multiple of, in bytes.
const tarBlock = 512

// spliceFrom is the size in bytes from which a file's pages are handed to the
// pipe instead of being copied twice. Below it the calls cost more.
const spliceFrom = 64 << 10

// A stream writes tar content to a pipe, or to anything else.
type stream struct {
	*bufio.Writer
	pipe   *os.File // nil when the stream does not end in a file
	buffer []byte
}

func newStream(w io.Writer) *stream {
	pipe, _ := w.(*os.File)
	return &stream{bufio.NewWriterSize(w, 1<<20), pipe, make([]byte, 1<<20)}
}

// content writes the content of e and fills the last block.
func (s *stream) content(e Entry, task progress.Task) error {
	done := false
	if s.pipe != nil && e.Source != "" && e.Size >= spliceFrom {
		var err error
		if done, err = s.splice(e, task); err != nil {
			return err
		}
	}
	if !done {
		if err := copyContent(s, e.Source, e.Content, e.Size, s.buffer, task); err != nil {
			return err
		}
	}
	_, err := s.Write(make([]byte, -e.Size&(tarBlock-1)))
	return err
}

// splice moves exactly e.Size bytes of e.Source to the pipe. It reports false
// when the file's file system cannot do that and nothing was moved.
func (s *stream) splice(e Entry, task progress.Task) (bool, error) {
	if err := s.Flush(); err != nil {
		return false, err
	}
	f, err := os.Open(e.Source)
	if err != nil {
		return false, err
	}
	defer f.Close()
	from, to := int(f.Fd()), int(s.pipe.Fd())
	for left := e.Size; left > 0; {
		n, err := unix.Splice(from, nil, to, nil, int(min(left, 1<<20)), unix.SPLICE_F_MORE)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EINVAL) && left == e.Size:
			return false, nil
		case err != nil:
			return false, fmt.Errorf("splice %q: %w", e.Source, err)
		case n == 0:
			return false, fmt.Errorf("%q shrank while it was read: it had %d bytes, now %d", e.Source, e.Size, e.Size-left)
		}
		left -= n
		task.Add(n)
	}
	var more [1]byte
	if n, _ := f.Read(more[:]); n > 0 {
		return false, fmt.Errorf("%q grew while it was read: it had %d bytes", e.Source, e.Size)
	}
	return true, nil
}

// copyContent writes exactly size bytes from the file source, or content when
// source is "".
func copyContent(w io.Writer, source string, content []byte, size int64, buffer []byte, task progress.Task) error {
	if source == "" {
		if int64(len(content)) != size {
			return fmt.Errorf("size is %d, content has %d bytes", size, len(content))
		}
		task.Add(size)
		_, err := w.Write(content)
		return err
	}
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	var done int64
	for {
		n, err := f.Read(buffer)
		if done += int64(n); done > size {
			return fmt.Errorf("%q grew while it was read: it had %d bytes", source, size)
		}
		if _, err := w.Write(buffer[:n]); err != nil {
			return err
		}
		task.Add(int64(n))
		switch {
		case done == size:
			return nil
		case err == io.EOF:
			return fmt.Errorf("%q shrank while it was read: it had %d bytes, now %d", source, size, done)
		case err != nil:
			return err
		}
	}
}
