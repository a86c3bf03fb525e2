package nar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	gonix "github.com/nix-community/go-nix/pkg/nar"

	"reprise/store/storepath"
	"reprise/store/tree"
)

// goldenSum is the SHA-256 of testdata/tree.nar, which nix-store --dump wrote.
const goldenSum = "4551a93c8a82f49e3781dacfcf2ffa6626e624edd34565498acbc03fd8862ad4"

func golden(t testing.TB) []byte {
	data, err := os.ReadFile("testdata/tree.nar")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// target returns a place for Restore that is removed at the end of the test.
func target(t testing.TB) string {
	dir := t.TempDir()
	t.Cleanup(func() { tree.Remove(filepath.Join(dir, "dst")) })
	return filepath.Join(dir, "dst")
}

func TestGolden(t *testing.T) {
	dst := target(t)
	defer syscall.Umask(syscall.Umask(0o777))
	if err := Restore(t.Context(), bytes.NewReader(golden(t)), dst, Limits{}); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := DumpPath(t.Context(), &got, dst); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), golden(t)) {
		t.Error("the way there and back changes the archive")
	}
	sum, size, err := HashPath(t.Context(), dst)
	if err != nil || hex.EncodeToString(sum[:]) != goldenSum || size != int64(got.Len()) {
		t.Errorf("HashPath = %x, %d, %v, want %s, %d", sum, size, err, goldenSum, got.Len())
	}
	modes := map[string]fs.FileMode{
		".": fs.ModeDir | 0o555, "A": 0o444, "a": fs.ModeDir | 0o555, "a/eight": 0o444, "a/link": fs.ModeSymlink | 0o777,
		"a/run": 0o555, "a.b": fs.ModeDir | 0o555, "a.b/c": 0o444, "empty": fs.ModeDir | 0o555,
		"name with space": 0o444, "zero": 0o444, "ünï": 0o444,
	}
	for name, want := range modes {
		info, err := os.Lstat(filepath.Join(dst, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want || info.ModTime().UnixNano() != 1e9 {
			t.Errorf("%q has mode %s and time %d, want %s and 1", name, info.Mode(), info.ModTime().Unix(), want)
		}
	}
}

func TestHashFile(t *testing.T) {
	for _, content := range []string{"", "x", "12345678", strings.Repeat("long ", 300_000)} {
		for _, mode := range []fs.FileMode{0o644, 0o755} {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(content), mode); err != nil {
				t.Fatal(err)
			}
			want, wantSize, err := HashPath(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if got, size := HashFile([]byte(content), mode&0o100 != 0); got != want || size != wantSize {
				t.Errorf("HashFile of %d bytes, %s = %x, %d, want %x, %d", len(content), mode, got, size, want, wantSize)
			}
			flat, sum, size, err := HashFlat(t.Context(), path)
			if err != nil || flat != sha256.Sum256([]byte(content)) || sum != want || size != wantSize {
				t.Errorf("HashFlat of %d bytes, %s = %x, %x, %d, %v", len(content), mode, flat, sum, size, err)
			}
		}
	}
}

// archive builds an archive from strings; the string of a file's contents is
// written like any other.
func archive(words ...string) []byte {
	var b []byte
	for _, w := range append([]string{magic}, words...) {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(w)))
		b = append(b, w...)
		b = append(b, make([]byte, -len(w)&7)...)
	}
	return b
}

func file(content string) []string {
	return []string{"(", "type", "regular", "contents", content, ")"}
}

func dir(entries ...[]string) []string {
	return slices.Concat([]string{"(", "type", "directory"}, slices.Concat(entries...), []string{")"})
}

func entry(name string, node []string) []string {
	return slices.Concat([]string{"entry", "(", "name", name, "node"}, node, []string{")"})
}

func link(to string) []string { return []string{"(", "type", "symlink", "target", to, ")"} }

func TestRestoreRefuses(t *testing.T) {
	deep := file("x")
	for range 6 {
		deep = dir(entry("d", deep))
	}
	huge := archive("(", "type", "regular", "contents")
	huge = binary.LittleEndian.AppendUint64(huge, 1<<62)
	badPadding := archive(file("x")...)
	badPadding[bytes.LastIndexByte(badPadding, 'x')+1] = 1
	tests := map[string][]byte{
		"nothing":          nil,
		"no magic":         []byte("something else entirely"),
		"magic alone":      archive(),
		"device":           archive("(", "type", "device", ")"),
		"empty name":       archive(dir(entry("", file("x")))...),
		"dot":              archive(dir(entry(".", file("x")))...),
		"dotdot":           archive(dir(entry("..", file("x")))...),
		"slash":            archive(dir(entry("a/b", file("x")))...),
		"absolute":         archive(dir(entry("/etc", file("x")))...),
		"NUL":              archive(dir(entry("a\x00b", file("x")))...),
		"long name":        archive(dir(entry(strings.Repeat("n", 256), file("x")))...),
		"out of order":     archive(dir(entry("b", file("x")), entry("a", file("x")))...),
		"twice":            archive(dir(entry("a", file("x")), entry("a", file("x")))...),
		"through symlink":  archive(dir(entry("a", link("/tmp")), entry("a", dir()))...),
		"empty target":     archive(link("")...),
		"NUL in target":    archive(link("a\x00")...),
		"long target":      archive(link(strings.Repeat("t", 5000))...),
		"too deep":         archive(deep...),
		"too many":         archive(dir(entry("a", file("")), entry("b", file("")), entry("c", dir()), entry("d", dir()), entry("e", dir()), entry("f", dir()), entry("g", dir()))...),
		"too large":        archive(file(strings.Repeat("x", 2000))...),
		"huge":             huge,
		"bad padding":      badPadding,
		"trailing bytes":   append(archive(file("x")...), 0),
		"old executable":   archive("(", "type", "regular", "executable", "x", "contents", "", ")"),
		"no contents":      archive("(", "type", "regular", ")"),
		"entry not closed": archive("(", "type", "directory", "entry", "(", "name", "a", "node", "(", "type", "directory", ")", "entry"),
	}
	whole := archive(dir(entry("a", file("0123456789")), entry("b", link("a")))...)
	for cut := range len(whole) {
		tests[fmt.Sprint("cut at ", cut)] = whole[:cut]
	}
	for name, data := range tests {
		dst := target(t)
		err := Restore(t.Context(), bytes.NewReader(data), dst, Limits{Bytes: 1000, Entries: 7, Depth: 5})
		if err == nil {
			t.Errorf("%s: Restore takes it", name)
		}
		if left, _ := os.ReadDir(filepath.Dir(dst)); len(left) > 0 {
			t.Errorf("%s: %q is left", name, left)
		}
	}
	if err := Restore(t.Context(), bytes.NewReader(whole), t.TempDir(), Limits{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Restore over a directory: %v, want fs.ErrExist", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Restore(ctx, bytes.NewReader(whole), target(t), Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Restore with a cancelled context: %v", err)
	}
}

func TestDumpRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := DumpPath(t.Context(), io.Discard, dir); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("DumpPath of a named pipe: %v", err)
	}
	if err := DumpPath(t.Context(), io.Discard, filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("DumpPath of nothing: %v", err)
	}
}

// TestScan plants references in all the ways that a careless scanner misses.
func TestScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var planted, absent []storepath.Path
	for i := range 200 {
		p, err := storepath.MakeText(fmt.Sprint(i), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			planted = append(planted, p)
		} else {
			absent = append(absent, p)
		}
	}
	slices.Sort(planted)
	var text []byte
	digits := func(n int) {
		for range n {
			text = append(text, storepath.Alphabet[rng.IntN(32)])
		}
	}
	for i, p := range planted {
		switch i % 5 {
		case 0: // as it usually stands
			text = append(append(text, p...), "/bin/sh\x00"...)
		case 1: // digits before it, with nothing between
			digits(rng.IntN(100))
			text = append(text, p.Hash()...)
			text = append(text, '-')
		case 2: // digits after it
			text = append(text, '\n')
			text = append(text, p.Hash()...)
			digits(rng.IntN(100))
		case 3: // among digits
			digits(rng.IntN(100))
			text = append(text, p.Hash()...)
			digits(rng.IntN(100))
		case 4: // one right after the other
			text = append(append(text, p.Hash()...), p.Hash()...)
		}
	}
	for _, p := range absent { // all but one digit, and cut in two
		text = append(text, ' ')
		text = append(text, p.Hash()[1:]...)
		text = append(text, ' ')
		text = append(text, p.Hash()[:16]+"-"+p.Hash()[16:]...)
	}
	for _, cut := range []int{1, 7, 31, 32, 33, 1000, len(text)} {
		s := NewScanner(append(slices.Clone(planted), absent...))
		for chunk := range slices.Chunk(text, cut) {
			if n, err := s.Write(chunk); n != len(chunk) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got := s.Found(); !slices.Equal(got, planted) {
			t.Errorf("writes of %d bytes: found %d of %d", cut, len(got), len(planted))
		}
	}
}

func TestHashAndScan(t *testing.T) {
	dir := t.TempDir()
	ps := make([]storepath.Path, 4)
	for i := range ps {
		p, err := storepath.MakeText(fmt.Sprint(i), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ps[i] = p
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "text"), []byte("uses "+ps[0]), 0o644),
		os.Symlink(string(ps[1])+"/bin/x", filepath.Join(dir, "link")),
		os.WriteFile(filepath.Join(dir, "name-"+ps[2].Base()), nil, 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(ps[:3]))
	sum, size, refs, err := HashAndScan(t.Context(), dir, ps)
	if err != nil || !slices.Equal(refs, want) {
		t.Errorf("HashAndScan finds %q, %v, want %q", refs, err, want)
	}
	if plain, plainSize, err := HashPath(t.Context(), dir); plain != sum || plainSize != size || err != nil {
		t.Errorf("HashPath = %x, %d, %v, HashAndScan = %x, %d", plain, plainSize, err, sum, size)
	}
}

// FuzzScan compares with a scanner that looks at every window.
func FuzzScan(f *testing.F) {
	p, err := storepath.MakeText("x", nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("abc"+p.Hash()+"-x"), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		var candidates []storepath.Path
		for i := 0; i+32 <= len(data) && len(candidates) < 50; i += 7 {
			if p, err := storepath.ParseBase(string(data[i:i+32]) + "-x"); err == nil {
				candidates = append(candidates, p)
			}
		}
		candidates = append(candidates, p)
		var want []storepath.Path
		for _, c := range candidates {
			if bytes.Contains(data, []byte(c.Hash())) {
				want = append(want, c)
			}
		}
		slices.Sort(want)
		s := NewScanner(candidates)
		for chunk := range slices.Chunk(data, int(cut)+1) {
			s.Write(chunk)
		}
		if got := s.Found(); !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

func FuzzRestore(f *testing.F) {
	f.Add(golden(f))
	f.Add(archive(dir(entry("a", file("x")), entry("b", link("a")))...))
	f.Add(archive(dir(entry("..", file("x")))...))
	f.Add(archive("(", "type", "regular", "executable", "", "contents", "x", ")"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dst := target(t)
		err := Restore(t.Context(), bytes.NewReader(data), dst, Limits{Bytes: 1 << 20, Entries: 100, Depth: 20})
		left, _ := os.ReadDir(filepath.Dir(dst))
		if err != nil {
			if len(left) > 0 {
				t.Errorf("after %v, %q is left", err, left)
			}
			return
		}
		if len(left) != 1 {
			t.Errorf("Restore wrote %q", left)
		}
		var got bytes.Buffer
		if err := DumpPath(t.Context(), &got, dst); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), data) {
			t.Errorf("DumpPath gives %x, want %x", got.Bytes(), data)
		}
		r, err := gonix.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("go-nix: %v", err)
		}
		for err == nil {
			_, err = r.Next()
		}
		if err != io.EOF {
			t.Errorf("go-nix: %v", err)
		}
	})
}
