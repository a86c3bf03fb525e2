package oracle

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestListsAreWellFormed(t *testing.T) {
	rules, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, r := range rules {
		key := r.Set + ":" + r.Pattern
		if len(r.Aspects) > 0 {
			key += " differs"
		}
		if seen[key] != "" {
			t.Errorf("%s: %q stands at %s too", r.Place, r.Pattern, seen[key])
		}
		seen[key] = r.Place
		// What hides a whole top directory hides faults.
		if deep, ok := strings.CutSuffix(r.Pattern, "/**"); ok && strings.Count(deep, "/") < 2 {
			t.Errorf("%s: %q is too broad", r.Place, r.Pattern)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"/x\n": "tab", "/x\t\n": "tab", "/x\ta\tb\n": "tab", "x\ta reason\n": "not absolute", "/[a-\ta reason\n": "pattern",
	} {
		if _, err := Parse("list", []byte(text), false); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "list:1: ") {
			t.Errorf("Parse(%q) = %v, want an error at list:1 with %q", text, err, want)
		}
	}
	if _, err := Parse("list", []byte("/x\tcolour\ta reason\n"), true); err == nil || !strings.Contains(err.Error(), `"colour"`) {
		t.Errorf("an unknown aspect: %v", err)
	}
	got, err := Parse("list", []byte("# c\n\ndesktop:/x\tmode,owner\twhy\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Rule{{Set: "desktop", Pattern: "/x", Aspects: []Aspect{AspectMode, AspectOwner}, Reason: "why", Place: "list:3"}}, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"/etc/rc?.d/*", "/etc/rc2.d/S01cron", true},
		{"/etc/rc?.d/*", "/etc/rc2.d", false},
		{"/etc/rc?.d/*", "/etc/rc2.d/a/b", false},
		{"/var/lib/dpkg/**", "/var/lib/dpkg", true},
		{"/var/lib/dpkg/**", "/var/lib/dpkg/info/bash.list", true},
		{"/var/lib/dpkg/**", "/var/lib/dpkg-old", false},
		{"/var/lib/*/x/**", "/var/lib/a/x/b/c", true},
		{"/var/lib/*/x/**", "/var/lib/a/y/b/c", false},
		{"/**", "/anything/at/all", true},
		{"/mnt", "/mnt/x", false},
	} {
		if got := (Rule{Pattern: test.pattern}).Match(test.name); got != test.want {
			t.Errorf("Match(%q, %q) = %v, want %v", test.pattern, test.name, got, test.want)
		}
	}
}

// debian is the archive of a system with two packages, one script of which
// made /etc/made and /usr/lib/x/cache.
func debian(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, content string) {
		h.Size = int64(len(content))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	dir := func(name string) { add(tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}, "") }
	dir("./")
	for _, d := range []string{"etc", "usr", "usr/bin", "usr/lib", "usr/lib/x", "var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/info"} {
		dir("./" + d + "/")
	}
	add(tar.Header{Name: "./bin", Typeflag: tar.TypeSymlink, Linkname: "usr/bin", Mode: 0o777}, "")
	add(tar.Header{Name: "./usr/bin/x", Mode: 0o2755, Gid: 7}, "ELF")
	add(tar.Header{Name: "./usr/bin/y", Typeflag: tar.TypeLink, Linkname: "./usr/bin/x", Mode: 0o2755, Gid: 7}, "")
	add(tar.Header{Name: "./usr/bin/old"}, "old")
	add(tar.Header{Name: "./usr/lib/x/cache"}, "cache")
	add(tar.Header{Name: "./etc/made", Uid: 9}, "made")
	add(tar.Header{Name: "./etc/passwd"}, "root:x:0:0:::\n")
	add(tar.Header{Name: "./etc/group"}, "root:x:0:\nplayers:x:7:\n")
	add(tar.Header{Name: "./var/lib/dpkg/status"}, "Package: x\nVersion: 1-2\n\nPackage: base\nVersion: 3\n")
	add(tar.Header{Name: "./var/lib/dpkg/info/x:amd64.list"}, "/.\n/usr\n/usr/bin\n/usr/bin/x\n/usr/bin/y\n/bin/old\n/usr/lib\n/usr/lib/x\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadTar(t *testing.T) {
	l, err := ReadTar(bytes.NewReader(debian(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"x": "1-2", "base": "3"}, l.Packages); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	got := map[string]Entry{}
	for _, e := range l.Entries {
		got[e.Path] = e
	}
	elf, err := Sum("/usr/bin/x", strings.NewReader("ELF"))
	if err != nil {
		t.Fatal(err)
	}
	cache, _ := Sum("/usr/lib/x/cache", strings.NewReader("cache"))
	for name, want := range map[string]Entry{
		"/usr/bin/x":       {Kind: File, Mode: 0o2755, Owner: "root", Group: "players", Sum: elf},
		"/usr/bin/y":       {Kind: File, Mode: 0o2755, Owner: "root", Group: "players", Sum: elf}, // the same file
		"/usr/lib/x/cache": {Kind: File, Mode: 0o644, Owner: "root", Group: "root", Sum: cache, Made: true, From: []string{"x"}},
		"/bin":             {Kind: Link, Mode: 0o777, Owner: "root", Group: "root", Target: "usr/bin", Made: true},
	} {
		want.Path = name
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got["/usr/bin/old"].Made {
		t.Error("a path that dpkg knows by its name before the merged /usr counts as made")
	}
	if e := got["/etc/made"]; !e.Made || e.Owner != "9" {
		t.Errorf("/etc/made is %+v", e)
	}
	recorded := map[string]bool{}
	for _, e := range l.Recorded().Entries {
		recorded[e.Path] = true
	}
	for name, want := range map[string]bool{"/usr/bin/x": true, "/usr/lib/x/cache": true, "/usr/bin/old": false, "/usr/lib/x": false} {
		if recorded[name] != want {
			t.Errorf("%s is recorded: %v, want %v", name, recorded[name], want)
		}
	}
	var text bytes.Buffer
	if err := l.Encode(&text); err != nil {
		t.Fatal(err)
	}
	again, err := ParseListing(&text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, again); diff != "" {
		t.Errorf("ParseListing of Encode (-want +got):\n%s", diff)
	}
}

func TestSumLeavesOutWhatCannotBeRepeated(t *testing.T) {
	sum := func(name, content string) string {
		s, err := Sum(name, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if sum("/usr/a.pyc", strings.Repeat("1", 16)+"code") != sum("/usr/a.pyc", strings.Repeat("2", 16)+"code") {
		t.Error("the header of bytecode counts")
	}
	if sum("/usr/a.pyc", strings.Repeat("1", 16)+"code") == sum("/usr/a.pyc", strings.Repeat("1", 16)+"cod") {
		t.Error("bytecode does not count")
	}
	// One entry, libx.so.1 at /lib/libx.so.1, its strings at different places.
	cache := func(library string, shift int, note string) string {
		strings := 48 + 24 + shift
		data := append(make([]byte, strings), library+"\x00/lib/"+library+"\x00"+note...)
		binary.LittleEndian.PutUint32(data[20:], 1)
		binary.LittleEndian.PutUint32(data[52:], uint32(strings))
		binary.LittleEndian.PutUint32(data[56:], uint32(strings+len(library)+1))
		return sum("/etc/ld.so.cache", string(data))
	}
	if cache("libx.so.1", 0, "") != cache("libx.so.1", 8, "ldconfig's note") {
		t.Error("the place of strings in ld.so.cache counts, or who made it")
	}
	if cache("libx.so.1", 0, "") == cache("liby.so.1", 0, "") {
		t.Error("the entries of ld.so.cache do not count")
	}
	sum("/etc/ld.so.cache", strings.Repeat("\xff", 100))
	sum("/etc/ld.so.cache", "short")
	sum("/usr/a.pyc", "short")
}

func TestLookupFollowsDirectories(t *testing.T) {
	tree := NewTree(nil, []Entry{
		{Path: "/lib", Kind: Link, Target: "usr/lib"}, {Path: "/usr", Kind: Dir}, {Path: "/usr/lib", Kind: Dir}, {Path: "/usr/lib/x", Kind: File},
		{Path: "/a", Kind: Link, Target: "/b"}, {Path: "/b", Kind: Link, Target: "../a"}, {Path: "/file", Kind: File},
	})
	for name, want := range map[string]string{
		"/lib/x": "/usr/lib/x", "/usr/lib/x": "/usr/lib/x", "/lib": "/lib", "/a/x": "", "/file/x": "", "/nothing/x": "", "/": "/",
	} {
		got, ok := tree.Lookup(name)
		if got.Path != want || ok != (want != "") {
			t.Errorf("Lookup(%q) = %q, %v, want %q", name, got.Path, ok, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/etc/*\treason\n# comment\n", "/etc/x")
	f.Add("/[a-\tx", "/")
	f.Add("desktop:/etc/x\tmode\treason\n", "/etc/x")
	f.Fuzz(func(t *testing.T, text, name string) {
		for _, differs := range []bool{false, true} {
			rules, err := Parse("list", []byte(text), differs)
			if err != nil {
				continue
			}
			for _, r := range rules {
				r.Match(name)
			}
		}
	})
}

func FuzzParseListing(f *testing.F) {
	f.Add([]byte("{\"packages\":{\"a\":\"1\"}}\n{\"path\":\"/etc\",\"kind\":\"dir\",\"mode\":493}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseListing(bytes.NewReader(data))
		if err != nil {
			return
		}
		var text bytes.Buffer
		if err := l.Encode(&text); err != nil {
			t.Fatal(err)
		}
		again, err := ParseListing(&text)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Entries) != len(l.Entries) {
			t.Errorf("%d entries, then %d", len(l.Entries), len(again.Entries))
		}
	})
}

// FuzzReadTar lists any archive: what comes out can be kept and read again.
func FuzzReadTar(f *testing.F) {
	whole := debian(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ReadTar(bytes.NewReader(data))
		if err != nil {
			return
		}
		for i, e := range l.Entries {
			if !strings.HasPrefix(e.Path, "/") || path.Clean(e.Path) != e.Path || i > 0 && e.Path < l.Entries[i-1].Path {
				t.Errorf("entry %d is %q", i, e.Path)
			}
		}
		var text bytes.Buffer
		if err := l.Encode(&text); err != nil {
			t.Fatal(err)
		}
		again, err := ParseListing(&text)
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Entries) != len(l.Entries) || len(again.Packages) != len(l.Packages) {
			t.Errorf("%d entries of %d packages, then %d of %d", len(l.Entries), len(l.Packages), len(again.Entries), len(again.Packages))
		}
	})
}

// FuzzSum takes the sum of files that claim to be of a sort that it knows.
func FuzzSum(f *testing.F) {
	f.Add("/etc/ld.so.cache", append([]byte("glibc-ld.so.cache1.1\x01\x00\x00\x00"), make([]byte, 100)...))
	f.Add("/usr/lib/x.pyc", []byte("short"))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		sum, err := Sum(name, bytes.NewReader(data))
		if err != nil || len(sum) != 16 {
			t.Errorf("Sum(%q) = %q, %v", name, sum, err)
		}
	})
}
