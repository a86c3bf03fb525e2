package unitdiff

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A View is what a machine sees below / under one generation. Only etc and usr
// are looked at, and links inside them are followed; what a link leads to
// elsewhere is state, which no generation changes.
type View interface {
	fs.ReadLinkFS
}

// A Sourcer is a View that knows where the content of a file lies in the store:
// "/<hash>-<name>/usr/bin/x", or "" when there is none. compose.View is one.
// Without it programs are compared byte by byte, and no package has a name.
type Sourcer interface {
	Source(name string) (string, error)
}

const (
	maxUnitFile = 1 << 20 // bytes; systemd's own bound of a line
	maxLinks    = 40      // as the kernel
)

// maxCompared bounds what is compared byte by byte; larger files that lie in
// two places of the store are taken for different.
const maxCompared = 64 << 20 // bytes

// files is a view with what was found out about it.
type files struct {
	fsys      View
	source    func(name string) string
	places    map[string]string   // name → where its links lead, "" for nowhere
	libraries map[string][]string // program → shared libraries, all the way down
	search    []string            // directories of shared libraries
}

func newFiles(view View) *files {
	f := &files{fsys: view, places: map[string]string{}, libraries: map[string][]string{}, source: func(string) string { return "" }}
	if s, ok := view.(Sourcer); ok {
		f.source = func(name string) string {
			source, err := s.Source(name)
			if err != nil {
				return ""
			}
			return source
		}
	}
	return f
}

// merged gives a path from the root its place since /usr took in /bin, /lib
// and the like, which are links beside every view.
func merged(name string) string {
	top, _, _ := strings.Cut(name, "/")
	if slices.Contains([]string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}, top) {
		return "usr/" + name
	}
	return name
}

// resolve follows every link of a name, with or without a slash before it; ""
// when it leads to nothing inside the view.
func (f *files) resolve(name string) string {
	return f.walk(merged(strings.TrimPrefix(path.Clean("/"+name), "/")), 0)
}

func (f *files) walk(name string, links int) string {
	if name == "" || name == "." {
		return "."
	}
	if at, ok := f.places[name]; ok {
		return at
	}
	if links == maxLinks {
		return ""
	}
	dir, at := ".", ""
	if d := path.Dir(name); d != "." {
		dir = f.walk(d, links)
	}
	if dir != "" {
		at = path.Join(dir, path.Base(name))
		if target, err := f.fsys.ReadLink(at); err == nil {
			if !path.IsAbs(target) {
				target = path.Join("/", dir, target)
			}
			at = f.walk(merged(strings.TrimPrefix(path.Clean(target), "/")), links+1)
		} else if _, err := f.fsys.Lstat(at); err != nil {
			at = ""
		}
	}
	f.places[name] = at
	return at
}

// regular reports whether name leads to a file, and where that is.
func (f *files) regular(name string) (string, bool) {
	at := f.resolve(name)
	if at == "" {
		return "", false
	}
	info, err := f.fsys.Lstat(at)
	return at, err == nil && info.Mode().IsRegular()
}

// readDir lists a directory; one that is not there is empty.
func (f *files) readDir(name string) ([]fs.DirEntry, error) {
	at := f.resolve(name)
	if at == "" {
		return nil, nil
	}
	entries, err := fs.ReadDir(f.fsys, at)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", "/"+name, err)
	}
	return entries, nil
}

// text reads a small file.
func (f *files) text(name string) (string, error) {
	data, err := f.read(name, maxUnitFile)
	if err != nil {
		return "", fmt.Errorf("read %q: %w", "/"+name, err)
	}
	return string(data), nil
}

var errTooLarge = errors.New("the file is larger than any that is read here")

func (f *files) read(name string, limit int64) ([]byte, error) {
	at := f.resolve(name)
	if at == "" {
		return nil, fs.ErrNotExist
	}
	file, err := f.fsys.Open(at)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errTooLarge
	}
	return data, err
}

// sameBytes compares two files of two views. What cannot be read is different.
func sameBytes(a *files, at string, b *files, bt string) bool {
	if s := a.source(at); s != "" && s == b.source(bt) {
		return true
	}
	one, err := a.fsys.Lstat(at)
	if err != nil {
		return false
	}
	two, err := b.fsys.Lstat(bt)
	if err != nil || one.Size() != two.Size() {
		return false
	}
	x, err := a.read(at, maxCompared)
	if err != nil {
		return false
	}
	y, err := b.read(bt, maxCompared)
	return err == nil && bytes.Equal(x, y)
}

// A change is a file below one of the places that were compared.
type change struct {
	path string // without a slash before it
	how  string // "changed", "added", "removed"
}

// compare lists what differs below a name of two views: files by their bytes,
// links by their targets and by what they lead to. Sorted by path.
func compare(a, b *files, name string) ([]change, error) {
	x, err := a.list(name, 0)
	if err != nil {
		return nil, err
	}
	y, err := b.list(name, 0)
	if err != nil {
		return nil, err
	}
	var all []change
	for p, link := range x {
		other, ok := y[p]
		switch {
		case !ok:
			all = append(all, change{p, "removed"})
		case link != other:
			all = append(all, change{p, "changed"})
		default:
			at, aFile := a.regular(p)
			bt, bFile := b.regular(p)
			if aFile != bFile || aFile && !sameBytes(a, at, b, bt) {
				all = append(all, change{p, "changed"})
			}
		}
	}
	for p := range y {
		if _, ok := x[p]; !ok {
			all = append(all, change{p, "added"})
		}
	}
	slices.SortFunc(all, func(a, b change) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// deepest bounds the directories below a place that is compared.
const deepest = 16

// list has every file and link below a name, with a link's target.
func (f *files) list(name string, depth int) (map[string]string, error) {
	if target, err := f.fsys.ReadLink(name); err == nil {
		return map[string]string{name: target}, nil
	}
	info, err := f.fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("compare %q: %w", "/"+name, err)
	}
	if !info.IsDir() {
		return map[string]string{name: ""}, nil
	}
	if depth == deepest {
		return nil, fmt.Errorf("compare %q: more than %d directories in each other", "/"+name, deepest)
	}
	entries, err := fs.ReadDir(f.fsys, name)
	if err != nil {
		return nil, fmt.Errorf("compare %q: %w", "/"+name, err)
	}
	all := map[string]string{}
	for _, e := range entries {
		below, err := f.list(name+"/"+e.Name(), depth+1)
		if err != nil {
			return nil, err
		}
		for p, target := range below {
			all[p] = target
		}
	}
	return all, nil
}
