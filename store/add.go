package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"reprise/store/drv"
	"reprise/store/nar"
	"reprise/store/storepath"
	"reprise/store/tree"
)

// AddText makes a valid path of a text file with these references, which must
// be valid.
func (s *Store) AddText(ctx context.Context, name string, content []byte, refs []storepath.Path) (storepath.Path, error) {
	p, err := storepath.MakeText(name, content, refs)
	if err != nil {
		return "", err
	}
	if err := s.addTexts(ctx, []text{{path: p, content: content, refs: refs}}); err != nil {
		return "", fmt.Errorf("add the text %q: %w", name, err)
	}
	return p, nil
}

// AddDerivation makes d's .drv file a valid path. Its output paths must be
// filled in and its inputs valid.
func (s *Store) AddDerivation(ctx context.Context, d *drv.Derivation) (storepath.Path, error) {
	ps, err := s.AddDerivations(ctx, d)
	if err != nil {
		return "", err
	}
	return ps[0], nil
}

// AddDerivations is AddDerivation for many at once, in one transaction: a
// derivation may be the input of another one among ds, in any order. The paths
// are in the order of ds.
func (s *Store) AddDerivations(ctx context.Context, ds ...*drv.Derivation) ([]storepath.Path, error) {
	texts := make([]text, len(ds))
	paths := make([]storepath.Path, len(ds))
	for i, d := range ds {
		p, err := d.Path()
		if err != nil {
			return nil, fmt.Errorf("add derivations: %w", err)
		}
		for id, out := range d.Outputs {
			if out.Path == "" {
				return nil, fmt.Errorf("add derivations: %q: the path of output %q is not filled in", p, id)
			}
		}
		paths[i] = p
		texts[i] = text{path: p, content: d.Encode(), refs: d.References(), outputs: d.Outputs}
	}
	if err := s.addTexts(ctx, texts); err != nil {
		return nil, fmt.Errorf("add derivations: %w", err)
	}
	return paths, nil
}

// Derivation reads the .drv file at p, which must be valid.
func (s *Store) Derivation(ctx context.Context, p storepath.Path) (*drv.Derivation, error) {
	valid, err := s.Valid(ctx, p)
	if err != nil {
		return nil, err
	}
	if !valid[p] {
		return nil, fmt.Errorf("derivation %q: %w", p, ErrNotFound)
	}
	return s.readDerivation(p)
}

func (s *Store) readDerivation(p storepath.Path) (*drv.Derivation, error) {
	f, err := os.Open(s.Real(p))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, drv.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	d, err := drv.ParseAt(p, data)
	if err != nil {
		return nil, damaged(err)
	}
	return d, nil
}

// text is a text file to add.
type text struct {
	path    storepath.Path
	content []byte
	refs    []storepath.Path
	outputs map[string]drv.Output // of a derivation
}

// addTexts writes and registers the texts that are not valid yet.
func (s *Store) addTexts(ctx context.Context, texts []text) error {
	paths := make([]storepath.Path, len(texts))
	for i, t := range texts {
		paths[i] = t.path
	}
	if err := s.TempRoot(ctx, paths...); err != nil {
		return err
	}
	valid, err := s.Valid(ctx, paths...)
	if err != nil {
		return err
	}
	reg := &registration{outputs: map[storepath.Path]map[string]drv.Output{}}
	for _, t := range texts {
		if valid[t.path] {
			continue
		}
		valid[t.path] = true // the same text twice counts once
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.writeText(ctx, t); err != nil {
			return err
		}
		sum, size := nar.HashFile(t.content, false)
		reg.infos = append(reg.infos, Info{
			Path: t.path, NarHash: sum, NarSize: size, Refs: t.refs,
			CA: CAText(sha256.Sum256(t.content)),
		})
		if t.outputs != nil {
			reg.outputs[t.path] = t.outputs
		}
	}
	if len(reg.infos) == 0 {
		return nil
	}
	return s.register(reg)
}

// writeText puts a text in its place. It needs no lock: whoever else adds the
// same path writes the same bytes, and the file appears whole.
func (s *Store) writeText(ctx context.Context, t text) error {
	owner, err := s.temp.open()
	if err != nil {
		return err
	}
	if err := s.step("write a text"); err != nil {
		return err
	}
	f, err := os.CreateTemp(owner, "text-*")
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer os.Remove(tmp)
	_, err = f.Write(t.content)
	if err = errors.Join(err, f.Chmod(tree.FileMode), f.Close()); err != nil {
		return err
	}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, tmp, tree.Times(), 0); err != nil {
		return &os.PathError{Op: "set the time of", Path: tmp, Err: err}
	}
	if err := s.step("place a text"); err != nil {
		return err
	}
	err = tree.Move(tmp, s.Real(t.path))
	if !errors.Is(err, os.ErrExist) {
		return err
	}
	// Another process was first, or left it there when it was interrupted.
	if there, err := os.ReadFile(s.Real(t.path)); err == nil && bytes.Equal(there, t.content) {
		return tree.Canonicalise(s.Real(t.path))
	}
	unlock, err := s.Lock(ctx, t.path)
	if err != nil {
		return err
	}
	defer unlock()
	return s.Place(ctx, tmp, t.path)
}

// AddFile copies the regular file src, with its executable bit, to a valid
// path of this name: what Nix calls a source.
func (s *Store) AddFile(ctx context.Context, name, src string) (storepath.Path, error) {
	p, err := s.addFile(ctx, name, src)
	if err != nil {
		return "", fmt.Errorf("add the file %q: %w", src, err)
	}
	return p, nil
}

func (s *Store) addFile(ctx context.Context, name, src string) (storepath.Path, error) {
	info, err := os.Stat(src)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("it is no regular file but %s", info.Mode())
	}
	real, err := filepath.EvalSymlinks(src)
	if err != nil {
		return "", err
	}
	// Most calls add what is there already: hash first, copy when needed.
	sum, _, err := nar.HashPath(ctx, real)
	if err != nil {
		return "", err
	}
	p, err := storepath.MakeFixed(name, true, sum)
	if err != nil {
		return "", err
	}
	if ok, err := s.rootedAndValid(ctx, p); ok || err != nil {
		return p, err
	}
	dir, release, err := s.TempDir("file-*")
	if err != nil {
		return "", err
	}
	defer release()
	tmp := filepath.Join(dir, "file")
	if err := s.step("copy a file"); err != nil {
		return "", err
	}
	if err := tree.CopyFile(real, tmp, info.Mode().Perm()|0o400); err != nil {
		return "", err
	}
	if err := tree.Canonicalise(tmp); err != nil {
		return "", err
	}
	// The copy counts: src may have changed since.
	sum, size, err := nar.HashPath(ctx, tmp)
	if err != nil {
		return "", err
	}
	if p, err = storepath.MakeFixed(name, true, sum); err != nil {
		return "", err
	}
	_, err = s.publish(ctx, tmp, Info{Path: p, NarHash: sum, NarSize: size, CA: CAFixed(true, sum)})
	return p, err
}

// AddFlat moves the plain file src, whose SHA-256 must be sum, to its valid
// path: that of a flat fixed output, as the download of a .deb is. src lies on
// the store's file system, in a TempDir or StateDir; it is gone afterwards
// when there was no error.
func (s *Store) AddFlat(ctx context.Context, name string, sum [32]byte, src string) (storepath.Path, error) {
	p, err := storepath.MakeFixed(name, false, sum)
	if err != nil {
		return "", err
	}
	if err := s.addFlat(ctx, p, sum, src); err != nil {
		return "", fmt.Errorf("add the file %q as %q: %w", src, name, err)
	}
	return p, nil
}

func (s *Store) addFlat(ctx context.Context, p storepath.Path, sum [32]byte, src string) error {
	if ok, err := s.rootedAndValid(ctx, p); err != nil {
		return err
	} else if ok {
		return removeIfThere(src)
	}
	if info, err := os.Lstat(src); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("it is no regular file but %s", info.Mode())
	}
	if err := os.Chmod(src, tree.FileMode); err != nil { // never executable
		return err
	}
	if err := tree.Canonicalise(src); err != nil {
		return err
	}
	flat, narSum, size, err := nar.HashFlat(ctx, src)
	if err != nil {
		return err
	}
	if flat != sum {
		return fmt.Errorf("its SHA-256 is %x, want %x", flat, sum)
	}
	placed, err := s.publish(ctx, src, Info{Path: p, NarHash: narSum, NarSize: size, CA: CAFixed(false, sum)})
	if err == nil && !placed {
		err = removeIfThere(src) // another process was faster
	}
	return err
}

// removeIfThere removes a file that another process may have taken away.
func removeIfThere(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// rootedAndValid makes p a temp root and says whether it is valid: then it
// stays so while this store is open.
func (s *Store) rootedAndValid(ctx context.Context, p storepath.Path) (bool, error) {
	if err := s.TempRoot(ctx, p); err != nil {
		return false, err
	}
	valid, err := s.Valid(ctx, p)
	return valid[p], err
}

// publish places the canonical tree at tmp and registers it, unless the path
// has become valid meanwhile; placed tells which.
func (s *Store) publish(ctx context.Context, tmp string, info Info) (placed bool, err error) {
	unlock, err := s.Lock(ctx, info.Path)
	if err != nil {
		return false, err
	}
	defer unlock()
	if ok, err := s.rootedAndValid(ctx, info.Path); ok || err != nil {
		return false, err
	}
	if err := s.Place(ctx, tmp, info.Path); err != nil {
		return false, err
	}
	return true, s.Register(ctx, info)
}

// Place moves the finished, canonical tree at tmp, which lies in a TempDir, to
// the place of p. What lies there, not valid, is removed first. The caller
// holds Lock(p), has made p a temp root and registers p next.
func (s *Store) Place(ctx context.Context, tmp string, p storepath.Path) error {
	valid, err := s.Valid(ctx, p)
	if err != nil {
		return err
	}
	if valid[p] {
		return fmt.Errorf("place %q: it is valid and must not change", p)
	}
	if err := s.step("clear the place"); err != nil {
		return err
	}
	if err := tree.Remove(s.Real(p)); err != nil {
		return fmt.Errorf("place %q: %w", p, err)
	}
	if err := s.step("place"); err != nil {
		return err
	}
	if err := tree.Move(tmp, s.Real(p)); err != nil {
		return fmt.Errorf("place %q: %w", p, err)
	}
	return s.step("placed")
}
