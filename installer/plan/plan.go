// Package plan decides an installation. It is pure: the same request gives the
// same plan, and nothing is read or written. A plan is data: it can be shown,
// compared, and carried out by package installer, which touches nothing that
// the plan does not name.
//
// Words. The medium is the stick or disc that the installer started from, the
// disk is the one that is installed to, a step is a part of the work that can
// be done again from its beginning.
//
// Invariants: every device in a plan is its disk, a partition of it, or the
// mapping of its encrypted root; a request with any problem gives no plan, and
// its problems are told all at once.
package plan

import (
	"time"

	"reprise/installer/answers"
)

// A Request is all that a plan follows from.
type Request struct {
	Answers answers.Answers
	Machine Machine
	Disks   []Disk // every disk of the machine, that of the medium too
	Medium  *Medium
	// NotBefore is when the newest package list of the medium was signed, see
	// lock.Suite: no true clock shows an earlier time. Zero: not known.
	NotBefore time.Time
	// KernelBytes and InitrdBytes are the sizes of what the boot loader loads.
	KernelBytes, InitrdBytes int64
	// Compose says that the machine gets a system of its own, for which more
	// is copied than the carried system needs to start.
	Compose bool
}

// A Machine is what the plan has to know of the machine besides its disks.
type Machine struct {
	MemoryBytes int64             // 0: not known
	Now         time.Time         // by its clock
	UEFI        bool              // it started by UEFI
	Serial      string            // of the machine, from its firmware; "" when not known
	MACs        []string          // of its network cards, lower case, in a fixed order
	Wired       map[string]string // MAC addresses of the wired ones, by the name they have now
}

// A Disk is one disk as the machine has it.
type Disk struct {
	Path        string      `json:"path"` // "/dev/nvme0n1"
	Model       string      `json:"model,omitempty"`
	Serial      string      `json:"serial,omitempty"` // "" when it has none
	SizeBytes   int64       `json:"sizeBytes"`
	SectorBytes int64       `json:"sectorBytes"` // logical
	Bus         string      `json:"bus,omitempty"`
	Removable   bool        `json:"removable,omitempty"`
	ReadOnly    bool        `json:"readOnly,omitempty"`
	Medium      bool        `json:"medium,omitempty"` // the installer started from it
	Holds       string      `json:"holds,omitempty"`  // what lies on the whole disk, such as "LVM2_member"
	Partitions  []Partition `json:"partitions,omitempty"`
	Uses        []Use       `json:"uses,omitempty"`
}

// A Partition is what a disk has on it now.
type Partition struct {
	Path      string `json:"path"` // "/dev/nvme0n1p1"
	SizeBytes int64  `json:"sizeBytes"`
	Type      string `json:"type,omitempty"`  // GUID of the type, upper case; "" when not known
	Holds     string `json:"holds,omitempty"` // "ntfs", "ext4", "linux_raid_member", …
	Label     string `json:"label,omitempty"`
	Windows   bool   `json:"windows,omitempty"` // an ESP with Windows' boot loader
}

// A Use is something that needs the disk at this moment.
type Use struct {
	Device string `json:"device"` // the disk or the partition
	Kind   string `json:"kind"`   // UseMount, UseSwap or UseHolder
	By     string `json:"by"`     // the mount point, or the device that is made of it
}

// Kinds of use.
const (
	UseMount  = "mount"
	UseSwap   = "swap"
	UseHolder = "holder" // RAID, LVM, encryption
)

// A Plan is an installation, decided.
type Plan struct {
	Version int    `json:"version"`
	ID      string `json:"id"` // hash of all that makes one installation differ from another

	System string    `json:"system"` // name of the medium's system
	Path   string    `json:"path"`   // its store path
	Host   string    `json:"host"`
	Disk   Device    `json:"disk"`
	Table  Table     `json:"table"`
	Root   RootFS    `json:"root"`
	LUKS   *LUKS     `json:"luks,omitempty"`
	Params []string  `json:"params,omitempty"` // of the kernel line, besides the system's own
	Date   time.Time `json:"date"`             // of the installation: the clock's, or NotBefore when the clock is wrong
	Clock  bool      `json:"clock,omitempty"`  // the clock is wrong and is to be set to Date
	Copy   Amount    `json:"copy"`
	Steps  []Step    `json:"steps"`
	Notes  []string  `json:"notes,omitempty"` // what the person should know before

	Answers answers.Answers `json:"-"` // they hold the hash of a password
	Compose bool            `json:"compose,omitempty"`
}

// Version of Plan's JSON.
const Version = 1

// A Device is the disk of a plan, told so that another in its place is noticed.
type Device struct {
	Path        string `json:"path"`
	Model       string `json:"model,omitempty"`
	Serial      string `json:"serial,omitempty"`
	SizeBytes   int64  `json:"sizeBytes"`
	SectorBytes int64  `json:"sectorBytes"`
}

// A Table is the partition table to write. GUIDs are in lower case.
type Table struct {
	GUID      string  `json:"guid"`
	FATSerial uint32  `json:"fatSerial"`
	BIOSBoot  Planned `json:"biosBoot"`
	ESP       Planned `json:"esp"`
	Root      Planned `json:"root"`
}

// Planned is a partition to make. LBAs count layout.Sector bytes, whatever the
// sectors of the disk are.
type Planned struct {
	Path     string `json:"path"` // its node: "/dev/nvme0n1p3"
	Number   int    `json:"number"`
	Type     string `json:"type"`
	GUID     string `json:"guid"`
	Name     string `json:"name"`
	FirstLBA int64  `json:"firstLBA"`
	LastLBA  int64  `json:"lastLBA"`
}

// A RootFS is the root file system to make.
type RootFS struct {
	Type       string `json:"type"` // answers.Ext4 or answers.Btrfs
	Path       string `json:"path"` // the partition, or its mapping when it is encrypted
	Label      string `json:"label"`
	UUID       string `json:"uuid"`
	Bytes      int64  `json:"bytes"`
	HashSeed   string `json:"hashSeed"` // of ext4's directories
	JournalMiB int64  `json:"journalMiB"`
}

// LUKS is the encryption of the root partition.
type LUKS struct {
	UUID string `json:"uuid"`
	Name string `json:"name"` // of the mapping
	Path string `json:"path"` // "/dev/mapper/<name>"
}

// An Amount is how much is copied.
type Amount struct {
	Paths int   `json:"paths"`
	Bytes int64 `json:"bytes"`
}

// A Step is one part of the work.
type Step struct {
	Name  Name   `json:"name"`
	Text  string `json:"text"`            // one sentence for a person
	Bytes int64  `json:"bytes,omitempty"` // to write; 0 when it is little
}

// A Name names a step, on the serial line too.
type Name string

// The steps in their order. Encrypt is left out of a plan without encryption.
const (
	CheckMedium        Name = "check-medium"
	MakePartitions     Name = "partition"
	Encrypt            Name = "encrypt"
	MakeFileSystems    Name = "make-file-systems"
	MountRoot          Name = "mount"
	CopyStore          Name = "copy-store"
	RegisterStore      Name = "register-store"
	WriteConfiguration Name = "write-configuration"
	InstallBootLoaders Name = "install-boot-loaders"
	WriteEntry         Name = "write-entry"
	Finish             Name = "finish"
)
