package network

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const online = `{"version":1,"first":"eth1","links":[
	{"name":"eth0","mac":"52:54:00:00:00:01","status":"up","address":"10.0.0.2/24","gateway":"","nameServers":[]},
	{"name":"eth1","mac":"52:54:00:00:00:02","status":"up","address":"10.0.2.15/24","gateway":"10.0.2.2","nameServers":["10.0.2.3"]},
	{"name":"eth2","mac":"52:54:00:00:00:03","status":"no cable"}]}`

func TestState(t *testing.T) {
	s, err := Parse([]byte(online))
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := s.Online(); !ok || l.Name != "eth1" {
		t.Errorf("online is %v, %v, want the link that was first", l, ok)
	}
	s.Links[1].Status = NoCable
	if l, ok := s.Online(); !ok || l.Name != "eth0" {
		t.Errorf("online is %v, %v, want the one that is left", l, ok)
	}
	s.Links[0].Status = Asking
	if l, ok := s.Online(); ok {
		t.Errorf("online is %v, and no link has an address", l)
	}
	for _, bad := range []string{"", "{}", `{"version":2}`, "[]"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestLines(t *testing.T) {
	for _, test := range []struct {
		link Link
		want string
	}{
		{Link{Status: Up, Address: "10.0.2.15/24", Gateway: "10.0.2.2"}, "eth0 (52:54:00:12:34:56): address 10.0.2.15/24"},
		{Link{Status: Up, Address: "10.0.2.15/24"}, "eth0 (52:54:00:12:34:56): address 10.0.2.15/24, no gateway"},
		{Link{Status: NoCable}, "eth0 (52:54:00:12:34:56): no cable is in"},
		{Link{Status: Asking}, "eth0 (52:54:00:12:34:56): a cable is in, asking for an address"},
		{Link{Status: Silent, Problem: "timeout"}, "eth0 (52:54:00:12:34:56): a cable is in, and nobody gives out addresses there (DHCP): timeout"},
		{Link{Status: Broken, Problem: "no firmware"}, "eth0 (52:54:00:12:34:56): cannot be used: no firmware"},
	} {
		test.link.Name, test.link.MAC = "eth0", "52:54:00:12:34:56"
		if got := (State{Links: []Link{test.link}}).Lines(); len(got) != 1 || got[0] != test.want {
			t.Errorf("%v is told as %q, want %q", test.link.Status, got, test.want)
		}
	}
	if got := (State{}).Lines(); len(got) != 1 || got[0] != "no wired network interface" {
		t.Errorf("no links: %q", got)
	}
}

func TestWait(t *testing.T) {
	file := filepath.Join(t.TempDir(), "network.json")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := Wait(ctx, file)
	if e := new(NotUpError); !errors.As(err, &e) || !strings.Contains(err.Error(), "no wired network interface") {
		t.Errorf("nobody there: %v", err)
	}
	written := make(chan error, 1)
	go func() {
		time.Sleep(20 * time.Millisecond)
		next := file + ".next"
		err := os.WriteFile(next, []byte(online), 0o644)
		if err == nil {
			err = os.Rename(next, file)
		}
		written <- err
	}()
	l, err := Wait(t.Context(), file)
	if err != nil || l.MAC != "52:54:00:00:00:02" {
		t.Errorf("Wait = %v, %v", l, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestWired(t *testing.T) {
	sys := fstest.MapFS{
		"class/net/lo/type":              {Data: []byte("772\n")},
		"class/net/eth0/type":            {Data: []byte("1\n")},
		"class/net/eth0/device/vendor":   {},
		"class/net/veth/type":            {Data: []byte("1\n")},
		"class/net/wlan0/type":           {Data: []byte("1\n")},
		"class/net/wlan0/device/vendor":  {},
		"class/net/wlan0/phy80211/index": {},
		"class/net/fw0/type":             {Data: []byte("24\n")},
		"class/net/fw0/device/vendor":    {},
	}
	for name, want := range map[string]bool{"eth0": true, "lo": false, "veth": false, "wlan0": false, "fw0": false, "gone": false} {
		if got := wired(sys, name); got != want {
			t.Errorf("wired(%q) = %v", name, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(online))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := Parse(data); err == nil {
			s.Online()
			s.Lines()
		}
	})
}
