package compose

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/erofs/go-erofs"
	"github.com/google/go-cmp/cmp"

	"reprise/internal/layer"
	"reprise/store/storepath"
)

// sampleLayer has an entry of every sort that an image can hold.
func sampleLayer(t testing.TB) Layer {
	l := lay(t, "sample",
		"d 755 usr", "d 755 usr/bin", "d 1777 usr/sticky", "d 2775 usr/shared",
		"f 4755 usr/bin/su", "f 755 usr/bin/ping", "l 777 usr/bin/sh dash",
		"f 644 usr/odd-name-+%", "f 644 usr/.hidden", "d 755 etc", "f 640 etc/shadow")
	for i := range l.Manifest {
		e := &l.Manifest[i]
		switch e.Path {
		case "usr/bin/ping":
			e.Xattrs = map[string]string{"security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
		case "etc/shadow":
			e.GID = 42
		case "usr/shared":
			e.UID, e.GID = 70000, 70001 // needs the long form of an inode
		case "usr/.hidden":
			e.Size = 0
		case "usr/bin/su":
			e.Size = 5<<20 + 1
		}
	}
	return l
}

func TestEROFSReadsBack(t *testing.T) {
	p, err := Merge([]Layer{sampleLayer(t)})
	if err != nil {
		t.Fatal(err)
	}
	image, err := p.EROFS()
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := erofs.Open(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	walked := 0
	err = fs.WalkDir(fsys, ".", func(name string, _ fs.DirEntry, err error) error {
		walked++
		return err
	})
	if err != nil || walked != len(p.Entries)+1 {
		t.Errorf("walked %d names, %v, want %d", walked, err, len(p.Entries)+1)
	}
	for _, e := range p.Entries {
		info, err := fs.Lstat(fsys, e.Path)
		if err != nil {
			t.Errorf("%q: %v", e.Path, err)
			continue
		}
		stat := info.Sys().(*erofs.Stat)
		if stat.UID != e.UID || stat.GID != e.GID || stat.Mtime != buildTime {
			t.Errorf("%q has owner %d:%d and time %d, want %d:%d and %d", e.Path, stat.UID, stat.GID, stat.Mtime, e.UID, e.GID, buildTime)
		}
		if want := (&node{Entry: &e}).Mode(); e.Kind != layer.Symlink && stat.Mode != want {
			t.Errorf("%q has mode %v, want %v", e.Path, stat.Mode, want)
		}
		if e.Kind != layer.File {
			continue
		}
		want := map[string]string{}
		for k, v := range e.Xattrs {
			want[k] = v
		}
		if e.Size > 0 {
			want[redirectXattr], want[metacopyXattr] = e.Source, stat.Xattrs[metacopyXattr]
		}
		if len(stat.Xattrs)+len(want) > 0 {
			if diff := cmp.Diff(want, stat.Xattrs); diff != "" {
				t.Errorf("%q (-want +got):\n%s", e.Path, diff)
			}
		}
		if info.Size() != e.Size {
			t.Errorf("%q has %d bytes, want %d", e.Path, info.Size(), e.Size)
		}
	}
}

// Read gives back the plan that was written, but for the layers' numbers.
func TestReadGivesThePlanBack(t *testing.T) {
	p, err := Merge([]Layer{sampleLayer(t)})
	if err != nil {
		t.Fatal(err)
	}
	image, err := p.EROFS()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(p.Entries)
	for i := range want {
		want[i].Layer = implicit
		if want[i].Size == 0 {
			want[i].Source = "" // an empty file needs no data
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
	if _, err := Read(bytes.NewReader(image[:512])); err == nil {
		t.Error("Read took the beginning of an image for a whole one")
	}
}

// The bytes of an image are part of what a lock promises: a change here changes
// every system.
func TestEROFSIsStable(t *testing.T) {
	p, err := Merge([]Layer{sampleLayer(t)})
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	if err := p.WriteEROFS(&image); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(image.Bytes())
	const want = "66108bd1f7a79179fa5142195739f8cf05eec6ee5dd1ad356585f3b83ea2b285"
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the image of the sample has SHA-256 %s, want %s", got, want)
	}
	other := sampleLayer(t)
	other.Manifest[0].Mode = 0o700
	q, err := Merge([]Layer{other})
	if err != nil {
		t.Fatal(err)
	}
	second, err := q.EROFS()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(image.Bytes()[superUUID:superUUID+16], second[superUUID:superUUID+16]) {
		t.Error("two different images have one UUID")
	}
}

// TestEROFSOnDisk walks the image by the format's own rules: the checksum is
// right, and every chunk index stands where the kernel looks for it and says
// "hole".
func TestEROFSOnDisk(t *testing.T) {
	var lines []string
	for i := range 300 { // names of many lengths: attributes of many lengths
		lines = append(lines, "f 644 usr/"+strings.Repeat("n", 1+i%40)+string(rune('a'+i/40)))
	}
	p, err := Merge([]Layer{sampleLayer(t), lay(t, "many", lines...)})
	if err != nil {
		t.Fatal(err)
	}
	image, err := p.EROFS()
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if got := le.Uint32(image[superFeatureCompat:]) & featureChecksum; got == 0 {
		t.Error("the superblock says it has no checksum")
	}
	block := bytes.Clone(image[superOffset : 1<<image[superBlockBits]])
	sum := le.Uint32(block[4:])
	le.PutUint32(block[4:], 0)
	if want := ^crc32.Checksum(block, crc32.MakeTable(crc32.Castagnoli)); sum != want {
		t.Errorf("checksum %08x, want %08x", sum, want)
	}
	meta := int64(le.Uint32(image[superOffset+40:])) << image[superBlockBits]
	files := 0
	for at := meta; at < int64(len(image)); {
		inode := image[at:]
		format := le.Uint16(inode)
		mode := le.Uint16(inode[4:])
		if mode == 0 { // padding
			at += 32
			continue
		}
		size, head := int64(le.Uint32(inode[8:])), int64(32)
		if format&1 == 1 {
			size, head = int64(le.Uint64(inode[8:])), 64
		}
		if count := int64(le.Uint16(inode[2:])); count > 0 {
			head += 12 + 4*(count-1)
		}
		layout := format >> 1 & 7
		switch {
		case mode&0o170000 == 0o100000 && layout == 4:
			files++
			start := (at + head + 7) &^ 7
			if start != at+head {
				t.Fatalf("inode at %d: chunk index at %d, the kernel looks at %d", at, at+head, start)
			}
			chunks := (size + 4095) / 4096
			for i := range chunks {
				if index := image[start+8*i:]; le.Uint32(index[4:]) != 0xffffffff {
					t.Fatalf("inode at %d: chunk %d is % x, want a hole", at, i, index[:8])
				}
			}
			head += 8 * chunks
		case layout == 2:
			head += size
		}
		at += (head + 31) &^ 31
	}
	want := 0
	for _, e := range p.Entries {
		if e.Kind == layer.File {
			want++
		}
	}
	if files != want {
		t.Errorf("found %d files, want %d", files, want)
	}
}

func TestEROFSOfNothing(t *testing.T) {
	if _, err := (&Plan{}).EROFS(); err == nil {
		t.Error("an empty view made an image")
	}
}

// placeStore makes a store with the files of layers below dir and returns what
// WriteTree wants.
func placeStore(t *testing.T, dir string, layers ...Layer) func(storepath.Path) string {
	t.Helper()
	real := func(p storepath.Path) string { return filepath.Join(dir, string(p)) }
	for _, l := range layers {
		for _, e := range l.Manifest {
			name := filepath.Join(real(l.Path), e.Path)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if e.Kind == layer.File || e.Kind == layer.Hard {
				if err := os.WriteFile(name, []byte(l.Name+":"+e.Path), 0o444); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return real
}

func TestWriteTree(t *testing.T) {
	l := sampleLayer(t)
	dir := t.TempDir()
	real := placeStore(t, dir, l)
	p, err := Merge([]Layer{l})
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(dir, "tree")
	if err := p.WriteTree(context.Background(), dst, real); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		mode   fs.FileMode
		linked bool
	}{
		{"usr/odd-name-+%", 0o444, true}, // the store's
		{"usr/bin/su", 0o755 | fs.ModeSetuid, false},
		{"etc/shadow", 0o640, false},
		{"usr/sticky", 0o777 | fs.ModeDir | fs.ModeSticky, false},
		{"usr/bin/sh", 0o777 | fs.ModeSymlink, false},
	} {
		info, err := os.Lstat(filepath.Join(dst, test.name))
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != test.mode {
			t.Errorf("%q has mode %v, want %v", test.name, info.Mode(), test.mode)
		}
		if info.Mode().IsRegular() {
			if linked := info.Sys().(*syscall.Stat_t).Nlink == 2; linked != test.linked {
				t.Errorf("%q is a hard link: %v, want %v", test.name, linked, test.linked)
			}
			if data, err := os.ReadFile(filepath.Join(dst, test.name)); err != nil || string(data) != "sample:"+test.name {
				t.Errorf("%q holds %q, %v", test.name, data, err)
			}
		}
	}
	if err := p.WriteTree(context.Background(), dst, real); err == nil {
		t.Error("WriteTree wrote into a directory that was there")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.WriteTree(ctx, dst+"2", real); err == nil {
		t.Error("WriteTree went on after it was cancelled")
	}
}

func TestCheckIdentical(t *testing.T) {
	a, b := lay(t, "a", "f 644 usr/x", "f 644 usr/y"), lay(t, "b", "f 644 usr/x", "f 644 usr/y")
	real := placeStore(t, t.TempDir(), a, b)
	p, err := Merge([]Layer{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckIdentical(real); err == nil || strings.Count(err.Error(), "content differs") != 2 {
		t.Errorf("CheckIdentical = %v, want both paths", err)
	}
	for _, name := range []string{"usr/x", "usr/y"} {
		path := filepath.Join(real(b.Path), name)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("a:"+name), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.CheckIdentical(real); err != nil {
		t.Errorf("CheckIdentical = %v, want nil", err)
	}
}
