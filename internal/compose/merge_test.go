package compose

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/layer"
	"reprise/store/storepath"
)

// lay makes a layer called name of lines "kind mode path [target]"; a file has
// as many bytes as its path.
func lay(t testing.TB, name string, lines ...string) Layer {
	t.Helper()
	path, err := storepath.MakeText(name, []byte(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	l := Layer{Path: path, Name: name}
	for _, line := range lines {
		l.Manifest = append(l.Manifest, entry(t, line))
	}
	l.Manifest.Sort()
	if _, err := l.Manifest.Bytes(); err != nil {
		t.Fatal(err)
	}
	return l
}

func entry(t testing.TB, line string) layer.Entry {
	t.Helper()
	var e layer.Entry
	var kind string
	fields := strings.Fields(line)
	if _, err := fmt.Sscanf(strings.Join(fields[:3], " "), "%1s %o %s", &kind, &e.Mode, &e.Path); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	e.Kind = layer.Kind(kind[0])
	if len(fields) > 3 {
		e.Target = fields[3]
	}
	if e.Kind == layer.File || e.Kind == layer.Hard {
		e.Size = int64(len(e.Path))
	}
	return e
}

// show prints a plan: "kind mode path [-> target] [name of the source's layer]".
func show(p *Plan) []string {
	var lines []string
	for _, e := range p.Entries {
		line := fmt.Sprintf("%c %o %s", e.Kind, e.Mode, e.Path)
		if e.Kind == layer.Symlink {
			line += " -> " + e.Target
		}
		if e.Source != "" {
			base, rest, _ := strings.Cut(e.Source[1:], "/")
			line += " < " + storepath.Path(storepath.Dir+"/"+base).Name() + ":" + rest
		}
		lines = append(lines, line)
	}
	for _, s := range p.State {
		line := fmt.Sprintf("state %c %o %s", s.Kind, s.Mode, s.Path)
		if s.From != "" {
			line += " < " + s.From
		}
		if s.Target != "" {
			line += " -> " + s.Target
		}
		lines = append(lines, line)
	}
	return lines
}

func TestMerge(t *testing.T) {
	overrides := func(l Layer) Layer { l.Overrides = true; return l }
	replaces := func(l Layer, names ...string) Layer { l.Replaces = names; return l }
	tests := []struct {
		name   string
		layers []Layer
		want   []string
	}{
		{"directories merge, the first that lists one has its mode", []Layer{
			lay(t, "a", "f 644 usr/share/x/1"),
			lay(t, "b", "d 755 usr", "d 750 usr/share/x", "f 644 usr/share/x/2"),
			lay(t, "c", "d 700 usr/share/x"),
		}, []string{
			"d 755 usr", "d 755 usr/share", "d 750 usr/share/x",
			"f 644 usr/share/x/1 < a:usr/share/x/1", "f 644 usr/share/x/2 < b:usr/share/x/2",
		}},
		{"what is beside /usr and /etc", []Layer{
			lay(t, "a", "d 755 bin", "f 755 bin/sh", "l 777 lib usr/lib", "f 644 boot/vmlinuz", "f 644 opt/x/y", "d 755 proc", "d 1777 tmp",
				"d 755 var", "d 2775 var/mail", "l 777 var/run /run", "f 644 var/lib/a/b"),
		}, []string{
			"d 755 usr", "d 755 usr/bin", "f 755 usr/bin/sh < a:bin/sh", "d 755 usr/lib", "d 755 usr/lib/reprise",
			"d 755 usr/lib/reprise/boot", "f 644 usr/lib/reprise/boot/vmlinuz < a:boot/vmlinuz",
			"d 755 usr/lib/reprise/opt", "d 755 usr/lib/reprise/opt/x", "f 644 usr/lib/reprise/opt/x/y < a:opt/x/y",
			"d 755 usr/lib/reprise/state", "d 755 usr/lib/reprise/state/var", "d 755 usr/lib/reprise/state/var/lib",
			"d 755 usr/lib/reprise/state/var/lib/a", "f 644 usr/lib/reprise/state/var/lib/a/b < a:var/lib/a/b",
			"state f 644 var/lib/a/b < usr/lib/reprise/state/var/lib/a/b", "state d 2775 var/mail", "state l 777 var/run -> /run",
		}},
		{"hard links are files of their own", []Layer{
			lay(t, "a", "f 755 usr/bin/perl", "h 755 usr/bin/perl5 usr/bin/perl"),
		}, []string{
			"d 755 usr", "d 755 usr/bin", "f 755 usr/bin/perl < a:usr/bin/perl", "f 755 usr/bin/perl5 < a:usr/bin/perl",
		}},
		{"the same link twice", []Layer{
			lay(t, "a", "l 777 usr/x y"), lay(t, "b", "l 777 usr/x y"),
		}, []string{"d 755 usr", "l 777 usr/x -> y"}},
		{"a later layer that overrides", []Layer{
			lay(t, "a", "f 644 etc/x", "d 755 etc/y"), overrides(lay(t, "b", "f 600 etc/x", "d 700 etc/y")),
		}, []string{"d 755 etc", "f 600 etc/x < b:etc/x", "d 700 etc/y"}},
		{"Replaces, whatever the order", []Layer{
			replaces(lay(t, "a", "f 644 usr/x"), "b"), lay(t, "b", "f 644 usr/x", "f 644 usr/y"), replaces(lay(t, "c", "f 644 usr/y"), "b"),
		}, []string{"d 755 usr", "f 644 usr/x < a:usr/x", "f 644 usr/y < c:usr/y"}},
		{"a directory that another layer has as a link", []Layer{
			lay(t, "a", "l 777 usr/doc share/doc", "d 755 usr/share/doc"), lay(t, "b", "d 755 usr/doc", "d 755 usr/doc/b", "f 644 usr/doc/b/1"),
		}, []string{
			"d 755 usr", "l 777 usr/doc -> share/doc", "d 755 usr/share", "d 755 usr/share/doc", "d 755 usr/share/doc/b",
			"f 644 usr/share/doc/b/1 < b:usr/doc/b/1",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := Merge(test.layers)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, show(p)); diff != "" {
				t.Errorf("Merge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMergeAttributes(t *testing.T) {
	e := lay(t, "effect")
	e.Attributes = layer.Manifest{{Path: "usr/bin/ping", Kind: layer.File, Mode: 0o755, Xattrs: map[string]string{"security.capability": "x"}},
		{Path: "var/mail", Kind: layer.Dir, Mode: 0o2775, GID: 8}}
	p, err := Merge([]Layer{e, lay(t, "a", "f 755 usr/bin/ping", "d 755 var/mail")})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Entries[2]; got.Xattrs["security.capability"] != "x" || got.Size != 12 || got.Source == "" {
		t.Errorf("ping is %+v, want it with a capability", got)
	}
	if got := p.State[0]; got.Mode != 0o2775 || got.GID != 8 {
		t.Errorf("var/mail is %+v, want 2775 root:mail", got)
	}
	e.Attributes = layer.Manifest{{Path: "usr/bin/pong", Kind: layer.File, Mode: 0o755}, {Path: "usr/bin", Kind: layer.File, Mode: 0o755}}
	if _, err := Merge([]Layer{e, lay(t, "a", "f 755 usr/bin/ping")}); err == nil ||
		!strings.Contains(err.Error(), `"/usr/bin/pong", which no layer has`) || !strings.Contains(err.Error(), `"/usr/bin" as kind`) {
		t.Errorf("Merge = %v, want both paths named", err)
	}
}

func TestMergeConflicts(t *testing.T) {
	tests := []struct {
		name   string
		layers []Layer
		want   string
	}{
		{"two files", []Layer{lay(t, "a", "f 644 usr/x"), lay(t, "b", "f 600 usr/x")}, `"/usr/x" is in "a" and in "b": neither replaces the other`},
		{"two links", []Layer{lay(t, "a", "l 777 usr/x y"), lay(t, "b", "l 777 usr/x z")}, `"/usr/x" is in "a" and in "b"`},
		{"a file and a directory", []Layer{lay(t, "a", "f 644 usr/x"), lay(t, "b", "d 755 usr/x")}, "one is a directory"},
		{"a file above", []Layer{lay(t, "a", "f 644 usr/x"), lay(t, "b", "f 644 usr/x/y")}, `a file, and "/usr/x/y" lies below it`},
		{"a link that comes to lie where a directory is", []Layer{
			lay(t, "a", "l 777 usr/a b", "d 755 usr/b", "f 644 usr/b/c/1"), lay(t, "b", "l 777 usr/a/c /usr/d")}, ""},
		{"a link out of the view", []Layer{lay(t, "a", "l 777 etc/x /var/x"), lay(t, "b", "f 644 etc/x/y")}, "leaves its tree"},
		{"a link to itself", []Layer{lay(t, "a", "l 777 etc/x x"), lay(t, "b", "f 644 etc/x/y")}, "leaves its tree"},
		{"a file beside the directories", []Layer{lay(t, "a", "f 644 vmlinuz")}, "has no place"},
		{"both usr-merged and not", []Layer{lay(t, "a", "f 644 bin/x", "f 644 usr/bin/x")}, "two paths of the layer"},
		{"both replace the other", []Layer{
			{Path: lay(t, "a").Path, Name: "a", Replaces: []string{"b"}, Manifest: lay(t, "a", "f 644 usr/x").Manifest},
			{Path: lay(t, "b").Path, Name: "b", Replaces: []string{"a"}, Manifest: lay(t, "b", "f 600 usr/x").Manifest},
		}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Merge(test.layers)
			if test.want == "" {
				if err != nil {
					t.Errorf("Merge = %v, want nil", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Merge = %v, want %q", err, test.want)
			}
		})
	}
}

func TestMergeNamesEveryConflictUpToABound(t *testing.T) {
	var a, b []string
	for i := range 30 {
		a = append(a, fmt.Sprintf("f 644 usr/%02d", i))
		b = append(b, fmt.Sprintf("f 600 usr/%02d", i))
	}
	_, err := Merge([]Layer{lay(t, "a", a...), lay(t, "b", b...)})
	var conflict *Conflict
	if !errors.As(err, &conflict) || conflict.Path != "usr/00" || strings.Count(err.Error(), "\n") != mostProblems {
		t.Errorf("Merge = %v, want %d lines and a last one that counts", err, mostProblems)
	}
}

// FuzzMerge holds the invariants of a plan for layers of any shape.
func FuzzMerge(f *testing.F) {
	f.Add("d 755 usr/x\nf 644 usr/x/y", "l 777 usr/x y\nf 644 usr/x/z")
	f.Add("l 777 etc/a b\nl 777 etc/b c\nd 755 etc/c", "f 644 etc/a/1\nf 644 etc/b/2")
	f.Add("l 777 etc/a ../usr", "f 644 etc/a/1\nf 644 var/x")
	parse := func(text string) layer.Manifest {
		var m layer.Manifest
		for line := range strings.Lines(text) {
			var e layer.Entry
			var kind string
			if n, _ := fmt.Sscanf(line, "%1s %o %s %s", &kind, &e.Mode, &e.Path, &e.Target); n >= 3 {
				e.Kind = layer.Kind(kind[0])
				m = append(m, e)
			}
		}
		m.Sort()
		if _, err := m.Bytes(); err != nil {
			return nil
		}
		return m
	}
	path, err := storepath.MakeText("a", nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		p, err := Merge([]Layer{{Path: path, Manifest: parse(a)}, {Path: path, Manifest: parse(b)}})
		if err != nil {
			return
		}
		kinds := map[string]layer.Kind{"": layer.Dir}
		last := ""
		for _, e := range p.Entries {
			if e.Path <= last {
				t.Fatalf("%q after %q", e.Path, last)
			}
			last = e.Path
			if top, _, _ := strings.Cut(e.Path, "/"); top != "usr" && top != "etc" {
				t.Fatalf("%q is in the view", e.Path)
			}
			if kinds[parent(e.Path)] != layer.Dir {
				t.Fatalf("the parent of %q is no directory", e.Path)
			}
			if (e.Kind == layer.File) != (e.Source != "") || e.Kind == layer.Hard {
				t.Fatalf("%q of kind %q has the source %q", e.Path, e.Kind, e.Source)
			}
			kinds[e.Path] = e.Kind
		}
	})
}
