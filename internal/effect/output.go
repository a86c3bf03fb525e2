package effect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"reprise/internal/compose"
	"reprise/internal/layer"
)

// An Output writes one layer: files below Env.Out with the store's own
// permissions, true modes and owners in the manifest. Paths are relative to
// the root file system ("etc/ld.so.cache"). Parent directories that nothing
// names get no manifest entry: whoever else has them sets their mode, and
// root 0755 is what they are otherwise. The first error sticks and Close
// returns it.
type Output struct {
	dir        string
	manifest   layer.Manifest
	attributes layer.Manifest
	err        error
}

// Output starts the layer.
func (e *Env) Output() *Output {
	o := &Output{dir: e.Out}
	o.err = os.MkdirAll(filepath.Join(e.Out, layer.Meta), 0o755)
	return o
}

// Dir adds a directory with an owner and mode of its own.
func (o *Output) Dir(name string, mode, uid, gid uint32) {
	if o.check(name) {
		o.err = os.MkdirAll(filepath.Join(o.dir, name), 0o755)
		o.manifest = append(o.manifest, layer.Entry{Path: name, Kind: layer.Dir, Mode: mode, UID: uid, GID: gid})
	}
}

// File adds a file.
func (o *Output) File(name string, mode, uid, gid uint32, content []byte) {
	if !o.parent(name) {
		return
	}
	o.err = os.WriteFile(filepath.Join(o.dir, name), content, storeMode(mode))
	o.manifest = append(o.manifest, layer.Entry{Path: name, Kind: layer.File, Mode: mode, UID: uid, GID: gid, Size: int64(len(content))})
}

// Text adds a file of root's that everybody may read.
func (o *Output) Text(name, content string) { o.File(name, 0o644, 0, 0, []byte(content)) }

// Symlink adds a link.
func (o *Output) Symlink(name, target string) {
	if o.parent(name) {
		o.err = os.Symlink(target, filepath.Join(o.dir, name))
		o.manifest = append(o.manifest, layer.Entry{Path: name, Kind: layer.Symlink, Mode: 0o777, Target: target})
	}
}

// Attributes changes owner, mode and extended attributes of what another layer
// has at a.Path; see compose.AttributesPath.
func (o *Output) Attributes(a layer.Entry) {
	a.Size, a.Target = 0, ""
	if a.Kind == layer.Hard {
		a.Kind = layer.File
	}
	o.attributes = append(o.attributes, a)
}

// Move adds the file at from as name: root's, with the given mode.
func (o *Output) Move(name, from string, mode uint32) {
	if !o.parent(name) {
		return
	}
	info, err := os.Lstat(from)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%q is no regular file", from)
	}
	if err == nil {
		err = move(from, filepath.Join(o.dir, name))
	}
	if err != nil {
		o.err = err
		return
	}
	o.manifest = append(o.manifest, layer.Entry{Path: name, Kind: layer.File, Mode: mode, Size: info.Size()})
}

// Copy adds a copy of the file at from as name: root's, with the given mode.
func (o *Output) Copy(name, from string, mode uint32) {
	content, err := os.ReadFile(from)
	if err != nil {
		o.fail(err)
		return
	}
	o.File(name, mode, 0, 0, content)
}

func (o *Output) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *Output) check(name string) bool {
	if o.err == nil && !layer.ValidPath(name) {
		o.err = fmt.Errorf("%q is no path of a layer", name)
	}
	return o.err == nil
}

func (o *Output) parent(name string) bool {
	if o.check(name) {
		o.err = os.MkdirAll(filepath.Join(o.dir, path.Dir(name)), 0o755)
	}
	return o.err == nil
}

// storeMode is the permission that a file with this mode has in the store.
func storeMode(mode uint32) fs.FileMode {
	if mode&0o111 != 0 {
		return 0o555
	}
	return 0o444
}

// Close writes the manifest and ends the layer.
func (o *Output) Close() error {
	if o.err != nil {
		return fmt.Errorf("write layer: %w", o.err)
	}
	write := func(name string, m layer.Manifest) error {
		m.Sort()
		data, err := m.Bytes()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(o.dir, name), data, 0o444)
	}
	err := write(layer.ManifestPath, o.manifest)
	if len(o.attributes) > 0 {
		err = errors.Join(err, write(compose.AttributesPath, slices.Clone(o.attributes)))
	}
	if err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	return nil
}

// move renames from to to, or copies it: in a sandbox the working directory and
// the output are mounts of their own, even on one file system.
func move(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
