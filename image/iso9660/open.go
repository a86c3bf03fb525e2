package iso9660

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// A Volume is a medium that was written, read back. It believes nothing: all
// places and sizes are checked, and what it reads is bounded.
type Volume struct {
	Label string
	Size  int64 // of the whole image, bytes, as the volume descriptor has it

	r    io.ReaderAt
	root extent
}

// ErrNoVolume is what Open returns for what is no ISO 9660.
var ErrNoVolume = errors.New("no ISO 9660 volume")

// Bounds of what is read.
const (
	directoryMax     = 64 << 20 // bytes of one directory
	continuationsMax = 64       // of one record
)

// Open reads the volume descriptor of r, a disk, a partition or a file. The
// error wraps ErrNoVolume when there is none, r too short among the reasons.
func Open(r io.ReaderAt) (*Volume, error) {
	b := make([]byte, Sector)
	if n, err := r.ReadAt(b, descriptorSector*Sector); n < len(b) {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("%w: less than %d bytes", ErrNoVolume, (descriptorSector+1)*Sector)
		}
		return nil, fmt.Errorf("read volume descriptor: %w", err)
	}
	le := binary.LittleEndian
	if b[0] != 1 || string(b[1:6]) != standardID {
		return nil, ErrNoVolume
	}
	if n := le.Uint16(b[128:]); n != Sector {
		return nil, fmt.Errorf("%w of sectors of %d bytes: it has %d", ErrNoVolume, Sector, n)
	}
	v := &Volume{
		r:     r,
		Label: strings.TrimRight(string(b[40:72]), " \x00"),
		Size:  int64(le.Uint32(b[80:])) * Sector,
	}
	root, _, err := parseRecord(b[156:190])
	if err != nil {
		return nil, fmt.Errorf("read volume descriptor: %w", err)
	}
	v.root = root.place
	return v, nil
}

// Lookup finds the regular file at path, which is relative and clean, by its
// Rock Ridge names, and tells where it lies in bytes. It does not follow
// symlinks. The error is fs.ErrNotExist in a PathError when the file is not
// there, and for a file that does not lie in one piece it says so.
func (v *Volume) Lookup(path string) (offset, size int64, err error) {
	fail := func(err error) (int64, int64, error) {
		return 0, 0, &fs.PathError{Op: "look up", Path: path, Err: err}
	}
	if !fs.ValidPath(path) || path == "." {
		return fail(fs.ErrInvalid)
	}
	place := v.root
	names := strings.Split(path, "/")
	for i, name := range names {
		found, err := v.find(place, name)
		if err != nil {
			return fail(err)
		}
		if last := i == len(names)-1; found.directory == last || found.link {
			return fail(errors.New("no regular file"))
		}
		place = found.place
	}
	if place.size > 0 && (place.offset == 0 || place.offset+place.size > v.Size) {
		return fail(fmt.Errorf("%d bytes at %d lie outside the volume of %d", place.size, place.offset, v.Size))
	}
	return place.offset, place.size, nil
}

// File is the content of the regular file at path.
func (v *Volume) File(path string) (*io.SectionReader, error) {
	offset, size, err := v.Lookup(path)
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(v.r, offset, size), nil
}

// A found is what a directory says of a name.
type found struct {
	place           extent
	directory, more bool
	link            bool
}

// find looks for name in the directory at place.
func (v *Volume) find(place extent, name string) (found, error) {
	if place.size > directoryMax || place.offset+place.size > v.Size {
		return found{}, fmt.Errorf("a directory of %d bytes at %d: want %d at most, within the volume of %d", place.size, place.offset, directoryMax, v.Size)
	}
	// Sector by sector: a size that was made up takes no memory.
	b := make([]byte, Sector)
	var whole found
	parts := 0
	for at := int64(0); at < place.size; at += Sector {
		if n, err := v.r.ReadAt(b, place.offset+at); n < len(b) {
			return found{}, fmt.Errorf("read directory: %w", err)
		}
		for rest := b; len(rest) > 0 && rest[0] != 0; {
			f, use, err := parseRecord(rest)
			if err != nil {
				return found{}, err
			}
			id := string(rest[recordHead:][:rest[32]])
			rest = rest[rest[0]:]
			if parts == 0 {
				called, link, err := v.called(id, use)
				if err != nil {
					return found{}, err
				}
				if called != name || id == "\x00" || id == "\x01" {
					continue
				}
				whole = f
				whole.link = link
			} else {
				if f.place.offset != whole.place.offset+whole.place.size {
					return found{}, errors.New("not in one piece")
				}
				whole.place.size += f.place.size
			}
			if parts++; parts > maxExtents {
				return found{}, fmt.Errorf("more than %d extents", maxExtents)
			}
			if !f.more {
				return whole, nil
			}
		}
	}
	if parts > 0 {
		return found{}, errors.New("the directory ends within the file's records")
	}
	return found{}, fs.ErrNotExist
}

// parseRecord takes the directory record at the begin of b apart.
func parseRecord(b []byte) (f found, use []byte, err error) {
	if len(b) <= recordHead || int(b[0]) > len(b) || int(b[0]) < recordBytesOf(b[32]) {
		return found{}, nil, errors.New("a directory record is broken")
	}
	le := binary.LittleEndian
	f.place = extent{int64(le.Uint32(b[2:])) * Sector, int64(le.Uint32(b[10:]))}
	f.directory, f.more = b[25]&flagDirectory != 0, b[25]&flagMore != 0
	return f, b[recordBytesOf(b[32]):b[0]], nil
}

// called returns the name of a record: that of Rock Ridge, or else that of
// ISO 9660 in lower case without its version, as Linux shows it.
func (v *Volume) called(id string, use []byte) (name string, link bool, err error) {
	var rock []byte
	for range continuationsMax {
		var next extent
		at := int64(0)
		for len(use) > entryHead {
			size := int(use[2])
			if size < entryHead || size > len(use) {
				return "", false, errors.New("a Rock Ridge entry is broken")
			}
			e := use[:size]
			use = use[size:]
			le := binary.LittleEndian
			switch {
			case string(e[:2]) == "NM" && size > entryHead:
				if rock = append(rock, e[entryHead+1:]...); len(rock) > 4*entryMax {
					return "", false, errors.New("a name is too long")
				}
			case string(e[:2]) == "SL":
				link = true
			case string(e[:2]) == "CE" && size == ceBytes:
				next = extent{int64(le.Uint32(e[4:])) * Sector, int64(le.Uint32(e[20:]))}
				at = int64(le.Uint32(e[12:]))
			case string(e[:2]) == "ST":
				use = nil
			}
		}
		if next.size == 0 {
			if rock != nil {
				return string(rock), link, nil
			}
			id, _, _ = strings.Cut(id, ";")
			return strings.ToLower(strings.TrimSuffix(id, ".")), link, nil
		}
		if at+next.size > Sector {
			return "", false, errors.New("a Rock Ridge continuation area crosses its sector")
		}
		use = make([]byte, next.size)
		if n, err := v.r.ReadAt(use, next.offset+at); n < len(use) {
			return "", false, fmt.Errorf("read Rock Ridge continuation area: %w", err)
		}
	}
	return "", false, errors.New("continuation areas of Rock Ridge go on without an end")
}
