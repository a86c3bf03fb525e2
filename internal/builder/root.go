package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"reprise/internal/builder/spec"
	"reprise/internal/compose"
	"reprise/internal/deb"
	"reprise/internal/layer"
)

// Files of the output of kind root.
const (
	RootImage = "root.erofs"
	RootState = "state.json" // what the layers keep outside /usr and /etc: []State
)

// State is one entry of RootState: see compose.Plan.State.
type State struct {
	Path   string `json:"path"` // on the machine: "var/lib/dbus"
	Kind   string `json:"kind"` // "d", "f" or "l"
	Mode   string `json:"mode"` // octal
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Target string `json:"target,omitempty"` // of a link
	From   string `json:"from,omitempty"`   // of a file: where the view has its first content
}

// Root makes the EROFS image of a view.
func Root(ctx context.Context, b *Build) error {
	var s spec.Root
	if err := b.decode(&s); err != nil {
		return err
	}
	layers, err := b.layers(s.Layers)
	if err != nil {
		return err
	}
	plan, err := compose.Merge(layers)
	if err != nil {
		return err
	}
	if err := plan.CheckIdentical(b.real); err != nil {
		return err
	}
	image, err := plan.EROFS()
	if err != nil {
		return err
	}
	state := make([]State, len(plan.State))
	for i, e := range plan.State {
		state[i] = State{e.Path, string(rune(e.Kind)), strconv.FormatUint(uint64(e.Mode), 8), e.UID, e.GID, e.Target, e.From}
	}
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.Out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.Out, RootState), append(text, '\n'), 0o444); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.Out, RootImage), image, 0o444)
}

// layers reads the manifests of a view's layers, and from a package's control
// file which of the others it may take files from.
func (b *Build) layers(specs []spec.Layer) ([]compose.Layer, error) {
	layers := make([]compose.Layer, len(specs))
	versions := map[string]string{}
	replaces := make([][]deb.Clause, len(specs))
	for i, s := range specs {
		l := &layers[i]
		l.Path, l.Name, l.Overrides = s.Path, s.Name, s.Overrides
		dir := b.real(s.Path)
		var err error
		if l.Manifest, err = readManifest(filepath.Join(dir, layer.ManifestPath)); err != nil {
			return nil, fmt.Errorf("layer %q: %w", s.Path, err)
		}
		l.Attributes, err = readManifest(filepath.Join(dir, compose.AttributesPath))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("layer %q: %w", s.Path, err)
		}
		control, err := os.ReadFile(filepath.Join(dir, layer.Meta, "control"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // of an effect
		}
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", s.Path, err)
		}
		p, err := deb.ParseControl(control)
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", s.Path, err)
		}
		versions[l.Name], replaces[i] = p.Version, p.Replaces
	}
	for i := range layers {
		for _, clause := range replaces[i] {
			for _, r := range clause {
				if version, ok := versions[r.Name]; ok && r.Allows(version) {
					layers[i].Replaces = append(layers[i].Replaces, r.Name)
				}
			}
		}
	}
	return layers, nil
}

func readManifest(name string) (layer.Manifest, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return layer.Parse(data)
}
