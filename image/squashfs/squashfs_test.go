package squashfs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"reprise/internal/progress"
)

// sample makes trees with everything that is special for a block size, and
// says what an image of them has to hold.
func sample(tb testing.TB, dir string, blockSize int) (paths []Path, want map[string]found) {
	tb.Helper()
	want = map[string]found{"": {mode: 0o555, dir: true}}
	must := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatal(err)
		}
	}
	put := func(path, content string, mode fs.FileMode) {
		must(os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700))
		must(os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600))
		must(os.Chmod(filepath.Join(dir, path), mode))
		f := found{mode: 0o444, content: content}
		if mode&0o100 != 0 {
			f.mode = 0o555
		}
		want[path] = f
	}
	link := func(path, target string) {
		must(os.Symlink(target, filepath.Join(dir, path)))
		want[path] = found{mode: 0o777, link: true, content: target}
	}
	random := rand.NewChaCha8([32]byte{1})
	noise := func(n int) string { b := make([]byte, n); random.Read(b); return string(b) }
	text := func(n int) string {
		return strings.Repeat("all work and no play makes jack a dull server\n", n/46+1)[:n]
	}
	zeros := func(n int) string { return string(make([]byte, n)) }

	for _, n := range []int{0, 1, 2, blockSize - 1, blockSize, blockSize + 1, 3 * blockSize, 5*blockSize - 7} {
		put(fmt.Sprintf("a-sizes/text-%d", n), text(n), 0o444)
		put(fmt.Sprintf("a-sizes/noise-%d", n), noise(n), 0o555)
		put(fmt.Sprintf("a-sizes/zeros-%d", n), zeros(n), 0o400)
	}
	put("b-holes/begin", zeros(2*blockSize)+text(100), 0o444)
	put("b-holes/middle", text(blockSize)+zeros(blockSize)+noise(blockSize)+zeros(blockSize/2), 0o644)
	put("b-holes/end", noise(blockSize+3)+zeros(2*blockSize), 0o444)
	for _, name := range []string{"one", "two", "sub/three"} {
		put("c-equal/"+name, text(3*blockSize+17), 0o444)
		put("c-equal/small-"+filepath.Base(name), text(400), 0o755)
	}
	put("d-names/"+strings.Repeat("n", 255), "long", 0o444)
	put("d-names/\x01 \n\xff\\", "strange", 0o444)
	put("d-names/deep/"+strings.Repeat("d/", 60)+"file", "deep", 0o4755)
	link("d-names/long", strings.Repeat("t/", 2047)+"t")
	link("d-names/to nowhere", "../nowhere")
	for _, d := range []string{"d-names/empty", "d-names/deep/empty"} {
		must(os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	for i := range 700 { // a listing of several metadata blocks and more than 64 KiB
		put(fmt.Sprintf("e-many/%s-%04d", strings.Repeat("m", 100), i), fmt.Sprint(i), 0o444)
	}
	for i := range 150 { // directories among files, as inodes of their own blocks
		put(fmt.Sprintf("f-mixed/%03d/file", i), fmt.Sprint(i), 0o444)
		put(fmt.Sprintf("f-mixed/%03d.x", i), "", 0o444)
	}
	put("g-file", text(blockSize+9), 0o755)
	link("h-link", "a-sizes")
	must(os.Mkdir(filepath.Join(dir, "i-empty"), 0o700))

	// Every directory.
	must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != dir {
			rel, _ := filepath.Rel(dir, path)
			want[rel] = found{mode: 0o555, dir: true}
		}
		return err
	}))
	entries, err := os.ReadDir(dir)
	must(err)
	for _, e := range entries {
		paths = append(paths, Path{Name: e.Name(), Dir: filepath.Join(dir, e.Name())})
	}
	return paths, want
}

func write(tb testing.TB, paths []Path, o Options) []byte {
	tb.Helper()
	m, err := Pack(tb.Context(), paths, o)
	if err != nil {
		tb.Fatal(err)
	}
	return written(tb, m)
}

func written(tb testing.TB, m *Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := m.WriteTo(tb.Context(), struct{ io.Writer }{&b}); err != nil {
		tb.Fatal(err)
	}
	if int64(b.Len()) != m.Size() {
		tb.Fatalf("%d bytes were written, Size says %d", b.Len(), m.Size())
	}
	return b.Bytes()
}

// compare complains of each file that differs.
func compare(tb testing.TB, got, want map[string]found) {
	tb.Helper()
	for path, w := range want {
		g, ok := got[path]
		if !ok || g.mode != w.mode || g.content != w.content || g.dir != w.dir || g.link != w.link {
			tb.Errorf("%.60q: mode %o, dir %v, link %v, %d bytes %.20q; want mode %o, dir %v, link %v, %d bytes %.20q", path,
				g.mode, g.dir, g.link, len(g.content), g.content, w.mode, w.dir, w.link, len(w.content), w.content)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			tb.Errorf("%q should not be there", path)
		}
	}
}

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
	info, err := os.Stat(full.cacheFile(paths[1]))
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	freed, err := Prune(t.Context(), cache, func(name string) bool { asked = append(asked, name); return name == "keep" })
	if err != nil || freed != info.Size()+7 {
		t.Errorf("%d bytes freed, %v: want %d", freed, err, info.Size()+7)
	}
	slices.Sort(asked)
	if want := []string{"drop \"it\"\n", "keep", "keep"}; !slices.Equal(asked, want) {
		t.Errorf("asked about %q, want %q", asked, want)
	}
	if left, _ := os.ReadDir(cache); len(left) != 3 {
		t.Errorf("left: %v", left)
	}
	if freed, err := Prune(t.Context(), dir+"/absent", nil); freed != 0 || err != nil {
		t.Errorf("an absent cache: %d, %v", freed, err)
	}
}
