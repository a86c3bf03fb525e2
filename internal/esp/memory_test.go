package esp

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	sector  = 512
	cluster = 4096
)

// memory is a FAT in memory that forgets what no sync has vouched for.
//
// Each call that changes something is one step. What was done to one name
// reaches the disk in its order; between names there is none. Of a write in
// flight any whole number of sectors may have arrived, a single one is whole
// or not there.
type memory struct {
	now     map[string][]byte // directories are nil
	stable  map[string][]byte
	pending []step // since the last SyncAll, but for what Sync took
	total   int64
	steps   int
	moments []moment
	fail    error
}

// A moment is one when the power may go: what is on the disk by then, and what
// is on its way.
type moment struct {
	stable  map[string][]byte
	pending []step
	total   int64
}

// A step changes files: those in touched alone.
type step struct {
	what    string
	touched []string
	do      func(files map[string][]byte, sectors int) // sectors that arrive; -1 for all
	size    int                                        // sectors of it
}

func newMemory(total int64, files map[string][]byte) *memory {
	m := &memory{now: map[string][]byte{".": nil}, total: total}
	for name, content := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			m.now[dir] = nil
		}
		m.now[name] = content
	}
	m.stable = maps.Clone(m.now)
	return m
}

// An item is a file or directory as it is listed.
type item struct {
	name string
	size int64
	dir  bool
}

func (i item) Name() string               { return i.name }
func (i item) Size() int64                { return i.size }
func (i item) IsDir() bool                { return i.dir }
func (i item) ModTime() (none time.Time)  { return none }
func (i item) Sys() any                   { return nil }
func (i item) Type() fs.FileMode          { return i.Mode().Type() }
func (i item) Info() (fs.FileInfo, error) { return i, nil }

func (i item) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

func (m *memory) ReadDir(name string) ([]fs.DirEntry, error) {
	if content, ok := m.now[name]; !ok || content != nil {
		return nil, fs.ErrNotExist
	}
	var list []fs.DirEntry
	for file, content := range m.now {
		if path.Dir(file) == name && file != "." {
			list = append(list, item{path.Base(file), int64(len(content)), content == nil})
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

func (m *memory) ReadFile(name string, limit int64) ([]byte, error) {
	content, ok := m.now[name]
	if !ok || content == nil {
		return nil, fs.ErrNotExist
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%q is too large", name)
	}
	return bytes.Clone(content), nil
}

func rounded(size int) int64 { return int64((size + cluster - 1) / cluster * cluster) }

func (m *memory) Space() (Space, error) {
	free := m.total
	for _, content := range m.now {
		free -= rounded(len(content))
	}
	return Space{Total: m.total, Free: free, Cluster: cluster}, nil
}

// step does one, unless the power goes.
func (m *memory) step(s step) error {
	m.steps++
	m.moments = append(m.moments, moment{m.stable, append(slices.Clip(m.pending), s), m.total})
	if m.fail != nil {
		return m.fail
	}
	s.do(m.now, -1)
	m.pending = append(m.pending, s)
	return nil
}

func (m *memory) Mkdir(name string) error {
	if _, ok := m.now[name]; ok {
		return fs.ErrExist
	}
	return m.step(step{"mkdir", []string{name}, func(files map[string][]byte, _ int) { files[name] = nil }, 0})
}

func (m *memory) Create(name string) error {
	return m.step(step{"create", []string{name}, func(files map[string][]byte, _ int) { files[name] = []byte{} }, 0})
}

func (m *memory) WriteAt(name string, p []byte, at int64) error {
	if _, ok := m.now[name]; !ok {
		return fs.ErrNotExist
	}
	p = bytes.Clone(p)
	space, _ := m.Space()
	if grows := rounded(int(at)+len(p)) - rounded(len(m.now[name])); grows > space.Free {
		return fmt.Errorf("write %q: no space left on device", name)
	}
	return m.step(step{fmt.Sprintf("write %d bytes", len(p)), []string{name}, func(files map[string][]byte, sectors int) {
		content, ok := files[name]
		if !ok {
			return
		}
		data := p
		if sectors >= 0 {
			data = p[:min(len(p), sectors*sector)]
		}
		longer := make([]byte, max(len(content), int(at)+len(data)))
		copy(longer, content)
		copy(longer[at:], data)
		files[name] = longer
	}, (len(p) + sector - 1) / sector})
}

func (m *memory) Rename(from, to string) error {
	if _, ok := m.now[from]; !ok {
		return fs.ErrNotExist
	}
	return m.step(step{"rename", []string{from, to}, func(files map[string][]byte, _ int) {
		if content, ok := files[from]; ok {
			files[to] = content
			delete(files, from)
		}
	}, 0})
}

func (m *memory) Remove(name string) error {
	if _, ok := m.now[name]; !ok {
		return fs.ErrNotExist
	}
	return m.step(step{"remove", []string{name}, func(files map[string][]byte, _ int) { delete(files, name) }, 0})
}

func (m *memory) Sync(name string) error {
	if err := m.step(step{"sync", nil, func(map[string][]byte, int) {}, 0}); err != nil {
		return err
	}
	m.stable = maps.Clone(m.stable)
	var later []step
	for _, s := range m.pending {
		if slices.Contains(s.touched, name) {
			s.do(m.stable, -1)
		} else {
			later = append(later, s)
		}
	}
	m.pending = later
	return nil
}

func (m *memory) SyncAll() error {
	if err := m.step(step{"sync all", nil, func(map[string][]byte, int) {}, 0}); err != nil {
		return err
	}
	m.stable, m.pending = maps.Clone(m.now), nil
	return nil
}

// after is what the disk holds when the power comes back: of what no sync
// vouches for, all (r is nil and all is set), nothing, or any part.
func (m moment) after(all bool, r *rand.Rand) *memory {
	files := maps.Clone(m.stable)
	ended := map[string]bool{} // names of which a step was lost
	for _, s := range m.pending {
		if slices.ContainsFunc(s.touched, func(name string) bool { return ended[name] }) {
			for _, name := range s.touched {
				ended[name] = true
			}
			continue
		}
		arrives, sectors := all, -1
		if r != nil {
			arrives = r.IntN(3) > 0
			if arrives && s.size > 1 && r.IntN(2) == 0 {
				sectors = r.IntN(s.size)
			}
		}
		if arrives {
			s.do(files, sectors)
		}
		if !arrives || sectors >= 0 {
			for _, name := range s.touched {
				ended[name] = true
			}
		}
	}
	return &memory{now: files, stable: maps.Clone(files), total: m.total}
}
