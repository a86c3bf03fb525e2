package installer

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/installer/plan"
	"reprise/internal/progress"
	"reprise/store/nar"
	"reprise/store/storepath"
	"reprise/store/tree"
)

// BenchmarkCopyStore copies and verifies a store of 200 paths like those of
// Debian packages: 6,000 files, 200 MB. Metric x-cp is how often as fast as
// cp -a it is, by the medians of both, with all of it on stable storage; the aim
// is 0.8.
func BenchmarkCopyStore(b *testing.B) {
	m, source := benchStore(b)
	p := &plan.Plan{System: "all"}
	var ours, theirs []time.Duration
	var bytes int64
	for _, path := range m.Paths {
		bytes += path.Size
	}
	b.SetBytes(bytes)
	for b.Loop() {
		for _, who := range []*[]time.Duration{&ours, &theirs} {
			dir := b.TempDir()
			settleDisk(b, dir)
			start := time.Now()
			if who == &ours {
				r := &run{Job: &Job{Plan: p, Medium: m, Source: Source{Store: source}, Sink: progress.Discard}, dir: dir}
				if err := r.copyStore(b.Context(), plan.Step{}); err != nil {
					b.Fatal(err)
				}
			} else {
				if out, err := exec.Command("cp", "-a", source, filepath.Join(dir, "copy")).CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				settleDisk(b, dir)
			}
			*who = append(*who, time.Since(start))
			b.StopTimer()
			if err := tree.Remove(dir); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	median := func(of []time.Duration) float64 {
		slices.Sort(of)
		return (of[(len(of)-1)/2] + of[len(of)/2]).Seconds() / 2
	}
	b.ReportMetric(median(ours), "copy-s")
	b.ReportMetric(median(theirs), "cp-s")
	b.ReportMetric(median(theirs)/median(ours), "x-cp")
}

func settleDisk(b *testing.B, dir string) {
	b.Helper()
	f, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		b.Fatal(err)
	}
}

func benchStore(b *testing.B) (*plan.Medium, string) {
	b.Helper()
	source := filepath.Join(b.TempDir(), "store")
	b.Cleanup(func() { tree.Remove(source) })
	rng := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 4<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	m := &plan.Medium{}
	for i := range 200 {
		p, err := storepath.MakeText(fmt.Sprintf("package-%03d", i), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		dir := filepath.Join(source, p.Base())
		for n := range 30 {
			size := rng.IntN(16 << 10)
			if n == 0 {
				size = rng.IntN(2 << 20)
			}
			name := filepath.Join(dir, fmt.Sprintf("usr/share/%d/file-%d", n%5, n))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				b.Fatal(err)
			}
			at := rng.IntN(len(noise) - size)
			if err := os.WriteFile(name, noise[at:at+size], 0o644); err != nil {
				b.Fatal(err)
			}
		}
		if err := tree.Canonicalise(dir); err != nil {
			b.Fatal(err)
		}
		sum, size, err := nar.HashPath(b.Context(), dir)
		if err != nil {
			b.Fatal(err)
		}
		m.Paths = append(m.Paths, plan.Path{Path: p, NarHash: hex.EncodeToString(sum[:]), NarSize: size, Size: tree.Size(dir)})
	}
	all := plan.System{Name: "all", Path: m.Paths[0].Path}
	for _, p := range m.Paths {
		all.Closure = append(all.Closure, p.Path)
	}
	m.Systems = []plan.System{all}
	slices.SortFunc(m.Paths, func(a, b plan.Path) int { return storepath.Compare(a.Path, b.Path) })
	return m, source
}
