package squashfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"reprise/internal/progress"
)

func TestImageHoldsTheTrees(t *testing.T) {
	for _, blockSize := range []int{4 << 10, 128 << 10, 1 << 20} {
		t.Run(fmt.Sprint(blockSize), func(t *testing.T) {
			t.Parallel()
			paths, want := sample(t, t.TempDir(), blockSize)
			image := write(t, paths, Options{Cache: t.TempDir(), BlockSize: blockSize, Level: Fastest})
			got, err := readImage(bytes.NewReader(image), int64(len(image)), true)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, got, want)
			for _, names := range [][]string{{"one", "two", "sub/three"}, {"small-one", "small-two", "small-three"}} {
				first := got["c-equal/"+names[0]]
				for _, name := range names[1:] {
					if g := got["c-equal/"+name]; g.start != first.start || g.frag != first.frag {
						t.Errorf("%q does not share the blocks of %q", name, names[0])
					}
				}
			}
		})
	}
}

// TestBytesDependOnTheTreesAlone makes the same image in all the ways that
// must make no difference.
func TestBytesDependOnTheTreesAlone(t *testing.T) {
	dir := t.TempDir()
	paths, _ := sample(t, dir, DefaultBlockSize)
	cache := t.TempDir()
	cold := write(t, paths, Options{Cache: cache, Level: Fastest, Cores: 1})
	same := func(what string, image []byte) {
		t.Helper()
		if !bytes.Equal(image, cold) {
			t.Errorf("%s: the image differs", what)
		}
	}
	same("warm", write(t, paths, Options{Cache: cache, Level: Fastest, Cores: 1}))
	for _, cores := range []int{2, 3, 16} {
		same(fmt.Sprintf("%d cores", cores), write(t, paths, Options{Cache: t.TempDir(), Level: Fastest, Cores: cores}))
	}
	reversed := slices.Clone(paths)
	slices.Reverse(reversed)
	write(t, paths[3:5], Options{Cache: cache + "/2", Level: Fastest})
	same("half warm, paths in another order", write(t, reversed, Options{Cache: cache + "/2", Level: Fastest}))

	// Hard links within a path and between paths, and other modes.
	for _, pair := range [][2]string{{"c-equal/one", "c-equal/two"}, {"c-equal/small-one", "c-equal/small-two"}, {"a-sizes/zeros-0", "f-mixed/000.x"}} {
		if err := os.Remove(filepath.Join(dir, pair[1])); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(dir, pair[0]), filepath.Join(dir, pair[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "a-sizes/text-1"), 0o640); err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o077))
	same("hard links and another mode", write(t, paths, Options{Cache: t.TempDir(), Level: Fastest}))

	if other := write(t, paths, Options{Cache: cache, Level: Smallest}); bytes.Equal(other, cold) {
		t.Error("the level makes no difference")
	}
}

// TestGolden pins the bytes: another version of the compressor or of this
// package that writes others needs another key for the cache files.
func TestGolden(t *testing.T) {
	paths, _ := sample(t, t.TempDir(), DefaultBlockSize)
	h := sha256.New()
	for level := Fastest; level <= Smallest; level++ {
		h.Write(write(t, paths, Options{Cache: t.TempDir(), Level: level}))
	}
	const want = "b522da01e5df28dc81bcf764ab5b296ce924917f0968d628f58b9b457feda533"
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
		t.Errorf("the images have the SHA-256 %s, want %s: if that is meant, raise formatVersion or encoderVersion too", got, want)
	}
}

func TestEncoderVersionIsTheOneInUse(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "\t"+encoderVersion+"\n") {
		t.Errorf("go.mod does not have %q: the cache's key must change with the compressor", encoderVersion)
	}
}

// counter counts the bytes of tasks.
type counter struct {
	progress.Sink
	started, total, done atomic.Int64
}

type counterTask struct {
	progress.Task
	c *counter
}

func (c *counter) Start(name string, unit progress.Unit, total int64) progress.Task {
	c.started.Add(1)
	c.total.Add(total)
	return counterTask{c.Sink.Start(name, unit, total), c}
}
func (t counterTask) Add(n int64) { t.c.done.Add(n) }

// TestOnlyWhatChangedIsCompressed also holds that progress counts all bytes.
func TestOnlyWhatChangedIsCompressed(t *testing.T) {
	dir := t.TempDir()
	paths, want := sample(t, dir, DefaultBlockSize)
	var all int64
	for _, w := range want {
		if !w.dir && !w.link {
			all += int64(len(w.content))
		}
	}
	o := Options{Cache: t.TempDir(), Level: Fastest}
	run := func(total int64) {
		t.Helper()
		c := &counter{Sink: progress.Discard}
		o.Sink = c
		write(t, paths, o)
		if c.total.Load() != total || c.done.Load() != total {
			t.Errorf("%d of %d bytes were compressed, want %d", c.done.Load(), c.total.Load(), total)
		}
		if total == 0 && c.started.Load() > 0 {
			t.Error("a task was started for nothing")
		}
	}
	run(all)
	run(0)
	content := []byte("this is new")
	if err := os.WriteFile(filepath.Join(dir, "j-new"), content, 0o444); err != nil {
		t.Fatal(err)
	}
	paths = append(paths, Path{Name: "j-new", Dir: filepath.Join(dir, "j-new")})
	run(int64(len(content)))
	paths[len(paths)-1].Hash = "another content"
	run(int64(len(content)))
}
