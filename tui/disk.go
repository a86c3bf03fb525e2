package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"reprise/installer/plan"
	"reprise/internal/diag"
)

func diskText(s *Session, width int) string {
	switch {
	case s.Facts == nil && s.LookErr != nil:
		return wrap("The machine could not be looked at: "+s.LookErr.Error(), width)
	case s.Facts == nil:
		return looking
	}
	var b strings.Builder
	if s.member == "" { // else it was read, and there is more to say
		b.WriteString(wrap("The disk to install to. Everything on it will be lost: Windows, music, all of it. The other disks stay as they are.", width))
	}
	shown := 0
	for _, d := range s.Disks {
		if d.Medium {
			if s.member == "" {
				b.WriteString(wrap("Not shown: "+d.Name()+", from which the installer runs.", width))
			}
			continue
		}
		shown++
	}
	if s.member != "" {
		b.WriteString(hang("! ", s.Said.Disk+" "+s.member, width))
	}
	if shown == 0 {
		b.WriteString("\n" + wrap("No disk was found. Look at its cable, and at the firmware's setup: storage in RAID mode hides disks, AHCI shows them. r looks again.", width))
	}
	return b.String()
}

func diskFields(s *Session) []field {
	if s.Facts == nil {
		return nil
	}
	f := field{id: "disk", kind: choice, label: "Disk", value: &s.Said.Disk, check: func() string {
		if s.disk() == nil {
			return "is not chosen"
		}
		return ""
	}}
	for _, d := range s.Disks {
		if !d.Medium {
			f.options = append(f.options, option{value: d.Path, label: diskLabel(d), detail: holdings(d)})
		}
	}
	list := []field{f}
	if s.member != "" {
		list = append(list, field{id: "member", kind: choice, label: "Erase it all the same?", repeats: true, value: &s.Said.LoseMember, options: []option{
			{value: no, label: "No: leave it as it is, and choose another disk"},
			{value: yes, label: "Yes: erase it, although the others then lack it"},
		}, check: func() string {
			if s.Said.LoseMember != yes {
				return "No: choose another disk"
			}
			return ""
		}})
	}
	return list
}

// diskLabel is the line of a disk: model, serial number, size.
func diskLabel(d plan.Disk) string {
	model, serial := d.Model, d.Serial
	if model == "" {
		model = "model not known"
	}
	if serial == "" {
		serial = "no serial number"
	} else {
		serial = "serial " + serial
	}
	label := fmt.Sprintf("%s  %s, %s, %s", d.Path, model, serial, amount(d.SizeBytes))
	if d.Removable {
		label += ", removable"
	}
	return label
}

// holdings say what is on a disk now.
func holdings(d plan.Disk) []string {
	var lines []string
	for _, p := range d.Partitions {
		what := holdingName(p.Holds)
		line := fmt.Sprintf("%s  %s  %s", p.Path, amount(p.SizeBytes), what)
		if p.Label != "" {
			line += fmt.Sprintf("  %q", p.Label)
		}
		if p.Windows {
			line += "  Windows starts from it"
		}
		lines = append(lines, line)
	}
	if d.Holds != "" {
		lines = append(lines, holdingName(d.Holds)+" on the whole disk")
	}
	for _, u := range d.Uses {
		lines = append(lines, fmt.Sprintf("IN USE: %s, %s %s", u.Device, u.Kind, u.By))
	}
	if d.ReadOnly {
		lines = append(lines, "READ-ONLY")
	}
	if len(lines) == 0 {
		lines = []string{"empty: no partitions"}
	}
	return lines
}

// holdingNames are what people call what blkid names.
var holdingNames = map[string]string{
	"": "content not known", "vfat": "FAT", "exfat": "exFAT", "ntfs": "NTFS (Windows)", "BitLocker": "encrypted (Windows, BitLocker)",
	"ext2": "ext2 (Linux)", "ext3": "ext3 (Linux)", "ext4": "ext4 (Linux)", "btrfs": "btrfs (Linux)", "xfs": "xfs (Linux)", "f2fs": "f2fs (Linux)",
	"crypto_LUKS": "encrypted (Linux, LUKS)", "swap": "swap space (Linux)", "apfs": "APFS (macOS)", "hfsplus": "HFS+ (macOS)", "iso9660": "a disc image",
	"linux_raid_member": "part of a RAID", "isw_raid_member": "part of a RAID", "ddf_raid_member": "part of a RAID", "LVM2_member": "part of an LVM group", "zfs_member": "part of a ZFS pool",
}

func holdingName(holds string) string {
	if name, ok := holdingNames[holds]; ok {
		return name
	}
	return holds
}

// probeDisk asks whether the chosen disk will do, before anything else is asked.
func probeDisk(s *Session) func(context.Context) (func(*Session), string) {
	agreed := s.member != "" && s.Said.LoseMember == yes
	strict, lenient, path := s.probe(agreed), s.probe(true), s.Said.Disk
	decide := s.Actions.Plan
	return func(ctx context.Context) (func(*Session), string) {
		_, err := decide(ctx, strict)
		found := ofDisk(err)
		if err != nil && found == nil {
			return nil, complaintOf(err)
		}
		if len(found) == 0 {
			return nil, ""
		}
		if _, err := decide(ctx, lenient); !agreed && err == nil {
			// Only its belonging to others stands against it.
			return func(s *Session) {
				if s.Said.Disk == path {
					s.member, s.Said.LoseMember = found[0].Got, no
				}
			}, "Others need this disk: choose another one, or agree below."
		}
		return nil, complaintOf(found)
	}
}

// ofDisk picks the problems of disk and machine; the answers that a probe
// makes up have none of their own.
func ofDisk(err error) diag.Problems {
	var problems diag.Problems
	if !errors.As(err, &problems) {
		return nil
	}
	return problems
}
