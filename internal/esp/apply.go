package esp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"reprise/internal/progress"
)

// copyBytes is how much of a kernel or initrd is written at once.
const copyBytes = 1 << 20

// Apply carries a plan out, and returns when all of it is on stable storage.
// After an error, or a power cut, [Read] and [Make] lead on from what is
// there.
func Apply(ctx context.Context, f FS, p Plan, sink progress.Sink) error {
	if len(p.Problems) > 0 {
		return fmt.Errorf("change the EFI system partition: %s", strings.Join(p.Problems, "; "))
	}
	if !p.fits() {
		return fmt.Errorf("change the EFI system partition: %d bytes are needed and %d are free", p.Need, p.Free)
	}
	var total int64
	for _, step := range p.Steps {
		if step.Image != nil {
			total += step.Image.Bytes
		}
	}
	task := progress.Discard.Start("", progress.Bytes, 0)
	if total > 0 {
		task = sink.Start("copy kernels", progress.Bytes, total)
	}
	err := apply(ctx, f, p.Steps, task)
	task.Done(err)
	if err != nil {
		return fmt.Errorf("change the EFI system partition: %w", err)
	}
	return nil
}

func apply(ctx context.Context, f FS, steps []Step, task progress.Task) error {
	for _, step := range steps {
		// Between two steps is where to stop: what a plan has begun it can
		// leave, like a power cut.
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step.do(ctx, f, task); err != nil {
			return fmt.Errorf("%s %q: %w", step.Op, step.Path, err)
		}
	}
	return nil
}

func (s Step) do(ctx context.Context, f FS, task progress.Task) error {
	switch s.Op {
	case MakeDir:
		if err := f.Mkdir(s.Path); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case Create:
		if s.Image != nil {
			return s.copyImage(ctx, f, task)
		}
		return create(f, s.Path, s.Content)
	case Patch:
		if err := f.WriteAt(s.Path, s.Content, 0); err != nil {
			return err
		}
		return f.Sync(s.Path)
	case Replace:
		temp := path.Join(path.Dir(s.Path), tempName)
		if err := create(f, temp, s.Content); err != nil {
			return err
		}
		if err := f.SyncAll(); err != nil {
			return err
		}
		return f.Rename(temp, s.Path)
	case Rename:
		return f.Rename(s.Path, s.To)
	case Remove:
		if err := f.Remove(s.Path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	case Sync:
		return f.SyncAll()
	}
	return fmt.Errorf("unknown step %q", s.Op)
}

func create(f FS, name string, content []byte) error {
	if err := f.Create(name); err != nil {
		return err
	}
	if err := f.WriteAt(name, content, 0); err != nil {
		return err
	}
	return f.Sync(name)
}

// copyImage writes a kernel or initrd, and holds what it reads against the
// hash that the file is named by.
func (s Step) copyImage(ctx context.Context, f FS, task progress.Task) error {
	source, err := os.Open(s.Image.Path)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := f.Create(s.Path); err != nil {
		return err
	}
	digest, buffer := sha256.New(), make([]byte, copyBytes)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(source, buffer)
		if n > 0 {
			digest.Write(buffer[:n])
			if err := f.WriteAt(s.Path, buffer[:n], at); err != nil {
				return err
			}
			at += int64(n)
			task.Add(int64(n))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != s.Image.SHA256 {
		return fmt.Errorf("%q has SHA-256 %s, want %s", s.Image.Path, got, s.Image.SHA256)
	}
	return f.Sync(s.Path)
}
