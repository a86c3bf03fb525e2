// Package systree is a small file system in memory with symbolic links, as
// /sys is: what snapshots of machines are read into and made-up machines are
// built in.
//
// Paths are those of io/fs. Links are followed in every part of a path, as the
// kernel does it; targets that leave the root end in it.
package systree

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// maxLinks is how many links one path may lead over, as in Linux.
const maxLinks = 40

type node struct {
	mode fs.FileMode // type bits and permissions
	data []byte      // of a file; the target of a link
}

// A Tree is a file system. The zero value is not one: see New. It must not be
// changed while it is read.
type Tree struct {
	nodes    map[string]node
	children map[string]map[string]bool
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadLinkFS = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
)

// New returns an empty tree.
func New() *Tree {
	return &Tree{map[string]node{".": {mode: fs.ModeDir | 0o555}}, map[string]map[string]bool{".": {}}}
}

// Put makes a file, and the directories above it. What is there already under
// that name is replaced. A name that is no path of io/fs panics: names come
// from programs, or have been checked.
func (t *Tree) Put(name string, data []byte) { t.set(name, node{0o444, slices.Clone(data)}) }

// Link makes a symbolic link.
func (t *Tree) Link(name, target string) { t.set(name, node{fs.ModeSymlink | 0o777, []byte(target)}) }

// Mkdir makes a directory. One that is there stays as it is.
func (t *Tree) Mkdir(name string) {
	if n, ok := t.nodes[name]; !ok || !n.mode.IsDir() {
		t.set(name, node{mode: fs.ModeDir | 0o555})
	}
}

func (t *Tree) set(name string, n node) {
	if !fs.ValidPath(name) {
		panic(fmt.Sprintf("systree: %q is no path", name))
	}
	if name == "." {
		return
	}
	parent := path.Dir(name)
	if p, ok := t.nodes[parent]; !ok || !p.mode.IsDir() {
		t.set(parent, node{mode: fs.ModeDir | 0o555})
	}
	t.children[parent][path.Base(name)] = true
	t.nodes[name] = n
	if n.mode.IsDir() && t.children[name] == nil {
		t.children[name] = map[string]bool{}
	}
}

// Has says whether there is something under exactly this name.
func (t *Tree) Has(name string) bool { _, ok := t.nodes[name]; return ok }

// Names lists all there is, sorted, the root left out.
func (t *Tree) Names() []string {
	names := slices.Sorted(maps.Keys(t.nodes))
	return slices.DeleteFunc(names, func(n string) bool { return n == "." })
}

// Replace changes the content of a file or the target of a link.
func (t *Tree) Replace(name string, data []byte) {
	if n, ok := t.nodes[name]; ok && !n.mode.IsDir() {
		n.data = slices.Clone(data)
		t.nodes[name] = n
	}
}

// resolve follows the links in a path; with last false not that of its end.
func (t *Tree) resolve(name string, last bool) (string, error) {
	if !fs.ValidPath(name) {
		return "", fs.ErrInvalid
	}
	rest := strings.Split(name, "/")
	at := "."
	links := 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case ".", "":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		n, ok := t.nodes[next]
		if !ok {
			return "", fs.ErrNotExist
		}
		if n.mode&fs.ModeSymlink == 0 || len(rest) == 0 && !last {
			if len(rest) > 0 && !n.mode.IsDir() {
				return "", fs.ErrNotExist
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("too many links: %w", fs.ErrInvalid)
		}
		target := string(n.data)
		if strings.HasPrefix(target, "/") {
			at = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

func (t *Tree) find(op, name string, last bool) (string, node, error) {
	at, err := t.resolve(name, last)
	if err != nil {
		return "", node{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return at, t.nodes[at], nil
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	at, n, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	f := &file{info: info{path.Base(at), n}, Reader: bytes.NewReader(n.data)}
	if n.mode.IsDir() {
		f.entries = t.entries(at)
	}
	return f, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	at, n, err := t.find("readdir", name, true)
	if err == nil && !n.mode.IsDir() {
		err = &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return nil, err
	}
	return t.entries(at), nil
}

func (t *Tree) entries(dir string) []fs.DirEntry {
	var out []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(t.children[dir])) {
		out = append(out, fs.FileInfoToDirEntry(info{name, t.nodes[path.Join(dir, name)]}))
	}
	return out
}

// Stat implements fs.StatFS.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	at, n, err := t.find("stat", name, true)
	return info{path.Base(at), n}, err
}

// Lstat implements fs.ReadLinkFS.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) {
	at, n, err := t.find("lstat", name, false)
	return info{path.Base(at), n}, err
}

// ReadLink implements fs.ReadLinkFS.
func (t *Tree) ReadLink(name string) (string, error) {
	_, n, err := t.find("readlink", name, false)
	if err == nil && n.mode&fs.ModeSymlink == 0 {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	return string(n.data), nil
}

type info struct {
	name string
	node node
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return int64(len(i.node.data)) }
func (i info) Mode() fs.FileMode  { return i.node.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.node.mode.IsDir() }
func (i info) Sys() any           { return nil }

type file struct {
	info    info
	entries []fs.DirEntry
	*bytes.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// Read implements fs.File; directories have nothing to read.
func (f *file) Read(b []byte) (int, error) {
	if f.info.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: f.info.name, Err: fs.ErrInvalid}
	}
	return f.Reader.Read(b)
}

// ReadDir implements fs.ReadDirFile.
func (f *file) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		out := f.entries
		f.entries = nil
		return out, nil
	}
	if len(f.entries) == 0 {
		return nil, io.EOF
	}
	out := f.entries[:min(n, len(f.entries))]
	f.entries = f.entries[len(out):]
	return out, nil
}
