// Package blockdev finds disks and partitions without udev: by what /sys says,
// by the partition tables and by the superblocks themselves. Stage 1 looks for
// the root partition with it, and its list is what a person reads when the
// root partition is not there.
//
// The kernel does not tell a partition's GUID in /sys (Linux 6.12's uevents
// have PARTN and PARTNAME only), so the tables are read here: GPT with its
// checksums and its backup, and the disk signature of an MBR.
package blockdev

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Device is a disk or a partition.
type Device struct {
	Name      string // of the node in /dev: "vda3", "nvme0n1p2"
	Disk      string // of a partition: the disk's name; else ""
	Number    int    // of a partition, from 1; else 0
	SizeBytes int64
	Model     string // of a disk; "" when it has none
	PartUUID  string // of a partition, lower case; "" when the table has none
	PartLabel string // of a GPT partition
	Content          // what the superblock says
}

// Content is what is found at the start of a device.
type Content struct {
	Type  string // "ext4", "vfat", "erofs", …; "" when it is not known
	Label string
	UUID  string
}

// A Disk is opened to read tables and superblocks.
type Disk interface {
	io.ReaderAt
	io.Closer
}

// A System is where devices are found: the tree of /sys and a way to open a
// node of /dev by name.
type System struct {
	Sys  fs.FS
	Open func(name string) (Disk, error)
	// Optical lists CD drives, too. Opening one spins it up, and closes its tray.
	Optical bool
}

// List returns all disks and partitions that have a size, sorted by disk and
// number. Loop devices, RAM disks and the like are left out. A disk that
// cannot be read is listed with what /sys knows. Superblocks are read only
// with contents true: that starts up sleeping drives.
func (s System) List(contents bool) ([]Device, error) {
	entries, err := fs.ReadDir(s.Sys, "class/block")
	if err != nil {
		return nil, fmt.Errorf("list block devices: %w", err)
	}
	var devices []Device
	tables := map[string]Partitions{}
	for _, e := range entries {
		d, ok := s.device(e.Name())
		if !ok {
			continue
		}
		if d.Disk != "" {
			t, seen := tables[d.Disk]
			if !seen {
				t = s.table(d.Disk)
				tables[d.Disk] = t
			}
			p := t[d.Number]
			d.PartUUID, d.PartLabel = p.UUID, p.Label
		}
		if contents {
			d.Content = s.content(d.Name)
		}
		devices = append(devices, d)
	}
	slices.SortFunc(devices, func(a, b Device) int {
		if c := strings.Compare(a.disk(), b.disk()); c != 0 {
			return c
		}
		return a.Number - b.Number
	})
	return devices, nil
}

func (d Device) disk() string {
	if d.Disk != "" {
		return d.Disk
	}
	return d.Name
}

// virtual are the beginnings of names that are no disks.
var virtual = []string{"loop", "ram", "zram", "nbd", "fd"}

const optical = "sr" // the same of CD drives

func (s System) device(name string) (Device, bool) {
	d := Device{Name: name}
	dir := path.Join("class/block", name)
	sectors, err := strconv.ParseInt(s.text(dir, "size"), 10, 64)
	if err != nil || sectors <= 0 || sectors > 1<<54 {
		return d, false
	}
	d.SizeBytes = sectors * 512 // "size" is in 512 bytes, whatever the disk's sectors are
	for _, v := range virtual {
		if strings.HasPrefix(name, v) {
			return d, false
		}
	}
	if !s.Optical && strings.HasPrefix(name, optical) {
		return d, false
	}
	// The kernel writes '!' for '/' in names such as cciss/c0d0.
	d.Name = strings.ReplaceAll(name, "!", "/")
	number, err := strconv.Atoi(s.text(dir, "partition"))
	if err != nil {
		d.Model = strings.TrimSpace(s.text(dir, "device/model"))
		return d, true
	}
	d.Number = number
	link, err := fs.ReadLink(s.Sys, dir)
	if err != nil {
		return d, false
	}
	d.Disk = strings.ReplaceAll(path.Base(path.Dir(link)), "!", "/")
	return d, true
}

func (s System) text(dir, name string) string {
	data, err := fs.ReadFile(s.Sys, path.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// table reads a disk's partition table; one that cannot be read is empty.
func (s System) table(disk string) Partitions {
	dir := path.Join("class/block", strings.ReplaceAll(disk, "/", "!"))
	sectors, _ := strconv.ParseInt(s.text(dir, "size"), 10, 64)
	block, err := strconv.ParseInt(s.text(dir, "queue/logical_block_size"), 10, 64)
	if err != nil {
		block = 512
	}
	d, err := s.Open(disk)
	if err != nil {
		return nil
	}
	defer d.Close()
	return readTable(d, sectors*512, block)
}

func (s System) content(name string) Content {
	d, err := s.Open(name)
	if err != nil {
		return Content{}
	}
	defer d.Close()
	return Probe(d)
}
