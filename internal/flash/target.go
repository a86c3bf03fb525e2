package flash

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"reprise/hwdetect"
	"reprise/internal/diag"
)

// A Target is a device as a person chooses it. What is not known is null.
type Target struct {
	Path       string                 `json:"path"` // "/dev/sdb"
	Model      hwdetect.Known[string] `json:"model"`
	Serial     hwdetect.Known[string] `json:"serial"` // else what identifies it world-wide
	SizeBytes  int64                  `json:"sizeBytes"`
	BlockBytes hwdetect.Known[int]    `json:"blockBytes"`
	Transport  hwdetect.Known[string] `json:"transport"`
	Removable  bool                   `json:"removable"` // what is not known to be is not
	ReadOnly   bool                   `json:"readOnly"`
	Holds      []string               `json:"holds"` // what is on it, one thing each
	Uses       []Use                  `json:"uses"`  // what must let go of it first
}

// A Use is one thing that holds a device or a partition of it.
type Use struct {
	Device string `json:"device"` // "/dev/sdb1"
	Kind   Reason `json:"kind"`
	By     string `json:"by"` // mount point, array, mapping or loop device
}

// Reason is why a target is refused.
type Reason string

// The reasons.
const (
	System   Reason = "system" // the running system lives on it
	Mounted  Reason = "mounted"
	Swap     Reason = "swap"
	RAID     Reason = "raid"
	LVM      Reason = "lvm"
	Mapper   Reason = "mapper" // also encryption
	Loop     Reason = "loop"
	ZFS      Reason = "zfs"
	Held     Reason = "held"
	ReadOnly Reason = "read-only"
	Internal Reason = "internal"
	Serial   Reason = "serial" // another one was named
	TooSmall Reason = "too-small"
)

// A Refusal is one thing that speaks against a target.
type Refusal struct {
	Reason Reason `json:"reason"`
	Got    string `json:"got"`
	Want   string `json:"want"`
	Do     string `json:"do"`
}

// Targets lists the disks of facts, which were read with their contents. loops
// says which loop devices, by their nodes, lie on which block devices.
func Targets(facts *hwdetect.Facts, loops map[string]string) []Target {
	var all []Target
	for _, d := range facts.Disks {
		t := Target{
			Path: "/dev/" + d.Name, Model: d.Model, Serial: d.Serial, SizeBytes: d.SizeBytes, BlockBytes: d.BlockBytes,
			Transport: d.Transport, Removable: hwdetect.IsTrue(d.Removable), ReadOnly: hwdetect.IsTrue(d.ReadOnly),
		}
		if vendor, ok := d.Vendor.Get(); ok && d.Model.Known() && !strings.HasPrefix(d.Model.Or(""), vendor) {
			t.Model = hwdetect.Is(vendor + " " + d.Model.Or(""))
		}
		if !t.Serial.Known() {
			t.Serial = d.WWID
		}
		if what := holds(d.Content); what != "" {
			t.Holds = append(t.Holds, what)
		}
		t.use(t.Path, d.Use, loops)
		for _, p := range d.Partitions {
			node := "/dev/" + p.Name
			what := holds(p.Content)
			if label, ok := p.Label.Get(); ok && !p.Content.Label.Known() {
				what = strings.TrimSpace(what + " " + fmt.Sprintf("%q", label))
			}
			if what == "" {
				what = "partition"
			}
			t.Holds = append(t.Holds, fmt.Sprintf("%s %s", what, humanize.IBytes(uint64(p.SizeBytes))))
			t.use(node, p.Use, loops)
		}
		if t.Holds == nil {
			t.Holds = []string{}
		}
		if t.Uses == nil {
			t.Uses = []Use{}
		}
		all = append(all, t)
	}
	return all
}

func holds(c hwdetect.Content) string {
	what := c.Type.Or("")
	if system, ok := c.OS.Get(); ok {
		what = strings.TrimSpace(what + " " + system)
	}
	if label, ok := c.Label.Get(); ok {
		what = strings.TrimSpace(what + " " + fmt.Sprintf("%q", label))
	}
	return what
}

// kinds are hwdetect's words in ours. What says that it belongs to something
// that nothing has started is free to be overwritten.
var kinds = map[hwdetect.UseKind]Reason{
	hwdetect.UseMounted: Mounted, hwdetect.UseSwap: Swap, hwdetect.UseRAID: RAID, hwdetect.UseLVM: LVM,
	hwdetect.UseCrypt: Mapper, hwdetect.UseMapper: Mapper, hwdetect.UseZFS: ZFS, hwdetect.UseHeld: Held,
}

func (t *Target) use(node string, uses []hwdetect.Use, loops map[string]string) {
	for _, u := range uses {
		if u.Kind == hwdetect.UseMember {
			continue
		}
		kind, ok := kinds[u.Kind]
		switch {
		case !ok:
			kind = Held
		case kind == Mounted && isSystem(u.By):
			kind = System
		}
		t.Uses = append(t.Uses, Use{node, kind, u.By})
	}
	for _, loop := range sortedKeys(loops) {
		if loops[loop] == node {
			t.Uses = append(t.Uses, Use{node, Loop, loop})
		}
	}
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// isSystem says whether the running system needs what is mounted there.
func isSystem(point string) bool {
	if point == "/" || strings.HasPrefix(point, "/.reprise/") || strings.HasPrefix(point, "/run/live/") {
		return true
	}
	top := strings.Split(strings.TrimPrefix(point, "/"), "/")[0]
	return slices.Contains([]string{"usr", "boot", "efi", "etc", "nix", "gnu", "var", "home", "root", "srv", "opt", "sysroot", "cdrom"}, top)
}

// Refusals are all that speaks against writing an image of the given size,
// bytes, to t. serial is the one that the user gave, or "": it opens internal
// disks, and nothing else does. 0 as the size leaves it out.
func (t Target) Refusals(serial string, image int64) []Refusal {
	all := []Refusal{}
	add := func(reason Reason, got, want, do string) { all = append(all, Refusal{reason, got, want, do}) }
	for _, u := range t.Uses {
		got, do := u.told()
		want := "a device that nothing uses"
		if u.Kind == System {
			want = "a device that this system does not run from"
		}
		add(u.Kind, got, want, do)
	}
	if t.ReadOnly {
		add(ReadOnly, "is read-only", "a device that can be written", "slide the lock of the card or stick, or choose another device")
	}
	has, known := t.Serial.Get()
	switch {
	case serial != "" && !known:
		add(Serial, "has no serial number that is known", fmt.Sprintf("the device with serial number %q", serial), "choose another device")
	case serial != "" && serial != has:
		add(Serial, fmt.Sprintf("has the serial number %q", has), fmt.Sprintf("the device with serial number %q", serial), "choose that, or mend --serial")
	case serial == "" && !t.Removable && slices.ContainsFunc(t.Uses, func(u Use) bool { return u.Kind == System }):
		add(Internal, "is built in", "a stick or card", "choose another device") // its serial number would not help
	case serial == "" && !t.Removable && known:
		add(Internal, "is built in, not removable", "a stick or card, or the disk's serial number as well", fmt.Sprintf("if it is the right one, add --serial %s", quoted(has)))
	case serial == "" && !t.Removable:
		add(Internal, "is built in, and has no serial number to name it by", "a stick or card", "choose another device")
	}
	if image > t.SizeBytes {
		add(TooSmall, fmt.Sprintf("is too small by %s: it has %s", size(image-t.SizeBytes), size(t.SizeBytes)), "room for "+size(image), "choose a larger device")
	}
	return all
}

// told says how a use stands in the way, and what ends it.
func (u Use) told() (got, do string) {
	switch u.Kind {
	case System:
		return fmt.Sprintf("is where this system runs from: %s is mounted at %q", u.Device, u.By), "choose another device"
	case Mounted:
		return fmt.Sprintf("is in use: %s is mounted at %q", u.Device, u.By), "umount " + quoted(u.By)
	case Swap:
		return fmt.Sprintf("is in use: %s is swap space", u.Device), "swapoff " + u.Device
	case RAID:
		return fmt.Sprintf("is in use: %s belongs to the RAID array %s", u.Device, u.By), "if the array may go: mdadm --stop /dev/" + u.By
	case LVM:
		return fmt.Sprintf("is in use: %s belongs to the LVM volume %s", u.Device, u.By), "if the volume may go: lvchange -an /dev/mapper/" + u.By
	case Mapper:
		return fmt.Sprintf("is in use: %s is open as %s", u.Device, u.By), "if it may go: cryptsetup close " + u.By + ", or dmsetup remove " + u.By
	case Loop:
		return fmt.Sprintf("is in use: %s lies on %s", u.By, u.Device), "losetup -d " + u.By
	case ZFS:
		return fmt.Sprintf("is in use: %s belongs to a ZFS pool, %s", u.Device, u.By), "if the pool may go: zpool export, then zpool labelclear " + u.Device
	}
	return fmt.Sprintf("is in use: %s is held by %s", u.Device, u.By), "end what uses it"
}

// quoted makes s one word of a shell.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Problems are refusals as a person reads them.
func (t Target) Problems(refusals []Refusal) error {
	var all diag.Problems
	for _, r := range refusals {
		all = append(all, diag.Problem{File: t.Path, Got: r.Got, Want: r.Want, Do: r.Do})
	}
	return all.Err()
}

// Name is what a person types for t: the base name of its node.
func (t Target) Name() string { return path.Base(t.Path) }

// BySerial returns the targets with that serial number.
func BySerial(all []Target, serial string) []Target {
	return slices.DeleteFunc(slices.Clone(all), func(t Target) bool { return t.Serial.Or("") != serial || serial == "" })
}
