package kmod

import (
	"io/fs"
	"path"
	"strings"
)

// Modaliases returns the modalias of every device on the given buses ("pci",
// "virtio", "usb" …), read from sys (the root of /sys), in the order of the
// buses and of device names. Buses that are not there have no devices.
func Modaliases(sys fs.FS, buses []string) []string {
	var found []string
	for _, bus := range buses {
		devices := path.Join("bus", bus, "devices")
		// The entries are symlinks into /sys/devices: ReadDir of the link's
		// name gives the files of the device.
		entries, err := fs.ReadDir(sys, devices)
		if err != nil {
			continue
		}
		for _, e := range entries {
			data, err := fs.ReadFile(sys, path.Join(devices, e.Name(), "modalias"))
			if a := strings.TrimSpace(string(data)); err == nil && a != "" {
				found = append(found, a)
			}
		}
	}
	return found
}
