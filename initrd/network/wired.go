package network

import (
	"io/fs"
	"path"
	"strings"
)

// wired says whether an interface is an Ethernet card: it has hardware behind
// it, and is neither Wi-Fi nor FireWire nor a tunnel. sys is the root of /sys.
func wired(sys fs.FS, name string) bool {
	dir := path.Join("class/net", name)
	kind, err := fs.ReadFile(sys, path.Join(dir, "type"))
	if err != nil || strings.TrimSpace(string(kind)) != "1" { // ARPHRD_ETHER
		return false
	}
	if _, err := fs.Stat(sys, path.Join(dir, "device")); err != nil {
		return false
	}
	for _, radio := range []string{"wireless", "phy80211"} {
		if _, err := fs.Stat(sys, path.Join(dir, radio)); err == nil {
			return false
		}
	}
	return true
}
