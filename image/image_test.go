package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/google/go-cmp/cmp"

	"reprise/image/layout"
	"reprise/internal/layer"
	"reprise/internal/progress"
)

func task() progress.Task { return progress.Discard.Start("", progress.Bytes, 0) }

func TestTarStream(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tool"), []byte("#!"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tool", filepath.Join(dir, "a-link")); err != nil {
		t.Fatal(err)
	}
	store, err := Tree(t.Context(), "nix/p", dir)
	if err != nil {
		t.Fatal(err)
	}
	entries := append(store,
		Directory("nix", 0o1775),
		Entry{Path: "a-hard-link", Kind: layer.Hard, Target: "z"},
		Entry{Path: "z", Kind: layer.File, Mode: 0o4750, UID: 70000, GID: 3_000_000, Size: 1, Content: []byte("z")},
		Text(strings.Repeat("n", 255), 0o400, nil),
	)
	var b bytes.Buffer
	if err := writeTar(t.Context(), &b, entries, task()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 1 || h.AccessTime.Unix() != 1 || h.ChangeTime.Unix() != 1 {
			t.Errorf("%s: times %v, %v, %v", h.Name, h.ModTime, h.AccessTime, h.ChangeTime)
		}
		got = append(got, fmt.Sprintf("%c %o %d:%d %.12s %s%q", h.Typeflag, h.Mode, h.Uid, h.Gid, h.Name, h.Linkname, content))
	}
	want := []string{
		`5 1775 0:0 nix ""`, `5 555 0:0 nix/p ""`, `2 777 0:0 nix/p/a-link tool""`, `0 555 0:0 nix/p/tool "#!"`,
		`0 400 0:0 nnnnnnnnnnnn ""`, `0 4750 70000:3000000 z "z"`, `1 4750 70000:3000000 a-hard-link z""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

func TestTarStreamRefuses(t *testing.T) {
	for want, entries := range map[string][]Entry{
		"is there twice":         {Text("a", 0, nil), Text("a", 0, nil)},
		"is no file of":          {{Path: "a", Kind: layer.Hard, Target: "b"}},
		"content has 1 bytes":    {{Path: "a", Kind: layer.File, Size: 2, Content: []byte("x")}},
		"more than 12 bits":      {Text("a", 0o100644, nil)},
		"unknown kind":           {{Path: "a", Kind: 'c'}},
		"a link without a targe": {{Path: "a", Kind: layer.Symlink}},
		"no such file":           {{Path: "a", Kind: layer.File, Size: 2, Source: "/does/not/exist"}},
	} {
		err := writeTar(t.Context(), io.Discard, entries, task())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestTreeRefusesDevices(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Tree(t.Context(), "nix/p", dir); err == nil || !strings.Contains(err.Error(), "a store holds none") {
		t.Errorf("error %v", err)
	}
}

// TestESP reads what was written with go-diskfs, whatever the environment
// says about the time, and looks at the bytes that mendFAT is for.
func TestESP(t *testing.T) {
	big := bytes.Repeat([]byte("kernel!\n"), 1<<20)
	source := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(source, big[:5_000_001], 0o600); err != nil {
		t.Fatal(err)
	}
	files := append(UEFI(big[:1000], big[:2000], big[:3000]),
		File{Path: "reprise/kernel-0123456789abcdef0123456789abcdef", Size: int64(len(big)), Content: big},
		File{Path: "reprise/initrd-0123456789abcdef0123456789abcdef", Size: 5_000_001, Source: source},
		File{Path: "loader/entries/reprise-1.conf", Size: 4, Content: []byte("text")},
		File{Path: "loader/empty"})
	plan, err := layout.Disk(layout.Request{Identity: layout.Identify(layout.SeedOf("esp")), ESP: ESPItems(files)})
	if err != nil {
		t.Fatal(err)
	}
	write := func() *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if err := f.Truncate(plan.SizeBytes); err != nil {
			t.Fatal(err)
		}
		if err := writeESP(t.Context(), f, plan, files, task()); err != nil {
			t.Fatal(err)
		}
		return f
	}
	part := window{storage{write()}, plan.ESP.Offset(), plan.ESP.Bytes()}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	again := window{storage{write()}, plan.ESP.Offset(), plan.ESP.Bytes()}
	a, b := make([]byte, 48<<20), make([]byte, 48<<20)
	part.ReadAt(a, 0)
	again.ReadAt(b, 0)
	if !bytes.Equal(a, b) {
		t.Error("two runs differ")
	}
	if got := binary.LittleEndian.Uint32(a[0x43:]); got != plan.FATSerial {
		t.Errorf("serial number %x, want %x", got, plan.FATSerial)
	}
	fat, err := fat32.Read(part, part.size, 0, layout.Sector)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file.Size == 0 {
			continue
		}
		want := file.Content
		if file.Source != "" {
			want = big[:file.Size]
		}
		f, err := fat.OpenFile("/"+file.Path, os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, file.Size) // io.ReadAll gets too much: go-diskfs v1.9.4 reads past the end in small steps
		_, err = io.ReadFull(f, got)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d, %v", file.Path, len(got), len(want), err)
		}
	}
	for _, bad := range [][]File{
		{{Path: "a/B"}, {Path: "a/b"}},
		{{Path: "a", Size: 2, Content: []byte("x")}},
	} {
		f := write()
		if err := writeESP(t.Context(), f, plan, bad, task()); err == nil {
			t.Errorf("no error for %v", bad)
		}
	}
}

// deadTools fails as mke2fs does, in the middle of the stream.
type deadTools struct{ read int64 }

func (d deadTools) ReadFile(string) ([]byte, error) { return nil, os.ErrNotExist }

func (d deadTools) Run(ctx context.Context, c Command) error {
	io.CopyN(io.Discard, c.Stdin, d.read)
	return errors.New("exit status 1: words of mke2fs")
}

func TestDeadMke2fs(t *testing.T) {
	big := Text("big", 0o644, bytes.Repeat([]byte("x"), 8<<20))
	boot := make([]byte, 512)
	boot[510], boot[511] = 0x55, 0xaa
	plan, err := layout.Disk(layout.Request{Identity: layout.Identify(layout.SeedOf("dead")), Root: RootItems([]Entry{big})})
	if err != nil {
		t.Fatal(err)
	}
	for _, read := range []int64{0, 100, 4 << 20, 100 << 20} {
		dir := t.TempDir()
		d := Disk{Plan: plan, Root: []Entry{big}, BIOS: BIOS{Boot: boot, Core: make([]byte, 1024)}}
		err := WriteDisk(t.Context(), d, filepath.Join(dir, "disk.img"), deadTools{read}, progress.Discard)
		if err == nil || !strings.Contains(err.Error(), "words of mke2fs") {
			t.Errorf("after %d bytes: error %v", read, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("after %d bytes: %v is left", read, left)
		}
	}
}
