package effect

import (
	"bytes"
	"compress/gzip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// FuzzSortLines holds that a list of modules keeps its lines, comments first.
func FuzzSortLines(f *testing.F) {
	f.Add([]byte("# comment\nlibb.so: x\nliba.so: y,z\n"))
	f.Add([]byte("b\na"))
	f.Add([]byte("\n\n#\n"))
	lines := func(data []byte) []string {
		all := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		slices.Sort(all)
		return all
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sorted := sortLines(bytes.Clone(data))
		if !slices.Equal(lines(data), lines(sorted)) {
			t.Errorf("sortLines(%q) = %q: other lines", data, sorted)
		}
		if again := sortLines(bytes.Clone(sorted)); !bytes.Equal(again, sorted) {
			t.Errorf("sorted twice: %q, then %q", sorted, again)
		}
	})
}

// FuzzPlainManual unpacks anything that claims to be a manual.
func FuzzPlainManual(f *testing.F) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("This is find.info.\n"))
	z.Close()
	f.Add(packed.Bytes())
	f.Add(packed.Bytes()[:15])
	f.Add(slices.Concat(packed.Bytes(), packed.Bytes()))
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "x.info.gz")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		plain, err := plainManual(name)
		if err != nil {
			return
		}
		if plain != strings.TrimSuffix(name, ".gz") {
			t.Errorf("it is at %q", plain)
		}
		if info, err := os.Stat(plain); err != nil || info.Size() > mostManual {
			t.Errorf("%v, %v", info, err)
		}
	})
}

// FuzzReadLibrary reads the name of anything that claims to be a library.
func FuzzReadLibrary(f *testing.F) {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16], head[18], head[20], head[52] = 3, 62, 1, 64
	f.Add(head)
	f.Add([]byte("/* GNU ld script */ GROUP ( /lib/libc.so.6 )"))
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own[:4096])
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(t.TempDir(), "libx.so")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		soname, flags, err := readLibrary(name)
		if err != nil {
			t.Fatalf("readLibrary: %v", err)
		}
		if flags == 0 && soname != "" {
			t.Errorf("no library, but named %q", soname)
		}
	})
}

// FuzzLibraryDirs reads any ld.so.conf.
func FuzzLibraryDirs(f *testing.F) {
	f.Add("include /etc/ld.so.conf.d/*.conf\n", "/opt/a/lib:/opt/b/lib, /x # y\nrelative\n")
	f.Add("include ld.so.conf.d/[a\ninclude ld.so.conf", "include /etc/ld.so.conf\n/lib\n/usr/lib\n")
	f.Fuzz(func(t *testing.T, main, more string) {
		e := &Env{Packages: NewContents(nil), Tools: NewContents(nil)}
		dirs, err := libraryDirs(e, map[string]string{"etc/ld.so.conf": main, "etc/ld.so.conf.d/more.conf": more})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, dir := range dirs {
			if !path.IsAbs(dir) || path.Clean(dir) != dir {
				t.Errorf("%q is no clean absolute path", dir)
			}
			if real := realLibraryDir(dir); seen[real] {
				t.Errorf("%q stands twice in %q", real, dirs)
			} else {
				seen[real] = true
			}
		}
	})
}

// FuzzCompareLibraries holds that the loader's order is one.
func FuzzCompareLibraries(f *testing.F) {
	f.Add("liba.so.2", "liba.so.10", "lib2.so")
	f.Add("a1", "a01", "a99999999999999999999999")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		sign := func(n int) int { return min(1, max(-1, n)) }
		ab, ba := sign(compareLibraries(a, b)), sign(compareLibraries(b, a))
		if ab != -ba {
			t.Errorf("%q and %q: %d one way, %d the other", a, b, ab, ba)
		}
		if bc, ac := sign(compareLibraries(b, c)), sign(compareLibraries(a, c)); ab == bc && ac != ab {
			t.Errorf("%q, %q and %q go in a circle", a, b, c)
		}
	})
}

// FuzzLoaderCache reads back what is written for sonames of any bytes.
func FuzzLoaderCache(f *testing.F) {
	f.Add("liba.so.2", "libb.so")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a+b, "\x00") {
			return
		}
		cache := loaderCache([]library{{a, "/lib/" + a, 0x303}, {b, "/lib/" + b, 0x303}})
		for _, name := range []string{a, b} {
			if !bytes.Contains(cache[48+2*24:], []byte("/lib/"+name+"\x00")) {
				t.Errorf("%q is not in %q", name, cache)
			}
		}
	})
}
