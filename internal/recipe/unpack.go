package recipe

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"reprise/internal/builder/spec"
	"reprise/internal/lock"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// platform is the system type of every derivation, in Nix's words.
const platform = "x86_64-linux"

// DebPath returns the store path of a package's .deb: a flat fixed output.
func DebPath(p lock.Package) (storepath.Path, error) {
	return storepath.MakeFixed(storepath.NameVersion(p.Name, p.Version)+".deb", false, p.Digest())
}

// PackagePath returns the store path of the unpacked package. known is false
// while the lock has no NAR hash for it.
func PackagePath(p lock.Package) (path storepath.Path, known bool, err error) {
	if p.NarHash == "" {
		return "", false, nil
	}
	hash, err := lock.ParseNarHash(p.NarHash)
	if err != nil {
		return "", false, err
	}
	path, err = storepath.MakeFixed(storepath.NameVersion(p.Name, p.Version), true, hash)
	return path, true, err
}

// Unpack returns the derivation that unpacks a package. Its output is fixed by
// the lock's NAR hash; while that is not known the hash is left out, and
// realise.Learn finds it.
func Unpack(p lock.Package, builder storepath.Path) (*drv.Derivation, error) {
	deb, err := DebPath(p)
	if err != nil {
		return nil, err
	}
	d, err := derivation(storepath.NameVersion(p.Name, p.Version), builder, "unpack", spec.Unpack{Deb: deb})
	if err != nil {
		return nil, err
	}
	d.InputSrcs = append(d.InputSrcs, deb)
	out := drv.Output{HashAlgo: "r:sha256"}
	if p.NarHash != "" {
		hash, err := lock.ParseNarHash(p.NarHash)
		if err != nil {
			return nil, fmt.Errorf("package %q: %w", p.Name, err)
		}
		out.Hash = hex.EncodeToString(hash[:])
	}
	d.Outputs["out"] = out
	return d, nil
}

// derivation returns one that runs our builder with the given specification.
func derivation(name string, builder storepath.Path, kind string, specification any) (*drv.Derivation, error) {
	encoded, err := json.Marshal(specification)
	if err != nil {
		return nil, fmt.Errorf("derivation %q: %w", name, err)
	}
	return &drv.Derivation{
		Name:      name,
		Outputs:   map[string]drv.Output{"out": {}},
		InputDrvs: map[storepath.Path][]string{},
		InputSrcs: []storepath.Path{builder},
		Platform:  platform,
		Builder:   string(builder),
		Args:      []string{"builder", kind},
		Env:       map[string]string{"name": name, "out": "", "spec": string(encoded), "system": platform, "builder": string(builder)},
	}, nil
}

func addSources(d *drv.Derivation, paths ...storepath.Path) {
	d.InputSrcs = append(d.InputSrcs, paths...)
	slices.Sort(d.InputSrcs)
	d.InputSrcs = slices.Compact(d.InputSrcs)
}
