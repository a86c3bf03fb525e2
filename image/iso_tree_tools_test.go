//go:build tools

package image_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/image"
	"reprise/image/iso9660"
)

// tangle is a tree that asks all of Rock Ridge.
func tangle() []iso9660.File {
	files := []iso9660.File{
		iso9660.Text(strings.Repeat("deep/", 60)+"bottom", "deep down"),
		{Path: "empty", Mode: 0o640}, {Path: "hollow", Mode: fs.ModeDir | 0o700},
		iso9660.Text("Case.txt", "1"), iso9660.Text("case.txt", "2"), iso9660.Text("CASE.TXT", "3"),
		iso9660.Text("a", "a"), iso9660.Text("a.b", "b"), iso9660.Text("a.b1", "c"), iso9660.Text("a.b.c", "d"), iso9660.Text("a_b", "e"),
		iso9660.Text("späte Übung – ünïcode.txt", "u"), iso9660.Text(" blanks ", "b"), iso9660.Text("semi;1", "s"), iso9660.Text(".hidden", "h"), iso9660.Text("...", "dots"),
	}
	for i := range 40 {
		for _, n := range []int{100, 120, 150, 180, 200, 220, 240, 248, 249, 250, 251, 252, 253} {
			name := fmt.Sprintf("%02d-%s", i, strings.Repeat("n", n-3))
			files = append(files, iso9660.Text("long/"+name, name))
		}
	}
	for i, target := range []string{
		"a", "/", ".", "..", "../..", "/usr/bin/env", "./a/../b/.", "a/", strings.Repeat("x", 255), strings.Repeat("x/", 120) + "y", strings.Repeat("z", 700),
		"/" + strings.Repeat(strings.Repeat("t", 240)+"/", 4) + "end", strings.Repeat("../", 300) + "up", strings.Repeat("s", 1023),
	} {
		files = append(files, iso9660.File{Path: fmt.Sprintf("links/%02d", i), Mode: fs.ModeSymlink | 0o777, Target: target},
			iso9660.File{Path: fmt.Sprintf("links/%02d-%s", i, strings.Repeat("l", 200)), Mode: fs.ModeSymlink | 0o777, Target: target})
	}
	for i := range 3000 {
		files = append(files, iso9660.Text(fmt.Sprintf("many/d%02d/file-%d", i%37, i), fmt.Sprint(i)))
	}
	return files
}

// TestXorrisoReadsTheTree extracts a tree and compares.
func TestXorrisoReadsTheTree(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 30, 15, 0, time.UTC)
	files := tangle()
	l, err := iso9660.Plan(iso9660.Image{Label: "TANGLE", Time: at, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "tangle.iso")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := l.WriteTo(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	xorriso(t, out, "-check_media", "--")
	dir := t.TempDir()
	var said bytes.Buffer
	err = toolRoot(t).Run(t.Context(), image.Command{
		Argv: []string{"/usr/bin/xorriso", "-pkt_output", "on", "-osirrox", "on", "-indev", "/image", "-extract", "/", "/out/tree"}, Stdout: &said,
		Env: []string{"PATH=/usr/bin", "LC_ALL=C.UTF-8"}, Binds: []image.Bind{{Source: out, Target: "/image"}, {Source: dir, Target: "/out", Writable: true}},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	complaints(t, said.String())
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(p string, d fs.DirEntry, _ error) error { return os.Chmod(p, 0o700) })
	})

	want := map[string]string{}
	for _, f := range files {
		var content bytes.Buffer
		if f.Write != nil {
			f.Write(t.Context(), &content)
		}
		if f.Mode.Type() == fs.ModeSymlink {
			f.Mode = fs.ModeSymlink | 0o777
		}
		want[f.Path] = fmt.Sprintf("%s %q %q", f.Mode, f.Target, content.String())
	}
	got := map[string]string{}
	tree := filepath.Join(dir, "tree")
	err = filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(tree, path)
		if _, given := want[name]; d.IsDir() && !given {
			if info.Mode().Perm() != 0o755 {
				t.Errorf("directory %q is %s", name, info.Mode())
			}
			return nil
		}
		if !info.ModTime().Equal(at) && d.Type() != fs.ModeSymlink {
			t.Errorf("%q is of %s, want %s", name, info.ModTime().UTC(), at)
		}
		target, content := "", []byte(nil)
		switch d.Type() {
		case fs.ModeSymlink:
			target, err = os.Readlink(path)
		case 0:
			content, err = os.ReadFile(path)
		}
		got[name] = fmt.Sprintf("%s %q %q", info.Mode(), target, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tree (-want +got):\n%s", diff)
	}
}

// TestXorrisoReadsFilesBeyond4GiB writes a sparse image and lets xorriso find
// the end of the large file and what lies behind it.
func TestXorrisoReadsFilesBeyond4GiB(t *testing.T) {
	const size = 4<<30 + 7
	const end = "this is the end"
	l, err := iso9660.Plan(iso9660.Image{Label: "LARGE", Files: []iso9660.File{
		{Path: "large", Mode: 0o444, Size: size, Write: func(_ context.Context, w io.Writer) error {
			chunk := make([]byte, 1<<20)
			for left := int64(size - len(end)); left > 0; left -= int64(len(chunk)) {
				if _, err := w.Write(chunk[:min(left, int64(len(chunk)))]); err != nil {
					return err
				}
			}
			_, err := io.WriteString(w, end)
			return err
		}},
		iso9660.Text("next", "behind it"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "large.iso")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := time.Now()
	if err := l.WriteTo(t.Context(), sparse{f}); err != nil {
		t.Fatal(err)
	}
	t.Logf("written in %s", time.Since(begin).Round(time.Millisecond))
	said := xorriso(t, out, "-lsl", "/") // without -check_media, which reads 4 GiB of zeros
	if !strings.Contains(said, fmt.Sprint(int64(size))) {
		t.Errorf("xorriso does not say %d: %s", int64(size), said)
	}
	var log bytes.Buffer
	err = toolRoot(t).Run(t.Context(), image.Command{
		Argv: []string{"/usr/bin/xorriso", "-pkt_output", "on", "-osirrox", "on", "-indev", "/image",
			"-extract_cut", "/large", fmt.Sprint(int64(size) - 100), "100", "/out/tail", "-extract", "/next", "/out/next"},
		Stdout: &log, Env: []string{"PATH=/usr/bin", "LC_ALL=C"}, Binds: []image.Bind{{Source: out, Target: "/image"}, {Source: dir, Target: "/out", Writable: true}},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	if tail, err := os.ReadFile(filepath.Join(dir, "tail")); err != nil || !bytes.Equal(tail, append(make([]byte, 100-len(end)), end...)) {
		t.Errorf("the end is %q, %v", tail, err)
	}
	if next, err := os.ReadFile(filepath.Join(dir, "next")); err != nil || string(next) != "behind it" {
		t.Errorf("the next file is %q, %v", next, err)
	}
}

// sparse leaves out what is zero; an image ends with its GPT, which is not.
type sparse struct{ f *os.File }

var nothing = make([]byte, 1<<20)

func (s sparse) Write(p []byte) (int, error) {
	if len(p) > len(nothing) || !bytes.Equal(p, nothing[:len(p)]) {
		return s.f.Write(p)
	}
	_, err := s.f.Seek(int64(len(p)), io.SeekCurrent)
	return len(p), err
}
