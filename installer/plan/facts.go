package plan

import (
	"slices"
	"strings"
	"time"

	"reprise/hwdetect"
)

// typeESP is the GPT type of an EFI system partition, lower case.
const typeESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"

// DisksOf takes the disks out of facts that were read with their contents.
// medium is the node that the installer started from, such as "sdb1" or "sr0";
// "" when it started from none. Nodes of optical drives are no disks.
func DisksOf(facts *hwdetect.Facts, medium string) []Disk {
	var disks []Disk
	for _, d := range facts.Disks {
		disk := Disk{Path: "/dev/" + d.Name, SizeBytes: d.SizeBytes, SectorBytes: 512, Medium: medium != "" && d.Name == medium}
		disk.Model, _ = d.Model.Get()
		disk.Serial, _ = d.Serial.Get()
		disk.Bus, _ = d.Transport.Get()
		disk.Removable, _ = d.Removable.Get()
		disk.ReadOnly, _ = d.ReadOnly.Get()
		disk.Holds, _ = d.Content.Type.Get()
		disk.Serial, disk.Model = strings.TrimSpace(disk.Serial), strings.TrimSpace(disk.Model)
		if n, ok := d.BlockBytes.Get(); ok {
			disk.SectorBytes = int64(n)
		}
		disk.Uses = usesOf(disk.Path, d.Use)
		for _, p := range d.Partitions {
			part := Partition{Path: "/dev/" + p.Name, SizeBytes: p.SizeBytes}
			part.Type, _ = p.Type.Get()
			part.Holds, _ = p.Content.Type.Get()
			part.Label, _ = p.Content.Label.Get()
			if part.Label == "" {
				part.Label, _ = p.Label.Get()
			}
			system, _ := p.Content.OS.Get()
			part.Windows = system == "Windows" && strings.EqualFold(part.Type, typeESP)
			disk.Medium = disk.Medium || medium != "" && p.Name == medium
			disk.Uses = append(disk.Uses, usesOf(part.Path, p.Use)...)
			disk.Partitions = append(disk.Partitions, part)
		}
		// An ESP says little of who starts from it; one beside NTFS is Windows'.
		if slices.ContainsFunc(disk.Partitions, func(p Partition) bool { return p.Holds == "ntfs" || p.Holds == "BitLocker" }) {
			for i, p := range disk.Partitions {
				disk.Partitions[i].Windows = p.Windows || strings.EqualFold(p.Type, typeESP)
			}
		}
		disks = append(disks, disk)
	}
	return disks
}

// usesOf leaves out what only says that it belongs to something larger: see
// members.
func usesOf(device string, list []hwdetect.Use) []Use {
	var uses []Use
	for _, u := range list {
		switch u.Kind {
		case hwdetect.UseMounted:
			uses = append(uses, Use{device, UseMount, u.By})
		case hwdetect.UseSwap:
			uses = append(uses, Use{device, UseSwap, u.By})
		case hwdetect.UseMember:
		case hwdetect.UseZFS:
			if u.By != "" {
				uses = append(uses, Use{device, UseHolder, "the ZFS pool " + u.By})
			}
		default:
			uses = append(uses, Use{device, UseHolder, u.By})
		}
	}
	return uses
}

// MachineOf takes what a plan needs of the machine out of facts.
func MachineOf(facts *hwdetect.Facts, now time.Time) Machine {
	m := Machine{Now: now, Wired: map[string]string{}}
	m.MemoryBytes, _ = facts.Memory.UsableBytes.Get()
	m.UEFI, _ = facts.Firmware.UEFI.Get()
	m.Serial, _ = facts.Chassis.Serial.Get()
	// By where they sit: names follow the order in which drivers came.
	cards := slices.Clone(facts.Network)
	slices.SortStableFunc(cards, func(a, b hwdetect.NetworkDevice) int {
		if a.Kind != b.Kind {
			return strings.Compare(a.Kind, b.Kind) // "ethernet" before "wifi"
		}
		return strings.Compare(a.Device.Or("~"), b.Device.Or("~"))
	})
	for _, n := range cards {
		if mac, ok := n.Address.Get(); ok && (n.Kind == "ethernet" || n.Kind == "wifi") {
			m.MACs = append(m.MACs, strings.ToLower(mac))
			if n.Kind == "ethernet" {
				m.Wired[n.Name] = strings.ToLower(mac)
			}
		}
	}
	return m
}
