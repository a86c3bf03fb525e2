package realise

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/store"
	"reprise/store/drv"
	"reprise/store/sandbox"
	"reprise/store/storepath"
)

func TestMain(m *testing.M) {
	sandbox.Init(func(argv []string) int {
		if err := os.WriteFile(os.Getenv("out"), []byte(os.Getenv("text")), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	})
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir)
	}
	os.Exit(m.Run())
}

// compile builds testdata/builder once: static, since a sandbox has no
// dynamic loader.
var compile = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "reprise-builder-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "builder")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", name, "./testdata/builder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	content, err := os.ReadFile(name)
	return string(content), err
})

// A rig is a store of one test with the builder in it.
type rig struct {
	t       testing.TB
	ctx     context.Context
	store   *store.Store
	builder storepath.Path
	realise *Realiser
	hasher  drv.Hasher
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t}
	r.open(t.TempDir())
	return r
}

// open opens the store at root and adds the builder.
func (r *rig) open(root string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	r.t.Cleanup(cancel)
	r.ctx = ctx
	s, err := store.Open(ctx, root)
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = s
	r.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
		store.RemoveAll(filepath.Join(root, "nix"))
	})
	content, err := compile()
	if err != nil {
		r.t.Fatal(err)
	}
	file := filepath.Join(r.t.TempDir(), "builder")
	if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if r.builder, err = s.AddFile(ctx, "builder", file); err != nil {
		r.t.Fatal(err)
	}
	r.realise = &Realiser{Store: s, Jobs: 4}
	r.hasher = drv.Hasher{Load: func(p storepath.Path) (*drv.Derivation, error) { return s.Derivation(ctx, p) }}
}

// derivation makes a derivation with one output that runs the builder's what.
func (r *rig) derivation(name, what string, env map[string]string, inputs ...*drv.Derivation) *drv.Derivation {
	r.t.Helper()
	d := &drv.Derivation{
		Name: name, Platform: platform(), Builder: string(r.builder), Args: []string{what},
		Outputs: map[string]drv.Output{"out": {}}, InputSrcs: []storepath.Path{r.builder},
		InputDrvs: map[storepath.Path][]string{}, Env: map[string]string{"out": ""},
	}
	for k, v := range env {
		d.Env[k] = v
	}
	for _, input := range inputs {
		d.InputDrvs[r.path(input)] = []string{"out"}
	}
	r.fill(d)
	return d
}

func (r *rig) fill(d *drv.Derivation) {
	r.t.Helper()
	if err := r.hasher.Fill(d); err != nil {
		r.t.Fatal(err)
	}
	if err := r.hasher.Add(d); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) path(d *drv.Derivation) storepath.Path {
	r.t.Helper()
	p, err := d.Path()
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *rig) add(ds ...*drv.Derivation) []storepath.Path {
	r.t.Helper()
	paths, err := r.store.AddDerivations(r.ctx, ds...)
	if err != nil {
		r.t.Fatal(err)
	}
	return paths
}

// build adds and realises the last of ds.
func (r *rig) build(ds ...*drv.Derivation) error {
	r.t.Helper()
	paths := r.add(ds...)
	return r.realise.Realise(r.ctx, paths[len(paths)-1])
}

func (r *rig) content(d *drv.Derivation) string {
	r.t.Helper()
	b, err := os.ReadFile(r.store.Real(d.Outputs["out"].Path))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// clean checks that the store verifies and that no unfinished work lies
// about.
func (r *rig) clean() {
	r.t.Helper()
	damage, err := r.store.Verify(r.ctx, store.VerifyOptions{Contents: true})
	if err != nil || len(damage) > 0 {
		r.t.Errorf("verify: %v %v", damage, err)
	}
	left, err := filepath.Glob(filepath.Join(r.store.StateDir("tmp"), "*/*"))
	if err != nil || len(left) > 0 {
		r.t.Errorf("left: %v %v", left, err)
	}
	locks, err := filepath.Glob(filepath.Join(r.store.Root(), "nix/store/*.lock"))
	if err != nil || len(locks) > 0 {
		r.t.Errorf("locks left: %v %v", locks, err)
	}
}

func TestRealiseChain(t *testing.T) {
	r := newRig(t)
	a := r.derivation("a", "text", map[string]string{"text": "A"})
	b := r.derivation("b", "text", map[string]string{"text": "B"})
	c := r.derivation("c", "cat", map[string]string{"inputs": string(a.Outputs["out"].Path) + " " + string(b.Outputs["out"].Path)}, a, b)
	if err := r.build(a, b, c); err != nil {
		t.Fatal(err)
	}
	if got := r.content(c); got != "AB" {
		t.Errorf("content %q", got)
	}
	r.clean()
}

func TestReferencesAndForm(t *testing.T) {
	r := newRig(t)
	a := r.derivation("a", "text", map[string]string{"text": "A"})
	aPath := a.Outputs["out"].Path
	tree := r.derivation("tree", "tree", map[string]string{"text": string(aPath)}, a)
	if err := r.build(a, tree); err != nil {
		t.Fatal(err)
	}
	info, err := r.store.Info(r.ctx, tree.Outputs["out"].Path)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Refs) != 1 || info.Refs[0] != aPath || info.Deriver != r.path(tree) || !info.Ultimate || info.CA != "" {
		t.Errorf("info %+v", info)
	}
	r.clean()
}

func fixed(d *drv.Derivation, algo string, content string) {
	sum := sha256.Sum256([]byte(content))
	d.Outputs["out"] = drv.Output{HashAlgo: algo, Hash: hex.EncodeToString(sum[:])}
}

func TestFixedOutputs(t *testing.T) {
	r := newRig(t)
	good := r.derivation("good", "text", map[string]string{"text": "G"})
	fixed(good, "sha256", "G")
	r.fill(good)
	if err := r.build(good); err != nil {
		t.Fatal(err)
	}
	bad := r.derivation("bad", "text", map[string]string{"text": "G"})
	fixed(bad, "sha256", "H")
	r.fill(bad)
	err := r.build(bad)
	var mismatch *HashMismatch
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), hex.EncodeToString(mismatch.Want[:])) ||
		!strings.Contains(err.Error(), hex.EncodeToString(mismatch.Got[:])) {
		t.Errorf("mismatch: %v", err)
	}
	if _, err := os.Lstat(r.store.Real(bad.Outputs["out"].Path)); err == nil {
		t.Error("a wrong output is in the store")
	}
	r.clean()
}

func TestFailureTellsTheLastLines(t *testing.T) {
	r := newRig(t)
	r.realise.KeepFailed = true
	d := r.derivation("broken", "fail", nil)
	after := r.derivation("after", "text", nil, d)
	err := r.build(d, after)
	var failure *BuildError
	if !errors.As(err, &failure) {
		t.Fatalf("error %v", err)
	}
	if len(failure.Tail) != 20 || failure.Tail[0] != "line 11" || failure.Tail[19] != "line 30" {
		t.Errorf("tail %q", failure.Tail)
	}
	for _, want := range []string{"build broken: ", "exit status 3", "line 30", failure.Log, failure.Kept} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(failure.Kept, "build/left")); err != nil || string(b) != "over" {
		t.Errorf("kept: %q %v", b, err)
	}
	base := r.path(d).Base()
	if want := filepath.Join(r.store.Root(), "nix/var/log/nix/drvs", base[:2], base[2:]); failure.Log != want {
		t.Errorf("log %q, want %q", failure.Log, want)
	}
	if strings.Count(err.Error(), "build broken") != 1 {
		t.Errorf("told more than once:\n%v", err)
	}
	r.clean()
}

func TestLearn(t *testing.T) {
	r := newRig(t)
	d := r.derivation("lesson", "text", map[string]string{"text": "L"})
	d.Outputs["out"] = drv.Output{HashAlgo: "r:sha256"}
	got, err := r.realise.Learn(r.ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	if out := got.Outputs["out"]; out.Hash == "" || r.content(got) != "L" {
		t.Errorf("learnt %+v", out)
	}
	// The same again neither builds nor differs.
	again, err := r.realise.Learn(r.ctx, d)
	if err != nil || r.path(again) != r.path(got) {
		t.Errorf("again: %v", err)
	}
	// And what was learnt is an ordinary derivation.
	if err := r.realise.Realise(r.ctx, r.path(got)); err != nil {
		t.Error(err)
	}
	r.clean()
}
