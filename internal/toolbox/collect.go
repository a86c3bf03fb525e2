package toolbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"reprise/internal/progress"
	"reprise/store"
)

// Dead is a tree that Collect removed, or would remove.
type Dead struct {
	Name  string // that of its directory
	Bytes int64  // of the files that no store path and no other tree has
}

// goneSuffix marks a tree that is being removed.
const goneSuffix = ".gone"

// Collect removes the trees that nobody uses; with dryRun it only tells which.
// When it fails, what it returns has gone all the same. A store path's files
// are freed by whichever of Collect and store.Collect comes last.
func Collect(ctx context.Context, s *store.Store, dryRun bool, sink progress.Sink) (dead []Dead, err error) {
	trees := s.StateDir("trees")
	entries, err := os.ReadDir(trees)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("collect tool roots: %w", err)
	}
	task := sink.Start("collect tool roots", progress.Items, int64(len(entries)))
	defer func() {
		if err != nil {
			err = fmt.Errorf("collect tool roots: %w", err)
		}
		task.Done(err)
	}()
	links := map[inode]uint64{}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return dead, err
		}
		if !dryRun {
			clear(links) // what went before is no link any more
		}
		size, free, err := remove(filepath.Join(trees, e.Name()), dryRun, links)
		if err != nil {
			return dead, err
		}
		if free {
			dead = append(dead, Dead{strings.TrimSuffix(e.Name(), goneSuffix), size})
		}
		task.Add(1)
	}
	return dead, nil
}

// remove removes the tree at dir unless it is in use.
func remove(dir string, dryRun bool, links map[inode]uint64) (size int64, free bool, err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return 0, false, nil // another collector was faster
	}
	if err != nil {
		return 0, false, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	if free, err = lock(fd, unix.LOCK_EX); err != nil || !free || !at(fd, dir) {
		return 0, false, err
	}
	if size, err = freed(dir, links); err != nil || dryRun {
		return size, true, err
	}
	gone := dir
	if !strings.HasSuffix(dir, goneSuffix) {
		gone += goneSuffix
		if err := store.RemoveAll(gone); err != nil { // what an interrupted removal left
			return 0, false, err
		}
		if err := os.Rename(dir, gone); err != nil {
			return 0, false, err
		}
	}
	return size, true, store.RemoveAll(gone)
}

type inode struct{ dev, ino uint64 }

// freed adds up the files below dir all of whose links have been met in links,
// to which it adds those of dir.
func freed(dir string, links map[inode]uint64) (size int64, err error) {
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return &fs.PathError{Op: "lstat", Path: name, Err: err}
		}
		id := inode{uint64(st.Dev), st.Ino}
		if links[id]++; links[id] == uint64(st.Nlink) {
			size += st.Size
		}
		return nil
	})
	return size, err
}
