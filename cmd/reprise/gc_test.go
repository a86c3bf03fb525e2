package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/internal/progress"
	"reprise/store"
	"reprise/store/storepath"
)

// TestCollectImages has images that are there, changed, gone, and being
// written.
func TestCollectImages(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s, err := store.Open(ctx, filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	images := s.StateDir("images")
	check(os.MkdirAll(images, 0o755))
	targets := map[string]storepath.Path{}
	at := time.Now().Add(-time.Hour)
	// built does what a build leaves: a record under the image's seed, the
	// place, the roots.
	built := func(name, seed string) string {
		t.Helper()
		place := filepath.Join(dir, name)
		check(os.WriteFile(place, []byte(seed), 0o644))
		r, err := look(place)
		check(err)
		data, err := json.Marshal(r)
		check(err)
		file := filepath.Join(images, seed+".json")
		check(os.WriteFile(file, data, 0o644))
		at = at.Add(time.Minute)
		check(os.Chtimes(file, at, at))
		check(os.WriteFile(placeFile(s, place), []byte(place+"\n"), 0o644))
		p, err := s.AddText(ctx, strings.TrimSuffix(name, ".img"), []byte(seed), nil)
		check(err)
		for _, root := range imageRoots(place) {
			check(s.SetRoot(root, p))
		}
		targets[name] = p
		return place
	}
	built("here.img", "old")
	built("here.img", "new")
	changed := built("changed.img", "changed")
	gone := built("gone.img", "gone")
	writing := built("writing.img", "writing")
	shared := built("shared.img", "shared")
	built("sharing.img", "shared") // has taken the record of the other
	check(os.WriteFile(changed, []byte("booted since"), 0o644))
	for _, place := range []string{gone, writing, shared} {
		check(os.Remove(place))
	}
	release, err := own(writing)
	check(err)
	defer release()
	check(os.MkdirAll(filepath.Join(s.StateDir("failed"), "x-1", "build"), 0o755))
	check(os.WriteFile(filepath.Join(s.StateDir("failed"), "x-1", "build", "log"), make([]byte, 1000), 0o444))
	check(s.Close())

	gc := func(args ...string) (c collected) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		args = append([]string{"--store", filepath.Join(dir, "store"), "--json", "store", "gc"}, args...)
		if code := run(ctx, args, strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("%q: exit %d, %s", args, code, &stderr)
		}
		lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
		check(json.Unmarshal([]byte(lines[len(lines)-1]), &c))
		return c
	}
	removed := gc()
	if want := []string{gone, shared}; !slices.Equal(removed.Images, want) {
		t.Errorf("images that are gone: %q, want %q", removed.Images, want)
	}
	if !slices.Equal(removed.Failed, []string{"x-1"}) || removed.Bytes < 1000 {
		t.Errorf("failed builds %q, %d bytes", removed.Failed, removed.Bytes)
	}
	s, err = store.Open(ctx, filepath.Join(dir, "store"))
	check(err)
	defer s.Close()
	for name, kept := range map[string]bool{"here.img": true, "changed.img": true, "gone.img": false, "writing.img": true, "shared.img": false, "sharing.img": true} {
		valid, err := s.Valid(ctx, targets[name])
		if err != nil || valid[targets[name]] != kept {
			t.Errorf("%s is in the store: %v, %v, want %v", name, valid[targets[name]], err, kept)
		}
	}
	for seed, kept := range map[string]bool{"old": false, "new": true, "changed": true, "gone": false, "writing": true, "shared": true} {
		if _, err := os.Stat(filepath.Join(images, seed+".json")); (err == nil) != kept {
			t.Errorf("record %s: %v, want it there: %v", seed, err, kept)
		}
	}
	if again := gc(); len(again.Paths)+len(again.Images)+len(again.Failed) > 0 || again.Bytes != 0 {
		t.Errorf("a second time: %+v", again)
	}
}

// TestCollectDryRun wants the same figures from a dry run as from the other.
func TestCollectDryRun(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	s, err := store.Open(ctx, filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(dir, "gone.img")
	p, err := s.AddText(ctx, "system", []byte("system"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range imageRoots(place) {
		if err := s.SetRoot(root, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(s.StateDir("images"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(placeFile(s, place), []byte(place+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(ctx, filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := &app{sink: progress.Discard}
	var figures []string
	for _, dryRun := range []bool{true, true, false} {
		c, err := a.collect(ctx, s, dryRun)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		figures = append(figures, string(data))
		if len(c.Paths) != 1 || len(c.Images) != 1 || c.others() != ", 1 record of an image that is gone" {
			t.Errorf("dry run %v: %s", dryRun, data)
		}
	}
	if len(slices.Compact(figures)) != 1 {
		t.Errorf("figures differ: %q", figures)
	}
}
