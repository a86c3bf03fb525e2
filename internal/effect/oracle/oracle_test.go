package oracle

import (
	"compress/gzip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/effect"
)

// The recorded listing: what configuring added to the 680 packages of a
// desktop with PipeWire, Ardour, Xfce and NetworkManager, trixie of 2026-11.
func recorded(t *testing.T) []string {
	t.Helper()
	f, err := os.Open("testdata/desktop-680.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	names, err := ReadListing(z)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRecordedDesktopIsExplained(t *testing.T) {
	rules, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/made.txt")
	if err != nil {
		t.Fatal(err)
	}
	made, err := Parse("made.txt", data)
	if err != nil {
		t.Fatal(err)
	}
	effects := map[string]bool{"machine": true}
	for _, e := range effect.All() {
		effects[e.Name] = true
	}
	for _, r := range made {
		if !effects[r.Reason] {
			t.Errorf("%s: there is no effect %q", r.Place, r.Reason)
		}
	}
	judge := recorded(t)
	if len(judge) < 5500 {
		t.Errorf("the listing has %d paths, want 5588", len(judge))
	}
	v := Compare(judge, func(name string) bool {
		for _, r := range made {
			if r.Match(name) {
				return true
			}
		}
		return false
	}, rules)
	for _, name := range v.Unexplained {
		t.Errorf("nothing makes or explains %q", name)
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

func TestCompare(t *testing.T) {
	rules := []Rule{{Pattern: "/a/*", Reason: "x"}, {Pattern: "/z", Reason: "y"}}
	got := Compare([]string{"/b", "/a/1", "/have"}, func(name string) bool { return name == "/have" }, rules)
	want := Verdict{Unexplained: []string{"/b"}, Explained: 1, Idle: rules[1:]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Compare (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/etc/*\treason\n# comment\n", "/etc/x")
	f.Add("/[a-\tx", "/")
	f.Fuzz(func(t *testing.T, text, name string) {
		rules, err := Parse("list", []byte(text))
		if err != nil {
			return
		}
		for _, r := range rules {
			r.Match(name)
		}
	})
}
