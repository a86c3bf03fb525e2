// Package isotest has trees that ask all of a reader of ISO 9660, and compares
// what the reader shows of them with what was written: xorriso is one such
// reader, Linux another.
package isotest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"reprise/image/iso9660"
)

// Time is that of every file.
var Time = time.Date(2026, 11, 22, 12, 30, 15, 0, time.UTC)

// Tangle is a tree of deep directories, long names, names that are the same to
// ISO 9660, symlinks of every form and directories of many sectors.
func Tangle() []iso9660.File {
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

const largeEnd = "this is the end"

// Large is a file of more than 4 GiB, zeros but for its end.
func Large(path string) iso9660.File {
	const size = 4<<30 + 7
	return iso9660.File{Path: path, Mode: 0o444, Size: size, Write: func(_ context.Context, w io.Writer) error {
		for left := int64(size - len(largeEnd)); left > 0; left -= int64(len(zeros)) {
			if _, err := w.Write(zeros[:min(left, int64(len(zeros)))]); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, largeEnd)
		return err
	}}
}

var zeros = make([]byte, 1<<20)

// WriteSparse writes an image to a file and leaves holes for its zeros.
func WriteSparse(ctx context.Context, im iso9660.Image, path string) error {
	l, err := iso9660.Plan(im)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return l.WriteTo(ctx, holes{f}) // which ends with its GPT, so the size is right
}

type holes struct{ f *os.File }

func (h holes) Write(p []byte) (int, error) {
	if len(p) > len(zeros) || !bytes.Equal(p, zeros[:len(p)]) {
		return h.f.Write(p)
	}
	_, err := h.f.Seek(int64(len(p)), io.SeekCurrent)
	return len(p), err
}

// Compare tells how the tree at dir differs from files, a line for each
// difference. Of a large file it compares the size and the end.
func Compare(ctx context.Context, dir string, files []iso9660.File) (differences []string) {
	say := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	want := map[string]iso9660.File{}
	for _, f := range files {
		want[f.Path] = f
		for above := filepath.Dir(f.Path); above != "."; above = filepath.Dir(above) {
			if _, given := want[above]; !given {
				want[above] = iso9660.File{Path: above, Mode: fs.ModeDir | 0o755}
			}
		}
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		f, given := want[name]
		if !given {
			say("%q is there and was not written", name)
			return nil
		}
		seen++
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Type() != f.Mode.Type() || d.Type() != fs.ModeSymlink && (info.Mode() != f.Mode || !info.ModTime().Equal(Time)) {
			say("%q is %s of %s, want %s of %s", name, info.Mode(), info.ModTime().UTC(), f.Mode, Time)
			return nil
		}
		switch {
		case d.Type() == fs.ModeSymlink:
			if target, err := os.Readlink(path); err != nil || target != f.Target {
				say("%q leads to %q, %v: want %q", name, target, err, f.Target)
			}
		case d.IsDir():
		case info.Size() != f.Size:
			say("%q has %d bytes, want %d", name, info.Size(), f.Size)
		case f.Size > 1<<30:
			if end, err := readEnd(path, f.Size); err != nil || string(end) != "\x00"+largeEnd {
				say("%q ends with %q, %v", name, end, err)
			}
		default:
			var content bytes.Buffer
			if f.Write != nil {
				f.Write(ctx, &content)
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content.Bytes()) {
				say("%q holds %q, %v: want %q", name, got, err, content.Bytes())
			}
		}
		return nil
	})
	if err != nil {
		say("%v", err)
	}
	if seen != len(want) {
		say("%d names, want %d", seen, len(want))
	}
	return differences
}

// readEnd reads the last bytes of a Large file, and one of those before.
func readEnd(path string, size int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, len(largeEnd)+1)
	_, err = f.ReadAt(b, size-int64(len(b)))
	return b, err
}
