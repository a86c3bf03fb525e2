package build

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"
)

// maxEntry is the largest file that newc can hold: sizes are 32 bits.
const maxEntry = 1<<32 - 1 // bytes

// An entry is one name of the archive. mode has the file type in it.
type entry struct {
	name         string
	mode         uint32
	major, minor uint64                  // of a device
	data         []byte                  // of a small file or a symlink
	open         func() (fs.File, error) // of a file that is read when it is written
}

func static(name string, data []byte) entry {
	return entry{name: name, mode: cpio.S_IFREG | 0o644, data: data}
}

func link(name, target string) entry {
	return entry{name: name, mode: cpio.S_IFLNK | 0o777, data: []byte(target)}
}

func device(name string, perm uint32, major, minor uint64) entry {
	return entry{name: name, mode: cpio.S_IFCHR | perm, major: major, minor: minor}
}

// writeArchive writes the entries and the directories above them, sorted by
// name, with fixed times, owners and inode numbers.
//
// The records are written by u-root's pkg/cpio: cavaliergopher/cpio cannot
// write a device's number and keeps global state (go-libraries, section 4).
// u-root's does not check sizes, so that is done here.
func writeArchive(ctx context.Context, w io.Writer, entries []entry) error {
	all := slices.Clone(entries)
	seen := map[string]bool{}
	for _, e := range entries {
		for dir := path.Dir(e.name); dir != "." && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			all = append(all, entry{name: dir, mode: cpio.S_IFDIR | 0o755})
		}
	}
	// A directory sorts before what is in it: "a" is a prefix of "a/b".
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	buffered := bufio.NewWriterSize(w, 1<<20)
	records := cpio.Newc.Writer(buffered)
	for i, e := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i > 0 && all[i-1].name == e.name {
			return fmt.Errorf("%q is there twice", e.name)
		}
		if err := e.write(records, uint64(i+1)); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	if err := cpio.WriteTrailer(records); err != nil {
		return err
	}
	return buffered.Flush()
}

func (e entry) write(records cpio.RecordWriter, inode uint64) error {
	info := cpio.Info{
		Ino: inode, NLink: 1, Name: e.name, Mode: uint64(e.mode),
		Rmajor: e.major, Rminor: e.minor,
	}
	switch {
	case e.open != nil:
		f, err := e.open()
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() || st.Size() > maxEntry {
			return fmt.Errorf("want a regular file of less than 4 GiB, have %v with %d bytes", st.Mode(), st.Size())
		}
		info.FileSize = uint64(st.Size())
		content, ok := f.(io.ReaderAt)
		if !ok {
			data, err := io.ReadAll(f)
			if err != nil {
				return err
			}
			content = bytes.NewReader(data)
		}
		return records.WriteRecord(cpio.Record{
			Info: info, ReaderAt: io.NewSectionReader(content, 0, st.Size()),
		})
	case e.data != nil:
		return records.WriteRecord(cpio.StaticRecord(e.data, info))
	}
	return records.WriteRecord(cpio.Record{Info: info})
}

// checkStatic refuses a program that could not start in the initramfs, where
// there is no dynamic linker.
func checkStatic(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("program %q: %w", file, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("program %q needs a dynamic linker: build it with CGO_ENABLED=0", file)
		}
	}
	return nil
}
