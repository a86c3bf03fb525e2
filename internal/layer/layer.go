// Package layer describes a layer: a tree of files in the store together with
// the owners, modes, hard links and capabilities that a store path cannot
// hold. An unpacked Debian package is a layer, and so is the output of every
// effect (ld.so.cache, accounts, units and so on). A view is merged from
// layers.
//
// On disk a layer is the tree as dpkg-deb -R lays it out: the files at the
// top and a DEBIAN directory beside them that does not belong to the root
// file system:
//
//	/nix/store/<hash>-bash-5.2.37-2/
//	    usr/bin/bash …            the files, canonical store permissions
//	    DEBIAN/manifest           the true modes and owners, this package
//	    DEBIAN/control …          a package's control files, scripts as data
//
// The manifest is text. Its first line is the version, then one entry a line,
// sorted by path, fields separated by one tab:
//
//	reprise-manifest 1
//	d	755	0	0	0	usr/bin
//	f	4755	0	0	64152	usr/bin/su
//	h	755	0	0	4096	usr/bin/perl5.40.1	usr/bin/perl
//	l	777	0	0	0	usr/bin/sh	dash
//	f	755	0	0	90512	usr/bin/ping	security.capability=AQAAAg…
//
// kind, octal mode (12 bits), uid, gid, size in bytes, path without a leading
// slash, then for h the path whose file it shares and for l the link target,
// then any extended attributes as name=base64. Bytes below 0x21, '%' and 0x7f
// are written %XX in paths, targets and names.
package layer

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Meta is the directory of a layer that is not part of the root file system.
const Meta = "DEBIAN"

// ManifestPath is where a layer keeps its manifest.
const ManifestPath = Meta + "/manifest"

const header = "reprise-manifest 1"

// Kind says what an entry is.
type Kind byte

const (
	Dir     Kind = 'd'
	File    Kind = 'f'
	Hard    Kind = 'h' // another name of the file at Target
	Symlink Kind = 'l'
)

// An Entry is one name of a layer.
type Entry struct {
	Path   string // relative and clean: "usr/bin/su"; never "", ".", "..x/.."
	Kind   Kind
	Mode   uint32 // permission bits with setuid, setgid and sticky: 07777 at most
	UID    uint32
	GID    uint32
	Size   int64             // bytes of a file or hard link, else 0
	Target string            // of a symlink (as written) or hard link (a Path)
	Xattrs map[string]string // full name to value
}

// A Manifest lists a layer's entries sorted by Path, parents before children.
// The root directory itself is not listed.
type Manifest []Entry

// Sort orders the entries as Encode wants them.
func (m Manifest) Sort() {
	slices.SortFunc(m, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
}

// Encode writes the manifest. The entries must be sorted, see Sort.
func (m Manifest) Encode(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	fmt.Fprintln(b, header)
	var line []byte
	for i, e := range m {
		if err := e.check(); err != nil {
			return err
		}
		if i > 0 && m[i-1].Path >= e.Path {
			return fmt.Errorf("manifest: %q does not come after %q", e.Path, m[i-1].Path)
		}
		line = append(line[:0], byte(e.Kind), '\t')
		line = strconv.AppendUint(line, uint64(e.Mode), 8)
		line = append(line, '\t')
		line = strconv.AppendUint(line, uint64(e.UID), 10)
		line = append(line, '\t')
		line = strconv.AppendUint(line, uint64(e.GID), 10)
		line = append(line, '\t')
		line = strconv.AppendInt(line, e.Size, 10)
		line = append(line, '\t')
		line = append(line, escape(e.Path)...)
		if e.Kind == Hard || e.Kind == Symlink {
			line = append(line, '\t')
			line = append(line, escape(e.Target)...)
		}
		for _, name := range slices.Sorted(maps.Keys(e.Xattrs)) {
			line = append(line, '\t')
			line = append(line, escape(name)...)
			line = append(line, '=')
			line = base64.StdEncoding.AppendEncode(line, []byte(e.Xattrs[name]))
		}
		line = append(line, '\n')
		b.Write(line)
	}
	return b.Flush()
}

// Bytes returns what Encode writes.
func (m Manifest) Bytes() ([]byte, error) {
	var b bytes.Buffer
	err := m.Encode(&b)
	return b.Bytes(), err
}

// Parse reads a manifest. It refuses what Encode would not write: unsorted or
// unclean paths, unknown kinds, trailing text.
func Parse(data []byte) (Manifest, error) {
	first, rest, ok := strings.Cut(string(data), "\n")
	if !ok || first != header {
		return nil, fmt.Errorf("manifest: first line is %.40q, want %q", first, header)
	}
	m := make(Manifest, 0, strings.Count(rest, "\n"))
	for number := 2; rest != ""; number++ {
		var line string
		if line, rest, ok = strings.Cut(rest, "\n"); !ok {
			return nil, fmt.Errorf("manifest: line %d is not ended", number)
		}
		e, err := parseEntry(line)
		if err != nil {
			return nil, fmt.Errorf("manifest: line %d: %w", number, err)
		}
		if len(m) > 0 && m[len(m)-1].Path >= e.Path {
			return nil, fmt.Errorf("manifest: line %d: %q is out of order", number, e.Path)
		}
		m = append(m, e)
	}
	return m, nil
}

func parseEntry(line string) (Entry, error) {
	var e Entry
	fields := strings.Split(line, "\t")
	if len(fields) < 6 || len(fields[0]) != 1 {
		return e, errors.New("want kind, mode, uid, gid, size and path")
	}
	e.Kind = Kind(fields[0][0])
	mode, err1 := parseCanonical(fields[1], 8, 32)
	uid, err2 := parseCanonical(fields[2], 10, 32)
	gid, err3 := parseCanonical(fields[3], 10, 32)
	size, err4 := parseCanonical(fields[4], 10, 63)
	name, err5 := unescape(fields[5])
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return e, err
	}
	e.Mode, e.UID, e.GID, e.Size, e.Path = uint32(mode), uint32(uid), uint32(gid), int64(size), name
	rest := fields[6:]
	if e.Kind == Hard || e.Kind == Symlink {
		if len(rest) == 0 {
			return e, errors.New("want a target")
		}
		var err error
		if e.Target, err = unescape(rest[0]); err != nil {
			return e, err
		}
		rest = rest[1:]
	}
	last := ""
	for _, field := range rest {
		name, value, ok := strings.Cut(field, "=")
		if !ok || name <= last {
			return e, fmt.Errorf("attribute %q is not name=base64 in order", field)
		}
		last = name
		plain, err := unescape(name)
		if err != nil {
			return e, err
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(value)
		if err != nil {
			return e, err
		}
		if e.Xattrs == nil {
			e.Xattrs = map[string]string{}
		}
		e.Xattrs[plain] = string(raw)
	}
	return e, e.check()
}

// parseCanonical refuses the forms that Encode would not write, such as "007".
func parseCanonical(s string, base, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, base, bits)
	if err == nil && strconv.FormatUint(n, base) != s {
		err = fmt.Errorf("number %q is not in its shortest form", s)
	}
	return n, err
}

func (e Entry) check() error {
	if !ValidPath(e.Path) {
		return fmt.Errorf("path %q is not clean and relative", e.Path)
	}
	if e.Mode > 0o7777 {
		return fmt.Errorf("%s: mode %o is out of range", e.Path, e.Mode)
	}
	switch e.Kind {
	case Dir, File:
	case Symlink:
		if e.Target == "" || strings.ContainsRune(e.Target, 0) {
			return fmt.Errorf("%s: a symlink to %q", e.Path, e.Target)
		}
	case Hard:
		if !ValidPath(e.Target) {
			return fmt.Errorf("%s: a hard link to %q", e.Path, e.Target)
		}
	default:
		return fmt.Errorf("%s: unknown kind %q", e.Path, byte(e.Kind))
	}
	return nil
}

// ValidPath reports whether p is relative, clean, inside the tree and not
// within the Meta directory.
func ValidPath(p string) bool {
	return p != "" && p != "." && p[0] != '/' && path.Clean(p) == p &&
		p != ".." && !strings.HasPrefix(p, "../") && !strings.ContainsRune(p, 0) &&
		p != Meta && !strings.HasPrefix(p, Meta+"/")
}

func escape(s string) string {
	if !strings.ContainsFunc(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if special(rune(s[i])) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func special(r rune) bool { return r <= ' ' || r == '%' || r == 0x7f }

func unescape(s string) (string, error) {
	if !strings.Contains(s, "%") {
		if strings.ContainsFunc(s, special) {
			return "", fmt.Errorf("%q holds a byte that wants escaping", s)
		}
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b = append(b, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("%q ends inside an escape", s)
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", err
		}
		b = append(b, byte(n))
		i += 2
	}
	plain := string(b)
	if escape(plain) != s {
		return "", fmt.Errorf("%q is not escaped as we write it", s)
	}
	return plain, nil
}
