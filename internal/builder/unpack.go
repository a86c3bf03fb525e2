package builder

import (
	"context"
	"fmt"
	"os"

	"reprise/internal/builder/spec"
	"reprise/internal/deb"
)

// Unpack makes an unpacked package.
func Unpack(ctx context.Context, b *Build) error {
	var s spec.Unpack
	if err := b.decode(&s); err != nil {
		return err
	}
	file, err := os.Open(b.real(s.Deb))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := deb.Unpack(ctx, file, info.Size(), b.Out, deb.UnpackOptions{}); err != nil {
		return fmt.Errorf("unpack %q: %w", s.Deb, err)
	}
	return nil
}
