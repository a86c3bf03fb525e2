package plan

import (
	"fmt"
	"slices"
	"strings"

	"reprise/image/layout"
	"reprise/installer/answers"
	"reprise/internal/diag"
)

// members are what disks hold that are parts of something larger, with what a
// person calls it.
var members = map[string]string{
	"linux_raid_member": "a RAID", "isw_raid_member": "a RAID of the firmware", "ddf_raid_member": "a RAID of a controller",
	"LVM2_member": "an LVM volume group", "zfs_member": "a ZFS pool", "bcache": "a bcache", "drbd": "a DRBD",
}

// disk finds the disk that the answers choose and tells everything that stands
// against it; nil when there is no choice.
func (m *maker) disk() *Disk {
	var candidates []*Disk
	for i := range m.Disks {
		if !m.Disks[i].Medium {
			candidates = append(candidates, &m.Disks[i])
		}
	}
	switch {
	case len(m.Disks) == 0:
		m.fail("disk", "is not there: this machine shows no disk", "a disk to install to", "look at its cable and at the firmware's setup: storage in RAID mode hides disks, AHCI shows them")
		return nil
	case len(candidates) == 0:
		m.fail("disk", "is not there: the only disk is "+m.Disks[0].Name()+", which the installer runs from", "a disk to install to", "look at the disk's cable and at the firmware's setup: storage in RAID mode hides disks, AHCI shows them")
		return nil
	case len(m.Answers.Disk) == 0:
		return nil // answers.Check told
	}
	chosen := m.choose(candidates)
	if chosen == nil {
		return nil
	}
	m.consent(chosen)
	m.fit(chosen)
	return chosen
}

func (m *maker) choose(candidates []*Disk) *Disk {
	list := m.Answers.Disk
	var found []*Disk
	switch {
	case list.Is(answers.Only):
		for _, d := range candidates {
			if !d.Removable && !d.ReadOnly {
				found = append(found, d)
			}
		}
		switch len(found) {
		case 1:
			return found[0]
		case 0:
			m.fail("disk", `is "only", and every disk can be removed or is read-only`, "the serial number of one", "write one of "+serials(candidates))
		default:
			m.fail("disk", fmt.Sprintf(`is "only", and the machine has %d disks`, len(found)), "the serial number of one", "write one of "+serials(found))
		}
		return nil
	case strings.HasPrefix(list[0], "/dev/"):
		for i := range m.Disks {
			d := &m.Disks[i]
			if d.Path != list[0] {
				continue
			}
			if d.Medium {
				m.fail("disk", "is "+d.Path+", which the installer runs from", "another disk", "write one of "+paths(candidates))
				return nil
			}
			return d
		}
		m.fail("disk", fmt.Sprintf("is %q, and there is no such disk", list[0]), "a disk of this machine", "write one of "+paths(candidates))
		return nil
	}
	for _, d := range candidates {
		if d.Serial != "" && list.Has(d.Serial) {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 1:
		return found[0]
	case len(found) == 0:
		m.noSuchSerial(candidates)
	case slices.ContainsFunc(found, func(d *Disk) bool { return d.Serial != found[0].Serial }):
		m.fail("disk", "names "+serials(found)+", and the machine has all of them", "one disk", "write the serial number of one")
	default:
		m.fail("disk", fmt.Sprintf("is %q, and %d disks say that this is their serial number", found[0].Serial, len(found)), "one disk",
			`write its path, "disk": "`+found[0].Path+`", and its serial number in "erase"`)
	}
	return nil
}

func (m *maker) noSuchSerial(candidates []*Disk) {
	wanted := m.Answers.Disk[0]
	for _, d := range m.Disks {
		if d.Medium && d.Serial != "" && m.Answers.Disk.Has(d.Serial) {
			m.fail("disk", fmt.Sprintf("is %q, the stick that the installer runs from", d.Serial), "another disk", "write one of "+serials(candidates))
			return
		}
	}
	var known []string
	for _, d := range candidates {
		if d.Serial != "" {
			known = append(known, d.Serial)
		}
	}
	do := "write one of " + serials(candidates)
	if near := diag.Nearest(wanted, known); len(near) > 0 {
		do = "write " + near[0]
	}
	got := fmt.Sprintf("is %q, and no disk has this serial number", wanted)
	if len(m.Answers.Disk) > 1 {
		got = fmt.Sprintf("lists %d serial numbers, and no disk has one of them", len(m.Answers.Disk))
	}
	m.fail("disk", got, "a disk of this machine", do)
}

// consent compares what was agreed to with the disk that was chosen.
func (m *maker) consent(d *Disk) {
	erase := m.Answers.Erase
	word := d.Word()
	switch {
	case len(erase) == 0: // answers.Check told
	case erase.Is(answers.Only) && m.Answers.Disk.Is(answers.Only):
	case erase.Has(word):
	case slices.ContainsFunc(m.problems, func(p diag.Problem) bool { return p.Field == "erase" }):
	default:
		m.fail("erase", fmt.Sprintf("is %s, and the disk is %s", quoted(erase), d.Name()), fmt.Sprintf("%q, if everything on this disk may be lost", word), "compare it with the label of the disk: nothing was written")
	}
}

// Word is what has to be typed to erase the disk: its serial number, or its
// path when it has none.
func (d Disk) Word() string {
	if d.Serial != "" {
		return d.Serial
	}
	return d.Path
}

// fit tells why the disk cannot be erased now.
func (m *maker) fit(d *Disk) {
	where := "disk " + d.Path
	if d.ReadOnly {
		m.fail(where, "is read-only", "a disk that can be written", "look for a switch on it, or choose another disk")
	}
	// A BIOS starts nothing from other sectors (GRUB's boot.img reads 512 bytes),
	// and FAT, which UEFI reads, would have to be in the disk's own.
	if d.SectorBytes != layout.Sector {
		m.fail(where, fmt.Sprintf("has sectors of %d bytes", d.SectorBytes), fmt.Sprintf("a disk with logical sectors of %d bytes, as nearly all have", layout.Sector),
			"choose another disk; many NVMe drives of this kind can be set to 512 (nvme id-ns lists the formats, nvme format changes it, and everything on the drive is lost)")
	}
	var busy []string
	for _, u := range d.Uses {
		switch u.Kind {
		case UseMount:
			busy = append(busy, u.Device+" is mounted at "+u.By)
		case UseSwap:
			busy = append(busy, u.Device+" is swap")
		default:
			busy = append(busy, u.Device+" is a part of "+u.By)
		}
	}
	if len(busy) > 0 {
		m.fail(where, "is in use: "+strings.Join(busy, ", "), "a disk that nothing uses", "unmount it, or stop what uses it (swapoff, mdadm --stop, vgchange -an, zpool export), or choose another disk")
		return
	}
	if m.Answers.EraseMember {
		return
	}
	what := []string{}
	if name := members[d.Holds]; name != "" {
		what = append(what, d.Path+" is a member of "+name)
	}
	for _, p := range d.Partitions {
		if name := members[p.Holds]; name != "" {
			what = append(what, p.Path+" is a member of "+name)
		}
	}
	if len(what) > 0 {
		m.fail(where, "belongs to something larger: "+strings.Join(what, ", "), "a disk that other disks do not need", `choose another disk, or agree that the others lose this one: "eraseMember": true`)
	}
}

func serials(disks []*Disk) string {
	var names []string
	for _, d := range disks {
		names = append(names, fmt.Sprintf("%q (%s)", d.Word(), strings.TrimSpace(d.Model+" "+size(d.SizeBytes))))
	}
	return strings.Join(names, ", ")
}

func paths(disks []*Disk) string {
	var names []string
	for _, d := range disks {
		names = append(names, d.Path)
	}
	return strings.Join(names, ", ")
}

func quoted(list []string) string {
	var names []string
	for _, s := range list {
		names = append(names, fmt.Sprintf("%q", s))
	}
	return strings.Join(names, ", ")
}
