package effect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"reprise/internal/layer"
	"reprise/store/storepath"
)

// Env is what an effect has at hand while it builds.
type Env struct {
	Job   *Job
	Out   string // the layer to write; it is not there yet
	Work  string // an empty directory for scratch files
	Cores int    // processors that may be used, at least 1

	Packages *Contents // of Job.Reads
	Tools    *Contents // of Job.Tools

	// Real gives the physical place of a store path. Inside a sandbox it is
	// the path itself.
	Real func(storepath.Path) string
	// Run runs a program in a root made of packages.
	Run Runner
}

// Decode reads the job's Spec into v, which must have a field for all that is
// in it.
func (e *Env) Decode(v any) error {
	d := json.NewDecoder(bytes.NewReader(e.Job.Spec))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("spec of effect %s: %w", e.Job.Effect, err)
	}
	return nil
}

// ReadFile returns the content of a package's file, such as
// ("base-passwd", "usr/share/base-passwd/passwd.master").
func (e *Env) ReadFile(pkg, path string) ([]byte, error) {
	p := e.Packages.Get(pkg)
	if p == nil {
		return nil, e.notInput(pkg)
	}
	return os.ReadFile(e.File(p, path))
}

func (e *Env) notInput(pkg string) error {
	return fmt.Errorf("package %q is no input of effect %s", pkg, e.Job.Effect)
}

// mkdir makes a new directory in Env.Work.
func (e *Env) mkdir(name string) (string, error) {
	return os.MkdirTemp(e.Work, name+"-")
}

// memory makes a new directory for many small files that live for a moment: in
// /dev/shm, which every sandbox has, else in Env.Work. The caller removes it.
func (e *Env) memory(name string) (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", name+"-"); err == nil {
		return dir, nil
	}
	return e.mkdir(name)
}

// File returns the physical place of a package's file.
func (e *Env) File(p *Content, path string) string { return filepath.Join(e.Real(p.Path), path) }

// LoadContents reads manifests and control files of unpacked packages.
func LoadContents(refs []Ref, realPath func(storepath.Path) string) (*Contents, error) {
	packages := make([]Content, 0, len(refs))
	for _, r := range refs {
		c, err := LoadContent(r, realPath(r.Path))
		if err != nil {
			return nil, err
		}
		packages = append(packages, c)
	}
	return NewContents(packages), nil
}

// LoadContent reads the manifest and the control files of the package that is
// unpacked at dir.
func LoadContent(r Ref, dir string) (Content, error) {
	c := Content{Name: r.Name, Version: r.Version, Path: r.Path, Control: map[string][]byte{}}
	meta, err := os.OpenRoot(filepath.Join(dir, layer.Meta))
	if err != nil {
		return c, fmt.Errorf("package %q: %w", r.Name, err)
	}
	defer meta.Close()
	entries, err := fs.ReadDir(meta.FS(), ".")
	if err != nil {
		return c, fmt.Errorf("package %q: %w", r.Name, err)
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		data, err := meta.ReadFile(entry.Name())
		if err != nil {
			return c, fmt.Errorf("package %q: %w", r.Name, err)
		}
		if filepath.Join(layer.Meta, entry.Name()) == layer.ManifestPath {
			if c.Manifest, err = layer.Parse(data); err != nil {
				return c, fmt.Errorf("package %q: %w", r.Name, err)
			}
			continue
		}
		c.Control[entry.Name()] = data
	}
	if c.Manifest == nil {
		return c, fmt.Errorf("package %q: %w", r.Name, errors.New("no manifest"))
	}
	return c, nil
}
