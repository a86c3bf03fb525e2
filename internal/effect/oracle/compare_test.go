package oracle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompare(t *testing.T) {
	file := func(name, sum string) Entry {
		return Entry{Path: name, Kind: File, Mode: 0o644, Owner: "root", Group: "root", Sum: sum}
	}
	dir := func(name string) Entry {
		return Entry{Path: name, Kind: Dir, Mode: 0o755, Owner: "root", Group: "root"}
	}
	link := func(name, target string) Entry {
		return Entry{Path: name, Kind: Link, Mode: 0o777, Owner: "root", Group: "root", Target: target}
	}
	with := func(e Entry, change func(*Entry)) Entry { change(&e); return e }
	packages := func(versions ...string) map[string]string {
		m := map[string]string{}
		for _, v := range versions {
			name, version, _ := strings.Cut(v, "=")
			m[name] = version
		}
		return m
	}
	made := func(e Entry, from ...string) Entry { e.Made, e.From = true, from; return e }
	for _, test := range []struct {
		name             string
		theirs, ours     []Entry
		was, is          map[string]string
		rules            string // of differs.txt
		absent           string
		problems         []string
		moved, explained int
	}{
		{name: "the same", theirs: []Entry{dir("/etc"), file("/etc/a", "1"), link("/etc/l", "/usr/b")}, ours: []Entry{dir("/etc"), file("/etc/a", "1"), link("/etc/l", "../usr/b")}},
		{name: "absent", theirs: []Entry{file("/a", "")}, problems: []string{"/a is not on our machine (a file, 0644 root:root)"}},
		{name: "absent, explained", theirs: []Entry{file("/a", "")}, absent: "/a\twhy\n", explained: 1},
		{name: "a rule for absence explains no difference", theirs: []Entry{file("/a", "")}, ours: []Entry{dir("/a")}, absent: "/a\twhy\n",
			problems: []string{`/a: kind is "dir", the judge's is "file"`}},
		{name: "a rule for a difference explains no absence", theirs: []Entry{file("/a", "")}, rules: "/a\tkind,mode\twhy\n",
			problems: []string{"/a is not on our machine (a file, 0644 root:root)"}},
		{name: "mode, owner and content", theirs: []Entry{file("/etc", "1")},
			ours:     []Entry{with(file("/etc", "2"), func(e *Entry) { e.Mode, e.Group = 0o600, "audio" })},
			problems: []string{"/etc: mode is 0600, the judge's is 0644", "/etc: owner is root:audio, the judge's is root:root", "/etc: content is 2, the judge's is 1"}},
		{name: "one aspect explained", theirs: []Entry{file("/etc", "1")}, rules: "/etc\tcontent\twhy\n", explained: 1,
			ours: []Entry{with(file("/etc", "2"), func(e *Entry) { e.Mode = 0o600 })}, problems: []string{"/etc: mode is 0600, the judge's is 0644"}},
		{name: "owners that an ordinary user cannot see", theirs: []Entry{with(dir("/v"), func(e *Entry) { e.Owner = "man" })}, ours: []Entry{with(dir("/v"), func(e *Entry) { e.Owner, e.Group = "", "" })}},
		{name: "a list of names", theirs: []Entry{{Path: "/v", Kind: Dir}}, ours: []Entry{dir("/v")}},
		{name: "target", theirs: []Entry{link("/l", "a")}, ours: []Entry{link("/l", "b")}, problems: []string{`/l: target is "b", the judge's is "a"`}},
		{name: "the merged usr in targets", theirs: []Entry{link("/l", "/lib/a")}, ours: []Entry{link("/l", "/usr/lib/a")}},
		{name: "a rule of another set", theirs: []Entry{file("/a", "")}, absent: "other:/a\twhy\n", problems: []string{"/a is not on our machine (a file, 0644 root:root)"}},
		{name: "a rule of this set", theirs: []Entry{file("/a", "")}, absent: "desktop:/a\twhy\n", explained: 1},
		{name: "the kernel has moved", theirs: []Entry{made(file("/m-6.1-rt", "")), made(link("/l", "/x/6.1-rt/y"))}, ours: []Entry{file("/m-6.2-rt", ""), link("/l", "/x/6.2-rt/y")},
			was: packages("linux-image-6.1-rt=1", "linux-image-rt=1"), is: packages("linux-image-6.2-rt=2", "linux-image-rt=2")},
		{name: "a package has moved, and a path with it", theirs: []Entry{made(file("/a", ""), "x"), made(file("/b", ""), "y")},
			was: packages("x=1", "y=1"), is: packages("x=2", "y=1"), moved: 1, problems: []string{"/b is not on our machine (a file, 0644 root:root)"}},
		{name: "content while packages move", theirs: []Entry{made(file("/all", "1")), made(file("/mine", "1"), "y"), made(file("/theirs", "1"), "x")},
			ours: []Entry{file("/all", "2"), file("/mine", "2"), file("/theirs", "2")},
			was:  packages("x=1", "y=1"), is: packages("x=2", "y=1"), problems: []string{"/mine: content is 2, the judge's is 1"}},
	} {
		absent, err := Parse("absent.txt", []byte(test.absent), false)
		if err != nil {
			t.Fatal(err)
		}
		differs, err := Parse("differs.txt", []byte(test.rules), true)
		if err != nil {
			t.Fatal(err)
		}
		ours := NewTree(test.is, test.ours)
		ours.Sum = func(e Entry) (string, error) { return e.Sum, nil }
		v, err := Compare("desktop", &Listing{test.was, test.theirs}, ours, append(absent, differs...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.problems, v.Problems); diff != "" {
			t.Errorf("%s: problems (-want +got):\n%s", test.name, diff)
		}
		if len(v.Moved) != test.moved || v.Explained != test.explained {
			t.Errorf("%s: %d moved, %d explained, want %d and %d", test.name, len(v.Moved), v.Explained, test.moved, test.explained)
		}
		if used := len(absent) + len(differs) - len(v.Idle); used != test.explained {
			t.Errorf("%s: %d rules were of use, want %d", test.name, used, test.explained)
		}
	}
}
