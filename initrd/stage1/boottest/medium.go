package boottest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/image/iso9660"
	"reprise/image/layout"
	"reprise/image/squashfs"
)

// The volume id that the kernel line of the cases names.
const label = "REPRISE"

// What tells the media of the cases apart.
var (
	goodSeed = layout.SeedOf("good")
	goodID   = strings.ToLower(iso9660.DiskGUID(goodSeed).String())
)

// media are the images that cases start from, by name.
type media struct {
	good    string
	damaged string // a byte of the store image is another; it can be mounted
	broken  string // the store image is none
	other   string // as good as good, with another id
	empty   string // no checksums, no description
	zeros   string // no medium: nothing is on it
}

// runMedia starts machines from media. The program in their initramfs is
// testdata/standin, whose installer does as it is told.
func runMedia(t *testing.T, tools Tools, tree, dir string) {
	t.Helper()
	m := makeMedia(t, tree, dir)
	tools.Binary = goBuild(t, "standin", t.TempDir())
	initrd := filepath.Join(dir, "initrd-medium")
	writeInitrd(t, tools, initrd, true)
	for _, c := range mediumCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Kernel: tools.Kernel, Initrd: initrd}
			if c.memory == 0 {
				c.memory = 1024
			}
			if c.cd != nil {
				o.CD = c.cd(m)
			}
			switch {
			case c.usb != nil:
				o.Disk, c.bus = c.usb(m), USB
			case c.virtio != nil:
				o.Disk, c.bus = c.virtio(m), VirtioBlock
			}
			c.run(t, tools, o)
		})
	}
}

// makeMedia makes the media of the cases from the store paths below tree.
func makeMedia(t testing.TB, tree, dir string) media {
	t.Helper()
	m := media{filepath.Join(dir, "good.iso"), filepath.Join(dir, "damaged.iso"), filepath.Join(dir, "broken.iso"), filepath.Join(dir, "other.iso"), filepath.Join(dir, "empty.iso"), filepath.Join(dir, "zeros.img")}
	store := packStore(t, tree, dir)
	describe := iso9660.Text("reprise/medium.json", fmt.Sprintf(`{"version":1,"label":%q,"systems":[{"name":"good","path":%q}]}`, label, goodSystem))
	image := func(out, sums string, seed layout.Seed, files ...iso9660.File) int64 {
		t.Helper()
		l, err := iso9660.Plan(iso9660.Image{Label: label, Seed: seed, Files: files, Sums: sums})
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w := bufio.NewWriter(f)
		if err := l.WriteTo(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		at, _, _ := l.Extent("reprise/store.squashfs")
		return at
	}
	const sums = "reprise/SHA256SUMS"
	at := image(m.good, sums, goodSeed, describe, store)
	content, err := os.ReadFile(m.good)
	if err != nil {
		t.Fatal(err)
	}
	for out, place := range map[string]int64{m.broken: at, m.damaged: at + store.Size/2} {
		content[place] ^= 0xff
		if err := os.WriteFile(out, content, 0o644); err != nil {
			t.Fatal(err)
		}
		content[place] ^= 0xff
	}
	image(m.other, sums, layout.SeedOf("other"), describe, store)
	image(m.empty, "", goodSeed, store)
	if err := os.WriteFile(m.zeros, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	return m
}

// packStore makes the store image of a medium.
func packStore(t testing.TB, tree, dir string) iso9660.File {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(tree, "nix/store"))
	if err != nil {
		t.Fatal(err)
	}
	var paths []squashfs.Path
	for _, e := range entries {
		paths = append(paths, squashfs.Path{Name: e.Name(), Dir: filepath.Join(tree, "nix/store", e.Name())})
	}
	image, err := squashfs.Pack(t.Context(), paths, squashfs.Options{Cache: filepath.Join(dir, "squashfs")})
	if err != nil {
		t.Fatal(err)
	}
	return iso9660.File{Path: "reprise/store.squashfs", Mode: 0o444, Size: image.Size(), Write: image.WriteTo}
}
