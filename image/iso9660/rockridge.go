package iso9660

import (
	"io/fs"
	"strings"
	"time"
)

// Entries of the system use areas: two letters, the length in bytes, version
// 1, then what is particular to each.
const (
	entryHead = 4
	entryMax  = 255
	ceBytes   = 28
)

func entry(signature string, rest ...[]byte) []byte {
	b := append([]byte(signature), 0, 1)
	for _, r := range rest {
		b = append(b, r...)
	}
	b[2] = byte(len(b))
	return b
}

// sharingProtocol says that system use areas are used, from their first byte.
// Source: SUSP 1.12, 5.3.
func sharingProtocol() []byte { return entry("SP", []byte{0xbe, 0xef, 0}) }

// extensionReference says by what rules. Source: RRIP 1.10, 4.3.
func extensionReference() []byte {
	const (
		id          = "RRIP_1991A"
		description = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
		source      = "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
	)
	return entry("ER", []byte{byte(len(id)), byte(len(description)), byte(len(source)), 1}, []byte(id+description+source))
}

// posix is the mode, the links and the owner, which is root.
func posix(n *node) []byte {
	mode := uint32(n.mode.Perm())
	links := uint32(1)
	switch n.mode.Type() {
	case fs.ModeDir:
		mode |= 0o040000
		links = 2
		for _, c := range n.children {
			if c.mode.IsDir() {
				links++
			}
		}
	case fs.ModeSymlink:
		mode |= 0o120000
	default:
		mode |= 0o100000
	}
	b := make([]byte, 32)
	both32(b, mode)
	both32(b[8:], links)
	return entry("PX", b)
}

// times sets modification, access and attribute change.
func times(at time.Time) []byte {
	t := shortTime(at)
	return entry("TF", []byte{2 | 4 | 8}, t, t, t)
}

const goesOn = 1 // flag of NM, SL and a component of SL

// names writes a name in as many entries as it takes.
func names(name string) (entries [][]byte) {
	const most = entryMax - entryHead - 1
	for len(name) > most {
		entries = append(entries, entry("NM", []byte{goesOn}, []byte(name[:most])))
		name = name[most:]
	}
	return append(entries, entry("NM", []byte{0}, []byte(name)))
}

// Flags of a component of a symlink's target.
const (
	currentDirectory = 2
	parentDirectory  = 4
	rootDirectory    = 8
)

// links writes the target of a symlink, component by component; one that does
// not fit goes on in the next entry. Source: RRIP 1.10, 4.1.3.1.
func links(target string) (entries [][]byte) {
	const most = entryMax - entryHead - 1
	var parts []byte
	flush := func(flags byte) {
		entries = append(entries, entry("SL", []byte{flags}, parts))
		parts = nil
	}
	add := func(flags byte, text string) {
		for {
			room := most - len(parts) - 2
			if room < min(len(text), 1) {
				flush(goesOn)
				continue
			}
			if len(text) <= room {
				parts = append(append(parts, flags, byte(len(text))), text...)
				return
			}
			parts = append(append(parts, flags|goesOn, byte(room)), text[:room]...)
			text = text[room:]
		}
	}
	if strings.HasPrefix(target, "/") {
		add(rootDirectory, "")
		target = target[1:]
		if target == "" {
			flush(0)
			return entries
		}
	}
	for component := range strings.SplitSeq(target, "/") {
		switch component {
		case ".":
			add(currentDirectory, "")
		case "..":
			add(parentDirectory, "")
		default:
			add(0, component)
		}
	}
	flush(0)
	return entries
}

// A spill takes the entries that do not fit into their records: continuation
// areas, none of which crosses a sector.
type spill struct {
	base  int64 // where bytes will lie in the image
	bytes []byte
}

// fit returns the system use area for entries, of room bytes at most.
func (s *spill) fit(entries [][]byte, room int) []byte {
	if length(entries) <= room {
		return join(entries)
	}
	here := 0
	for used := 0; used+len(entries[here])+ceBytes <= room; here++ {
		used += len(entries[here])
	}
	return append(join(entries[:here]), s.add(entries[here:])...)
}

// add places entries and returns the CE entry that leads to them.
// Source: SUSP 1.12, 5.1.
func (s *spill) add(entries [][]byte) []byte {
	total := length(entries)
	if left := -len(s.bytes) & (Sector - 1); total > left {
		s.bytes = append(s.bytes, make([]byte, left)...)
	}
	start, size := len(s.bytes), total
	if total <= Sector {
		s.bytes = append(s.bytes, join(entries)...)
	} else {
		here, used := 0, 0
		for ; used+len(entries[here])+ceBytes <= Sector; here++ {
			used += len(entries[here])
		}
		s.bytes = append(s.bytes, join(entries[:here])...)
		at := len(s.bytes)
		s.bytes = append(s.bytes, make([]byte, ceBytes)...)
		copy(s.bytes[at:], s.add(entries[here:]))
		size = used + ceBytes
	}
	place := s.base + int64(start)
	b := make([]byte, 24)
	both32(b, sector(place))
	both32(b[8:], uint32(place%Sector))
	both32(b[16:], uint32(size))
	return entry("CE", b)
}

func length(entries [][]byte) (n int) {
	for _, e := range entries {
		n += len(e)
	}
	return n
}

func join(entries [][]byte) (b []byte) {
	for _, e := range entries {
		b = append(b, e...)
	}
	return b
}
