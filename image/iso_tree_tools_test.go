//go:build tools

package image_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/image"
	"reprise/image/iso9660"
	"reprise/image/iso9660/isotest"
)

// extract runs xorriso over an image with a directory that it may write to at
// /out.
func extract(tb testing.TB, file, dir string, argv ...string) {
	tb.Helper()
	var said bytes.Buffer
	err := toolRoot(tb).Run(tb.Context(), image.Command{
		Argv:   append([]string{"/usr/bin/xorriso", "-pkt_output", "on", "-osirrox", "on", "-indev", "/image"}, argv...),
		Stdout: &said, Env: []string{"PATH=/usr/bin", "LC_ALL=C.UTF-8"},
		Binds: []image.Bind{{Source: file, Target: "/image"}, {Source: dir, Target: "/out", Writable: true}},
	})
	if err != nil {
		tb.Fatalf("%v\n%s", err, said.String())
	}
	complaints(tb, said.String())
}

// TestXorrisoReadsTheTree extracts a tree and compares.
func TestXorrisoReadsTheTree(t *testing.T) {
	files := isotest.Tangle()
	out := filepath.Join(t.TempDir(), "tangle.iso")
	if err := isotest.WriteSparse(t.Context(), iso9660.Image{Label: "TANGLE", Time: isotest.Time, Files: files}, out); err != nil {
		t.Fatal(err)
	}
	xorriso(t, out, "-check_media", "--")
	dir := t.TempDir()
	extract(t, out, dir, "-extract", "/", "/out/tree")
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(p string, d fs.DirEntry, _ error) error { return os.Chmod(p, 0o700) })
	})
	for _, difference := range isotest.Compare(t.Context(), filepath.Join(dir, "tree"), files) {
		t.Error(difference)
	}
}

// TestXorrisoFindsFilesBeyond4GiB lets xorriso find the extents of a large
// file and what lies behind it. That the content is right is for Linux to say
// (package vm): xorriso would read it from its begin.
func TestXorrisoFindsFilesBeyond4GiB(t *testing.T) {
	large := isotest.Large("large")
	dir := t.TempDir()
	out := filepath.Join(dir, "large.iso")
	im := iso9660.Image{Label: "LARGE", Files: []iso9660.File{large, iso9660.Text("next", "behind it")}}
	if err := isotest.WriteSparse(t.Context(), im, out); err != nil {
		t.Fatal(err)
	}
	l, err := iso9660.Plan(im)
	if err != nil {
		t.Fatal(err)
	}
	const first = 1<<32 - iso9660.Sector // bytes of the first extent
	offset, _, _ := l.Extent("large")
	begin := offset / iso9660.Sector
	said := strings.Join(strings.Fields(xorriso(t, out, "-lsl", "/", "--", "-find", "/large", "-exec", "report_sections")), " ")
	for _, want := range []string{
		fmt.Sprint(large.Size),
		fmt.Sprintf("File data lba: 0 , %d , %d , %d , '/large'", begin, int64(first/iso9660.Sector), int64(first)),
		fmt.Sprintf("File data lba: 1 , %d , %d , %d , '/large'", begin+first/iso9660.Sector, (large.Size-first+iso9660.Sector-1)/iso9660.Sector, large.Size-first),
	} {
		if !strings.Contains(said, want) {
			t.Errorf("xorriso does not say %q: %s", want, said)
		}
	}
	extract(t, out, dir, "-extract", "/next", "/out/next")
	if got, err := os.ReadFile(filepath.Join(dir, "next")); err != nil || string(got) != "behind it" {
		t.Errorf("the next file is %q, %v", got, err)
	}
}
