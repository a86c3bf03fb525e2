package installer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/image/layout"
	"reprise/installer/plan"
	"reprise/internal/bootentry"
	"reprise/internal/builder"
	"reprise/internal/progress"
	"reprise/store"
	"reprise/store/generation"
	"reprise/store/storepath"
)

// bootSector and its copy in a FAT32, in bytes from the partition's start.
// Source: Microsoft fatgen103, BPB_BkBootSec.
const (
	bootSector     = 0
	bootSectorCopy = 6 * layout.Sector
)

// installBootLoaders writes GRUB for BIOS, and the EFI system partition with
// everything but its first sector: without that no firmware takes it for a
// file system.
func (r *run) installBootLoaders(ctx context.Context, _ plan.Step) error {
	table, err := layoutOf(r.Plan.Table)
	if err != nil {
		return err
	}
	files, err := r.bootFiles()
	if err != nil {
		return err
	}
	esp, err := r.makeESP(ctx, table, files)
	if err != nil {
		return err
	}
	defer esp.Close()
	if err := r.change(ctx, r.Plan.Table.ESP.Path, false, func(d Device) error { return copyESP(ctx, d, esp) }); err != nil {
		return err
	}
	bios, err := image.GRUB(ctx, r.Target.Tools())
	if err != nil {
		return err
	}
	if room := table.BIOSBoot.Bytes() - journalBytes; int64(len(bios.Core)) > room {
		return fmt.Errorf("GRUB's core image is %d bytes: there is room for %d", len(bios.Core), room)
	}
	// The core image first, the code that jumps to it last.
	core, boot := &captured{}, &captured{}
	if err := bios.Install(splitAt{table.BIOSBoot.Offset(), boot, core}, table.BIOSBoot); err != nil {
		return err
	}
	if err := r.change(ctx, r.Plan.Table.BIOSBoot.Path, false, core.replay); err != nil {
		return err
	}
	return r.change(ctx, r.Plan.Disk.Path, false, boot.replay)
}

// captured keeps writes to do them later.
type captured struct{ writes []write }

type write struct {
	at   int64
	data []byte
}

func (c *captured) WriteAt(p []byte, at int64) (int, error) {
	c.writes = append(c.writes, write{at, bytes.Clone(p)})
	return len(p), nil
}

func (c *captured) replay(d Device) error {
	for _, w := range c.writes {
		if _, err := d.WriteAt(w.data, w.at); err != nil {
			return err
		}
	}
	return nil
}

// splitAt hands writes from an offset on to after, which counts from there.
type splitAt struct {
	at            int64
	before, after io.WriterAt
}

func (s splitAt) WriteAt(p []byte, at int64) (int, error) {
	if at >= s.at {
		return s.after.WriteAt(p, at-s.at)
	}
	return s.before.WriteAt(p, at)
}

// bootFiles lists the files of the EFI system partition.
func (r *run) bootFiles() ([]image.File, error) {
	carried := r.Medium.System(r.Plan.System)
	loader := func(pkg, name string) ([]byte, error) {
		path, ok := carried.Boot[pkg]
		if !ok {
			return nil, &damagedMedium{fmt.Errorf("it carries no package %s", pkg)}
		}
		return os.ReadFile(filepath.Join(r.Source.Store, path.Base(), name))
	}
	shim, err := loader("shim-signed", "usr/lib/shim/shimx64.efi.signed")
	if err != nil {
		return nil, err
	}
	systemdBoot, err := loader("systemd-boot-efi-amd64-signed", "usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed")
	if err != nil {
		return nil, err
	}
	manager, err := loader("shim-helpers-amd64-signed", "usr/lib/shim/mmx64.efi.signed")
	if err != nil {
		return nil, err
	}
	files := image.UEFI(shim, systemdBoot, manager)

	system := r.journal.System
	data, err := os.ReadFile(filepath.Join(r.dir, string(system), "boot.json"))
	if err != nil {
		return nil, err
	}
	var about builder.Boot
	if err := json.Unmarshal(data, &about); err != nil {
		return nil, fmt.Errorf("boot.json of %s: %w", system, err)
	}
	g := bootentry.Generation{Number: 1, System: string(system), Host: about.Host, Date: r.Plan.Date.Format(time.DateOnly), Params: about.Params}
	for _, word := range r.Plan.Params {
		if !slices.Contains(g.Params, word) { // a system composed for this machine has most of them
			g.Params = append(g.Params, word)
		}
	}
	for _, f := range []struct {
		name   string
		digest *string
		at     func(string) string
	}{{"kernel", &g.Kernel, bootentry.KernelPath}, {"initrd", &g.Initrd, bootentry.InitrdPath}} {
		source, err := r.follow(system, f.name)
		if err != nil {
			return nil, err
		}
		var size int64
		if *f.digest, size, err = digestOf(source); err != nil {
			return nil, err
		}
		files = append(files, image.File{Path: f.at(*f.digest), Source: source, Size: size})
	}
	entries, err := bootentry.Files([]bootentry.Generation{g}, bootentry.Options{RootPARTUUID: r.Plan.Table.Root.GUID, Timeout: r.Timeout})
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		files = append(files, image.File{Path: e.Path, Content: e.Content, Size: int64(len(e.Content))})
	}
	return files, nil
}

// follow returns where a link of the system leads on the mounted root.
func (r *run) follow(system storepath.Path, name string) (string, error) {
	target, err := os.Readlink(filepath.Join(r.dir, string(system), name))
	if err != nil {
		return "", err
	}
	path, rest, ok := storepath.In(target)
	if !ok {
		return "", fmt.Errorf("%s of %s leads to %q, want a place in the store", name, system, target)
	}
	return filepath.Join(r.dir, string(path), rest), nil
}

func digestOf(path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// makeESP makes the file system in memory: it is made of many small writes,
// and expects to find zeros wherever it has not written.
func (r *run) makeESP(ctx context.Context, table layout.Plan, files []image.File) (*os.File, error) {
	fd, err := unix.MemfdCreate("esp", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make the EFI system partition: %w", err)
	}
	f := os.NewFile(uintptr(fd), "esp")
	var total int64
	for _, file := range files {
		total += file.Size
	}
	task := r.Sink.Start("write boot loaders", progress.Bytes, total)
	err = image.WriteESP(ctx, f, table, files, task)
	task.Done(err)
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// copyESP writes what esp holds to d, its holes left out and its first sector
// zero. Both tables are whole in esp, so what lies in the holes is free space.
func copyESP(ctx context.Context, d Device, esp *os.File) error {
	if _, err := d.WriteAt(make([]byte, layout.Sector), bootSector); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	buffer := make([]byte, 1<<20)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		start, err := unix.Seek(int(esp.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the EFI system partition: %w", err)
		}
		end, err := unix.Seek(int(esp.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("read the EFI system partition: %w", err)
		}
		for at = start; at < end; {
			n := min(int64(len(buffer)), end-at)
			if _, err := esp.ReadAt(buffer[:n], at); err != nil {
				return err
			}
			if at == bootSector {
				clear(buffer[:layout.Sector])
			}
			if _, err := d.WriteAt(buffer[:n], at); err != nil {
				return err
			}
			at += n
		}
	}
}

// writeEntry makes generation 1 and then turns the EFI system partition into
// a file system, by its first sector: from here on the disk boots.
func (r *run) writeEntry(ctx context.Context, _ plan.Step) error {
	s, err := store.Open(ctx, r.dir)
	if err != nil {
		return err
	}
	profile, err := generation.Of(s, "system")
	if err == nil {
		_, err = profile.Set(ctx, r.journal.System)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	root, err := os.Open(r.dir)
	if err != nil {
		return err
	}
	err = errors.Join(unix.Syncfs(int(root.Fd())), root.Close())
	if err != nil {
		return fmt.Errorf("bring the root file system to stable storage: %w", err)
	}
	return r.change(ctx, r.Plan.Table.ESP.Path, false, func(d Device) error {
		sector := make([]byte, layout.Sector)
		if _, err := d.ReadAt(sector, bootSectorCopy); err != nil {
			return err
		}
		if string(sector[82:90]) != "FAT32   " || sector[510] != 0x55 || sector[511] != 0xaa {
			return errors.New("the EFI system partition has lost its boot sector")
		}
		_, err := d.WriteAt(sector, bootSector)
		return err
	})
}
