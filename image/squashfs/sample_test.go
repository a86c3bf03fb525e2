package squashfs

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
