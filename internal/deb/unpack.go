package deb

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path"
	"strings"

	"reprise/internal/layer"
)

// UnpackOptions changes how Unpack works, never what it writes.
type UnpackOptions struct {
	// XZ stands in for the built-in decoder of xz, for example a pipe to the
	// xz program; nil is as fast. Its reader ends with io.EOF only after the
	// whole stream; Close may be called while a Read waits, and returns an
	// error when the decoder ended badly.
	XZ     func(io.Reader) (io.ReadCloser, error)
	Limits Limits
}

// Unpack writes the content of a .deb below dst as a layer, and returns its
// manifest: files and directories with the canonical metadata of a store path
// (0444 or 0555, modification time 1 s after 1970), the true owners, modes,
// hard links and extended attributes in DEBIAN/manifest, and the control files
// beside it. Nothing of the package is run.
//
// size is the length of the .deb in bytes. dst must not exist or be an empty
// directory; when Unpack fails it is as it was. It does not fsync.
//
// A package is refused when it
//   - names paths that are absolute, hold "..", are not clean, stand there
//     twice or would lie below what is no directory;
//   - holds anything but files, directories, symlinks and hard links to its
//     own files;
//   - is cut short, has bytes after an end, or unpacks to more than Limits
//     allow.
//
// An entry whose parent is a symlink of the package to a directory of the
// package goes into that directory, which is where dpkg would put it.
func Unpack(ctx context.Context, deb io.ReaderAt, size int64, dst string, opt UnpackOptions) (layer.Manifest, error) {
	lim := opt.Limits.orDefaults()
	d, err := openDeb(ctx, deb, size, lim)
	if err != nil {
		return nil, err
	}
	m, err := d.unpack(ctx, dst, opt.XZ, lim)
	if err != nil {
		return nil, fmt.Errorf("unpack package %q %q: %w", d.Package.Name, d.Package.Version, err)
	}
	return m, nil
}

func (d *Deb) unpack(ctx context.Context, dst string, xz func(io.Reader) (io.ReadCloser, error), lim Limits) (m layer.Manifest, err error) {
	r, compression, err := d.Data()
	if err != nil {
		return nil, err
	}
	plain, err := decompress(ctx, r, compression, xz)
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", d.data.name, err)
	}
	defer plain.Close()
	w, err := newTree(ctx, dst)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.discard()
		}
		w.root.Close()
	}()
	u := unpacking{tree: w, at: map[string]int{}, lim: lim}
	in := newTarStream(plain, lim.data(d.Package.InstalledSize))
	if err := u.entries(in); err != nil {
		return nil, fmt.Errorf("member %q: %w", d.data.name, err)
	}
	if err := errors.Join(in.finish(), plain.Close()); err != nil {
		return nil, fmt.Errorf("member %q: %w", d.data.name, err)
	}
	u.manifest.Sort()
	if err := w.finish(u.manifest, d.files); err != nil {
		return nil, err
	}
	return u.manifest, nil
}

// unpacking is the state of one data archive on its way to disk.
type unpacking struct {
	tree     *tree
	manifest layer.Manifest
	at       map[string]int // path → index in manifest
	lim      Limits
}

func (u *unpacking) entries(in *tarStream) error {
	for {
		h, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(u.manifest) >= u.lim.Entries {
			return fmt.Errorf("%w: more than %d entries", errTooLarge, u.lim.Entries)
		}
		if err := u.entry(h, in.tar); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, tarFault(err))
		}
		if err := u.tree.ctx.Err(); err != nil {
			return context.Cause(u.tree.ctx)
		}
	}
}

func (u *unpacking) entry(h *tar.Header, content io.Reader) error {
	name, err := cleanName(h.Name, h.Typeflag == tar.TypeDir)
	if err != nil {
		return err
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return errors.New("the root is no directory")
		}
		return nil
	}
	if name, err = u.place(name); err != nil {
		return err
	}
	e := layer.Entry{Path: name, Mode: uint32(h.Mode) & 0o7777}
	if h.Uid < 0 || h.Uid >= math.MaxUint32 || h.Gid < 0 || h.Gid >= math.MaxUint32 {
		return fmt.Errorf("owner %d:%d is out of range", h.Uid, h.Gid)
	}
	e.UID, e.GID = uint32(h.Uid), uint32(h.Gid)
	for key, value := range h.PAXRecords {
		if attribute, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok && attribute != "" {
			if e.Xattrs == nil {
				e.Xattrs = map[string]string{}
			}
			e.Xattrs[attribute] = value
		}
	}
	if i, twice := u.at[name]; twice {
		old := u.manifest[i]
		if e.Kind = layer.Dir; h.Typeflag == tar.TypeDir && old.Kind == layer.Dir &&
			old.Mode == e.Mode && old.UID == e.UID && old.GID == e.GID && maps.Equal(old.Xattrs, e.Xattrs) {
			return nil // tar repeats a directory when it is named twice
		}
		return errors.New("stands there twice")
	}
	switch h.Typeflag {
	case tar.TypeDir:
		e.Kind = layer.Dir
		err = u.tree.mkdir(name)
	case tar.TypeReg:
		e.Kind, e.Size = layer.File, h.Size
		err = u.tree.file(name, e.Mode&0o100 != 0, content, h.Size)
	case tar.TypeSymlink:
		e.Kind, e.Target, e.Mode = layer.Symlink, h.Linkname, 0o777
		if h.Linkname == "" || len(h.Linkname) >= 4096 || strings.ContainsRune(h.Linkname, 0) {
			return fmt.Errorf("a symlink to %.80q", h.Linkname)
		}
		err = u.tree.symlink(name, h.Linkname)
	case tar.TypeLink:
		if e, err = u.hardLink(name, h.Linkname); err == nil {
			u.tree.link(name, e.Target)
		}
	case tar.TypeChar, tar.TypeBlock:
		return errors.New("is a device node, and packages may not hold one")
	case tar.TypeFifo:
		return errors.New("is a named pipe, and packages may not hold one")
	default:
		return fmt.Errorf("tar type %q is not one of file, directory, symlink, hard link", h.Typeflag)
	}
	if err != nil {
		return err
	}
	u.add(e)
	return nil
}

func (u *unpacking) add(e layer.Entry) {
	u.at[e.Path] = len(u.manifest)
	u.manifest = append(u.manifest, e)
}

// hardLink returns the entry of a further name of a file that came before.
func (u *unpacking) hardLink(name, target string) (layer.Entry, error) {
	to, err := cleanName(target, false)
	if err == nil && to != "." {
		to, err = u.resolve(to)
	}
	if err != nil {
		return layer.Entry{}, fmt.Errorf("hard link to %q: %w", target, err)
	}
	i, known := u.at[to]
	if !known {
		return layer.Entry{}, fmt.Errorf("hard link to %q, which did not come before it", target)
	}
	e := u.manifest[i]
	switch e.Kind {
	case layer.File:
		e.Target = e.Path
	case layer.Hard: // keeps its target: links of links point at the file
	default:
		return layer.Entry{}, fmt.Errorf("hard link to %q, which is no file", target)
	}
	e.Path, e.Kind = name, layer.Hard
	return e, nil
}

// place returns where the entry called name goes, and makes the parent
// directories that the archive does not list.
func (u *unpacking) place(name string) (string, error) {
	name, err := u.resolve(name)
	if err != nil {
		return "", err
	}
	for i, c := range name {
		if c != '/' {
			continue
		}
		parent := name[:i]
		if _, known := u.at[parent]; known {
			continue
		}
		if err := u.tree.mkdir(parent); err != nil {
			return "", err
		}
		u.add(layer.Entry{Path: parent, Kind: layer.Dir, Mode: 0o755})
	}
	return name, nil
}

// maxLinks is how many symlinks are followed on the way to an entry.
const maxLinks = 8

// resolve follows the package's own symlinks among the parents of name. What
// leads out of the package, or to something that is not a directory of it, is
// refused.
func (u *unpacking) resolve(name string) (string, error) {
	for links := 0; ; links++ {
		again := false
		for i := 0; i < len(name); i++ {
			if name[i] != '/' {
				continue
			}
			at, known := u.at[name[:i]]
			if !known {
				break // its parents, and so all below, are still to be made
			}
			parent := u.manifest[at]
			if parent.Kind == layer.Dir {
				continue
			}
			if parent.Kind != layer.Symlink {
				return "", fmt.Errorf("its parent %q is no directory", parent.Path)
			}
			to := parent.Target
			if strings.HasPrefix(to, "/") {
				to = strings.TrimLeft(to, "/")
			} else {
				to = path.Join(path.Dir(parent.Path), to)
			}
			if to = path.Clean(to); !layer.ValidPath(to) {
				return "", fmt.Errorf("its parent %q is a symlink to %q, which leads out of the package", parent.Path, parent.Target)
			}
			if j, ok := u.at[to]; !ok || u.manifest[j].Kind == layer.File || u.manifest[j].Kind == layer.Hard {
				return "", fmt.Errorf("its parent %q is a symlink to %q, which is no directory of the package", parent.Path, parent.Target)
			}
			name, again = to+name[i:], true
			break
		}
		if !again {
			break
		}
		if links == maxLinks {
			return "", errors.New("too many symlinks on the way to it")
		}
	}
	if !layer.ValidPath(name) {
		return "", errors.New("leads out of the package")
	}
	return name, nil
}

// cleanName checks the name of a tar entry and returns it without its leading
// "./"; "." is the root.
func cleanName(name string, dir bool) (string, error) {
	p := name
	if dir {
		p = strings.TrimSuffix(p, "/")
	}
	switch {
	case strings.HasPrefix(p, "/") || dir && p == "" && name != "":
		return "", errors.New("an absolute path")
	case p == "." || p == "./":
		return ".", nil
	}
	p = strings.TrimPrefix(p, "./")
	switch {
	case p == "" || strings.ContainsRune(p, 0):
		return "", errors.New("no path")
	case len(p) > 4095:
		return "", errors.New("longer than 4,095 bytes")
	case p == layer.Meta || strings.HasPrefix(p, layer.Meta+"/"):
		return "", fmt.Errorf("%q is kept for the package's control files", layer.Meta)
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "..":
			return "", errors.New("a path with \"..\"")
		case part == "" || part == ".":
			return "", errors.New("not a clean path")
		case len(part) > 255:
			return "", errors.New("a name longer than 255 bytes")
		}
	}
	return p, nil
}

// isEmpty reports whether the directory holds nothing.
func isEmpty(dir string) (bool, error) {
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

// fullPath names a path below the tree in errors of the tree's own.
func fullPath(dst, name string, err error) error {
	var fault *fs.PathError
	if errors.As(err, &fault) {
		err = fault.Err
	}
	return fmt.Errorf("write %q: %w", path.Join(dst, name), err)
}
