package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"reprise/internal/layer"
	"reprise/store/storepath"
	"reprise/store/tree"
)

// WriteTree makes the view as a directory tree at dst, which must not exist.
// Files are hard links into the store where that can be (one file system, one
// mount, link count below its limit); else, and where the mode asks for more
// than "everybody reads, or everybody reads and executes", they are copies.
// Owners stay those of the caller: an ordinary user can make no others. real
// gives the physical place of a store path.
//
// The tree shares files with the store: nothing may ever write to one of them.
func (p *Plan) WriteTree(ctx context.Context, dst string, real func(storepath.Path) string) error {
	if err := os.Mkdir(dst, 0o755); err != nil {
		return fmt.Errorf("write tree: %w", err)
	}
	var dirs []int
	for i := range p.Entries {
		if i%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		e := &p.Entries[i]
		name := filepath.Join(dst, e.Path)
		var err error
		switch e.Kind {
		case layer.Dir:
			err = os.Mkdir(name, 0o700)
			dirs = append(dirs, i)
		case layer.Symlink:
			err = os.Symlink(e.Target, name)
		default:
			err = putFile(name, e, sourceFile(e.Source, real))
		}
		if err != nil {
			return fmt.Errorf("write tree: %w", err)
		}
	}
	// Modes of directories come last: one may forbid its owner to write.
	for i := len(dirs) - 1; i >= 0; i-- {
		e := &p.Entries[dirs[i]]
		if err := os.Chmod(filepath.Join(dst, e.Path), layer.FileMode(e.Mode)|0o700); err != nil {
			return fmt.Errorf("write tree: %w", err)
		}
	}
	return nil
}

func sourceFile(source string, real func(storepath.Path) string) string {
	base, rest, _ := strings.Cut(source[1:], "/")
	return filepath.Join(real(storepath.Path(storepath.Dir+"/"+base)), rest)
}

func putFile(name string, e *Entry, source string) error {
	if e.Mode&0o7000 == 0 && e.Mode&0o444 == 0o444 && (e.Mode&0o111 == 0 || e.Mode&0o111 == 0o111) {
		err := os.Link(source, name)
		if !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EMLINK) && !errors.Is(err, syscall.EPERM) {
			return err
		}
	}
	return tree.CopyFile(source, name, layer.FileMode(e.Mode))
}

// CheckIdentical compares the bytes of the files that Merge took for the same
// by their size and mode.
func (p *Plan) CheckIdentical(real func(storepath.Path) string) error {
	var problems []error
	for _, same := range p.Identical {
		first, err := os.ReadFile(sourceFile(same.First, real))
		if err != nil {
			return fmt.Errorf("compare %q: %w", "/"+same.Path, err)
		}
		second, err := os.ReadFile(sourceFile(same.Second, real))
		if err != nil {
			return fmt.Errorf("compare %q: %w", "/"+same.Path, err)
		}
		if !bytes.Equal(first, second) {
			problems = append(problems, &Conflict{same.Path, owner(same.First), owner(same.Second), "their content differs"})
		}
	}
	return errors.Join(problems...)
}

func owner(source string) string {
	base, _, _ := strings.Cut(source[1:], "/")
	return storepath.Path(storepath.Dir + "/" + base).Name()
}
