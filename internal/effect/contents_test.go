package effect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/config"
	"reprise/internal/layer"
	"reprise/store/storepath"
)

// pkg makes a package out of relation fields ("Depends: b | c") and paths; a
// path that ends in "/" is a directory, "a -> b" a link.
func pkg(t testing.TB, name, fields string, paths ...string) Content {
	t.Helper()
	path, err := storepath.MakeText(name, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := Content{Name: name, Version: "1", Path: path, Control: map[string][]byte{}}
	if fields != "" {
		fields += "\n"
	}
	c.Control["control"] = []byte("Package: " + name + "\nVersion: 1\nArchitecture: amd64\n" + fields)
	for _, p := range paths {
		e := layer.Entry{Path: strings.TrimSuffix(p, "/"), Kind: layer.File, Mode: 0o644}
		if e.Path != p {
			e.Kind, e.Mode = layer.Dir, 0o755
		} else if from, to, ok := strings.Cut(p, " -> "); ok {
			e.Path, e.Target, e.Kind, e.Mode = from, to, layer.Symlink, 0o777
		}
		c.Manifest = append(c.Manifest, e)
	}
	c.Manifest.Sort()
	return c
}

func TestClosure(t *testing.T) {
	c := NewContents([]Content{
		pkg(t, "app", "Pre-Depends: libc (>= 2)\nDepends: missing | mail-agent, tool:any"),
		pkg(t, "postfix", "Provides: mail-agent (= 3)\nDepends: app"), // a cycle
		pkg(t, "tool", "Recommends: extra"),
		pkg(t, "libc", "Depends: not-in-this-part"),
		pkg(t, "extra", ""),
	})
	got, err := c.Closure("app")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app", "libc", "postfix", "tool"}, got); diff != "" {
		t.Errorf("Closure (-want +got):\n%s", diff)
	}
	if _, err := c.Closure("nothing"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("Closure of a package that is not there = %v", err)
	}
}

func TestContentsLookups(t *testing.T) {
	a := pkg(t, "a", "", "usr/", "usr/share/", "usr/share/x/", "usr/share/x/1", "usr/share/xy", "usr/share/x-2")
	b := pkg(t, "b", "", "usr/share/x/", "usr/share/y/2 -> 1")
	c := NewContents([]Content{b, a})
	if got := len(a.Below("usr/share/x")); got != 1 {
		t.Errorf("Below has %d entries, want 1", got)
	}
	if a.Entry("usr/share/xy") == nil || a.Entry("usr/share/x/") != nil || c.Owner("usr/share/y/2").Name != "b" || c.Owner("usr") == nil || c.Owner("etc") != nil {
		t.Error("Entry or Owner is wrong")
	}
	if diff := cmp.Diff([]string{"a"}, c.Below("usr/share/x")); diff != "" {
		t.Errorf("directories alone count (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b"}, c.Matching(func(p string) bool { return strings.HasSuffix(p, "2") && strings.Contains(p, "/y/") })); diff != "" {
		t.Errorf("Matching (-want +got):\n%s", diff)
	}
}

// The module index must be planned from the kernel and kmod alone: the job is
// the same when the rest of the machine is known too.
func TestModuleIndexNeedsOnlyTheKernel(t *testing.T) {
	part := []Content{
		pkg(t, "linux-image-1", "Depends: kmod", "usr/lib/modules/1-rt/kernel/a.ko.xz"),
		pkg(t, "kmod", "Depends: libc6"), pkg(t, "libc6", ""),
	}
	more := append([]Content{pkg(t, "bash", "Depends: libc6", "usr/bin/bash"), pkg(t, "zebra", "Provides: libc6")}, part...)
	e := KernelModulesIndex()
	first, err := e.Plan(&config.Config{}, NewContents(part))
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Plan(&config.Config{}, NewContents(more))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" || len(first.Reads) != 1 || len(first.Tools) != 2 {
		t.Errorf("job %+v (-part +whole):\n%s", first, diff)
	}
}

func TestEffectsOfNothing(t *testing.T) {
	names := map[string]bool{}
	for _, e := range All() {
		if names[e.Name] {
			t.Errorf("two effects are called %q", e.Name)
		}
		names[e.Name] = true
		if e.Build == nil || storepath.CheckName(e.Name) != nil {
			t.Errorf("effect %q has no Build or no name for the store", e.Name)
		}
		if job, err := e.Plan(&config.Config{}, NewContents(nil)); err != nil || job != nil {
			t.Errorf("effect %q of an empty machine = %v, %v, want none", e.Name, job, err)
		}
	}
}
