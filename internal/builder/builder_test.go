package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/erofs/go-erofs"
	"github.com/google/go-cmp/cmp"

	"reprise/internal/builder/spec"
	"reprise/internal/compose"
	"reprise/internal/diag"
	"reprise/internal/layer"
	"reprise/store/storepath"
)

func TestRunRefuses(t *testing.T) {
	env := func(values map[string]string) func(string) string {
		return func(name string) string { return values[name] }
	}
	for _, test := range []struct {
		args []string
		env  map[string]string
		want string
		code int
	}{
		{nil, nil, "never by hand", diag.ExitUsage},
		{[]string{"nothing"}, nil, "never by hand", diag.ExitUsage},
		{[]string{"root"}, map[string]string{"out": "relative"}, `$out is "relative"`, diag.ExitFailed},
		{[]string{"root"}, map[string]string{"out": "/x", "spec": "{"}, "spec", diag.ExitFailed},
		{[]string{"root"}, map[string]string{"out": "/x", "spec": `{"unknown":1}`}, `unknown field "unknown"`, diag.ExitFailed},
		{[]string{"root"}, map[string]string{"out": "/x", "spec": "/does/not/exist"}, "/does/not/exist", diag.ExitFailed},
		{[]string{"effect"}, map[string]string{"out": "/x", "spec": `{"effect":"magic"}`}, `no effect "magic"`, diag.ExitFailed},
		{[]string{"unpack"}, map[string]string{"out": "/x", "spec": `{"deb":"/nix/store/none"}`}, "no such file", diag.ExitFailed},
	} {
		err := run(context.Background(), test.args, env(test.env))
		if err == nil || !strings.Contains(err.Error(), test.want) || diag.Exit(err) != test.code {
			t.Errorf("run(%q, %v) = %v (exit %d), want %q (exit %d)", test.args, test.env, err, diag.Exit(err), test.want, test.code)
		}
	}
}

func TestReadSpec(t *testing.T) {
	name := filepath.Join(t.TempDir(), "spec.json")
	if err := os.WriteFile(name, []byte(`{"layers":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{name, `{"layers":[]}`} {
		if got, err := readSpec(s); err != nil || string(got) != `{"layers":[]}` {
			t.Errorf("readSpec(%q) = %q, %v", s, got, err)
		}
	}
}

// store puts layers below a directory.
type store struct {
	t   *testing.T
	dir string
}

func (s store) real(p storepath.Path) string { return filepath.Join(s.dir, string(p)) }

// add makes a layer; control is its control file, "" for an effect's.
func (s store) add(name, control string, m, attributes layer.Manifest) storepath.Path {
	s.t.Helper()
	path, err := storepath.MakeText(name, nil, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	write := func(file string, data []byte) {
		file = filepath.Join(s.real(path), file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o444); err != nil {
			s.t.Fatal(err)
		}
	}
	for file, manifest := range map[string]layer.Manifest{layer.ManifestPath: m, compose.AttributesPath: attributes} {
		if file == layer.ManifestPath || manifest != nil {
			data, err := manifest.Bytes()
			if err != nil {
				s.t.Fatal(err)
			}
			write(file, data)
		}
	}
	for _, e := range m {
		write(e.Path, make([]byte, e.Size))
	}
	if control != "" {
		write("DEBIAN/control", []byte(control))
	}
	return path
}

func TestRoot(t *testing.T) {
	s := store{t, t.TempDir()}
	file := func(path string, size int64) layer.Entry {
		return layer.Entry{Path: path, Kind: layer.File, Mode: 0o644, Size: size}
	}
	control := func(name, version, fields string) string {
		return "Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\n" + fields
	}
	old := s.add("old", control("old", "2", ""), layer.Manifest{file("usr/moved", 1), file("usr/same", 4), file("var/lib/old/x", 2)}, nil)
	moved := s.add("moved", control("moved", "1", "Replaces: old (<< 3)\n"), layer.Manifest{file("usr/moved", 2), file("usr/same", 4)}, nil)
	made := s.add("made", "", layer.Manifest{file("etc/made", 3)}, layer.Manifest{{Path: "usr/moved", Kind: layer.File, Mode: 0o4755}})
	build := func(layers ...spec.Layer) (string, error) {
		text, err := json.Marshal(spec.Root{Layers: layers})
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out")
		return out, Root(context.Background(), &Build{Out: out, Spec: text, Real: s.real})
	}
	out, err := build(spec.Layer{Path: moved, Name: "moved"}, spec.Layer{Path: old, Name: "old"}, spec.Layer{Path: made})
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(filepath.Join(out, RootImage))
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := erofs.Open(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	f, err := fsys.Open("usr/moved")
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// FileInfo.Mode of go-erofs v0.3.1 loses setuid; Stat.Mode does not.
	if mode := info.Sys().(*erofs.Stat).Mode; info.Size() != 2 || mode != 0o755|os.ModeSetuid {
		t.Errorf("usr/moved has %d bytes and mode %v, want the replacing package's and the attribute's", info.Size(), mode)
	}
	state, err := os.ReadFile(filepath.Join(out, RootState))
	if err != nil {
		t.Fatal(err)
	}
	var got []State
	if err := json.Unmarshal(state, &got); err != nil {
		t.Fatal(err)
	}
	want := []State{{Path: "var/lib/old/x", Kind: "f", Mode: "644", From: "usr/lib/reprise/state/var/lib/old/x"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}

	newer := s.add("newer", control("newer", "4", ""), layer.Manifest{file("usr/moved", 1)}, nil)
	var conflict *compose.Conflict
	_, err = build(spec.Layer{Path: moved, Name: "moved"}, spec.Layer{Path: newer, Name: "newer"})
	if !errors.As(err, &conflict) || conflict.Path != "usr/moved" {
		t.Errorf("Root of a conflict = %v", err)
	}
	if _, err := build(spec.Layer{Path: "/nix/store/00000000000000000000000000000000-none"}); err == nil {
		t.Error("Root of a layer that is not there = nil")
	}
}
