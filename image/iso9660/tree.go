package iso9660

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strings"
)

// A node is one name of the tree, with its place.
type node struct {
	name     string
	id       string // its ISO 9660 name, unique in its directory; of a file with its version
	mode     fs.FileMode
	target   string
	size     int64 // of a regular file, or of a directory's records
	offset   int64 // in the image, bytes
	file     int   // index in Image.Files
	sums     bool  // written by us
	given    bool  // a directory that has a File of its own
	parent   *node // the root's is itself
	children []*node
	number   int // of a directory: its place in the path table, 1-based

	continuation int64 // of a directory: bytes of Rock Ridge entries behind its records
}

func (n *node) path() string {
	if n.parent == n {
		return ""
	}
	if n.parent.parent == n.parent {
		return n.name
	}
	return n.parent.path() + "/" + n.name
}

// Limits of names.
const (
	// nameMax is what Linux shows of a name: it cuts longer ones.
	// Source: get_rock_ridge_filename, fs/isofs/rock.c of Linux 6.12.
	nameMax = 253
	// targetMax is what libisofs 1.5.6 reads of a symlink's target; it refuses
	// the whole image for a longer one.
	targetMax = 1023
	// directoriesMax is the width of a parent's number in the path table.
	directoriesMax = math.MaxUint16
	depthMax       = 128 // directories above a file; a bound for recursion, ours
)

var isLabel = regexp.MustCompile(`^[A-Z0-9_]{1,32}$`)

// check finds what is wrong with im apart from its tree.
func check(im Image) (p Problems) {
	say := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	if !isLabel.MatchString(im.Label) {
		say("label %q: want 1 to 32 of A-Z, 0-9 and _", im.Label)
	}
	if y := im.Time.Year(); y < 1900 || y > 1900+255 {
		say("time %s: want a year from 1900 to 2155", im.Time)
	}
	if im.BIOS != "" {
		at := slices.IndexFunc(im.Files, func(f File) bool { return f.Path == im.BIOS && f.Mode.IsRegular() })
		if at < 0 {
			say("boot image for BIOS %q: no regular file has this path", im.BIOS)
		} else if size := im.Files[at].Size; size < bootImageMin || size > bootImageMax {
			say("boot image for BIOS %q is %d bytes: want %d to %d", im.BIOS, size, bootImageMin, bootImageMax)
		}
		if im.BIOS == im.Sums {
			say("%q is the boot image for BIOS and the list of sums", im.BIOS)
		}
	}
	if im.Sums != "" {
		for _, f := range im.Files {
			if strings.ContainsAny(f.Path, "\n\r\\") {
				say("%q: a list of sums has no place for the end of a line or a backslash in a name", f.Path)
			}
		}
	}
	if im.MBR != nil {
		if len(im.MBR) != block && len(im.MBR) != mbrCode {
			say("MBR is %d bytes: want the %d of boot_hybrid.img", len(im.MBR), block)
		}
		if im.BIOS == "" {
			say("MBR without a boot image for BIOS: it has nothing to load")
		}
	}
	if s := im.ESP; s.Size < 0 || s.Size%block != 0 || s.Size > math.MaxUint32*block {
		say("EFI system partition of %d bytes: want a multiple of %d", s.Size, block)
	} else if (s.Size > 0) != (s.Write != nil) {
		say("EFI system partition: want both a size and something that writes it")
	}
	return p
}

// grow makes the tree of im, with every directory sorted as ISO 9660 wants.
func grow(im Image) (root *node, p Problems) {
	say := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	root = &node{mode: fs.ModeDir | 0o755, number: 1}
	root.parent = root
	byPath := map[string]*node{"": root}
	directories := 1

	// dir finds or makes the directory at path; nil when something else is there.
	var dir func(path string) *node
	dir = func(path string) *node {
		if n := byPath[path]; n != nil {
			if !n.mode.IsDir() {
				return nil
			}
			return n
		}
		above, name := "", path
		if at := strings.LastIndexByte(path, '/'); at >= 0 {
			above, name = path[:at], path[at+1:]
		}
		parent := dir(above)
		if parent == nil {
			return nil
		}
		n := &node{name: name, mode: fs.ModeDir | 0o755, parent: parent}
		parent.children = append(parent.children, n)
		byPath[path] = n
		directories++
		return n
	}

	// Directories first, so that a directory's own File may come behind what
	// is in it, and a clash is told of the file that is in the way.
	files := slices.Clone(im.Files)
	slices.SortStableFunc(files, func(a, b File) int {
		return cmp.Compare(strings.Count(a.Path, "/"), strings.Count(b.Path, "/"))
	})
	for _, f := range files {
		if fault := faults(f); fault != nil {
			p = append(p, fault...)
			continue
		}
		if f.Mode.IsDir() {
			n := dir(f.Path)
			switch {
			case n == nil:
				say("%q: something else has this name or that of a directory above it", f.Path)
			case n.given:
				say("%q is there twice", f.Path)
			default:
				n.mode, n.given = f.Mode, true
			}
			continue
		}
		above, name := "", f.Path
		if at := strings.LastIndexByte(f.Path, '/'); at >= 0 {
			above, name = f.Path[:at], f.Path[at+1:]
		}
		parent := dir(above)
		if parent == nil {
			say("%q lies below %q, which is no directory", f.Path, above)
			continue
		}
		if byPath[f.Path] != nil {
			say("%q is there twice", f.Path)
			continue
		}
		n := &node{name: name, mode: f.Mode, target: f.Target, parent: parent}
		if f.Mode.IsRegular() {
			n.size = f.Size
		}
		parent.children = append(parent.children, n)
		byPath[f.Path] = n
	}
	if directories > directoriesMax {
		say("%d directories: at most %d", directories, directoriesMax)
	}
	if p != nil {
		return nil, p
	}
	root.arrange()
	for i, d := range root.directories() {
		d.number = i + 1
	}
	return root, nil
}

// faults finds what is wrong with one file.
func faults(f File) (p Problems) {
	say := func(format string, args ...any) {
		p = append(p, fmt.Sprintf("%q: ", f.Path)+fmt.Sprintf(format, args...))
	}
	if !fs.ValidPath(f.Path) || f.Path == "." || strings.ContainsRune(f.Path, 0) {
		say("want a relative path of names in UTF-8, without NUL, \".\", \"..\" and empty names")
		return p
	}
	names := strings.Split(f.Path, "/")
	if len(names) > depthMax {
		say("%d directories deep: at most %d", len(names)-1, depthMax-1)
	}
	for _, name := range names {
		if len(name) > nameMax {
			say("a name of %d bytes: Linux shows at most %d of ISO 9660", len(name), nameMax)
		}
	}
	switch {
	case f.Mode.IsRegular():
		if f.Size < 0 || f.Size > maxExtents*maxExtent {
			say("%d bytes: want 0 to %d", f.Size, int64(maxExtents*maxExtent))
		}
		if f.Size > 0 && f.Write == nil {
			say("%d bytes, and nothing that writes them", f.Size)
		}
		if f.Target != "" {
			say("a regular file with the target of a link")
		}
	case f.Mode.Type() == fs.ModeSymlink:
		if f.Target == "" || len(f.Target) > targetMax || strings.ContainsRune(f.Target, 0) {
			say("target of %d bytes: want 1 to %d without NUL", len(f.Target), targetMax)
		}
	case f.Mode.Type() == fs.ModeDir:
	default:
		say("mode %s: want a regular file, a directory or a symlink", f.Mode)
	}
	if f.Mode&^(fs.ModeType|fs.ModePerm) != 0 {
		say("mode %s: want permission bits alone", f.Mode)
	}
	return p
}

// arrange names and sorts what is below n.
func (n *node) arrange() {
	slices.SortFunc(n.children, func(a, b *node) int { return cmp.Compare(a.name, b.name) })
	taken := make(map[string]int, len(n.children))
	for _, c := range n.children {
		c.id = identifier(c.name, c.mode.IsDir(), taken)
		if c.mode.IsDir() {
			c.arrange()
		}
	}
	// A version counts last, and '.' is less than all that a name may hold, so
	// comparing bytes is comparing as ECMA-119, 9.3, wants it.
	slices.SortFunc(n.children, func(a, b *node) int {
		return cmp.Compare(strings.TrimSuffix(a.id, version), strings.TrimSuffix(b.id, version))
	})
}

// directories lists n and the directories below it in the order of the path
// table: by level, then by the parent's number, then by name.
func (n *node) directories() []*node {
	all := []*node{n}
	for i := 0; i < len(all); i++ {
		for _, c := range all[i].children {
			if c.mode.IsDir() {
				all = append(all, c)
			}
		}
	}
	return all
}

// version ends the ISO 9660 name of every file.
const version = ";1"

// idMax is the longest name of ISO 9660 level 2 and 3, a dot counted, the
// version not.
const idMax = 30

// identifier makes the ISO 9660 name of name: A-Z, 0-9 and _, at most one
// dot in a file's name, unlike all in taken. Whoever reads Rock Ridge never
// sees it.
// taken counts the names of a directory that would have been the same.
func identifier(name string, directory bool, taken map[string]int) string {
	stem, extension := name, ""
	if at := strings.LastIndexByte(name, '.'); at > 0 && !directory {
		stem, extension = name[:at], name[at+1:]
	}
	plain := func(s string, most int) string {
		b := []byte(strings.ToUpper(s))
		for i, c := range b {
			if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
				b[i] = '_'
			}
		}
		return string(b[:min(len(b), most)])
	}
	extension = plain(extension, 8)
	rest := "." + extension + version
	if directory {
		rest = ""
	}
	room := idMax - len("."+extension)
	stem = plain(stem, room)
	first := stem + rest
	id := first
	for taken[id] > 0 {
		number := fmt.Sprintf("_%d", taken[first])
		taken[first]++
		id = stem[:min(len(stem), room-len(number))] + number + rest
	}
	taken[id]++
	return id
}
