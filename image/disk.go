package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/partition/gpt"
	"golang.org/x/sync/errgroup"

	"reprise/image/layout"
	"reprise/internal/atomicfile"
	"reprise/internal/progress"
)

// WriteDisk writes d to the file out, which appears when it is whole. tools
// holds mke2fs with libarchive (Debian packages e2fsprogs and
// libarchive13t64). When ctx ends or anything fails, out is as it was before
// and no temporary file stays.
func WriteDisk(ctx context.Context, d Disk, out string, tools Tools, sink progress.Sink) (err error) {
	var total int64
	for _, f := range d.ESP {
		total += f.Size
	}
	for _, e := range d.Root {
		total += e.Size
	}
	task := sink.Start("write "+filepath.Base(out), progress.Bytes, total)
	defer func() { task.Done(err) }()
	return atomicfile.Write(out, 0o644, func(f *os.File) error {
		if err := f.Truncate(d.Plan.SizeBytes); err != nil {
			return err
		}
		if err := d.BIOS.write(f, d.Plan.BIOSBoot); err != nil {
			return err
		}
		if err := writeGPT(storage{f}, d.Plan, d.Plan.SizeBytes); err != nil {
			return fmt.Errorf("partition table: %w", err)
		}
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error {
			if err := writeESP(ctx, f, d.Plan, d.ESP, task); err != nil {
				return fmt.Errorf("EFI system partition: %w", full(f.Name(), err))
			}
			return nil
		})
		g.Go(func() error {
			if err := writeRoot(ctx, f.Name(), d.Plan, d.Root, tools, task); err != nil {
				return fmt.Errorf("root file system: %w", err)
			}
			return nil
		})
		return g.Wait()
	})
}

func writeGPT(w backend.WritableFile, p layout.Plan, sizeBytes int64) error {
	table := &gpt.Table{
		LogicalSectorSize: layout.Sector, PhysicalSectorSize: layout.Sector,
		GUID: p.DiskGUID.String(), ProtectiveMBR: true,
	}
	for _, part := range p.Partitions() {
		table.Partitions = append(table.Partitions, &gpt.Partition{
			Index: part.Number, Start: uint64(part.FirstLBA), End: uint64(part.LastLBA), Size: uint64(part.Bytes()),
			Type: gpt.Type(part.Type), GUID: part.GUID.String(), Name: part.Name,
		})
	}
	return table.Write(w, sizeBytes)
}

// storage is a file as go-diskfs takes it. It hides Sync, which go-diskfs
// calls after every part of a GPT: an image is synced once, at its end.
type storage struct{ file *os.File }

var _ backend.Storage = storage{}

func (s storage) Stat() (os.FileInfo, error)               { return s.file.Stat() }
func (s storage) Read(p []byte) (int, error)               { return s.file.Read(p) }
func (s storage) ReadAt(p []byte, at int64) (int, error)   { return s.file.ReadAt(p, at) }
func (s storage) WriteAt(p []byte, at int64) (int, error)  { return s.file.WriteAt(p, at) }
func (s storage) Seek(at int64, whence int) (int64, error) { return s.file.Seek(at, whence) }
func (s storage) Close() error                             { return nil } // its owner closes it
func (s storage) Sys() (*os.File, error)                   { return nil, errors.ErrUnsupported }
func (s storage) Writable() (backend.WritableFile, error)  { return s, nil }
func (s storage) Path() string                             { return s.file.Name() }
