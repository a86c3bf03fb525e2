package hwdetect

import (
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"reprise/initrd/blockdev"
)

// udevDir has udev's records of devices, by major and minor number. Snapshots
// keep what was found on disks in the same form.
const udevDir = "run/udev/data"

// readContents finds out what lies on a disk: by looking, when that is asked
// for and possible; else from udev's records.
func (t *tree) readContents(d *Disk, dir string, o Options) {
	looked := false
	if o.Contents {
		looked = t.probe("dev/"+d.Name, func(r io.ReaderAt) {
			table, parts := readTable(r, d.SizeBytes, d.BlockBytes.Or(sectorBytes))
			d.Table = Is(table)
			for i := range d.Partitions {
				p := &d.Partitions[i]
				if e, ok := parts[p.Number]; ok {
					p.Type, p.UUID = some(e.Type), some(e.UUID)
					p.Label = firstKnown(p.Label, some(clean(e.Label)))
				}
			}
			if len(d.Partitions) == 0 {
				d.Content = probeContent(r, d.SizeBytes)
			}
		})
		for i := range d.Partitions {
			p := &d.Partitions[i]
			if t.probe("dev/"+p.Name, func(r io.ReaderAt) { p.Content = probeContent(r, p.SizeBytes) }) {
				looked = true
			}
		}
	}
	if !looked {
		t.recordedContents(d, dir)
	}
	inferOS(d)
	members(&d.Use, d.Content)
	for i := range d.Partitions {
		members(&d.Partitions[i].Use, d.Partitions[i].Content)
	}
}

// probe opens a node and gives it to use; false when it cannot be read.
func (t *tree) probe(name string, use func(io.ReaderAt)) bool {
	f, err := t.fsys.Open(name)
	if err != nil {
		t.note(name, err)
		return false
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if ok {
		use(r)
	}
	return ok
}

// recordedContents takes udev's properties ID_FS_… and ID_PART_ENTRY_….
func (t *tree) recordedContents(d *Disk, dir string) {
	at := func(dir string) map[string]string {
		number, ok := t.text(dir, "dev").Get()
		if !ok {
			return nil
		}
		data, _ := t.data(path.Join(udevDir, "b"+number))
		properties := map[string]string{}
		for _, line := range lines(data) {
			if p, ok := strings.CutPrefix(line, "E:"); ok {
				if key, value, ok := strings.Cut(p, "="); ok {
					properties[key] = clean(value)
				}
			}
		}
		return properties
	}
	content := func(p map[string]string) Content {
		return Content{Type: some(p["ID_FS_TYPE"]), Label: some(p["ID_FS_LABEL"]), UUID: some(p["ID_FS_UUID"])}
	}
	p := at(dir)
	d.Table, d.Content = some(p["ID_PART_TABLE_TYPE"]), content(p)
	d.Serial = firstKnown(d.Serial, some(p["ID_SERIAL_SHORT"]))
	for i := range d.Partitions {
		part := &d.Partitions[i]
		p := at(path.Join(dir, strings.ReplaceAll(part.Name, "/", "!")))
		part.Content = content(p)
		part.Type, part.UUID = some(p["ID_PART_ENTRY_TYPE"]), some(p["ID_PART_ENTRY_UUID"])
		part.Label = firstKnown(part.Label, some(p["ID_PART_ENTRY_NAME"]))
	}
}

// members adds to the uses of a device that it says it belongs to an array, a
// volume group or a pool, when nothing has started that.
func members(use *[]Use, c Content) {
	kind := c.Type.Or("")
	switch kind {
	case "linux_raid_member", "LVM2_member", "isw_raid_member", "ddf_raid_member", "bcache":
		if len(*use) == 0 {
			*use = append(*use, Use{UseMember, kind})
		}
	case "zfs_member":
		// Whether a pool is imported does not show in /sys.
		if len(*use) == 0 {
			*use = append(*use, Use{UseZFS, c.Label.Or("a pool whose name is not known")})
		}
	}
}

// Types of GPT partitions. Source: UEFI 2.10, 5.3.3; Microsoft,
// PARTITION_INFORMATION_GPT; Discoverable Partitions Specification.
const (
	typeReserved   = "e3c9e316-0b5c-4db8-817d-f92df00215ae" // Microsoft's
	typeRecovery   = "de94bba4-06d1-4d40-a16a-bfd50179d6ac" // of Windows
	typeLinuxRoot  = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709" // x86-64
	typeLinuxRoot6 = "b921b045-1df0-41c3-af44-4c6f280d3fae" // arm64
)

// inferOS says what seems to live on partitions, from types and labels.
func inferOS(d *Disk) {
	windows := slices.ContainsFunc(d.Partitions, func(p Partition) bool {
		t := strings.ToLower(p.Type.Or(""))
		return t == typeReserved || t == typeRecovery
	})
	largest := -1
	for i := range d.Partitions {
		p := &d.Partitions[i]
		kind := strings.ToLower(p.Type.Or(""))
		switch fsType := p.Content.Type.Or(""); {
		case fsType == "BitLocker":
			p.Content.OS = Is("Windows")
		case fsType == "ntfs" && kind != typeRecovery:
			if largest < 0 || p.SizeBytes > d.Partitions[largest].SizeBytes {
				largest = i
			}
		case fsType == "apfs" || fsType == "hfsplus":
			p.Content.OS = Is("macOS")
		case kind == typeLinuxRoot || kind == typeLinuxRoot6:
			p.Content.OS = Is("Linux")
		}
	}
	if windows && largest >= 0 {
		d.Partitions[largest].Content.OS = Is("Windows")
	}
}

// readTable reads a disk's partition table: "gpt", "dos" or "none".
// An MBR's types are as in "0x83". Source: UEFI 2.10, 5.2.
func readTable(r io.ReaderAt, size int64, block int) (string, blockdev.Partitions) {
	if parts := blockdev.ReadGPT(r, size, int64(block)); parts != nil {
		return "gpt", parts
	}
	sector := make([]byte, 512)
	if _, err := r.ReadAt(sector, 0); err != nil || sector[510] != 0x55 || sector[511] != 0xaa {
		return "none", nil
	}
	// Boot sectors of file systems have the same end: their entries are no
	// entries.
	parts := blockdev.Partitions{}
	signature := binary.LittleEndian.Uint32(sector[440:])
	for i := range 4 {
		e := sector[446+16*i:][:16]
		if e[0]&0x7f != 0 {
			return "none", nil
		}
		if e[4] != 0 {
			parts[i+1] = blockdev.Entry{Type: fmt.Sprintf("0x%02x", e[4]), UUID: fmt.Sprintf("%08x-%02x", signature, i+1)}
		}
	}
	if len(parts) == 0 {
		return "none", nil
	}
	return "dos", parts
}
