package image

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"reprise/image/iso9660"
	"reprise/image/layout"
	"reprise/internal/atomicfile"
	"reprise/internal/bootmenu"
	"reprise/internal/progress"
)

// Places on the medium, without a leading slash. Those of the boot files are
// in package bootmenu.
const (
	MediumStore = "reprise/store.squashfs"
	MediumIndex = "reprise/medium.json"
	MediumSums  = "reprise/SHA256SUMS"
	MediumGRUB  = "boot/grub/i386-pc/eltorito.img"
)

// Content is something to write whose size is known before. An
// *squashfs.Image is one.
type Content interface {
	Size() int64 // bytes
	WriteTo(ctx context.Context, w io.Writer) error
}

// An ISO is an installation medium with all its content. docs/architecture.md
// has its layout.
type ISO struct {
	Label string      // volume id by which stage 1 finds the medium, such as "REPRISE"
	Seed  layout.Seed // stands for all that follows: disk and partitions are named by it
	Time  time.Time   // of every file; zero means 1980-01-01 UTC

	Menu   []byte // grub.cfg, see package bootmenu
	Kernel Content
	Initrd Content
	Store  Content // squashfs of store paths
	Index  []byte  // medium.json: what the store holds
	ESP    []File  // what UEFI starts, see MediumUEFI

	// More are further files, such as a second kernel.
	More []iso9660.File
}

// MediumUEFI returns the files that start the medium under UEFI. Shim loads
// grubx64.efi from beside it; grub is Debian's signed GRUB for media
// (gcdx64.efi.signed), which looks for [bootmenu.Info] on every disk and reads
// the menu from there.
func MediumUEFI(shim, grub, mokManager []byte) []File { return UEFI(shim, grub, mokManager) }

// WriteISO writes the medium to the file out, which appears when it is whole.
// tools holds grub-mkimage and GRUB's parts (Debian packages grub-common and
// grub-pc-bin). When ctx ends or anything fails, out is as it was before and
// no temporary file stays.
func WriteISO(ctx context.Context, m ISO, out string, tools Tools, sink progress.Sink) (err error) {
	if m.Kernel == nil || m.Initrd == nil || m.Store == nil {
		return errors.New("write ISO: want a kernel, an initrd and a store")
	}
	grub, err := mediumGRUB(ctx, tools)
	if err != nil {
		return err
	}
	esp, closeESP, err := mediumESP(ctx, m)
	if err != nil {
		return fmt.Errorf("EFI system partition of the medium: %w", err)
	}
	defer closeESP()
	l, err := iso9660.Plan(m.image(grub, esp))
	if err != nil {
		return err
	}
	task := sink.Start("write "+filepath.Base(out), progress.Bytes, l.Size())
	defer func() { task.Done(err) }()
	return atomicfile.Write(out, 0o644, func(f *os.File) error {
		w := bufio.NewWriterSize(counted{f, task}, 1<<20)
		if err := l.WriteTo(ctx, w); err != nil {
			return err
		}
		return w.Flush()
	})
}

// image lists what is on the medium. What is read first at boot comes first.
func (m ISO) image(grub BIOS, esp iso9660.Source) iso9660.Image {
	file := func(path string, c Content) iso9660.File {
		return iso9660.File{Path: path, Mode: 0o444, Size: c.Size(), Write: c.WriteTo}
	}
	files := []iso9660.File{
		file(MediumGRUB, Bytes(grub.Core)),
		file(bootmenu.Config, Bytes(m.Menu)),
		iso9660.Text(bootmenu.Info, "reprise installation medium "+m.Label+"\n"),
		file(bootmenu.Kernel, m.Kernel),
		file(bootmenu.Initrd, m.Initrd),
	}
	files = append(files, m.More...)
	return iso9660.Image{
		Label: m.Label, Seed: m.Seed, Time: m.Time,
		Files: append(files, file(MediumIndex, Bytes(m.Index)), file(MediumStore, m.Store)),
		BIOS:  MediumGRUB, MBR: grub.Boot, ESP: esp, Sums: MediumSums,
	}
}

// mediumGRUB makes the BIOS loader of a medium: boot_hybrid.img, and an image
// that starts from a CD by itself and from a disk by boot_hybrid.img.
func mediumGRUB(ctx context.Context, tools Tools) (BIOS, error) {
	boot, err := tools.ReadFile(grubDir + "/boot_hybrid.img")
	if err != nil {
		return BIOS{}, fmt.Errorf("make GRUB's image for the medium: %w", err)
	}
	core, err := grubMkimage(ctx, tools, "i386-pc-eltorito", bootmenu.Prefix, bootmenu.Modules())
	if err != nil {
		return BIOS{}, fmt.Errorf("make GRUB's image for the medium: %w", err)
	}
	return BIOS{Boot: boot, Core: core}, nil
}

// counted tells a task what goes through it.
type counted struct {
	w    io.Writer
	task progress.Task
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.task.Add(int64(n))
	return n, err
}

// Bytes is Content that is at hand.
func Bytes(b []byte) Content { return bytesContent(b) }

type bytesContent []byte

func (b bytesContent) Size() int64 { return int64(len(b)) }

func (b bytesContent) WriteTo(_ context.Context, w io.Writer) error {
	_, err := io.Copy(w, bytes.NewReader(b))
	return err
}

// FileContent is the content of a regular file, which must keep its size
// until it is written.
func FileContent(path string) (Content, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrInvalid}
	}
	return fileContent{path, info.Size()}, nil
}

type fileContent struct {
	path string
	size int64
}

func (f fileContent) Size() int64 { return f.size }

func (f fileContent) WriteTo(_ context.Context, w io.Writer) error {
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{file}, make([]byte, 1<<20))
	return err
}
