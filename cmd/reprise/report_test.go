package main

import (
	"testing"

	"reprise/initrd/blockdev"
)

// TestReportGoesToSticksAlone holds that no disk is written to but the stick's
// own and those that were labelled for it.
func TestReportGoesToSticksAlone(t *testing.T) {
	device := func(name, disk string, number int, kind, label string) blockdev.Device {
		return blockdev.Device{Name: name, Disk: disk, Number: number, Content: blockdev.Content{Type: kind, Label: label}}
	}
	devices := []blockdev.Device{
		device("sda", "", 0, "iso9660", "REPRISE"),
		device("sda2", "sda", 2, "vfat", "REPRISE-ESP"), // what the medium boots from
		device("sda3", "sda", 3, "vfat", "NOTES"),
		device("sdb1", "sdb", 1, "vfat", "reprisedata"),
		device("sdc1", "sdc", 3, "ext4", "home"),
		device("sdd1", "sdd", 1, "ntfs", "REPRISEDATA"),
	}
	got := ""
	for _, d := range sticks(devices, "sda") {
		got += d.Name + " "
	}
	if want := "sda3 sdb1 "; got != want {
		t.Errorf("sticks %q, want %q", got, want)
	}
	if got := sticks(devices[:3], ""); len(got) != 0 {
		t.Errorf("without a medium's disk: %v", got)
	}
}
