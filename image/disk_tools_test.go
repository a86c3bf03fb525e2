//go:build tools

package image_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"reprise/image"
	"reprise/image/layout"
	"reprise/internal/layer"
	"reprise/internal/progress"
	"reprise/internal/vm/vmtest"
)

// sample is a disk with every kind of entry.
func sample(tb testing.TB, dir string, tools vmtest.Tree) image.Disk {
	tb.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
		tb.Fatal(err)
	}
	big := bytes.Repeat([]byte("a page of content that is no hole.\n"), 100_000)
	for name, content := range map[string][]byte{"bin/tool": big, "data": []byte("data\n"), "empty": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	os.Chmod(filepath.Join(dir, "bin/tool"), 0o700)
	if err := os.Symlink("bin/tool", filepath.Join(dir, "link")); err != nil {
		tb.Fatal(err)
	}
	store, err := image.Tree(tb.Context(), "nix/store/00000000000000000000000000000000-sample", dir)
	if err != nil {
		tb.Fatal(err)
	}
	root := append([]image.Entry{
		image.Directory("nix", 0o755), {Path: "nix/store", Kind: layer.Dir, Mode: 0o1775, GID: 30000},
		image.Directory("var", 0o755), image.Directory("root", 0o700), image.Directory("srv", 0o755),
		image.Directory("home", 0o755), {Path: "home/rig", Kind: layer.Dir, Mode: 0o750, UID: 1000, GID: 1000},
		{Path: "home/rig/.profile", Kind: layer.File, Mode: 0o4640, UID: 70000, GID: 3_000_000, Size: 3, Content: []byte("hi\n")},
		{Path: "home/rig/a-hard-link", Kind: layer.Hard, Target: "home/rig/.profile"},
		{Path: "srv/long", Kind: layer.Symlink, Target: "/" + strings.Repeat("deep/", 40)},
		image.Text("srv/"+strings.Repeat("n", 255), 0o444, []byte("x")),
	}, store...)
	for i := range 700 { // a directory of several blocks
		root = append(root, image.Text(fmt.Sprintf("srv/file-with-a-name-of-some-length-%04d", i), 0o644, []byte{byte(i)}))
	}
	bios, err := image.GRUB(tb.Context(), tools)
	if err != nil {
		tb.Fatal(err)
	}
	esp := image.UEFI(big[:1<<20], big[:120_001], big[:800_000])
	esp = append(esp, image.File{Path: "reprise/kernel-0123456789abcdef0123456789abcdef", Source: filepath.Join(dir, "bin/tool"), Size: int64(len(big))},
		image.File{Path: "loader/entries/reprise-1.conf", Size: 5, Content: []byte("text\n")},
		image.File{Path: "loader/loader.conf"})
	plan, err := layout.Disk(layout.Request{
		Identity: layout.Identify(layout.SeedOf("sample")), ESP: image.ESPItems(esp), Root: image.RootItems(root),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return image.Disk{Plan: plan, ESP: esp, Root: root, BIOS: bios}
}

func TestDiskSatisfiesItsJudges(t *testing.T) {
	tools := toolRoot(t)
	d := sample(t, t.TempDir(), tools)
	out := filepath.Join(t.TempDir(), "disk.img")
	if err := image.WriteDisk(t.Context(), d, out, tools, progress.Discard); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != d.Plan.SizeBytes || info.Mode().Perm() != 0o644 {
		t.Errorf("image is %d bytes, mode %o: want %d, 644", info.Size(), info.Mode().Perm(), d.Plan.SizeBytes)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; used > 32<<20 {
		t.Errorf("the image takes %d bytes on disk: its holes are filled", used)
	}

	if said := tools.Judge(t, out, "/usr/sbin/sgdisk", "-v", "/image"); !strings.Contains(said, "No problems found") || strings.Contains(strings.ToLower(said), "caution") {
		t.Errorf("sgdisk -v: %s", said)
	}
	esp := cut(t, out, d.Plan.ESP)
	if said := tools.Judge(t, esp, "/usr/sbin/fsck.fat", "-nv", "/image"); regexp.MustCompile(`(?i)invalid|wrong|differ|uninit|warning|reclaim|error`).MatchString(said) {
		t.Errorf("fsck.fat: %s", said)
	} else if !strings.Contains(said, " FAT32") && !strings.Contains(said, "32 bit") {
		t.Errorf("fsck.fat does not say FAT32: %s", said)
	}
	root := cut(t, out, d.Plan.Root)
	tools.Judge(t, root, "/usr/sbin/e2fsck", "-fn", "/image")

	head := tools.Judge(t, root, "/usr/sbin/dumpe2fs", "-h", "/image")
	if room := number(t, head, "Free blocks") * 4096; room < layout.RootRoom || room > layout.RootRoom+6<<20 {
		t.Errorf("%d bytes are free in the root file system: want %d, 6 MiB more at most", room, layout.RootRoom)
	}
	if inodes := number(t, head, "Inode count"); inodes != d.Plan.Ext4.Inodes {
		t.Errorf("%d inodes: the plan says %d", inodes, d.Plan.Ext4.Inodes)
	}
	stat := func(path string) string {
		return strings.Join(strings.Fields(tools.Judge(t, root, "/usr/sbin/debugfs", "-R", "stat /"+path, "/image")), " ")
	}
	for path, want := range map[string][]string{
		"":                     {"Mode: 0755", "User: 0 Group: 0"},
		"nix/store":            {"Type: directory", "Mode: 01775", "Group: 30000"},
		"home/rig":             {"Mode: 0750", "User: 1000 Group: 1000"},
		"home/rig/.profile":    {"Mode: 04640", "User: 70000 Group: 3000000", "Links: 2"},
		"home/rig/a-hard-link": {"Mode: 04640", "User: 70000 Group: 3000000", "Links: 2"},
		"srv/long":             {"Type: symlink", "Size: 201"},
		"nix/store/00000000000000000000000000000000-sample/bin/tool": {"Mode: 0555", "User: 0 Group: 0", "Size: 3500000"},
		"nix/store/00000000000000000000000000000000-sample/data":     {"Mode: 0444", "Size: 5"},
		"nix/store/00000000000000000000000000000000-sample/link":     {"Type: symlink", `"bin/tool"`},
	} {
		said := stat(path)
		for _, text := range append(want, "mtime: 0x00000001:00000000", "ctime: 0x00000001:00000000", "atime: 0x00000001:00000000", "crtime: 0x00000001:00000000") {
			if !strings.Contains(said, text) {
				t.Errorf("/%s: no %q in %s", path, text, said)
			}
		}
	}
}

// TestDiskIsReproducible writes a disk twice, from other directories, with
// another umask, time zone, environment and clock.
func TestDiskIsReproducible(t *testing.T) {
	tools := toolRoot(t)
	write := func() [32]byte {
		out := filepath.Join(t.TempDir(), "disk.img")
		if err := image.WriteDisk(t.Context(), sample(t, t.TempDir(), tools), out, tools, progress.Discard); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			t.Fatal(err)
		}
		return [32]byte(h.Sum(nil))
	}
	first := write()
	t.Setenv("TZ", "Pacific/Auckland")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	t.Setenv("E2FSPROGS_FAKE_TIME", "1234567890")
	defer syscall.Umask(syscall.Umask(0o077))
	if second := write(); first != second {
		t.Errorf("two runs differ: %x, %x", first, second)
	}
}

// TestDiskAppearsWholeOrNotAtAll lets the writing end early in several ways.
func TestDiskAppearsWholeOrNotAtAll(t *testing.T) {
	tools := toolRoot(t)
	cancelled := func(t *testing.T, d *image.Disk) context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		d.Root[len(d.Root)-1].Content = []byte{0}
		t.Cleanup(cancel)
		cancel()
		return ctx
	}
	for name, spoil := range map[string]func(*testing.T, *image.Disk) context.Context{
		"cancelled": cancelled,
		"source missing": func(t *testing.T, d *image.Disk) context.Context {
			d.Root = append(d.Root, image.Entry{Path: "var/x", Kind: layer.File, Size: 1, Source: "/does/not/exist"})
			return t.Context()
		},
		"source shrank": func(t *testing.T, d *image.Disk) context.Context {
			for i := range d.Root {
				if d.Root[i].Source != "" && d.Root[i].Size > 0 {
					d.Root[i].Size++
				}
			}
			return t.Context()
		},
		"file system too small": func(t *testing.T, d *image.Disk) context.Context {
			d.Plan.Ext4.Blocks /= 2
			d.Root = append(d.Root, image.Text("var/large", 0o600, make([]byte, 256<<20)))
			return t.Context()
		},
		"ESP too small": func(t *testing.T, d *image.Disk) context.Context {
			d.ESP = append(d.ESP, image.File{Path: "large", Size: 300 << 20, Content: make([]byte, 300<<20)})
			return t.Context()
		},
		"no core image": func(t *testing.T, d *image.Disk) context.Context { d.BIOS.Core = nil; return t.Context() },
	} {
		t.Run(name, func(t *testing.T) {
			d := sample(t, t.TempDir(), tools)
			ctx := spoil(t, &d)
			staysAsItWas(t, name, func(out string) error { return image.WriteDisk(ctx, d, out, tools, progress.Discard) })
		})
	}
}

// staysAsItWas holds that a write that fails leaves the file that was there, and
// no other.
func staysAsItWas(t *testing.T, name string, write func(out string) error) {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "image")
	if err := os.WriteFile(out, []byte("what was there"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := write(out)
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	if name == "cancelled" && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if got, _ := os.ReadFile(out); string(got) != "what was there" {
		t.Error("the file that was there has changed")
	}
	if names, _ := fs.Glob(os.DirFS(dir), "*"); len(names) != 1 {
		t.Errorf("files are left: %q", names)
	}
}

// cut copies a partition to a file of its own.
func cut(tb testing.TB, imageFile string, p layout.Partition) string {
	tb.Helper()
	in, err := os.Open(imageFile)
	if err != nil {
		tb.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(tb.TempDir(), p.Name))
	if err != nil {
		tb.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, io.NewSectionReader(in, p.Offset(), p.Bytes())); err != nil {
		tb.Fatal(err)
	}
	return out.Name()
}

func number(tb testing.TB, text, name string) int64 {
	tb.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+)`).FindStringSubmatch(text)
	if found == nil {
		tb.Fatalf("no %q in %s", name, text)
	}
	n, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}
