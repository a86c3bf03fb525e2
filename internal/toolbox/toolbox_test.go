package toolbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/internal/compose"
	"reprise/internal/layer"
	"reprise/internal/progress"
	"reprise/store"
	"reprise/store/nar"
	"reprise/store/sandbox"
	"reprise/store/storepath"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// compile builds testdata/tool once: static, so that the package needs no
// other.
var compile = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "reprise-tool-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "tool")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", name, "./testdata/tool")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	content, err := os.ReadFile(name)
	return string(content), err
})

func open(t *testing.T) (context.Context, *store.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	root := t.TempDir()
	s, err := store.Open(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		store.RemoveAll(filepath.Join(root, "nix"))
	})
	return ctx, s
}

// pack puts an unpacked package with these files into the store. A name that
// ends in "*" is executable, a content that begins with "->" is a link.
func pack(ctx context.Context, t *testing.T, s *store.Store, name string, files map[string]string) compose.Layer {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tmp, release, err := s.TempDir("pack-*")
	check(err)
	defer release()
	tree := filepath.Join(tmp, name)
	var m layer.Manifest
	dirs := map[string]bool{".": true}
	for file, content := range files {
		file, executable := strings.CutSuffix(file, "*")
		for dir := filepath.Dir(file); !dirs[dir]; dir = filepath.Dir(dir) {
			dirs[dir] = true
			m = append(m, layer.Entry{Path: dir, Kind: layer.Dir, Mode: 0o755})
		}
		check(os.MkdirAll(filepath.Join(tree, filepath.Dir(file)), 0o755))
		entry := layer.Entry{Path: file, Kind: layer.File, Mode: 0o644, Size: int64(len(content))}
		if target, link := strings.CutPrefix(content, "->"); link {
			entry.Kind, entry.Mode, entry.Size, entry.Target = layer.Symlink, 0o777, 0, target
			check(os.Symlink(target, filepath.Join(tree, file)))
		} else {
			if executable {
				entry.Mode = 0o755
			}
			check(os.WriteFile(filepath.Join(tree, file), []byte(content), fs.FileMode(entry.Mode)))
		}
		m = append(m, entry)
	}
	m.Sort()
	data, err := m.Bytes()
	check(err)
	check(os.MkdirAll(filepath.Join(tree, layer.Meta), 0o755))
	check(os.WriteFile(filepath.Join(tree, layer.ManifestPath), data, 0o644))
	check(store.Canonicalise(tree))
	sum, size, err := nar.HashPath(ctx, tree)
	check(err)
	p, err := storepath.MakeFixed(name, true, sum)
	check(err)
	unlock, err := s.Lock(ctx, p)
	check(err)
	defer unlock()
	check(s.Place(ctx, tree, p))
	check(s.Register(ctx, store.Info{Path: p, NarHash: sum, NarSize: size, CA: store.CAFixed(true, sum)}))
	l, err := ReadLayer(s, name, p)
	check(err)
	return l
}

func run(ctx context.Context, root *Root, change func(*sandbox.Spec), argv ...string) (string, error) {
	var out bytes.Buffer
	spec := root.Command(argv...)
	spec.Stdout, spec.Stderr = &out, &out
	if change != nil {
		change(&spec)
	}
	err := sandbox.Run(ctx, spec)
	return strings.TrimSpace(out.String()), err
}

func TestOpenAndRun(t *testing.T) {
	ctx, s := open(t)
	program, err := compile()
	if err != nil {
		t.Fatal(err)
	}
	layers := []compose.Layer{
		pack(ctx, t, s, "tool", map[string]string{"usr/sbin/tool-1.2*": program, "usr/bin/alias": "->../sbin/tool-1.2", "etc/tool.conf": "x"}),
		pack(ctx, t, s, "base", map[string]string{"etc/passwd": "own\n", "usr/lib/x": "y", "usr/share/doc/y": "z"}),
	}
	root, err := Open(ctx, s, layers)
	if err != nil {
		t.Fatal(err)
	}
	name, err := root.Find("tool-2", "tool-1.2")
	if err != nil || name != "/usr/sbin/tool-1.2" {
		t.Errorf("find: %q %v", name, err)
	}
	if _, err := root.Find("absent"); err == nil {
		t.Error("found what is absent")
	}
	got, err := run(ctx, root, nil, "tool-1.2", "list=/", "list=/sbin", "list=/etc", "list=/var", "write=/tmp/x", "write=/run/x", "write=/var/tmp/x", "env=PATH", "user")
	want := "bin dev etc home lib mnt opt proc root run sbin srv sys tmp usr var \ntool-1.2 \n" +
		"group hosts nsswitch.conf passwd resolv.conf tool.conf \ntmp \n/usr/sbin:/usr/bin:/sbin:/bin\n0 0"
	if err != nil || got != want {
		t.Errorf("%v, inside:\n%s\nwant:\n%s", err, got, want)
	}
	for _, file := range []string{"/usr/lib/x", "/etc/passwd", "/new", "/usr/new", "/bin/new"} {
		if out, err := run(ctx, root, nil, "alias", "write="+file); err == nil {
			t.Errorf("%s could be written: %s", file, out)
		}
	}
	work := t.TempDir()
	bind := func(spec *sandbox.Spec) {
		spec.Binds = []sandbox.Bind{{Source: work, Target: "/work", Writable: true}}
		spec.Dir = "/work"
	}
	if out, err := run(ctx, root, bind, "alias", "write=made"); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(work, "made")); err != nil {
		t.Error(err)
	}
	// The tree costs names, not content.
	in, err := os.Stat(filepath.Join(root.Dir(), "usr/lib/x"))
	if err != nil {
		t.Fatal(err)
	}
	if of, err := os.Stat(filepath.Join(s.Real(layers[1].Path), "usr/lib/x")); err != nil || !os.SameFile(in, of) {
		t.Errorf("the tree has a copy: %v", err)
	}
	damage, err := s.Verify(ctx, store.VerifyOptions{Contents: true})
	if err != nil || len(damage) > 0 {
		t.Errorf("verify: %v %v", damage, err)
	}
}

func TestOpenAgainAndAtOnce(t *testing.T) {
	ctx, s := open(t)
	layers := []compose.Layer{pack(ctx, t, s, "a", map[string]string{"usr/share/a": "a"}), pack(ctx, t, s, "b", map[string]string{"usr/share/b": "b"})}
	var group sync.WaitGroup
	dirs := make([]string, 8)
	for i := range dirs {
		group.Go(func() {
			root, err := Open(ctx, s, layers)
			if err != nil {
				t.Error(err)
				return
			}
			dirs[i] = root.Dir()
		})
	}
	group.Wait()
	if len(slices.Compact(dirs)) != 1 {
		t.Errorf("directories %v", dirs)
	}
	other, err := Open(ctx, s, layers[:1])
	if err != nil || other.Dir() == dirs[0] {
		t.Errorf("another set: %v %v", other, err)
	}
	if entries, err := os.ReadDir(s.StateDir("trees")); err != nil || len(entries) != 2 {
		t.Errorf("trees: %v %v", entries, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.StateDir("tmp"), "*/*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestCollect(t *testing.T) {
	ctx, s := open(t)
	a := pack(ctx, t, s, "a", map[string]string{"usr/share/a": strings.Repeat("a", 5000)})
	b := pack(ctx, t, s, "b", map[string]string{"usr/share/b": "b"})
	collect := func(dryRun bool) (names []string, bytes int64) {
		t.Helper()
		dead, err := Collect(ctx, s, dryRun, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dead {
			names = append(names, d.Name)
			bytes += d.Bytes
		}
		return names, bytes
	}
	if names, _ := collect(false); len(names) > 0 {
		t.Errorf("an empty store: %q", names)
	}
	var roots []*Root
	for _, layers := range [][]compose.Layer{{a}, {b}, {a, b}} {
		root, err := Open(ctx, s, layers)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, root)
	}
	if names, _ := collect(false); len(names) > 0 {
		t.Errorf("in use, and removed: %q", names)
	}
	again, err := Open(ctx, s, []compose.Layer{b}) // two users
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range roots {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	}
	// The store still has the packages' files.
	names, own := collect(true)
	if len(names) != 2 || own >= 5000 || own == 0 {
		t.Errorf("would remove %q, %d bytes", names, own)
	}
	// Without the packages, two trees alone have the file, and it counts once.
	if err := s.Invalidate(ctx, a.Path); err != nil {
		t.Fatal(err)
	}
	if err := store.RemoveAll(s.Real(a.Path)); err != nil {
		t.Fatal(err)
	}
	if _, bytes := collect(true); bytes < own+5000 || bytes >= own+10000 {
		t.Errorf("would free %d bytes, %d of its own", bytes, own)
	}
	planned, wouldFree := collect(true)
	if gone, bytes := collect(false); !slices.Equal(gone, planned) || bytes != wouldFree {
		t.Errorf("removed %q, %d bytes, would have removed %q, %d bytes", gone, bytes, planned, wouldFree)
	}
	if entries, err := os.ReadDir(s.StateDir("trees")); err != nil || len(entries) != 1 || filepath.Join(s.StateDir("trees"), entries[0].Name()) != again.Dir() {
		t.Errorf("trees: %v %v", entries, err)
	}
	// What an interrupted removal left.
	if err := errors.Join(again.Close(), os.Rename(again.Dir(), again.Dir()+goneSuffix)); err != nil {
		t.Fatal(err)
	}
	if again, err = Open(ctx, s, []compose.Layer{b}); err != nil {
		t.Fatal(err)
	}
	if gone, _ := collect(false); len(gone) != 1 {
		t.Errorf("half removed: %q", gone)
	}
	if _, err := os.Stat(filepath.Join(again.Dir(), "usr/share/b")); err != nil {
		t.Error(err)
	}
}

// TestCollectWhileOpening has a tree made and removed at once.
func TestCollectWhileOpening(t *testing.T) {
	ctx, s := open(t)
	layers := []compose.Layer{pack(ctx, t, s, "a", map[string]string{"usr/share/a": "a"})}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				root, err := Open(ctx, s, layers)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.ReadFile(filepath.Join(root.Dir(), "usr/share/a")); err != nil {
					t.Errorf("a tree in use: %v", err)
				}
				root.Close()
			}
		})
	}
	group.Go(func() {
		for range 40 {
			if _, err := Collect(ctx, s, false, progress.Discard); err != nil {
				t.Error(err)
				return
			}
		}
	})
	group.Wait()
}

func TestOpenFails(t *testing.T) {
	ctx, s := open(t)
	a := pack(ctx, t, s, "a", map[string]string{"usr/share/a": "a"})
	b := pack(ctx, t, s, "b", map[string]string{"usr/share/a": "other"})
	var conflict *compose.Conflict
	if _, err := Open(ctx, s, []compose.Layer{a, b}); !errors.As(err, &conflict) {
		t.Errorf("conflict: %v", err)
	}
	gone := a
	gone.Path = "/nix/store/" + storepath.Path(strings.Repeat("0", 32)) + "-gone"
	if _, err := Open(ctx, s, []compose.Layer{gone}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path that is not there: %v", err)
	}
	if _, err := ReadLayer(s, "gone", gone.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its manifest: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Open(ended, s, []compose.Layer{a}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if entries, _ := os.ReadDir(s.StateDir("trees")); len(entries) > 0 {
		t.Errorf("trees: %v", entries)
	}
}
