package oracle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// mostOrigins is the largest number of packages that Entry.From names. A
// directory of more is common ground, such as /usr/bin.
const mostOrigins = 6

// ReadTar lists the root file system of a Debian system in a tar archive, as
// mmdebstrap writes one. Names of owners and what the packages ship come from
// the system's own /etc/passwd, /etc/group and dpkg database.
func ReadTar(r io.Reader) (*Listing, error) {
	l := &Listing{Packages: map[string]string{}}
	var raw []rawEntry
	files := map[string][]byte{} // of the dpkg database and the accounts
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read tar: %w", err)
		}
		e := rawEntry{uid: h.Uid, gid: h.Gid}
		e.Path, e.Mode = path.Clean("/"+h.Name), uint32(h.Mode)&0o7777
		switch h.Typeflag {
		case tar.TypeDir:
			e.Kind = Dir
		case tar.TypeSymlink:
			e.Kind, e.Target = Link, h.Linkname
		case tar.TypeReg:
			e.Kind = File
		case tar.TypeLink:
			e.Kind, e.hard = File, path.Clean("/"+h.Linkname)
		default:
			e.Kind = Device
		}
		if keep := wanted(e.Path); e.Kind == File && e.hard == "" && (keep || hasSum(e.Path)) {
			var content bytes.Buffer
			from := io.Reader(in)
			if keep {
				from = io.TeeReader(in, &content)
			}
			sum, err := Sum(e.Path, from)
			if err != nil {
				return nil, fmt.Errorf("read tar: %q: %w", e.Path, err)
			}
			if keep {
				files[e.Path] = content.Bytes()
			}
			if hasSum(e.Path) {
				e.Sum = sum
			}
		}
		if e.Path != "/" {
			raw = append(raw, e)
		}
	}
	if err := l.finish(raw, files); err != nil {
		return nil, fmt.Errorf("read tar: %w", err)
	}
	return l, nil
}

type rawEntry struct {
	Entry
	uid, gid int
	hard     string // the path whose file it shares
}

const (
	dpkgInfo   = "/var/lib/dpkg/info/"
	dpkgStatus = "/var/lib/dpkg/status"
)

func wanted(name string) bool {
	return name == "/etc/passwd" || name == "/etc/group" || name == dpkgStatus ||
		strings.HasPrefix(name, dpkgInfo) && strings.HasSuffix(name, ".list")
}

func hasSum(name string) bool {
	return strings.HasPrefix(name, "/etc/") || strings.HasPrefix(name, "/usr/")
}

// bytecodeHeader is the length of what precedes the code in a .pyc file:
// magic number, flags, and the source's time and size or its hash. Debian's
// scripts write times, an effect that repeats itself cannot.
// Source: PEP 552.
const bytecodeHeader = 16

// Sum returns what listings hold of a file's content: the beginning of its
// SHA-256, of compiled Python without the header, and of ld.so.cache its
// entries.
func Sum(name string, r io.Reader) (string, error) {
	if strings.HasSuffix(name, ".pyc") {
		if _, err := io.CopyN(io.Discard, r, bytecodeHeader); err != nil && err != io.EOF {
			return "", err
		}
	}
	hash := sha256.New()
	if name == "/etc/ld.so.cache" {
		data, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		r = bytes.NewReader(loaderEntries(data))
	}
	if _, err := io.Copy(hash, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// loaderEntries writes a cache of the form "glibc-ld.so.cache1.1" as lines in
// the order in which the loader looks: where the strings lie does not matter,
// and who made the cache stands behind them. What is no such cache it returns
// as it is.
// Source: glibc 2.41, sysdeps/generic/dl-cache.h.
func loaderEntries(data []byte) []byte {
	const header, entry = 48, 24 // bytes; the number of entries is at 20
	const longest = 4096         // bytes of a name: many entries may lead to the same long one
	if len(data) < header {
		return data
	}
	le := binary.LittleEndian
	word := func(at uint32) []byte {
		if int64(at) >= int64(len(data)) {
			return nil
		}
		text, _, _ := bytes.Cut(data[at:min(int(at)+longest, len(data))], []byte{0})
		return text
	}
	var lines bytes.Buffer
	rest := data[header:]
	for range le.Uint32(data[20:]) {
		if len(rest) < entry {
			return data
		}
		fmt.Fprintf(&lines, "%x %s %s %x %x\n", le.Uint32(rest), word(le.Uint32(rest[4:])), word(le.Uint32(rest[8:])), le.Uint32(rest[12:]), le.Uint64(rest[16:]))
		rest = rest[entry:]
	}
	return lines.Bytes()
}

// finish gives the entries names of owners and what the dpkg database knows.
func (l *Listing) finish(raw []rawEntry, files map[string][]byte) error {
	for _, name := range []string{"/etc/passwd", "/etc/group", dpkgStatus} {
		if len(files[name]) == 0 {
			return fmt.Errorf("there is no %q", name)
		}
	}
	users, groups := Names(files["/etc/passwd"]), Names(files["/etc/group"])
	byPath := make(map[string]*rawEntry, len(raw))
	for i := range raw {
		byPath[raw[i].Path] = &raw[i]
	}
	shippers := map[string][]string{}
	for file, data := range files {
		name, ok := strings.CutPrefix(file, dpkgInfo)
		if !ok {
			continue
		}
		pkg, _, _ := strings.Cut(strings.TrimSuffix(name, ".list"), ":")
		for line := range strings.Lines(string(data)) {
			at := merged(byPath, strings.TrimSuffix(line, "\n"))
			shippers[at] = append(shippers[at], pkg)
		}
	}
	name := ""
	for line := range strings.Lines(string(files[dpkgStatus])) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "Package":
			name = value
		case "Version":
			l.Packages[name] = value
		}
	}
	for _, r := range raw {
		e := r.Entry
		if first := byPath[r.hard]; first != nil {
			e.Sum = first.Sum
		}
		e.Owner, e.Group = ownerName(users, r.uid), ownerName(groups, r.gid)
		if e.Made = shippers[e.Path] == nil; e.Made {
			dir := path.Dir(e.Path)
			for dir != "/" && shippers[dir] == nil {
				dir = path.Dir(dir)
			}
			from := slices.Clone(shippers[dir])
			slices.Sort(from)
			if from = slices.Compact(from); len(from) <= mostOrigins && dir != "/" {
				e.From = from
			}
		}
		l.Entries = append(l.Entries, e)
	}
	sortEntries(l.Entries)
	return nil
}

// merged is the place of a packaged path in the merged /usr.
func merged(byPath map[string]*rawEntry, name string) string {
	name = path.Clean("/" + name)
	top, rest, deep := strings.Cut(name[1:], "/")
	if e := byPath["/"+top]; deep && e != nil && e.Kind == Link {
		return path.Join("/", e.Target, rest)
	}
	return name
}

// Names reads passwd(5) or group(5): id to name.
func Names(data []byte) map[int]string {
	names := map[int]string{}
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if f := strings.Split(s.Text(), ":"); len(f) > 2 {
			if id, err := strconv.Atoi(f[2]); err == nil && names[id] == "" {
				names[id] = f[0]
			}
		}
	}
	return names
}

func ownerName(names map[int]string, id int) string {
	if n, ok := names[id]; ok {
		return n
	}
	return strconv.Itoa(id)
}
