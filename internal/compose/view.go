package compose

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/erofs/go-erofs"
)

// A View is an image that WriteEROFS wrote, with the content of its files from
// a store: what a machine has in /usr and /etc, read without a mount. It is a
// file system with links (fs.ReadLinkFS) that follows absolute links inside
// itself; what leads out of it, such as a link into /var, is not there.
type View struct {
	meta interface {
		fs.StatFS
		fs.ReadDirFS
		fs.ReadLinkFS
	}
	store fs.FS
}

var _ interface {
	fs.StatFS
	fs.ReadDirFS
	fs.ReadLinkFS
} = (*View)(nil)

// OpenView opens an image; store is the directory /nix/store. Nothing but the
// superblock is read before a name is asked for.
func OpenView(image io.ReaderAt, store fs.FS) (*View, error) {
	fsys, err := erofs.Open(image)
	if err != nil {
		return nil, fmt.Errorf("open root image: %w", err)
	}
	v := &View{store: store}
	var ok bool
	if v.meta, ok = fsys.(interface {
		fs.StatFS
		fs.ReadDirFS
		fs.ReadLinkFS
	}); !ok {
		return nil, errors.New("open root image: the reader of EROFS follows no links")
	}
	return v, nil
}

// Source returns where a file's content lies, relative to the store directory
// and with a slash before it, as Entry.Source has it. It is "" for an empty
// file and for what is no file.
func (v *View) Source(name string) (string, error) {
	info, err := v.meta.Stat(name)
	if err != nil {
		return "", err
	}
	return sourceOf(info), nil
}

func sourceOf(info fs.FileInfo) string {
	stat, ok := info.Sys().(*erofs.Stat)
	if !ok || !info.Mode().IsRegular() {
		return ""
	}
	return stat.Xattrs[redirectXattr]
}

// Open opens a file of the store, or a directory of the image.
func (v *View) Open(name string) (fs.File, error) {
	info, err := v.Stat(name)
	if err != nil {
		return nil, err
	}
	if source := strings.TrimPrefix(sourceOf(info), "/"); source != "" {
		f, err := v.store.Open(source)
		if err != nil {
			return nil, fmt.Errorf("%q of the view: %w", "/"+name, err)
		}
		return f, nil
	}
	return v.meta.Open(name)
}

// Stat follows links; sizes, modes and owners are those of the image.
func (v *View) Stat(name string) (fs.FileInfo, error) {
	if err := valid("stat", name); err != nil {
		return nil, err
	}
	return v.meta.Stat(name)
}

// Lstat does not follow the last link.
func (v *View) Lstat(name string) (fs.FileInfo, error) {
	if err := valid("lstat", name); err != nil {
		return nil, err
	}
	return v.meta.Lstat(name)
}

// ReadDir lists a directory, sorted by name.
func (v *View) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := valid("readdir", name); err != nil {
		return nil, err
	}
	return v.meta.ReadDir(name)
}

// ReadLink returns a link's target as it is written.
func (v *View) ReadLink(name string) (string, error) {
	if err := valid("readlink", name); err != nil {
		return "", err
	}
	return v.meta.ReadLink(name)
}

func valid(op, name string) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return nil
}
