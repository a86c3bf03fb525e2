package hwdetect

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const blockDir = "sys/block"

// noDisks are the beginnings of names of block devices that hold no system:
// made by software, or with media that only read.
var noDisks = []string{"loop", "ram", "zram", "nbd", "fd", "sr", "dm-", "md", "drbd", "rbd", "mtdblock"}

// parts of a memory card's or eMMC's chip that are no disks of their own.
var mmcPart = regexp.MustCompile(`^mmcblk\d+(boot\d+|rpmb|gp\d+)$`)

// maxSectors is more than any disk has: 8 EiB.
const maxSectors = 1 << 54

// sectorBytes is the unit of sizes and starts in /sys, whatever the disk's
// own sectors are.
const sectorBytes = 512

// readDisks lists the disks with what lies on them and what uses them.
func (t *tree) readDisks(o Options) []Disk {
	var disks []Disk
	users := t.readUsers()
	for _, name := range t.list(blockDir) {
		if slices.ContainsFunc(noDisks, func(p string) bool { return strings.HasPrefix(name, p) }) || mmcPart.MatchString(name) {
			continue
		}
		dir := t.real(blockDir, name)
		sectors, ok := t.sectors(dir, "size")
		if !ok || sectors == 0 || t.text(dir, "hidden").Or("0") == "1" {
			continue
		}
		d := Disk{
			Name:       strings.ReplaceAll(name, "!", "/"), // the kernel writes '!' for '/'
			SizeBytes:  sectors * sectorBytes,
			BlockBytes: t.number(dir, "queue/logical_block_size"),
			Rotates:    t.flag(dir, "queue/rotational"),
			Removable:  t.flag(dir, "removable"),
			ReadOnly:   t.flag(dir, "ro"),
		}
		t.identify(&d, dir)
		d.Use = t.uses(dir, d.Name, users)
		for _, sub := range t.list(dir) {
			if p, ok := t.readPartition(path.Join(dir, sub), sub, users); ok {
				d.Partitions = append(d.Partitions, p)
			}
		}
		slices.SortFunc(d.Partitions, func(a, b Partition) int { return a.Number - b.Number })
		t.readContents(&d, dir, o)
		disks = append(disks, d)
	}
	return disks
}

func (t *tree) sectors(dir, name string) (int64, bool) {
	n, err := strconv.ParseInt(t.text(dir, name).Or(""), 10, 64)
	return n, err == nil && n >= 0 && n <= maxSectors
}

var (
	virtioName = regexp.MustCompile(`^virtio\d+$`)
	ataName    = regexp.MustCompile(`^ata\d+$`)
	nvmeName   = regexp.MustCompile(`^nvme\d+$`)
)

// identify finds model, serial number and how a disk is connected.
func (t *tree) identify(d *Disk, dir string) {
	device := t.real(dir, "device")
	if device == path.Join(dir, "device") && !t.has(device) {
		device = path.Dir(path.Dir(dir)) // of nvme: …/nvme0/nvme0n1
	}
	d.Model = t.text(device, "model")
	if vendor := t.text(device, "vendor"); vendor.Or("ATA") != "ATA" && !strings.HasPrefix(vendor.Or(""), "0x") {
		d.Vendor = vendor
	}
	d.Serial = firstKnown(t.text(dir, "serial"), t.text(device, "serial"), vpdSerial(t, device))
	d.WWID = firstKnown(t.text(dir, "wwid"), t.text(device, "wwid"), t.text(device, "cid"))
	place := dir
	if strings.HasPrefix(dir, "sys/devices/virtual/nvme-subsystem/") {
		// With several paths to it, a namespace hangs below a subsystem that
		// links to its controllers.
		subsystem := path.Dir(dir)
		for _, name := range t.list(subsystem) {
			if nvmeName.MatchString(name) {
				place = t.real(subsystem, name)
				d.Model = firstKnown(d.Model, t.text(subsystem, "model"))
				d.Serial = firstKnown(d.Serial, t.text(subsystem, "serial"))
				break
			}
		}
		d.Transport = Is("nvme")
	}
	transport := ""
	for p := place; p != "." && p != "/"; p = path.Dir(p) {
		base := path.Base(p)
		switch {
		case usbDevice.MatchString(base):
			d.Path, transport = Is(base), "usb"
			d.Serial = firstKnown(d.Serial, t.text(p, "serial"))
			d.Model = firstKnown(d.Model, t.text(p, "product"))
		case fireWireUnit.MatchString(base):
			transport = "firewire"
		case transport != "":
		case strings.HasPrefix(base, "nvme"):
			transport = "nvme"
		case virtioName.MatchString(base):
			transport = "virtio"
		case ataName.MatchString(base):
			transport = "sata"
		case base == "mmc_host":
			transport = "mmc"
		case strings.HasPrefix(base, "vbd-"):
			transport = "xen"
		case strings.HasPrefix(base, "end_device-"):
			transport = "sas"
		case strings.HasPrefix(base, "VMBUS") || strings.HasPrefix(base, "vmbus"):
			transport = "hyper-v"
		}
		if pciAddress.MatchString(base) {
			d.Path = firstKnown(d.Path, Is(base))
		}
		if usbDevice.MatchString(base) {
			break
		}
	}
	if transport == "" && strings.HasPrefix(d.Name, "sd") {
		transport = "scsi"
	}
	d.Transport = firstKnown(d.Transport, some(transport))
	switch {
	case transport == "usb" || transport == "firewire":
		d.Removable = Is(true)
	case transport == "mmc":
		d.Removable = Is(t.text(device, "type").Or("") == "SD")
		d.Model = firstKnown(d.Model, t.text(device, "name"))
	}
}

// vpdSerial reads a SCSI disk's page of its serial number: four bytes of head,
// the last two of them the length. Source: SPC-4, 7.8.14.
func vpdSerial(t *tree, device string) Known[string] {
	b, ok := t.data(path.Join(device, "vpd_pg80"))
	if !ok || len(b) < 5 || b[1] != 0x80 {
		return Known[string]{}
	}
	end := 4 + int(b[2])<<8 + int(b[3])
	return some(clean(string(b[4:min(end, len(b))])))
}

func (t *tree) readPartition(dir, name string, users users) (Partition, bool) {
	number, ok := t.number(dir, "partition").Get()
	sectors, sized := t.sectors(dir, "size")
	if !ok || !sized || number < 1 {
		return Partition{}, false
	}
	p := Partition{Name: strings.ReplaceAll(name, "!", "/"), Number: number, SizeBytes: sectors * sectorBytes}
	if start, ok := t.sectors(dir, "start"); ok {
		p.Start = Is(start * sectorBytes)
	}
	data, _ := t.data(path.Join(dir, "uevent"))
	p.Label = some(parseUevent(data)["PARTNAME"])
	p.Use = t.uses(dir, p.Name, users)
	return p, true
}

// users is who uses block devices: mounts and swaps by the name of the device.
type users map[string][]Use

// readUsers reads /proc/self/mountinfo and /proc/swaps.
func (t *tree) readUsers() users {
	u := users{}
	data, _ := t.data("proc/self/mountinfo")
	for _, m := range parseMountInfo(data) {
		if name, ok := strings.CutPrefix(m.source, "/dev/"); ok {
			u.add(name, Use{UseMounted, m.point})
		}
		// What is mounted by another name is known by its number.
		u.add(m.number, Use{UseMounted, m.point})
	}
	data, _ = t.data("proc/swaps")
	for _, line := range lines(data) {
		f := strings.Fields(line)
		if len(f) < 2 || f[1] != "partition" {
			continue
		}
		if name, ok := strings.CutPrefix(f[0], "/dev/"); ok {
			u.add(name, Use{UseSwap, "swap"})
		}
	}
	return u
}

func (u users) add(name string, use Use) {
	if !slices.Contains(u[name], use) {
		u[name] = append(u[name], use)
	}
}

type mount struct{ number, point, source string }

// parseMountInfo reads lines of proc_pid_mountinfo(5):
//
//	29 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
func parseMountInfo(data []byte) []mount {
	var all []mount
	for _, line := range lines(data) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 2 {
			continue
		}
		all = append(all, mount{f[2], clean(unescape(f[4])), clean(unescape(g[1]))})
	}
	return all
}

var octal = regexp.MustCompile(`\\[0-3][0-7][0-7]`)

// unescape takes back what the kernel writes for blanks: "\040".
func unescape(s string) string {
	return octal.ReplaceAllStringFunc(s, func(e string) string {
		n, _ := strconv.ParseUint(e[1:], 8, 8)
		return string([]byte{byte(n)})
	})
}

// uses are what holds a disk or partition: mounts, swap, and devices built on it.
func (t *tree) uses(dir, name string, u users) []Use {
	all := slices.Clone(u[name])
	for _, use := range u[t.text(dir, "dev").Or("")] {
		if !slices.Contains(all, use) {
			all = append(all, use)
		}
	}
	for _, holder := range t.list(path.Join(dir, "holders")) {
		at := t.real(blockDir, holder)
		use := Use{UseHeld, clean(holder)}
		mapped := t.text(at, "dm/uuid").Or("")
		switch {
		case strings.HasPrefix(holder, "md"):
			use.Kind = UseRAID
		case strings.HasPrefix(mapped, "CRYPT-"):
			use.Kind = UseCrypt
		case strings.HasPrefix(mapped, "LVM-"):
			use.Kind = UseLVM
		case strings.HasPrefix(holder, "dm-"):
			use.Kind = UseMapper
		}
		if mappedName, ok := t.text(at, "dm/name").Get(); ok {
			use.By = mappedName
		}
		all = append(all, use)
	}
	return all
}

// InUse says whether something holds the disk or one of its partitions now:
// writing to it would harm what runs. Members of arrays that nothing has
// started are not in use.
func (d Disk) InUse() bool {
	active := func(u Use) bool { return u.Kind != UseMember }
	return slices.ContainsFunc(d.Use, active) ||
		slices.ContainsFunc(d.Partitions, func(p Partition) bool { return slices.ContainsFunc(p.Use, active) })
}
