package deb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	arMagic  = "!<arch>\n"
	arHeader = 60 // bytes of a member's header

	// maxMembers bounds the members of a .deb; deb(5) knows three, and some
	// whose names start with '_' that are to be ignored.
	maxMembers = 16
)

// A member is one file of an ar archive.
type member struct {
	name         string
	offset, size int64 // of its content
}

// readMembers lists the members of the ar archive r of the given size. It
// refuses members that reach beyond the end, names that stand there twice,
// and bytes after the last member.
//
// Source: deb(5), "Format"; ar(5) as binutils writes it, without long names.
func readMembers(r io.ReaderAt, size int64) ([]member, error) {
	magic := make([]byte, len(arMagic))
	if err := readFull(r, magic, 0, size); err != nil || string(magic) != arMagic {
		return nil, errors.New("no ar archive: the first 8 bytes are not \"!<arch>\\n\"")
	}
	var members []member
	for at := int64(len(arMagic)); at < size; {
		if len(members) == maxMembers {
			return nil, fmt.Errorf("more than %d members", maxMembers)
		}
		header := make([]byte, arHeader)
		if err := readFull(r, header, at, size); err != nil {
			return nil, fmt.Errorf("member header at byte %d: %w", at, err)
		}
		if header[58] != '`' || header[59] != '\n' {
			return nil, fmt.Errorf("no member header at byte %d: %.16q", at, header[:16])
		}
		m := member{name: strings.TrimRight(string(header[:16]), " "), offset: at + arHeader}
		m.name = strings.TrimSuffix(m.name, "/")
		if m.name == "" || strings.ContainsAny(m.name, "/\x00") {
			return nil, fmt.Errorf("member name %q at byte %d", header[:16], at)
		}
		var err error
		if m.size, err = strconv.ParseInt(strings.TrimRight(string(header[48:58]), " "), 10, 64); err != nil || m.size < 0 {
			return nil, fmt.Errorf("member %q: size %q is not a number", m.name, header[48:58])
		}
		if m.size > size-m.offset {
			return nil, fmt.Errorf("member %q says %d bytes, but only %d follow", m.name, m.size, size-m.offset)
		}
		for _, other := range members {
			if other.name == m.name {
				return nil, fmt.Errorf("member %q stands there twice", m.name)
			}
		}
		members = append(members, m)
		at = m.offset + m.size
		if at%2 == 1 && at < size { // a filling byte keeps headers even
			fill := make([]byte, 1)
			if err := readFull(r, fill, at, size); err != nil || fill[0] != '\n' {
				return nil, fmt.Errorf("byte %d after member %q is %q, want a line end", at, m.name, fill)
			}
			at++
		}
	}
	return members, nil
}

// readFull fills p from offset at, within size.
func readFull(r io.ReaderAt, p []byte, at, size int64) error {
	if int64(len(p)) > size-at {
		return io.ErrUnexpectedEOF
	}
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == io.EOF || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// findMembers picks the three members that matter, in the order that deb(5)
// demands.
func findMembers(r io.ReaderAt, size int64) (control, data member, err error) {
	members, err := readMembers(r, size)
	if err != nil {
		return control, data, err
	}
	if len(members) == 0 || members[0].name != "debian-binary" {
		return control, data, errors.New("the first member is not \"debian-binary\"")
	}
	if members[0].size > 64 {
		return control, data, fmt.Errorf("member \"debian-binary\" has %d bytes", members[0].size)
	}
	version := make([]byte, members[0].size)
	if err := readFull(r, version, members[0].offset, size); err != nil {
		return control, data, err
	}
	if line, _, ended := bytes.Cut(version, []byte("\n")); !ended || !bytes.HasPrefix(line, []byte("2.")) {
		return control, data, fmt.Errorf("format version %.20q, want 2.0", version)
	}
	for _, m := range members[1:] {
		switch {
		case strings.HasPrefix(m.name, "_"):
		case control.name == "" && strings.HasPrefix(m.name, "control.tar"):
			control = m
		case control.name != "" && data.name == "" && strings.HasPrefix(m.name, "data.tar"):
			data = m
		default:
			return control, data, fmt.Errorf("unexpected member %q", m.name)
		}
	}
	if control.name == "" || data.name == "" {
		return control, data, errors.New("want the members debian-binary, control.tar and data.tar in this order")
	}
	return control, data, nil
}
