package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"reprise/store/drv"
	"reprise/store/nar"
	"reprise/store/storepath"
)

// newStore opens an empty store. At the end of the test it must verify, with
// nothing unregistered in it.
func newStore(t testing.TB) *Store {
	t.Helper()
	root := t.TempDir()
	t.Cleanup(func() { RemoveAll(root) }) // before TempDir's, which cannot remove read-only directories
	s := openStore(t, root)
	t.Cleanup(func() { checkWhole(t, root, false) })
	return s
}

func openStore(t testing.TB, root string) *Store {
	t.Helper()
	s, err := Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// checkWhole opens the store and verifies it with all contents.
func checkWhole(t testing.TB, root string, leftovers bool) {
	t.Helper()
	s, err := Open(testContext(t), root)
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close()
	found, err := s.Verify(testContext(t), VerifyOptions{Contents: true})
	if err != nil {
		t.Error(err)
	}
	for _, d := range found {
		if d.Kind != Unregistered || !leftovers {
			t.Errorf("the store does not verify: %s", d)
		}
	}
}

// makeTree writes a small tree with all that a store path can hold.
func makeTree(t testing.TB, dir, content string) string {
	t.Helper()
	path := filepath.Join(dir, "tree")
	must(t, os.MkdirAll(filepath.Join(path, "bin/empty"), 0o755))
	must(t, os.WriteFile(filepath.Join(path, "bin/tool"), []byte("#!"+content), 0o700))
	must(t, os.WriteFile(filepath.Join(path, "data"), []byte(content), 0o640))
	must(t, os.Symlink("../nowhere", filepath.Join(path, "bin/link")))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addTree makes a valid path of a tree with this content and these references,
// which are written into it.
func addTree(t testing.TB, s *Store, name, content string, refs ...storepath.Path) storepath.Path {
	t.Helper()
	p, err := tryAddTree(t, s, name, content, refs...)
	must(t, err)
	return p
}

func tryAddTree(t testing.TB, s *Store, name, content string, refs ...storepath.Path) (storepath.Path, error) {
	ctx := testContext(t)
	dir, release, err := s.TempDir("tree-*")
	if err != nil {
		return "", err
	}
	defer release()
	for _, ref := range refs {
		content += "\n" + string(ref)
	}
	path := makeTree(t, dir, content)
	if err := Canonicalise(path); err != nil {
		return "", err
	}
	sum, size, found, err := nar.HashAndScan(ctx, path, refs)
	if err != nil {
		return "", err
	}
	p, err := storepath.MakeFixed(name, true, sum, found...)
	if err != nil {
		return "", err
	}
	_, err = s.publish(ctx, path, Info{Path: p, NarHash: sum, NarSize: size, Refs: found, CA: CAFixed(true, sum)})
	return p, err
}

// sampleDrv returns a derivation with its output paths filled in.
func sampleDrv(t testing.TB, h *drv.Hasher, name string, inputs ...*drv.Derivation) *drv.Derivation {
	t.Helper()
	d := &drv.Derivation{
		Name: name, Platform: "x86_64-linux", Builder: "/nix/store/builder", Args: []string{"a", "b\n\"c\""},
		Outputs:   map[string]drv.Output{"out": {}, "dev": {}},
		InputDrvs: map[storepath.Path][]string{},
		Env:       map[string]string{"name": name, "text": "tab\tquote\"\\"},
	}
	for _, in := range inputs {
		p, err := in.Path()
		must(t, err)
		d.InputDrvs[p] = []string{"out"}
	}
	must(t, h.Fill(d))
	return d
}

func TestAddAndQuery(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	text, err := s.AddText(ctx, "hello.txt", []byte("hello\n"), nil)
	must(t, err)
	again, err := s.AddText(ctx, "hello.txt", []byte("hello\n"), nil)
	must(t, err)
	if again != text {
		t.Errorf("AddText twice gives %q and %q", text, again)
	}
	leaf := addTree(t, s, "leaf", "leaf")
	top := addTree(t, s, "top", "top", leaf, text)
	info, err := s.Info(ctx, top)
	must(t, err)
	if len(info.Refs) != 2 || info.Registered.IsZero() || info.NarSize == 0 {
		t.Errorf("Info(top) = %+v", info)
	}
	closure, err := s.Closure(ctx, top)
	must(t, err)
	if len(closure) != 3 {
		t.Errorf("Closure(top) = %q, want 3 paths", closure)
	}
	absent, err := storepath.MakeText("absent", nil, nil)
	must(t, err)
	valid, err := s.Valid(ctx, top, absent)
	must(t, err)
	if !valid[top] || valid[absent] {
		t.Errorf("Valid = %v", valid)
	}
	for what, err := range map[string]error{
		"Info":       second(s.Info(ctx, absent)),
		"Closure":    second(s.Closure(ctx, top, absent)),
		"Derivation": second(s.Derivation(ctx, absent)),
		"AddText":    second(s.AddText(ctx, "x", nil, []storepath.Path{absent})),
		"SetRoot":    s.SetRoot("x", absent),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of a path that is not valid: %v, want ErrNotFound", what, err)
		}
	}
	must(t, RemoveAll(s.Real(must2(storepath.MakeText("x", nil, []storepath.Path{absent})))))
}

func second[T any](_ T, err error) error { return err }

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAddDerivations(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	var h drv.Hasher
	a := sampleDrv(t, &h, "a")
	b := sampleDrv(t, &h, "b", a)
	paths, err := s.AddDerivations(ctx, b, a) // users before inputs
	must(t, err)
	got, err := s.Derivation(ctx, paths[0])
	must(t, err)
	if string(got.Encode()) != string(b.Encode()) || got.Name != "b" {
		t.Errorf("Derivation(%q) = %s", paths[0], got.Encode())
	}
	info, err := s.Info(ctx, paths[0])
	must(t, err)
	if len(info.Refs) != 1 || info.Refs[0] != paths[1] {
		t.Errorf("Refs of %q = %q, want %q", paths[0], info.Refs, paths[1])
	}
}

func TestAddFileAndFlat(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	src := filepath.Join(t.TempDir(), "program")
	must(t, os.WriteFile(src, []byte("run"), 0o4755))
	p, err := s.AddFile(ctx, "program", src)
	must(t, err)
	info, err := os.Stat(s.Real(p))
	must(t, err)
	if info.Mode() != 0o555 || info.ModTime().Unix() != 1 {
		t.Errorf("added file has mode %s and time %s", info.Mode(), info.ModTime())
	}
	dir, release, err := s.TempDir("deb-*")
	must(t, err)
	defer release()
	deb := filepath.Join(dir, "x.deb")
	must(t, os.WriteFile(deb, []byte("debian"), 0o755))
	if _, err := s.AddFlat(ctx, "x.deb", sha256.Sum256([]byte("other")), deb); err == nil {
		t.Error("AddFlat takes a file with another hash")
	}
	for range 2 {
		must(t, RemoveAll(deb))
		must(t, os.WriteFile(deb, []byte("debian"), 0o755))
		p, err = s.AddFlat(ctx, "x.deb", sha256.Sum256([]byte("debian")), deb)
		must(t, err)
		if _, err := os.Lstat(deb); err == nil {
			t.Error("AddFlat leaves its source")
		}
	}
	row, err := s.Info(ctx, p)
	must(t, err)
	if want := CAFixed(false, sha256.Sum256([]byte("debian"))); row.CA != want {
		t.Errorf("CA = %q, want %q", row.CA, want)
	}
}

func TestRegisterRefuses(t *testing.T) {
	ctx := t.Context()
	s := newStore(t)
	p := addTree(t, s, "tree", "x")
	info, err := s.Info(ctx, p)
	must(t, err)
	must(t, s.Register(ctx, *info))
	other := *info
	other.NarHash[0] ^= 1
	if err := s.Register(ctx, other); err == nil {
		t.Error("Register takes another hash for a valid path")
	}
	var pair [2]Info
	for i := range pair {
		q, err := storepath.MakeText(fmt.Sprint(i), nil, nil)
		must(t, err)
		must(t, os.WriteFile(s.Real(q), nil, 0o444))
		defer os.Remove(s.Real(q))
		pair[i] = Info{Path: q, NarHash: [32]byte{1}, NarSize: 1}
	}
	pair[0].Refs, pair[1].Refs = []storepath.Path{pair[1].Path}, []storepath.Path{pair[0].Path}
	if err := s.Register(ctx, pair[:]...); err == nil {
		t.Error("Register takes references that form a cycle")
	}
	if err := s.Register(ctx, Info{Path: storepath.Path(string(p) + "x"), NarHash: [32]byte{1}}); err == nil {
		t.Error("Register takes a path that is not there")
	}
	if err := s.Invalidate(ctx, p); err != nil {
		t.Error(err)
	}
	must(t, s.Register(ctx, *info))
}
