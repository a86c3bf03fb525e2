package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"reprise/image/layout"
	"reprise/internal/bootentry"
)

// BIOS is GRUB for a machine without UEFI.
type BIOS struct {
	Boot []byte // boot.img: 512 bytes, the first 440 are code for the MBR
	Core []byte // core.img: what grub-mkimage wrote
}

// grubDir is where Debian's grub-pc-bin keeps its parts.
const grubDir = "/usr/lib/grub/i386-pc"

// GRUB makes the BIOS loader with the grub-mkimage of tools (Debian packages
// grub-common and grub-pc-bin). The same tools give the same bytes.
func GRUB(ctx context.Context, tools Tools) (BIOS, error) {
	boot, err := tools.ReadFile(grubDir + "/boot.img")
	if err != nil {
		return BIOS{}, fmt.Errorf("make GRUB's core image: %w", err)
	}
	core, err := grubMkimage(ctx, tools, "i386-pc", bootentry.GRUBPrefix, bootentry.GRUBModules())
	if err != nil {
		return BIOS{}, fmt.Errorf("make GRUB's core image: %w", err)
	}
	b := BIOS{Boot: boot, Core: core}
	return b, b.check()
}

// grubMkimage makes a core image of a format, with modules built in, that
// looks for grub.cfg below prefix.
func grubMkimage(ctx context.Context, tools Tools, format, prefix string, modules []string) ([]byte, error) {
	// A file, not standard output: grub-mkimage syncs what it wrote, and a
	// pipe cannot be synced.
	dir, err := os.MkdirTemp("", "reprise-grub-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	const inside = "/out"
	argv := []string{"/usr/bin/grub-mkimage", "-d", grubDir, "-O", format, "-p", prefix, "-o", inside + "/core.img"}
	err = tools.Run(ctx, Command{
		Argv: append(argv, modules...), Env: []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin"},
		Binds: []Bind{{Source: dir, Target: inside, Writable: true}},
	})
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "core.img"))
}

// Places in GRUB 2.12's images: GRUB_BOOT_MACHINE_* and
// GRUB_DISKBOOT_MACHINE_* of include/grub/i386/pc/{boot,diskboot}.h.
const (
	mbrCodeBytes     = 440   // the disk signature follows
	bootKernelSector = 0x5c  // u64: LBA of core.img
	bootDrive        = 0x64  // u8: 0xff means the drive that the BIOS names
	bootDriveCheck   = 0x66  // two bytes of a jump that would override it
	coreBlocklist    = 0x1f4 // u64 in the first sector: LBA of the second
)

func (b BIOS) check() error {
	if len(b.Boot) != layout.Sector || b.Boot[510] != 0x55 || b.Boot[511] != 0xaa {
		return fmt.Errorf("GRUB's boot.img is %d bytes: want a boot sector of %d", len(b.Boot), layout.Sector)
	}
	if len(b.Core) <= layout.Sector {
		return fmt.Errorf("GRUB's core.img is %d bytes: want more than one sector", len(b.Core))
	}
	return nil
}

// write puts both stages where the BIOS and each other look for them.
func (b BIOS) write(w io.WriterAt, at layout.Partition) error {
	if err := b.check(); err != nil {
		return err
	}
	if int64(len(b.Core)) > at.Bytes() {
		return fmt.Errorf("GRUB's core.img is %d bytes: its partition has %d", len(b.Core), at.Bytes())
	}
	boot := bytes.Clone(b.Boot[:mbrCodeBytes])
	binary.LittleEndian.PutUint64(boot[bootKernelSector:], uint64(at.FirstLBA))
	boot[bootDrive] = 0xff
	boot[bootDriveCheck], boot[bootDriveCheck+1] = 0x90, 0x90
	core := bytes.Clone(b.Core)
	binary.LittleEndian.PutUint64(core[coreBlocklist:], uint64(at.FirstLBA+1))
	if _, err := w.WriteAt(boot, 0); err != nil {
		return err
	}
	_, err := w.WriteAt(core, at.Offset())
	return err
}
