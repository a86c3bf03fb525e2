package image

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs/filesystem/fat16"

	"reprise/image/iso9660"
	"reprise/image/layout"
	"reprise/internal/progress"
)

// Sizes of a medium's ESP, in bytes. El Torito counts it in 16 bits of 512
// bytes, so it is less than 32 MiB; FAT32 would need more. Below 4,085
// clusters it would be no FAT16; go-diskfs gives them 1 KiB each.
// Source: Microsoft fatgen103, "FAT Type Determination".
const (
	mediumESPMin  = 8 << 20
	mediumESPMax  = 31 << 20
	mediumESPRoom = 8 << 20 // free for answers that are put there and for reports
)

// mediumESPLabel is its volume label: FAT has room for eleven characters.
const mediumESPLabel = "REPRISE-ESP"

// mediumESP makes the FAT16 of the medium's ESP. The caller must call done
// when it is written.
func mediumESP(ctx context.Context, m ISO) (esp iso9660.Source, done func(), err error) {
	size := int64(mediumESPRoom)
	for _, f := range m.ESP {
		size += (f.Size + 4095) &^ 4095
	}
	size = max((size+1<<20-1)&^(1<<20-1), mediumESPMin)
	if size > mediumESPMax {
		return esp, nil, fmt.Errorf("its files come to %d bytes: at most %d", size-mediumESPRoom, mediumESPMax-mediumESPRoom)
	}
	f, err := os.CreateTemp("", "reprise-esp-*")
	if err != nil {
		return esp, nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return esp, nil, err
	}
	if err := f.Truncate(size); err != nil {
		return esp, nil, err
	}
	part := window{storage{f}, 0, size}
	fat, err := fat16.Create(part, size, 0, layout.Sector, mediumESPLabel, true)
	if err != nil {
		return esp, nil, err
	}
	if err := fillFAT(ctx, fat, m.ESP, progress.Discard.Start("", progress.Bytes, 0)); err != nil {
		return esp, nil, err
	}
	serial := layout.SeedOf("reprise ISO FAT serial 1", string(m.Seed[:]))
	if err := mendFAT(part, binary.LittleEndian.Uint32(serial[:])); err != nil {
		return esp, nil, err
	}
	return iso9660.Source{Size: size, Write: func(_ context.Context, w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(f, 0, size))
		return err
	}}, func() { f.Close() }, nil
}
