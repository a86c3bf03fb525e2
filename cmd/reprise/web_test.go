package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/initrd/network"
)

func TestInFront(t *testing.T) {
	macs := []string{"52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"}
	up := func(mac string) network.State {
		return network.State{Links: []network.Link{{Name: "eth0", MAC: mac, Status: network.Up}}}
	}
	for _, test := range []struct {
		state network.State
		want  []string
	}{
		{network.State{}, macs},
		{up("52:54:00:00:00:02"), []string{macs[1], macs[0], macs[2]}},
		{up("52:54:00:00:00:09"), macs},
	} {
		if d := cmp.Diff(test.want, inFront(macs, test.state)); d != "" {
			t.Error(d)
		}
	}
}
