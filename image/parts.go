package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs/backend"

	"reprise/image/layout"
	"reprise/internal/progress"
)

// WriteTable writes the protective MBR and the GPT of p, front and back, to a
// disk of sizeBytes that may be larger than p. It touches nothing between the
// first and the last 34 sectors, and not the code in the MBR.
func WriteTable(d Device, p layout.Plan, sizeBytes int64) error {
	if err := writeGPT(device{d}, p, sizeBytes); err != nil {
		return fmt.Errorf("partition table: %w", err)
	}
	return nil
}

// A Device is an open disk.
type Device interface {
	io.ReaderAt
	io.WriterAt
}

// WriteESP makes the FAT32 file system of p's ESP, with files in it, as a file
// of its own: f is new and empty, and gets the size of the partition.
func WriteESP(ctx context.Context, f *os.File, p layout.Plan, files []File, task progress.Task) error {
	size := p.ESP.Bytes()
	if err := f.Truncate(size); err != nil {
		return err
	}
	p.ESP.FirstLBA, p.ESP.LastLBA = 0, size/layout.Sector-1
	if err := writeESP(ctx, f, p, files, task); err != nil {
		return fmt.Errorf("EFI system partition: %w", err)
	}
	return nil
}

// Install writes both stages to a disk: the first into its MBR, the second
// into the BIOS boot partition at.
func (b BIOS) Install(w io.WriterAt, at layout.Partition) error { return b.write(w, at) }

// Ext4Features are those of a root file system, for mke2fs -O.
const Ext4Features = ext4Features

// device is a Device as go-diskfs takes it.
type device struct{ Device }

var _ backend.Storage = device{}

func (d device) Stat() (os.FileInfo, error)              { return nil, errors.ErrUnsupported }
func (d device) Read([]byte) (int, error)                { return 0, errors.ErrUnsupported }
func (d device) Seek(int64, int) (int64, error)          { return 0, errors.ErrUnsupported }
func (d device) Close() error                            { return nil }
func (d device) Sys() (*os.File, error)                  { return nil, errors.ErrUnsupported }
func (d device) Writable() (backend.WritableFile, error) { return d, nil }
func (d device) Path() string                            { return "" }
