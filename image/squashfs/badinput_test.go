package squashfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"reprise/internal/atomicfile"
	"reprise/internal/progress"
)

// TestDamagedCacheIsMadeAnew cuts and spoils cache files, before Pack and
// between Pack and WriteTo.
func TestDamagedCacheIsMadeAnew(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	random := rand.NewChaCha8([32]byte{2})
	noise := make([]byte, 3<<20)
	random.Read(noise)
	for name, content := range map[string][]byte{"p/big": noise, "p/text": bytes.Repeat([]byte("text "), 70_000), "q/x": []byte("x")} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	paths := []Path{{Name: "p", Dir: filepath.Join(dir, "p")}, {Name: "q", Dir: filepath.Join(dir, "q")}}
	o := Options{Cache: cache, Level: Fastest}
	want := write(t, paths, o)
	full, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	file := full.cacheFile(paths[0])
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	size := len(good)
	damages := map[string]func() []byte{
		"gone": func() []byte { return nil }, "empty": func() []byte { return []byte{} },
		"zeros": func() []byte { return make([]byte, size) }, "longer": func() []byte { return append(slices.Clone(good), 0) },
	}
	for _, n := range []int{1, 20, footerBytes, footerBytes + 1, 1 << 20, size - 1} {
		damages[fmt.Sprintf("cut to %d", n)] = func() []byte { return good[:n] }
	}
	for _, at := range []int{0, 1<<20 - 1, 1 << 20, 3<<20 + 5, size - footerBytes - 100, size - footerBytes, size - footerBytes + 10, size - 20, size - 1} {
		damages[fmt.Sprintf("bit at %d", at)] = func() []byte { b := slices.Clone(good); b[at] ^= 4; return b }
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			spoil := func() {
				os.Remove(file)
				if b := damage(); b != nil {
					if err := os.WriteFile(file, b, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			spoil()
			m, err := Pack(t.Context(), paths, o)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(written(t, m), want) {
				t.Error("after Pack the image differs")
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, good) {
				t.Errorf("the cache was not made anew: %v", err)
			}
			spoil()
			if !bytes.Equal(written(t, m), want) {
				t.Error("the image differs")
			}
		})
	}

	m, err := Pack(t.Context(), paths, o)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(file)
	os.Chmod(filepath.Join(dir, "p/text"), 0o755)
	if err := m.WriteTo(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("a path that changed after Pack: %v", err)
	}
}

func TestPackRefuses(t *testing.T) {
	dir := t.TempDir()
	sub := func(name string) string {
		d := filepath.Join(dir, name)
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		return d
	}
	pipe, socket := sub("with-pipe"), sub("with-socket")
	if err := syscall.Mkfifo(pipe+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(socket)
	l, err := net.Listen("unix", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	good := Path{Name: "good", Dir: sub("good")}
	o := Options{Cache: filepath.Join(dir, "cache")}
	for _, c := range []struct {
		name  string
		paths []Path
		o     Options
		want  []string
	}{
		{"nothing", nil, o, []string{"no paths"}},
		{"no cache", []Path{good}, Options{}, []string{"cache"}},
		{"options", []Path{good}, Options{Level: 9, BlockSize: 100_000, Cores: -1}, []string{"level is 9", "block size is 100000", "-1 cores", "cache"}},
		{"block too large", []Path{good}, Options{Cache: o.Cache, BlockSize: 2 << 20}, []string{"block size"}},
		{"names", []Path{good, good, {"a/b", good.Dir, ""}, {"..", good.Dir, ""}, {strings.Repeat("n", 256), good.Dir, ""}, {"no-dir", "", ""}}, o,
			[]string{`"good" is there twice`, `"a/b"`, `".."`, "256 bytes", `"no-dir"`}},
		{"absent and special", []Path{good, {"gone", dir + "/gone", ""}, {"pipe", pipe, ""}, {"socket", socket, ""}, {"device", "/dev/null", ""}}, o,
			[]string{"gone: no such file", "is a named pipe", "is a socket", `"/dev/null" is a device`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Pack(t.Context(), c.paths, c.o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("no %q in: %v", w, err)
				}
			}
		})
	}
	if left, _ := os.ReadDir(o.Cache); len(left) > 0 {
		t.Errorf("files are left in the cache: %v", left)
	}
}

// TestFilesThatChangeMeanwhile packs trees that are no more what scan saw.
func TestFilesThatChangeMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(file string) error
		want   string
	}{
		"shrank":      {func(f string) error { return os.Truncate(f, 200_000) }, "shrank"},
		"a bit":       {func(f string) error { return os.Truncate(f, 299_999) }, "shrank"},
		"grew":        {func(f string) error { return os.Truncate(f, 300_001) }, "grew"},
		"gone":        {os.Remove, "no such file"},
		"now a link":  {func(f string) error { return errors.Join(os.Remove(f), os.Symlink("small-1", f)) }, "symbolic links"},
		"small grew":  {func(f string) error { return os.Truncate(filepath.Dir(f)+"/small", 11) }, "grew"},
		"small cut":   {func(f string) error { return os.Truncate(filepath.Dir(f)+"/small", 9) }, "shrank"},
		"shared grew": {func(f string) error { return os.Truncate(filepath.Dir(f)+"/small-1", 21) }, "changed"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, cache := t.TempDir(), t.TempDir()
			for name, size := range map[string]int{"big": 300_000, "small": 10, "small-1": 20, "small-2": 20} {
				if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte(name), size)[:size], 0o644); err != nil {
					t.Fatal(err)
				}
			}
			o, err := Options{Cache: cache, Level: Fastest}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			k, stop, err := newPacker(o)
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			root, _, err := scan(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(filepath.Join(dir, "big")); err != nil {
				t.Fatal(err)
			}
			err = k.pack(t.Context(), Path{Name: "path", Dir: dir}, root, progress.Discard.Start("", "", 0))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if left, _ := os.ReadDir(cache); len(left) > 0 {
				t.Errorf("files are left in the cache: %v", left)
			}
			if len(k.free) != cap(k.free) {
				t.Errorf("%d of %d buffers came back", len(k.free), cap(k.free))
			}
		})
	}
}

// limited fails after some bytes, or calls stop.
type limited struct {
	left int
	stop func()
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		if l.stop == nil {
			return 0, syscall.ENOSPC
		}
		l.stop()
	}
	return len(p), nil
}

func TestWriteEndsEarly(t *testing.T) {
	paths, _ := sample(t, t.TempDir(), DefaultBlockSize)
	m, err := Pack(t.Context(), paths, Options{Cache: t.TempDir(), Level: Fastest})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 95, 96, 1 << 20, int(m.Size()) - 1} {
		if err := m.WriteTo(t.Context(), &limited{left: n}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("full after %d bytes: %v", n, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := m.WriteTo(ctx, &limited{left: 1 << 20, stop: cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// cancelling cancels when some bytes are done.
type cancelling struct {
	counterTask
	after  int64
	cancel func()
}

type cancellingSink struct {
	progress.Sink
	after  int64
	cancel func()
}

func (s cancellingSink) Start(name string, unit progress.Unit, total int64) progress.Task {
	return &cancelling{counterTask{s.Sink.Start(name, unit, total), &counter{}}, s.after, s.cancel}
}

func (t *cancelling) Add(n int64) {
	if t.c.done.Add(n) > t.after {
		t.cancel()
	}
}

func TestCancelledPackLeavesWholeFilesOnly(t *testing.T) {
	paths, want := sample(t, t.TempDir(), DefaultBlockSize)
	cache := t.TempDir()
	for _, after := range []int64{0, 1 << 20, 4 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Pack(ctx, paths, Options{Cache: cache, Level: Fastest, Sink: cancellingSink{progress.Discard, after, cancel}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		o, _ := Options{Cache: cache, Level: Fastest}.withDefaults()
		left, _ := os.ReadDir(cache)
		whole := 0
		for _, p := range paths {
			if _, _, err := o.readIndex(p); err == nil {
				whole++
			}
		}
		if len(left) != whole {
			t.Errorf("%d files in the cache, %d are whole", len(left), whole)
		}
	}
	image := write(t, paths, Options{Cache: cache, Level: Fastest})
	got, err := readImage(bytes.NewReader(image), int64(len(image)), true)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got, want)
}

func TestPrune(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	paths := []Path{{Name: "keep", Dir: dir}, {Name: "drop \"it\"\n", Dir: dir}, {Name: "spoil", Dir: dir}}
	o := Options{Cache: cache, Level: Fastest}
	write(t, paths, o)
	write(t, paths[:1], Options{Cache: cache, BlockSize: 4096})
	full, _ := o.withDefaults()
	if err := os.WriteFile(full.cacheFile(paths[2]), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cache, "of another"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{"old": 48 * time.Hour, "new": time.Hour} {
		file, then := filepath.Join(cache, atomicfile.TempPrefix+name), time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(file, []byte("12345"), 0o600), os.Chtimes(file, then, then)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(full.cacheFile(paths[1]))
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, dryRun := range []bool{true, false} {
		if left, _ := os.ReadDir(cache); len(left) != 7 {
			t.Fatalf("dry run %v begins with %v", dryRun, left)
		}
		asked = nil
		gone, err := Prune(t.Context(), cache, dryRun, func(name string) bool { asked = append(asked, name); return name == "keep" })
		if want := (Pruned{Files: 3, Bytes: info.Size() + 7 + 5}); err != nil || gone != want {
			t.Errorf("dry run %v: gone %+v, %v: want %+v", dryRun, gone, err, want)
		}
	}
	slices.Sort(asked)
	if want := []string{"drop \"it\"\n", "keep", "keep"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %q, want %q", asked, want)
	}
	if left, _ := os.ReadDir(cache); len(left) != 4 {
		t.Errorf("left: %v", left)
	}
	if gone, err := Prune(t.Context(), dir+"/absent", false, nil); gone != (Pruned{}) || err != nil {
		t.Errorf("an absent cache: %+v, %v", gone, err)
	}
}
