package compose

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"reprise/store/storepath"
)

func TestView(t *testing.T) {
	l := lay(t, "sample",
		"d 755 usr", "d 755 usr/bin", "d 755 usr/lib", "f 755 usr/bin/dash", "l 777 usr/bin/sh dash",
		"d 755 etc", "l 777 etc/link /usr/bin/sh", "l 777 etc/out /var/lib/state", "l 777 etc/off /dev/null", "f 644 etc/empty")
	for i := range l.Manifest {
		if e := &l.Manifest[i]; e.Path == "etc/empty" {
			e.Size = 0
		}
	}
	p, err := Merge([]Layer{l})
	if err != nil {
		t.Fatal(err)
	}
	image, err := p.EROFS()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	placeStore(t, dir, l)
	store := os.DirFS(filepath.Join(dir, storepath.Dir))
	v, err := OpenView(bytes.NewReader(image), store)
	if err != nil {
		t.Fatal(err)
	}
	want, err := fs.ReadFile(store, l.Path.Base()+"/usr/bin/dash")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"usr/bin/dash", "usr/bin/sh", "etc/link"} {
		if got, err := fs.ReadFile(v, name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("ReadFile(%q) = %d bytes, %v; want %d bytes", name, len(got), err, len(want))
		}
		if got, err := v.Source(name); got != "/"+l.Path.Base()+"/usr/bin/dash" {
			t.Errorf("Source(%q) = %q, %v", name, got, err)
		}
	}
	if got, err := fs.ReadFile(v, "etc/empty"); err != nil || len(got) != 0 {
		t.Errorf("ReadFile of an empty file = %q, %v", got, err)
	}
	if got, err := v.Source("etc/empty"); got != "" || err != nil {
		t.Errorf("Source of an empty file = %q, %v", got, err)
	}
	for _, name := range []string{"etc/out", "etc/off", "etc/gone", "usr/bin/dash/below"} {
		if _, err := v.Open(name); err == nil {
			t.Errorf("Open(%q): no error", name)
		}
	}
	for _, name := range []string{"etc/out", "etc/off", "etc/gone"} {
		if _, err := v.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(%q): %v, want that it does not exist", name, err)
		}
	}
	if got, err := v.ReadLink("etc/off"); got != "/dev/null" || err != nil {
		t.Errorf("ReadLink = %q, %v", got, err)
	}
	for _, name := range []string{"../etc", "/etc", ""} {
		if _, err := v.Stat(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Stat(%q): %v, want invalid", name, err)
		}
	}
	if entries, err := v.ReadDir("etc"); err != nil || len(entries) != 4 || entries[0].Name() != "empty" {
		t.Errorf("ReadDir(etc) = %v, %v", entries, err)
	}
	if _, err := OpenView(bytes.NewReader(nil), fstest.MapFS{}); err == nil {
		t.Error("no image: no error")
	}
}
