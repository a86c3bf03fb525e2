//go:build tools

package image_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/image"
	"reprise/image/layout"
	"reprise/internal/progress"
)

// TestPlanHoldsWhatItSays lets mke2fs judge the count of blocks: content of
// different shapes must leave the promised room and little more.
func TestPlanHoldsWhatItSays(t *testing.T) {
	tools := toolRoot(t)
	// One MiB for rounding, four for a last group that would be too small,
	// and what 1/1024 and a quarter more inodes come to.
	const most = 8 << 20
	shapes := map[string]func() []image.Entry{
		"nothing": func() []image.Entry { return nil },
		"many small files": func() []image.Entry {
			var entries []image.Entry
			for i := range 30_000 {
				if i%100 == 0 {
					entries = append(entries, image.Directory(fmt.Sprintf("d%04d", i/100), 0o755))
				}
				entries = append(entries, image.Text(fmt.Sprintf("d%04d/f%d", i/100, i), 0o644, []byte("x")))
			}
			return entries
		},
		"a large directory": func() []image.Entry {
			entries := []image.Entry{image.Directory("d", 0o755)}
			for i := range 3_000 { // mke2fs looks through the whole directory for each
				entries = append(entries, image.Text(fmt.Sprintf("d/%s%d", strings.Repeat("n", i%200), i), 0o644, nil))
			}
			return entries
		},
		"one large file": func() []image.Entry {
			content := make([]byte, 300<<20)
			for i := range content {
				content[i] = byte(i>>12) | 1
			}
			return []image.Entry{image.Text("large", 0o644, content)}
		},
		"links": func() []image.Entry {
			var entries []image.Entry
			for i := range 5000 {
				e := image.Text(fmt.Sprintf("l%d", i), 0, nil)
				e.Kind, e.Target = 'l', strings.Repeat("t", 40+i%40)
				entries = append(entries, e)
			}
			return entries
		},
	}
	for name, entries := range shapes {
		t.Run(name, func(t *testing.T) {
			d := sample(t, t.TempDir(), tools)
			d.Root = entries()
			plan, err := layout.Disk(layout.Request{Identity: layout.Identify(layout.SeedOf(name)), ESP: image.ESPItems(d.ESP), Root: image.RootItems(d.Root)})
			if err != nil {
				t.Fatal(err)
			}
			d.Plan = plan
			out := filepath.Join(t.TempDir(), "disk.img")
			if err := image.WriteDisk(t.Context(), d, out, tools, progress.Discard); err != nil {
				t.Fatal(err)
			}
			file := cut(t, out, plan.Root)
			os.Remove(out)
			said := tools.Judge(t, file, "/usr/sbin/dumpe2fs", "-h", "/image")
			if room := number(t, said, "Free blocks") * 4096; room < layout.RootRoom || room > layout.RootRoom+most {
				t.Errorf("%d bytes are free: want %d to %d", room, layout.RootRoom, layout.RootRoom+most)
			}
			if count := number(t, said, "Block count"); count != plan.Ext4.Blocks {
				t.Errorf("%d blocks: the plan says %d", count, plan.Ext4.Blocks)
			}
			t.Logf("free blocks %d of %d", number(t, said, "Free blocks"), plan.Ext4.Blocks)
			tools.Judge(t, file, "/usr/sbin/e2fsck", "-fn", "/image")
		})
	}
}
