//go:build tools

package image_test

import (
	"os"
	"path/filepath"
	"testing"

	"reprise/image"
	"reprise/image/layout"
	"reprise/internal/progress"
)

// BenchmarkWriteDisk writes an image that holds the trees which
// REPRISE_TEST_CONTENT names, in the form of PATH.
func BenchmarkWriteDisk(b *testing.B) {
	tools := toolRoot(b)
	root := []image.Entry{image.Directory("nix", 0o755), image.Directory("nix/store", 0o1775)}
	for i, dir := range filepath.SplitList(os.Getenv("REPRISE_TEST_CONTENT")) {
		entries, err := image.Tree(b.Context(), filepath.Join("nix/store", string(rune('a'+i))), dir)
		if err != nil {
			b.Fatal(err)
		}
		root = append(root, entries...)
	}
	kernel := make([]byte, 40<<20)
	for i := range kernel {
		kernel[i] = byte(i >> 8)
	}
	esp := []image.File{{Path: "reprise/kernel", Size: int64(len(kernel)), Content: kernel}}
	bios, err := image.GRUB(b.Context(), tools)
	if err != nil {
		b.Fatal(err)
	}
	plan, err := layout.Disk(layout.Request{Identity: layout.Identify(layout.SeedOf("bench")), ESP: image.ESPItems(esp), Root: image.RootItems(root)})
	if err != nil {
		b.Fatal(err)
	}
	var bytes int64
	for _, e := range root {
		bytes += e.Size
	}
	b.SetBytes(bytes)
	b.ReportMetric(float64(len(root)), "entries")
	out := filepath.Join(b.TempDir(), "disk.img")
	for b.Loop() {
		if err := image.WriteDisk(b.Context(), image.Disk{Plan: plan, ESP: esp, Root: root, BIOS: bios}, out, tools, progress.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
