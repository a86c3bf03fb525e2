package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
)

// A vendor is where a maker's package has its corrections of processors, and
// the name under which the kernel looks for all of them in one piece.
// Source: Linux 6.12, Documentation/arch/x86/microcode.rst.
type vendor struct {
	dir   string
	files *regexp.Regexp
	name  string
}

var vendors = []vendor{
	{"usr/lib/firmware/amd-ucode", regexp.MustCompile(`^microcode_amd.*\.bin$`), "kernel/x86/microcode/AuthenticAMD.bin"},
	// Debian marks those that may only be loaded early with ".initramfs".
	{"usr/lib/firmware/intel-ucode", regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}(\.initramfs)?$`), "kernel/x86/microcode/GenuineIntel.bin"},
}

// microcodeAlign is where processors want the data: a multiple of 16 bytes.
// Source: Intel SDM volume 3, 11.11.6, "Microcode Update Loader".
const microcodeAlign = 16

// writeMicrocode writes what the kernel reads before it runs anything else: an
// archive that is not compressed, in front of the other. Without microcode it
// writes nothing.
//
// The directories of its names are left out, so that the kernel finds no place
// for the 20 MB when it unpacks the whole into memory later, and goes on.
// Source: Linux 6.12, find_cpio_data in lib/earlycpio.c; do_name in init/initramfs.c.
func writeMicrocode(w io.Writer, trees []fs.FS) error {
	var archive bytes.Buffer
	for _, v := range vendors {
		data, err := v.collect(trees)
		if err != nil {
			return err
		}
		if len(data) > 0 {
			newc(&archive, v.name, 0o100644, data)
		}
	}
	if archive.Len() == 0 {
		return nil
	}
	newc(&archive, "TRAILER!!!", 0, nil)
	_, err := w.Write(archive.Bytes())
	return err
}

// collect joins the files of one vendor, in the order of their names.
func (v vendor) collect(trees []fs.FS) ([]byte, error) {
	var all []byte
	for _, tree := range trees {
		entries, err := fs.ReadDir(tree, v.dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !v.files.MatchString(e.Name()) {
				continue
			}
			data, err := fs.ReadFile(tree, v.dir+"/"+e.Name())
			if err != nil {
				return nil, err
			}
			all = append(all, data...)
		}
	}
	return all, nil
}

// newc appends one file of a cpio archive. Its name gets as many zeros as put
// the data where processors want it: u-root's writer has no way to say so.
// Source: Linux 6.12, Documentation/driver-api/early-userspace/buffer-format.rst.
func newc(archive *bytes.Buffer, name string, mode uint32, data []byte) {
	const header = 110 // bytes
	size := len(name) + 1
	for len(data) > 0 && (archive.Len()+header+size)%microcodeAlign != 0 {
		size++
	}
	links := min(1, len(data))
	fmt.Fprintf(archive, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		0, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, size, 0)
	archive.WriteString(name)
	archive.Write(make([]byte, size-len(name)))
	pad(archive)
	archive.Write(data)
	pad(archive)
}

// pad fills up to a multiple of 4 bytes.
func pad(archive *bytes.Buffer) {
	archive.Write(make([]byte, (4-archive.Len()%4)%4))
}
