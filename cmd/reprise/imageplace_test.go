package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/internal/config"
	"reprise/internal/lock"
	"reprise/store"
)

func TestRootName(t *testing.T) {
	names := map[string]string{}
	for _, image := range []string{"/a/b.img", "/a-b.img", "/x/a/b.img", "/" + strings.Repeat("ä/", 2000) + strings.Repeat("x", 255), "/a/ü b\n.img"} {
		name := rootName(image)
		if len(name) > 255 || strings.ContainsRune(name, '/') {
			t.Errorf("rootName(%.40q) = %q, no file name", image, name)
		}
		if other, taken := names[name]; taken {
			t.Errorf("%.40q and %.40q share the root %q", image, other, name)
		}
		names[name] = image
	}
}

// TestUpToDate writes two images at two places in turn: each place has its own
// record.
func TestUpToDate(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s, err := store.Open(ctx, filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	image := func(content string) *diskImage {
		system, err := s.AddText(ctx, "system", []byte(content), nil)
		if err != nil {
			t.Fatal(err)
		}
		return &diskImage{session: &session{store: s}, cfg: &config.Config{}, lock: &lock.Lock{}, system: system}
	}
	one, two := image("one"), image("two")
	a, b := filepath.Join(dir, "a.img"), filepath.Join(dir, "b.img")
	write := func(d *diskImage, place string) {
		t.Helper()
		if err := d.root(ctx, place); err != nil {
			t.Fatal(err)
		}
		if d.upToDate(d.seed(), place) {
			t.Errorf("%s is up to date before it is written", place)
		}
		if err := os.WriteFile(place, []byte(d.system), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := d.remember(d.seed(), place); err != nil {
			t.Fatal(err)
		}
	}
	fresh := func(d *diskImage, place string, want bool) {
		t.Helper()
		if err := d.root(ctx, place); err != nil {
			t.Fatal(err)
		}
		if got := d.upToDate(d.seed(), place); got != want {
			t.Errorf("%s at %s is up to date: %v, want %v", d.system, place, got, want)
		}
	}
	write(one, a)
	write(one, b)
	fresh(one, a, true)
	fresh(one, b, true)
	write(two, a)
	fresh(two, a, true)
	fresh(one, a, false)
	fresh(one, b, true)
	if err := os.WriteFile(b, []byte("booted since"), 0o644); err != nil {
		t.Fatal(err)
	}
	fresh(one, b, false)
	if err := os.Remove(a); err != nil {
		t.Fatal(err)
	}
	fresh(two, a, false)
}
