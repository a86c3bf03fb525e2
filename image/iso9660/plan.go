package iso9660

import (
	"fmt"
	"slices"
	"time"

	"reprise/internal/sha256sums"
)

// A Layout is a medium, decided.
type Layout struct {
	image  Image
	size   int64
	head   []byte           // everything before the first file
	order  []*node          // regular files in the order of their content
	places map[string]*node // regular files by path
	esp    extent
	tail   []byte // everything behind the ESP
}

// An extent is a place in the image, in bytes.
type extent struct{ offset, size int64 }

// Plan decides where everything lies. It reads nothing and calls no Write. Its
// error is a Problems that holds every fault of im.
func Plan(im Image) (*Layout, error) {
	if im.Time.IsZero() {
		im.Time = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	im.Time = im.Time.UTC()
	im.Files = slices.Clone(im.Files)
	sums := -1
	if im.Sums != "" {
		sums = len(im.Files)
		im.Files = append(im.Files, File{Path: im.Sums, Mode: 0o444, Size: sumsSize(im.Files), Write: writtenByUs})
	}
	problems := check(im)
	root, more := grow(im)
	if problems = append(problems, more...); problems != nil {
		return nil, problems
	}
	l := &Layout{image: im, places: map[string]*node{}}
	for _, d := range root.directories() {
		for _, n := range d.children {
			if n.mode.IsRegular() {
				l.places[n.path()] = n
			}
		}
	}
	for i, f := range im.Files {
		if n := l.places[f.Path]; n != nil {
			n.file = i
			l.order = append(l.order, n)
		}
	}
	if sums >= 0 {
		l.places[im.Sums].sums = true
	}

	m := metadata{root: root, im: &im}
	next := m.place()
	for _, n := range l.order {
		if n.size == 0 {
			continue // no extent: sector 0 says so
		}
		if n.size >= alignFrom {
			next = roundUp(next, alignFile)
		}
		n.offset = next
		next = roundUp(next+n.size, Sector)
	}
	end := next
	if im.ESP.Size > 0 {
		l.esp = extent{roundUp(next, align), im.ESP.Size}
		end = l.esp.offset + l.esp.size
	}
	l.size = roundUp(end+backupGPT, align)
	if l.size/Sector > maxSectors {
		return nil, Problems{fmt.Sprintf("the image is %d bytes: at most %d sectors of %d bytes", l.size, int64(maxSectors), Sector)}
	}
	m.size = l.size
	m.esp = l.esp
	m.bios = l.places[im.BIOS]
	l.head = m.bytes()
	if err := l.system(end); err != nil {
		return nil, fmt.Errorf("lay out ISO: partition table: %w", err)
	}
	return l, nil
}

const (
	alignFrom = 1 << 20  // files from this size on, bytes,
	alignFile = 64 << 10 // begin where the larger units of flash memory do

	backupGPT  = 33 * block // entries and header
	maxSectors = 1<<32 - 1
	maxExtents = 100 // of one file. Source: isofs_read_level3_size, fs/isofs/inode.c of Linux 6.12
)

// maxExtent is the most that one extent holds: its length is 32 bits wide,
// and all but the last fill their sectors.
const maxExtent = 1<<32 - Sector

// Size is that of the whole image, in bytes.
func (l *Layout) Size() int64 { return l.size }

// Extent tells where the content of a regular file lies, in bytes. A file of
// no bytes has no place: its offset is 0.
func (l *Layout) Extent(path string) (offset, size int64, ok bool) {
	n, ok := l.places[path]
	if !ok {
		return 0, 0, false
	}
	return n.offset, n.size, true
}

// ESP tells where the EFI system partition lies, in bytes; ok is false when
// there is none.
func (l *Layout) ESP() (offset, size int64, ok bool) {
	return l.esp.offset, l.esp.size, l.esp.size > 0
}

// Paths lists the regular files in the order of their content.
func (l *Layout) Paths() []string {
	paths := make([]string, len(l.order))
	for i, n := range l.order {
		paths[i] = n.path()
	}
	return paths
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// sumsSize is what Image.Sums will hold: a line's length does not depend on
// the sum.
func sumsSize(files []File) int64 {
	var list []sha256sums.Sum
	for _, f := range files {
		if f.Mode.IsRegular() {
			list = append(list, sha256sums.Sum{Path: f.Path})
		}
	}
	return int64(len(sha256sums.Encode(list)))
}
