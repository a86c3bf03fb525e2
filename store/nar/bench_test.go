package nar

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"reprise/store/storepath"
)

// manyFiles makes a tree of about 64 MB: many small files and a few large.
func manyFiles(tb testing.TB) string {
	dir := tb.TempDir()
	text := bytes.Repeat([]byte("some text with words, 0123456789abcdf\n"), 30_000)
	for d := range 40 {
		below := filepath.Join(dir, fmt.Sprint("d", d))
		if err := os.Mkdir(below, 0o755); err != nil {
			tb.Fatal(err)
		}
		for f := range 50 {
			size := (f * 1237) % 20_000
			if f == 0 {
				size = len(text)
			}
			if err := os.WriteFile(filepath.Join(below, fmt.Sprint("f", f)), text[:size], 0o644); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return dir
}

func BenchmarkHashPath(b *testing.B) {
	dir := manyFiles(b)
	for b.Loop() {
		_, size, err := HashPath(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
	}
}

func BenchmarkHashAndScan(b *testing.B) {
	dir := manyFiles(b)
	var candidates []storepath.Path
	for i := range 5000 {
		p, err := storepath.MakeFixed("x", true, sha256.Sum256([]byte(fmt.Sprint(i))))
		if err != nil {
			b.Fatal(err)
		}
		candidates = append(candidates, p)
	}
	for b.Loop() {
		_, size, _, err := HashAndScan(b.Context(), dir, candidates)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
	}
}

func BenchmarkRestore(b *testing.B) {
	var archive bytes.Buffer
	if err := DumpPath(b.Context(), &archive, manyFiles(b)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(archive.Len()))
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		if err := Restore(b.Context(), bytes.NewReader(archive.Bytes()), filepath.Join(dir, fmt.Sprint(i)), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
