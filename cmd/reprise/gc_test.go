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

	"reprise/image/squashfs"
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
	// built does what a build leaves: a record, the roots.
	built := func(name string) string {
		t.Helper()
		place := filepath.Join(dir, name)
		check(os.WriteFile(place, []byte(name), 0o644))
		now, err := look(place)
		check(err)
		check(record{place, "seed", now}.write(s))
		p, err := s.AddText(ctx, strings.TrimSuffix(name, ".img"), []byte(name), nil)
		check(err)
		for _, root := range imageRoots(place) {
			check(s.SetRoot(root, p))
		}
		targets[name] = p
		return place
	}
	here, changed, gone, writing := built("here.img"), built("changed.img"), built("gone.img"), built("writing.img")
	failed := built("failed.img") // a first build that did not come to its end
	check(record{Out: failed}.write(s))
	old := filepath.Join(images, "0123.json") // as nothing reads it
	check(os.WriteFile(old, []byte(`{"out":"`+here+`"}`), 0o644))
	check(os.WriteFile(changed, []byte("booted since"), 0o644))
	for _, place := range []string{gone, writing, failed} {
		check(os.Remove(place))
	}
	release, err := own(writing)
	check(err)
	defer release()
	check(os.MkdirAll(filepath.Join(s.StateDir("failed"), "x-1", "build"), 0o755))
	check(os.WriteFile(filepath.Join(s.StateDir("failed"), "x-1", "build", "log"), make([]byte, 1000), 0o444))
	check(s.Close())

	type told struct {
		Event  string
		Paths  []string
		Images []string
		Failed []string
		Bytes  int64
	}
	gc := func(args ...string) (c told) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		args = append([]string{"--store", filepath.Join(dir, "store"), "--json", "store", "gc"}, args...)
		if code := run(ctx, args, strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("%q: exit %d, %s", args, code, &stderr)
		}
		lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
		check(json.Unmarshal([]byte(lines[len(lines)-1]), &c))
		if c.Event != "result" {
			t.Errorf("%q is no result", lines[len(lines)-1])
		}
		return c
	}
	removed := gc()
	if want := []string{failed, gone}; !slices.Equal(removed.Images, want) {
		t.Errorf("images that are gone: %q, want %q", removed.Images, want)
	}
	if !slices.Equal(removed.Failed, []string{"x-1"}) || removed.Bytes < 1000 {
		t.Errorf("failed builds %q, %d bytes", removed.Failed, removed.Bytes)
	}
	s, err = store.Open(ctx, filepath.Join(dir, "store"))
	check(err)
	defer s.Close()
	for name, kept := range map[string]bool{"here.img": true, "changed.img": true, "gone.img": false, "writing.img": true, "failed.img": false} {
		valid, err := s.Valid(ctx, targets[name])
		if err != nil || valid[targets[name]] != kept {
			t.Errorf("%s is in the store: %v, %v, want %v", name, valid[targets[name]], err, kept)
		}
	}
	for file, kept := range map[string]bool{
		recordFile(s, here): true, old: false, recordFile(s, changed): true, recordFile(s, gone): false,
		recordFile(s, writing): true, recordFile(s, failed): false,
	} {
		if _, err := os.Stat(file); (err == nil) != kept {
			t.Errorf("record %s: %v, want it there: %v", file, err, kept)
		}
	}
	if again := gc(); len(again.Paths)+len(again.Images)+len(again.Failed) > 0 || again.Bytes != 0 {
		t.Errorf("a second time: %+v", again)
	}
}

// TestCollectDryRun wants the same figures from a dry run as from the other,
// and what is remembered of a path that stays to stay too.
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
	if err := (record{Out: place}).write(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(ctx, filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept, err := s.AddText(ctx, "kept", []byte("kept"), nil)
	if err != nil {
		t.Fatal(err)
	}
	// Media were made of one path that goes and of one that stays.
	blocks := squashfs.Options{Cache: s.StateDir("squashfs")}
	for _, p := range []storepath.Path{p, kept} {
		if _, err := squashfs.Pack(ctx, []squashfs.Path{{Name: p.Base(), Dir: s.Real(p)}}, blocks); err != nil {
			t.Fatal(err)
		}
	}
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
		want := ", 1 record of an image that is gone, 1 path compressed for media"
		if len(c.Paths) != 1 || len(c.Images) != 1 || c.others() != want || c.Media.Bytes == 0 || c.Bytes < c.Media.Bytes {
			t.Errorf("dry run %v: %s", dryRun, data)
		}
		if left, err := os.ReadDir(blocks.Cache); err != nil || dryRun && len(left) != 2 || !dryRun && len(left) != 1 {
			t.Errorf("dry run %v leaves %v of media, %v", dryRun, left, err)
		}
	}
	if len(slices.Compact(figures)) != 1 {
		t.Errorf("figures differ: %q", figures)
	}
}
