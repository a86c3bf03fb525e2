package compose

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/erofs/go-erofs"

	"reprise/internal/layer"
)

// Read lists the view of an image that WriteEROFS wrote, sorted by path. Layer
// means nothing in the answer: an image does not tell.
func Read(image io.ReaderAt) ([]Entry, error) { return ReadTrees(image, ".") }

// ReadTrees is Read for what stands at these directories and below, none of
// which is in another. One that is not there has nothing below it.
func ReadTrees(image io.ReaderAt, trees ...string) ([]Entry, error) {
	fsys, err := erofs.Open(image)
	if err != nil {
		return nil, fmt.Errorf("read root image: %w", err)
	}
	var entries []Entry
	dirs := map[int64]string{} // by inode
	for _, tree := range trees {
		if entries, err = readTree(fsys, tree, dirs, entries); err != nil {
			return nil, fmt.Errorf("read root image: %w", err)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return entries, nil
}

// readTree appends what it finds to entries. dirs are those seen before.
func readTree(fsys fs.FS, tree string, dirs map[int64]string, entries []Entry) ([]Entry, error) {
	err := fs.WalkDir(fsys, tree, func(name string, d fs.DirEntry, err error) error {
		if name == tree && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*erofs.Stat)
		if !ok {
			return fmt.Errorf("%q has no owner", name)
		}
		if d.IsDir() {
			if other, seen := dirs[stat.Ino]; seen {
				return fmt.Errorf("directory %q is %q again", name, other)
			}
			dirs[stat.Ino] = name
		}
		if name == "." {
			return nil
		}
		e := Entry{Layer: implicit, Entry: layer.Entry{Path: name, UID: stat.UID, GID: stat.GID, Mode: layer.UnixMode(stat.Mode)}}
		switch stat.Mode.Type() {
		case fs.ModeDir:
			e.Kind = layer.Dir
		case 0:
			e.Kind, e.Size = layer.File, info.Size()
		case fs.ModeSymlink:
			e.Kind = layer.Symlink
			if e.Target, err = fs.ReadLink(fsys, name); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q is a %s, which no view has", name, stat.Mode.Type())
		}
		for key, value := range stat.Xattrs {
			switch key {
			case redirectXattr:
				e.Source = value
			case metacopyXattr:
			default:
				if e.Xattrs == nil {
					e.Xattrs = map[string]string{}
				}
				e.Xattrs[key] = value
			}
		}
		entries = append(entries, e)
		return nil
	})
	return entries, err
}
