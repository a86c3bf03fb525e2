package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrOwned is what Own returns while somebody else owns the file.
var ErrOwned = errors.New("another process writes it")

// Own makes the caller the only one on this machine that owns path, until
// release is called or the process ends, and removes the unfinished files of
// owners that were killed. It does not wait: ErrOwned says that there is an
// owner.
//
// The lock is a file beside path, so that whoever means the same file meets it,
// by whatever name of the directory. release removes it; the one of an owner
// that was killed stays until the next.
func Own(path string) (release func(), err error) {
	lock, err := lockBeside(path)
	if err != nil {
		return nil, fmt.Errorf("own %q: %w", path, err)
	}
	release = func() {
		os.Remove(lock.Name()) // while nobody else can hold it
		lock.Close()
	}
	if err := removeUnfinished(path); err != nil {
		release()
		return nil, fmt.Errorf("own %q: %w", path, err)
	}
	return release, nil
}

// lockBeside returns the lock file of path, locked.
func lockBeside(path string) (*os.File, error) {
	name := filepath.Join(filepath.Dir(path), TempPrefix+filepath.Base(path)+".lock")
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, ErrOwned
			}
			return nil, &os.PathError{Op: "lock", Path: name, Err: err}
		}
		// The owner before may have removed it between the two calls.
		ours, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		there, err := os.Lstat(name)
		if err == nil && os.SameFile(ours, there) {
			return f, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// removeUnfinished removes the temporary files that Write made for path.
func removeUnfinished(path string) error {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, ours := strings.CutPrefix(e.Name(), TempPrefix+filepath.Base(path)+"-")
		if _, err := strconv.ParseUint(number, 10, 64); !ours || err != nil {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
