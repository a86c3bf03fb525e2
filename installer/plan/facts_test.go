package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
)

// TestCardsInOrder holds that the first card is the same one however their
// drivers came: the wired one that sits first.
func TestCardsInOrder(t *testing.T) {
	card := func(name, kind, device, mac string) hwdetect.NetworkDevice {
		n := hwdetect.NetworkDevice{Name: name, Kind: kind, Address: hwdetect.Is(mac)}
		if device != "" {
			n.Device = hwdetect.Is(device)
		}
		return n
	}
	want := []string{"52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03", "52:54:00:00:00:04"}
	for name, cards := range map[string][]hwdetect.NetworkDevice{
		"as they sit": {card("eth0", "ethernet", "0000:00:1f.6", want[0]), card("eth1", "ethernet", "0000:02:00.0", want[1]), card("eth2", "ethernet", "", want[2]), card("wlan0", "wifi", "0000:00:14.3", want[3])},
		"otherwise":   {card("eth0", "ethernet", "", want[2]), card("eth1", "ethernet", "0000:02:00.0", want[1]), card("eth2", "ethernet", "0000:00:1f.6", want[0]), card("wlan0", "wifi", "0000:00:14.3", want[3])},
	} {
		m := MachineOf(&hwdetect.Facts{Network: cards}, time.Time{})
		if diff := cmp.Diff(want, m.MACs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
