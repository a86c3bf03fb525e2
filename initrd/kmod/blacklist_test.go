package kmod

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestBlacklist(t *testing.T) {
	root := fstest.MapFS{
		"etc/modprobe.d/a.conf":     {Data: []byte("# blacklist no\nblacklist snd-pcsp\n  blacklist\tb43 # Wi-Fi\nblacklist\n")},
		"etc/modprobe.d/README":     {Data: []byte("blacklist none\n")},
		"usr/lib/modprobe.d/b.conf": {Data: []byte("options a b=1\nalias x y\nblacklist radeonfb")},
	}
	want := map[string]bool{"snd_pcsp": true, "b43": true, "radeonfb": true}
	if d := cmp.Diff(want, Blacklist(root)); d != "" {
		t.Error(d)
	}
	if got := Blacklist(fstest.MapFS{}); len(got) != 0 {
		t.Errorf("no files: %v", got)
	}
}

func FuzzBlacklist(f *testing.F) {
	f.Add([]byte("blacklist a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name := range Blacklist(fstest.MapFS{"etc/modprobe.d/x.conf": {Data: data}}) {
			if name != Name(name) {
				t.Errorf("%q is not a module's name", name)
			}
		}
	})
}
