package hwdetect

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// maxFile bounds what is read of one file, bytes. /proc/interrupts of a
// machine with hundreds of CPUs is the longest of those that are read.
const maxFile = 4 << 20

// maxLinks is how many links in a row are followed.
const maxLinks = 16

// maxEntries bounds the names that are taken from one directory.
const maxEntries = 16 << 10

// A tree is the file system that is read, with a record of what was there and
// could not be read. All paths are relative to its root.
type tree struct {
	fsys       fs.FS
	unreadable map[string]string
}

func newTree(fsys fs.FS) *tree { return &tree{fsys, map[string]string{}} }

// data returns a file's content. A file that is not there, is no file, or
// cannot be read has none.
func (t *tree) data(name string) ([]byte, bool) {
	if !fs.ValidPath(name) {
		return nil, false
	}
	f, err := t.fsys.Open(name)
	if err != nil {
		t.note(name, err)
		return nil, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return nil, false
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		t.note(name, err)
		return nil, false
	}
	return b, true
}

// note keeps why a file could not be read, where a person can do something
// about it: files of /sys also answer with errors that only say that a device
// has no such value now.
func (t *tree) note(name string, err error) {
	if errors.Is(err, fs.ErrPermission) {
		t.unreadable[name] = "permission denied"
	}
}

// text returns a file's content as one line: white space around it and what
// could steer a terminal taken out. Nothing in it is not known.
func (t *tree) text(name ...string) Known[string] {
	b, ok := t.data(path.Join(name...))
	if !ok {
		return Known[string]{}
	}
	return some(clean(string(b)))
}

// some is a known string, and not known when it is empty.
func some(s string) Known[string] {
	if s == "" {
		return Known[string]{}
	}
	return Is(s)
}

// clean makes a string fit to print: valid UTF-8, no control characters, no
// white space around it. NULs end lines in device trees.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
	const longest = 4096
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "")
	}
	return strings.TrimSpace(s)
}

// number returns a whole number in decimal, or in hexadecimal with 0x.
func (t *tree) number(name ...string) Known[int] {
	s, ok := t.text(name...).Get()
	if !ok {
		return Known[int]{}
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		// Leading zeros mean nothing here; to ParseInt they mean octal.
		if n, err = strconv.ParseInt(s, 10, 64); err != nil {
			return Known[int]{}
		}
	}
	return Is(int(n))
}

// hex returns a number in hexadecimal, with or without 0x, of at most the given bits.
func (t *tree) hex(bits int, name ...string) Known[uint32] {
	return parseHex(t.text(name...).Or(""), bits)
}

func parseHex(s string, bits int) Known[uint32] {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, bits)
	if err != nil {
		return Known[uint32]{}
	}
	return Is(uint32(n))
}

// flag returns a file with 0 or 1, Y or N.
func (t *tree) flag(name ...string) Known[bool] {
	switch t.text(name...).Or("") {
	case "0", "N":
		return Is(false)
	case "1", "Y":
		return Is(true)
	}
	return Known[bool]{}
}

// list returns the names in a directory, sorted; none when it is not there.
func (t *tree) list(dir string) []string {
	if !fs.ValidPath(dir) {
		return nil
	}
	entries, err := fs.ReadDir(t.fsys, dir)
	if err != nil {
		t.note(dir, err)
	}
	if len(entries) > maxEntries {
		entries = entries[:maxEntries]
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.SortFunc(names, natural)
	return names
}

// has says whether a file or directory is there.
func (t *tree) has(name ...string) bool {
	p := path.Join(name...)
	if !fs.ValidPath(p) {
		return false
	}
	_, err := fs.Stat(t.fsys, p)
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// base returns the last name in a link's target, such as the name of a driver.
func (t *tree) base(name ...string) Known[string] {
	p := path.Join(name...)
	if !fs.ValidPath(p) {
		return Known[string]{}
	}
	target, err := fs.ReadLink(t.fsys, p)
	if err != nil {
		return Known[string]{}
	}
	b := path.Base(target)
	if b == "." || b == "/" || b == ".." {
		return Known[string]{}
	}
	return some(clean(b))
}

// real follows the links that a path ends in: the place of a device in
// sys/devices, for a name in sys/bus or sys/class. Directories above it are
// taken to be no links, as they are in /sys.
func (t *tree) real(name ...string) string {
	p := path.Join(name...)
	for range maxLinks {
		if !fs.ValidPath(p) {
			return p
		}
		target, err := fs.ReadLink(t.fsys, p)
		if err != nil {
			return p
		}
		if strings.HasPrefix(target, "/") {
			p = strings.TrimPrefix(path.Clean(target), "/")
		} else {
			p = path.Join(path.Dir(p), target)
		}
	}
	return p
}

// natural orders names so that numbers in them count: "sda2" before "sda10".
func natural(a, b string) int {
	for a != "" && b != "" {
		na, ra := digits(a)
		nb, rb := digits(b)
		if na != "" && nb != "" {
			ta, tb := strings.TrimLeft(na, "0"), strings.TrimLeft(nb, "0")
			if len(ta) != len(tb) {
				return len(ta) - len(tb)
			}
			if ta != tb {
				return strings.Compare(ta, tb)
			}
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digits(s string) (number, rest string) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// lines splits a text file into lines.
func lines(b []byte) []string {
	b = bytes.TrimRight(b, "\n")
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\n")
}
