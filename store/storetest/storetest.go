// Package storetest fills stores and lets real Nix judge them.
//
// Nix's programs are not part of a building machine: whoever has them hands
// them in as a Nix. A sample store holds every kind of path: texts, sources,
// flat and recursive fixed outputs, derivations with and without built
// outputs, a profile, direct and indirect roots, and garbage.
package storetest

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reprise/store"
	"reprise/store/drv"
	"reprise/store/generation"
	"reprise/store/nar"
	"reprise/store/storepath"
)

// A Sample is a store filled by Fill.
type Sample struct {
	Store   *store.Store
	Profile *generation.Profile
	Drvs    []storepath.Path // derivations whose outputs are valid, inputs first
	Top     storepath.Path   // output of the last of Drvs: what the profile has
	Text    storepath.Path   // a direct root
	Garbage []storepath.Path // valid paths that nothing keeps
}

// Fill fills a new store below root.
func Fill(t testing.TB, root string) *Sample {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, root)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	sample := &Sample{Store: s}

	builder, err := s.AddFile(ctx, "builder", compileBuilder(t))
	check(t, err)
	sample.Text, err = s.AddText(ctx, "text", []byte("refers to "+string(builder)), []storepath.Path{builder})
	check(t, err)
	check(t, s.SetRoot("sample/text", sample.Text))

	b := drvBuilder{t: t, s: s, sample: sample, builder: builder}
	flat := b.fixed("flat.deb", "sha256", nil)
	tree := b.fixed("tree-1.0", "r:sha256", flat)
	lower := b.plain("lower", tree)
	upper := b.plain("upper", lower, tree)
	sample.Top = upper.Outputs["out"].Path
	sample.Profile, err = generation.Of(s, "system")
	check(t, err)
	_, err = sample.Profile.Set(ctx, lower.Outputs["out"].Path)
	check(t, err)
	_, err = sample.Profile.Set(ctx, sample.Top)
	check(t, err)

	lost, err := s.AddText(ctx, "garbage", []byte("x"), nil)
	check(t, err)
	above, err := s.AddText(ctx, "garbage-above", []byte(lost), []storepath.Path{lost})
	check(t, err)
	// The flat output serves its derivation's users only while they build.
	sample.Garbage = []storepath.Path{lost, above, flat.Outputs["out"].Path}
	return sample
}

//go:embed testdata/builder/main.go
var builderSource []byte

// compileBuilder returns a static program that needs nothing but itself, as
// the sandbox of real Nix wants it.
func compileBuilder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "main.go"), builderSource, 0o644))
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "builder", "main.go")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the builder: %v\n%s", err, out)
	}
	return filepath.Join(dir, "builder")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// drvBuilder makes derivations and does what a realiser does, in this process.
type drvBuilder struct {
	t       testing.TB
	s       *store.Store
	sample  *Sample
	builder storepath.Path
	hasher  drv.Hasher
}

func (b *drvBuilder) derivation(name string, inputs ...*drv.Derivation) *drv.Derivation {
	d := &drv.Derivation{
		Name: name, Platform: "x86_64-linux", Builder: string(b.builder), Args: []string{"build"},
		Outputs:   map[string]drv.Output{"out": {}},
		InputDrvs: map[storepath.Path][]string{},
		InputSrcs: []storepath.Path{b.builder},
		Env:       map[string]string{"name": name, "text": "text of " + name + "\n", "system": "x86_64-linux"},
	}
	var paths []string
	for _, in := range inputs {
		p, err := in.Path()
		check(b.t, err)
		d.InputDrvs[p] = []string{"out"}
		paths = append(paths, string(in.Outputs["out"].Path))
	}
	d.Env["inputs"] = strings.Join(paths, " ")
	return d
}

// plain makes and builds a derivation whose path follows from its inputs.
func (b *drvBuilder) plain(name string, inputs ...*drv.Derivation) *drv.Derivation {
	d := b.derivation(name, inputs...)
	check(b.t, b.hasher.Fill(d))
	b.realise(d, inputs)
	return d
}

// fixed makes and builds a fixed-output derivation, which refers to nothing.
// input is built before and not used.
func (b *drvBuilder) fixed(name, algo string, input *drv.Derivation) *drv.Derivation {
	var inputs []*drv.Derivation
	if input != nil {
		inputs = []*drv.Derivation{input}
	}
	d := b.derivation(name, inputs...)
	d.Env["inputs"] = ""
	var sum [32]byte
	if algo == "sha256" {
		d.Env["flat"] = "1"
		sum = sha256.Sum256([]byte(d.Env["text"]))
	} else {
		out := b.run(d)
		var err error
		sum, _, err = nar.HashPath(b.t.Context(), out)
		check(b.t, err)
	}
	d.Outputs["out"] = drv.Output{HashAlgo: algo, Hash: hex.EncodeToString(sum[:])}
	check(b.t, b.hasher.Fill(d))
	b.realise(d, nil)
	return d
}

// run does what the builder does, with inputs as they lie on this machine.
func (b *drvBuilder) run(d *drv.Derivation) string {
	dir, _, err := b.s.TempDir("build-*")
	check(b.t, err)
	out := filepath.Join(dir, "out")
	if d.Env["flat"] != "" {
		check(b.t, os.WriteFile(out, []byte(d.Env["text"]), 0o644))
	} else {
		check(b.t, os.MkdirAll(filepath.Join(out, "bin"), 0o755))
		check(b.t, os.WriteFile(filepath.Join(out, "bin/run"), []byte("#!"+d.Env["text"]), 0o755))
		check(b.t, os.WriteFile(filepath.Join(out, "text"), []byte(d.Env["text"]), 0o600))
		for i, input := range strings.Fields(d.Env["inputs"]) {
			check(b.t, os.Symlink(input, filepath.Join(out, fmt.Sprint("input-", i))))
		}
	}
	check(b.t, store.Canonicalise(out))
	return out
}

// realise adds d, and registers its output.
func (b *drvBuilder) realise(d *drv.Derivation, inputs []*drv.Derivation) {
	ctx := b.t.Context()
	path, err := b.s.AddDerivation(ctx, d)
	check(b.t, err)
	b.sample.Drvs = append(b.sample.Drvs, path)
	out := d.Outputs["out"]
	check(b.t, b.s.TempRoot(ctx, out.Path))
	unlock, err := b.s.Lock(ctx, out.Path)
	check(b.t, err)
	defer unlock()
	tmp := b.run(d)
	var candidates []storepath.Path
	for _, in := range inputs {
		candidates = append(candidates, in.Outputs["out"].Path)
	}
	sum, size, refs, err := nar.HashAndScan(ctx, tmp, candidates)
	check(b.t, err)
	check(b.t, b.s.Place(ctx, tmp, out.Path))
	info := store.Info{Path: out.Path, NarHash: sum, NarSize: size, Refs: refs, Deriver: path, Ultimate: true}
	if out.Fixed() {
		fixed, err := hex.DecodeString(out.Hash)
		check(b.t, err)
		info.CA = store.CAFixed(out.Recursive(), [32]byte(fixed))
	}
	check(b.t, b.s.Register(ctx, info))
}

// Whole checks that the store verifies, contents included, with nothing
// unregistered in it.
func Whole(t testing.TB, s *store.Store) {
	t.Helper()
	found, err := s.Verify(context.WithoutCancel(t.Context()), store.VerifyOptions{Contents: true})
	if err != nil {
		t.Error(err)
	}
	for _, d := range found {
		t.Errorf("the store does not verify: %s", d)
	}
}
