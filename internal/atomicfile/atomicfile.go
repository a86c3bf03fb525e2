// Package atomicfile writes files that appear whole or not at all, power cuts
// included: a temporary file beside the target, fsync, rename, fsync of the
// directory. Everything that publishes a file goes through it.
//
// Writers of one file do not disturb each other: the last one wins. Where the
// file is large, [Own] lets only one begin.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// TempPrefix starts the names of unfinished files, so that a clean-up can
// tell them from a user's own.
const TempPrefix = ".reprise-tmp-"

// Write makes path hold what fill writes, with the given permission bits.
// When fill or any step fails, path is as it was before and the temporary
// file is gone. The umask does not take part.
func Write(path string, perm fs.FileMode, fill func(*os.File) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, TempPrefix+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write %q: %w", path, err)
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// WriteBytes is Write for content that is at hand.
func WriteBytes(path string, perm fs.FileMode, content []byte) error {
	return Write(path, perm, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}

// SyncDir makes the names in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
