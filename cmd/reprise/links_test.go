package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
)

// A file that is not there yet is not a machine without a network.
func TestMediumLinks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "network.json")
	for _, test := range []struct {
		state string
		want  []string
	}{
		{"", nil},
		{`{"version":1,"links":[]}`, []string{"no wired network interface"}},
		{`{"version":1,"links":[{"name":"eth0","mac":"52:54:00:12:34:56","status":"no cable"}]}`, []string{"eth0 (52:54:00:12:34:56): no cable is in"}},
		{`{"version":7}`, []string{"state of the network: version 7, want 1"}},
	} {
		if test.state != "" {
			if err := os.WriteFile(file, []byte(test.state), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(test.want, mediumLinks(file)); d != "" {
			t.Errorf("%q: %s", test.state, d)
		}
	}
}

func TestSessionLinks(t *testing.T) {
	if got := sessionLinks(nil, nil); got != nil {
		t.Errorf("nobody has looked yet: %q", got)
	}
	mac := hwdetect.Is("52:54:00:12:34:56")
	f := &hwdetect.Facts{Network: []hwdetect.NetworkDevice{
		{Name: "enp1s0", Kind: "ethernet", Address: mac}, {Name: "wlp2s0", Kind: "wifi"}, {Name: "enp3s0", Kind: "ethernet"},
		{Name: "enp4s0", Kind: "ethernet"}, {Name: "enp5s0", Kind: "ethernet"}, {Name: "enp6s0", Kind: "ethernet"},
	}}
	states := map[string]interfaceState{
		"enp1s0": {up: true, cable: true, address: "10.0.2.15/24"}, "wlp2s0": {up: true}, "enp3s0": {up: true, cable: true}, "enp4s0": {up: true}, "enp5s0": {},
	}
	got := sessionLinks(f, func(name string) (interfaceState, bool) { s, ok := states[name]; return s, ok })
	want := []string{"enp1s0 (52:54:00:12:34:56): address 10.0.2.15/24", "enp3s0: a cable is in, no address yet", "enp4s0: no cable is in", "enp5s0: not in use"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The kernel answers for the one interface that every machine has.
func TestInterfaceNow(t *testing.T) {
	if s, ok := interfaceNow("lo"); !ok || s.address != "" {
		t.Errorf("lo: %+v, %v, want no address that others reach", s, ok)
	}
	if _, ok := interfaceNow("no such one"); ok {
		t.Error("an interface that is not there is known")
	}
}
