package esp

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// An FS is a mounted ESP. Names are relative, with "/" between their parts.
// Every method that changes something is one step that may be the last before
// a power cut; nothing is on stable storage before Sync or SyncAll.
type FS interface {
	ReadDir(name string) ([]fs.DirEntry, error) // sorted by name
	// ReadFile reads a file of at most limit bytes.
	ReadFile(name string, limit int64) ([]byte, error)
	Space() (Space, error)

	Mkdir(name string) error
	// Create makes a file empty, whether it was there or not.
	Create(name string) error
	WriteAt(name string, p []byte, at int64) error
	// Rename gives a file another name. A file of that name is replaced.
	Rename(from, to string) error
	Remove(name string) error
	Sync(name string) error // the content of one file
	SyncAll() error         // everything
}

// Space is how much room a file system has, in bytes.
type Space struct {
	Total, Free int64
	Cluster     int64 // what files are rounded up to
}

// Dir is an ESP that is mounted on a directory.
type Dir struct{ root *os.Root }

// Open opens the ESP that is mounted on dir. It must be closed.
func Open(dir string) (*Dir, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the EFI system partition: %w", err)
	}
	return &Dir{root}, nil
}

// Mounted tells whether what lies at the directory is an EFI system partition
// that can be written. Its error says what is wrong.
func (d *Dir) Mounted() error {
	var s unix.Statfs_t
	err := d.each(".", os.O_RDONLY, func(f *os.File) error { return unix.Fstatfs(int(f.Fd()), &s) })
	switch {
	case err != nil:
		return fmt.Errorf("look at the EFI system partition: %w", err)
	case s.Type != unix.MSDOS_SUPER_MAGIC:
		return fmt.Errorf("%q has no FAT: the EFI system partition is not mounted there", d.root.Name())
	case s.Flags&unix.ST_RDONLY != 0:
		return fmt.Errorf("the EFI system partition at %q is mounted read-only: errors of its file system do that, fsck.fat mends them", d.root.Name())
	}
	return nil
}

// Close lets go of the directory.
func (d *Dir) Close() error { return d.root.Close() }

// ReadDir lists a directory.
func (d *Dir) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(d.root.FS(), name) }

// ReadFile reads a file of at most limit bytes.
func (d *Dir) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%q has more than %d bytes", name, limit)
	}
	return data, err
}

// Space asks the file system.
func (d *Dir) Space() (Space, error) {
	var s unix.Statfs_t
	err := d.each(".", os.O_RDONLY, func(f *os.File) error { return unix.Fstatfs(int(f.Fd()), &s) })
	return Space{Total: int64(s.Blocks) * s.Bsize, Free: int64(s.Bavail) * s.Bsize, Cluster: s.Bsize}, err
}

// each opens a file for one thing to do with it.
func (d *Dir) each(name string, flag int, do func(*os.File) error) error {
	f, err := d.root.OpenFile(name, flag, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(do(f), f.Close())
}

// Mkdir makes a directory.
func (d *Dir) Mkdir(name string) error { return d.root.Mkdir(name, 0o700) }

// Create makes a file empty.
func (d *Dir) Create(name string) error {
	return d.each(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, func(*os.File) error { return nil })
}

// WriteAt writes p into a file that is there.
func (d *Dir) WriteAt(name string, p []byte, at int64) error {
	return d.each(name, os.O_WRONLY, func(f *os.File) error {
		_, err := f.WriteAt(p, at)
		return err
	})
}

// Rename gives a file another name. One that had this name before is kept
// open until the change is on stable storage: its clusters are not free before
// that, so the old name leads to the whole old file until it leads to the new
// one.
func (d *Dir) Rename(from, to string) error {
	old, err := d.root.Open(to)
	if err == nil {
		defer old.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.root.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(d.Sync(path.Dir(to)), d.SyncAll())
}

// Remove removes a file.
func (d *Dir) Remove(name string) error { return d.root.Remove(name) }

// Sync brings a file, or the names in a directory, to stable storage.
func (d *Dir) Sync(name string) error {
	return d.each(name, os.O_RDONLY, func(f *os.File) error { return f.Sync() })
}

// SyncAll brings the whole file system to stable storage.
func (d *Dir) SyncAll() error {
	return d.each(".", os.O_RDONLY, func(f *os.File) error { return unix.Syncfs(int(f.Fd())) })
}
