package deb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"reprise/internal/layer"
)

const (
	// maxHeld is the largest file that is handed to a writer; larger ones
	// are written as they are decoded.
	maxHeld = 1 << 20 // bytes

	// heldBytes bounds the content that waits for the writers.
	heldBytes = 16 << 20

	// writers is how many files are written at once. Creating a file waits
	// for the file system more than for the processor.
	writers = 4
)

// A tree writes files below one directory. Small files are written by
// goroutines, so that decoding does not wait for the file system.
type tree struct {
	ctx     context.Context // of the writers: ends at their first error
	dst     string
	root    *os.Root
	created bool // dst did not exist before
	group   *errgroup.Group
	jobs    chan job
	held    *semaphore.Weighted
	links   [][2]string // new name, old name
	dirs    []string    // made, parents first
	once    sync.Once
	err     error // of the writers, once they were waited for
}

type job struct {
	name       string
	executable bool
	content    []byte
}

func newTree(ctx context.Context, dst string) (*tree, error) {
	w := &tree{dst: dst, jobs: make(chan job, 64), held: semaphore.NewWeighted(heldBytes)}
	err := os.Mkdir(dst, 0o700)
	w.created = err == nil
	if errors.Is(err, fs.ErrExist) {
		empty, err := isEmpty(dst)
		if err != nil {
			return nil, err
		}
		if !empty {
			return nil, fmt.Errorf("%q is not empty", dst)
		}
	} else if err != nil {
		return nil, err
	}
	if w.root, err = os.OpenRoot(dst); err != nil {
		if w.created {
			os.Remove(dst)
		}
		return nil, err
	}
	w.group, w.ctx = errgroup.WithContext(ctx)
	for range writers {
		w.group.Go(w.write)
	}
	return w, nil
}

func (w *tree) mkdir(name string) error {
	if err := w.root.Mkdir(name, 0o700); err != nil {
		return fullPath(w.dst, name, err)
	}
	w.dirs = append(w.dirs, name)
	return nil
}

func (w *tree) symlink(name, target string) error {
	if err := w.root.Symlink(target, name); err != nil {
		return fullPath(w.dst, name, err)
	}
	return nil
}

// link remembers a hard link until its file is written.
func (w *tree) link(name, file string) { w.links = append(w.links, [2]string{name, file}) }

// file writes size bytes of content, or has them written soon.
func (w *tree) file(name string, executable bool, content io.Reader, size int64) error {
	if size > maxHeld {
		return w.create(name, executable, content, size)
	}
	if err := w.held.Acquire(w.ctx, max(size, 1)); err != nil {
		return context.Cause(w.ctx)
	}
	held := make([]byte, size)
	if _, err := io.ReadFull(content, held); err != nil {
		w.held.Release(max(size, 1))
		return noEOF(err)
	}
	select {
	case w.jobs <- job{name, executable, held}:
		return nil
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// write is the loop of one writer.
func (w *tree) write() error {
	for j := range w.jobs {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx) // never nil: the file would be missing
		}
		err := w.create(j.name, j.executable, nil, 0, j.content)
		w.held.Release(max(int64(len(j.content)), 1))
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *tree) create(name string, executable bool, content io.Reader, size int64, held ...[]byte) (err error) {
	f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return fullPath(w.dst, name, err)
	}
	defer func() {
		if e := f.Close(); err == nil && e != nil {
			err = fullPath(w.dst, name, e)
		}
	}()
	for _, b := range held {
		if _, err := f.Write(b); err != nil {
			return fullPath(w.dst, name, err)
		}
	}
	buffer := make([]byte, min(size, chunkSize))
	for size > 0 {
		n, err := io.ReadFull(content, buffer[:min(size, chunkSize)])
		if err != nil {
			return noEOF(err)
		}
		if err := w.ctx.Err(); err != nil {
			return context.Cause(w.ctx)
		}
		if _, err := f.Write(buffer[:n]); err != nil {
			return fullPath(w.dst, name, err)
		}
		size -= int64(n)
	}
	mode := fs.FileMode(0o444)
	if executable {
		mode = 0o555
	}
	// Not the mode of OpenFile: the umask takes part in that one.
	if err := f.Chmod(mode); err != nil {
		return fullPath(w.dst, name, err)
	}
	return nil
}

// wait ends the writers and returns their first error.
func (w *tree) wait() error {
	w.once.Do(func() {
		close(w.jobs)
		w.err = w.group.Wait()
	})
	return w.err
}

// finish writes what remains: hard links, the control files, the manifest,
// and last the canonical times and the modes of the directories.
func (w *tree) finish(m layer.Manifest, control []ControlFile) error {
	if err := w.wait(); err != nil {
		return err
	}
	for _, l := range w.links {
		if err := w.root.Link(l[1], l[0]); err != nil {
			return fullPath(w.dst, l[0], err)
		}
	}
	text, err := m.Bytes()
	if err != nil {
		return err
	}
	if err := w.mkdir(layer.Meta); err != nil {
		return err
	}
	w.ctx = context.WithoutCancel(w.ctx) // the writers' context ended with them
	names := []string{layer.ManifestPath}
	if err := w.create(layer.ManifestPath, false, nil, 0, text); err != nil {
		return err
	}
	for _, c := range control {
		name := path.Join(layer.Meta, c.Name)
		if err := w.create(name, c.Executable, nil, 0, c.Content); err != nil {
			return err
		}
		names = append(names, name)
	}
	for _, e := range m {
		if e.Kind != layer.Dir {
			names = append(names, e.Path)
		}
	}
	return w.canonical(names)
}

// canonical sets the times of all names and the modes of all directories,
// children before parents. names are all but the directories.
func (w *tree) canonical(names []string) error {
	byDir := map[string][]string{}
	for _, name := range names {
		dir := path.Dir(name)
		byDir[dir] = append(byDir[dir], path.Base(name))
	}
	dirs := append([]string{"."}, w.dirs...)
	slices.Reverse(dirs)
	for _, dir := range dirs {
		if err := w.canonicalDir(dir, byDir[dir]); err != nil {
			return fullPath(w.dst, dir, err)
		}
	}
	return nil
}

var (
	one      = unix.Timespec{Sec: 1}
	oneTwice = []unix.Timespec{one, one}
)

func (w *tree) canonicalDir(dir string, names []string) error {
	d, err := w.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, name := range names {
		if err := unix.UtimesNanoAt(int(d.Fd()), name, oneTwice, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("set the time of %q: %w", name, err)
		}
	}
	if err := d.Chmod(0o555); err != nil {
		return err
	}
	if dir == "." {
		return unix.UtimesNanoAt(unix.AT_FDCWD, w.dst, oneTwice, unix.AT_SYMLINK_NOFOLLOW)
	}
	parent, err := w.root.Open(path.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return unix.UtimesNanoAt(int(parent.Fd()), path.Base(dir), oneTwice, unix.AT_SYMLINK_NOFOLLOW)
}

// discard removes all that was written.
func (w *tree) discard() {
	w.wait()
	w.root.Chmod(".", 0o700)
	for _, dir := range w.dirs { // they may be read-only already
		w.root.Chmod(dir, 0o700)
	}
	if w.created {
		os.RemoveAll(w.dst)
		return
	}
	left, _ := os.ReadDir(w.dst)
	for _, e := range left {
		os.RemoveAll(filepath.Join(w.dst, e.Name()))
	}
}
