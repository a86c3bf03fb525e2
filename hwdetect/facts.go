package hwdetect

import (
	"fmt"
	"strconv"
	"strings"
)

// Facts is what is known of one machine. Lists are sorted by address, name or
// number and hold references as strings: a PCI address ("0000:00:1f.3"), a USB
// path ("1-5.2"), a FireWire unit ("fw1.0"), the number of a card.
type Facts struct {
	Kernel   Kernel   `json:"kernel"`
	CPU      CPU      `json:"cpu"`
	Memory   Memory   `json:"memory"`
	Chassis  Chassis  `json:"chassis"`
	Firmware Firmware `json:"firmware"`
	Virtual  Virtual  `json:"virtual"`
	Power    Power    `json:"power"`

	// Cards are the sound cards that ALSA has, by number. The number says
	// nothing about which one a person plays through: see Card.Role.
	Cards []Card `json:"cards"`
	// Silent are devices that should make or take sound and have no card.
	Silent []Silent `json:"silent"`

	PCI            []PCIDevice          `json:"pci"`
	USBControllers []USBController      `json:"usbControllers"`
	USB            []USBDevice          `json:"usb"` // without root hubs
	FireWire       []FireWireController `json:"fireWire"`
	GPUs           []GPU                `json:"gpus"`
	Disks          []Disk               `json:"disks"`
	Network        []NetworkDevice      `json:"network"`
	IRQs           []IRQ                `json:"irqs"` // those somebody handles

	MissingFirmware []MissingFirmware `json:"missingFirmware"`
	// Undriven are devices on PCI and USB that no driver has taken, where a
	// module of the kernel would answer or the device matters (sound, network,
	// disks, FireWire, displays).
	Undriven []Undriven `json:"undriven"`
	// Unreadable are files that were there and could not be read, by path, with
	// the reason: facts that need them may be not known for that reason alone.
	Unreadable []Unreadable `json:"unreadable"`
}

// Unreadable is a file that could not be read.
type Unreadable struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Kernel is the running kernel.
type Kernel struct {
	Release     Known[string] `json:"release"`     // "6.12.117+deb13-rt-amd64"
	RealTime    Known[bool]   `json:"realTime"`    // PREEMPT_RT
	CommandLine Known[string] `json:"commandLine"` // as booted
}

// CoreKind tells the cores of a hybrid CPU apart.
type CoreKind string

// The kinds of cores. A CPU with one kind only has Uniform.
const (
	Uniform     CoreKind = "uniform"
	Performance CoreKind = "performance" // P-core, big core
	Efficiency  CoreKind = "efficiency"  // E-core, little core
	LowPower    CoreKind = "lowPower"    // LP-E core: never for audio
)

// CPU is the processors of the machine, all packages together. Threads are
// numbered as the kernel numbers its CPUs.
type CPU struct {
	Vendor   Known[string] `json:"vendor"` // "GenuineIntel", "AuthenticAMD", "ARM" …
	Model    Known[string] `json:"model"`  // "AMD Ryzen 5 1600 Six-Core Processor"
	Family   Known[int]    `json:"family"`
	Zen      Known[bool]   `json:"zen"`      // AMD's Zen, any generation
	Packages Known[int]    `json:"packages"` // sockets
	Cores    Known[int]    `json:"cores"`    // physical cores that are online
	Threads  Known[int]    `json:"threads"`  // CPUs that are online
	SMT      SMT           `json:"smt"`
	// Hybrid is true when cores differ in kind.
	Hybrid  Known[bool] `json:"hybrid"`
	Classes []CoreClass `json:"classes"` // fastest first; one of Uniform when all are alike; none when topology is not known
	Core    []Core      `json:"core"`    // by first thread

	Scaling         Scaling         `json:"scaling"`
	Idle            Idle            `json:"idle"`
	Vulnerabilities []Vulnerability `json:"vulnerabilities"` // by name
	// Isolated are the CPUs that the kernel keeps tasks away from ("2-3").
	Isolated Known[string] `json:"isolated"`
}

// SMT is the state of simultaneous multithreading (Hyper-Threading).
type SMT struct {
	Active  Known[bool]   `json:"active"`  // some core runs more than one thread now
	Control Known[string] `json:"control"` // "on", "off", "forceoff", "notsupported", "notimplemented"
}

// CoreClass is all cores of one kind.
type CoreClass struct {
	Kind     CoreKind   `json:"kind"`
	Cores    int        `json:"cores"`
	Threads  []int      `json:"threads"`
	MaxMHz   Known[int] `json:"maxMHz"`
	Capacity Known[int] `json:"capacity"` // of 1024, as the scheduler sees it
	// Evidence says which files told the kinds apart.
	Evidence string `json:"evidence"`
}

// Core is one physical core.
type Core struct {
	Package int      `json:"package"`
	ID      int      `json:"id"` // within the package; not contiguous
	Threads []int    `json:"threads"`
	Kind    CoreKind `json:"kind"`
}

// Scaling is how the clock of the CPUs is chosen, of the first CPU that tells.
type Scaling struct {
	Driver     Known[string] `json:"driver"`     // "intel_pstate", "amd-pstate-epp", "acpi-cpufreq"; not known in most virtual machines
	Governor   Known[string] `json:"governor"`   // "performance", "powersave", "schedutil" …
	Governors  []string      `json:"governors"`  // that can be chosen
	Preference Known[string] `json:"preference"` // energy_performance_preference
}

// Idle is how CPUs sleep.
type Idle struct {
	Driver   Known[string] `json:"driver"`   // "intel_idle", "acpi_idle"
	Governor Known[string] `json:"governor"` // "menu", "teo"
	States   []IdleState   `json:"states"`   // of the first CPU that tells, shallowest first
}

// IdleState is one depth of sleep.
type IdleState struct {
	Name          string      `json:"name"`
	LatencyMicros Known[int]  `json:"latencyMicros"` // to wake up
	Disabled      Known[bool] `json:"disabled"`
}

// Vulnerability is one line of what the kernel says of the CPU's weaknesses.
type Vulnerability struct {
	Name       string `json:"name"`       // "spectre_v2"
	State      string `json:"state"`      // "Not affected", "Mitigation: …", "Vulnerable: …"
	Vulnerable bool   `json:"vulnerable"` // says "Vulnerable"
}

// Memory is RAM and swap.
type Memory struct {
	UsableBytes   Known[int64] `json:"usableBytes"`   // what the kernel has for programs
	PhysicalBytes Known[int64] `json:"physicalBytes"` // what is plugged in, by memory blocks
	SwapBytes     Known[int64] `json:"swapBytes"`
}

// Form is the shape of a machine.
type Form string

// The forms that make a difference.
const (
	FormDesktop  Form = "desktop"
	FormLaptop   Form = "laptop" // with convertibles, detachables and sub-notebooks
	FormTablet   Form = "tablet"
	FormServer   Form = "server"
	FormMini     Form = "mini" // mini and stick PCs
	FormThin     Form = "thin client"
	FormEmbedded Form = "embedded" // boards with a device tree, gateways, embedded PCs
	FormVirtual  Form = "virtual machine"
)

// Chassis is the machine as its maker names it, from SMBIOS or device tree.
type Chassis struct {
	Form        Known[Form]   `json:"form"`
	Type        Known[int]    `json:"type"` // SMBIOS chassis type; 3 desktop, 10 notebook …
	Vendor      Known[string] `json:"vendor"`
	Product     Known[string] `json:"product"`
	Version     Known[string] `json:"version"` // where some makers write the name people know
	Serial      Known[string] `json:"serial"`
	UUID        Known[string] `json:"uuid"`
	BoardVendor Known[string] `json:"boardVendor"`
	Board       Known[string] `json:"board"`
}

// Firmware is how the machine boots.
type Firmware struct {
	UEFI       Known[bool]   `json:"uefi"` // false is BIOS
	Bits       Known[int]    `json:"bits"` // of UEFI: 32 or 64
	SecureBoot Known[bool]   `json:"secureBoot"`
	SetupMode  Known[bool]   `json:"setupMode"` // keys may be enrolled
	Vendor     Known[string] `json:"vendor"`
	Version    Known[string] `json:"version"`
	Date       Known[string] `json:"date"` // as the maker writes it, month first
}

// Virtual says whether this is a guest.
type Virtual struct {
	Guest      Known[bool]   `json:"guest"`
	Hypervisor Known[string] `json:"hypervisor"` // "kvm", "qemu", "virtualbox", "vmware", "hyper-v", "xen", "parallels", "bhyve", "firecracker" …
	Container  Known[string] `json:"container"`
}

// Power is where the current comes from.
type Power struct {
	// Laptop is true for forms that are carried around, or with a battery that
	// feeds the whole machine.
	Laptop    Known[bool] `json:"laptop"`
	OnBattery Known[bool] `json:"onBattery"`
	Batteries []Battery   `json:"batteries"` // of the machine, not of mice and headsets
}

// Battery is one battery of the machine.
type Battery struct {
	Name    string        `json:"name"`
	Percent Known[int]    `json:"percent"`
	Status  Known[string] `json:"status"` // "Charging", "Discharging", "Full" …
}

// ID is vendor and product of a PCI or USB device.
type ID struct{ Vendor, Product uint16 }

// String is lower-case hexadecimal, "8086:51c8".
func (id ID) String() string { return fmt.Sprintf("%04x:%04x", id.Vendor, id.Product) }

// ParseID reads what String writes.
func ParseID(s string) (ID, error) {
	v, p, ok := strings.Cut(s, ":")
	vendor, err1 := strconv.ParseUint(v, 16, 16)
	product, err2 := strconv.ParseUint(p, 16, 16)
	if !ok || err1 != nil || err2 != nil {
		return ID{}, fmt.Errorf("%q is no id of the form 8086:51c8", s)
	}
	return ID{uint16(vendor), uint16(product)}, nil
}

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Hex is a number that people write in hexadecimal.
type Hex uint32

// String has at least six digits, "0x040300".
func (h Hex) String() string { return fmt.Sprintf("0x%06x", uint32(h)) }

// MarshalText is String.
func (h Hex) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads a number with or without 0x.
func (h *Hex) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0x"), 16, 32)
	*h = Hex(n)
	return err
}

// GPU is a display adapter or 3D controller.
type GPU struct {
	PCI    Known[string] `json:"pci"`
	ID     Known[ID]     `json:"id"`
	Name   Known[string] `json:"name"`
	Driver Known[string] `json:"driver"`
	Class  Known[Hex]    `json:"class"`  // 0x030000 VGA, 0x030200 3D, 0x038000 other display
	Boot   Known[bool]   `json:"boot"`   // the firmware's screen is on it
	NVIDIA bool          `json:"nvidia"` // its own modules refuse PREEMPT_RT
}

// Disk is a block device that could hold a system.
type Disk struct {
	Name       string        `json:"name"` // of the node: "nvme0n1"
	Model      Known[string] `json:"model"`
	Vendor     Known[string] `json:"vendor"`
	Serial     Known[string] `json:"serial"`
	WWID       Known[string] `json:"wwid"`
	SizeBytes  int64         `json:"sizeBytes"`
	BlockBytes Known[int]    `json:"blockBytes"` // logical
	Rotates    Known[bool]   `json:"rotates"`
	Removable  Known[bool]   `json:"removable"` // the medium comes out, or the device is on USB or a card reader
	ReadOnly   Known[bool]   `json:"readOnly"`
	Transport  Known[string] `json:"transport"` // "nvme", "sata", "usb", "virtio", "mmc", "scsi", "firewire" …
	Path       Known[string] `json:"path"`      // device it sits on: PCI address or USB path

	Table      Known[string] `json:"table"`   // "gpt", "dos", "none"; needs Options.Contents
	Content    Content       `json:"content"` // of the whole disk, where it has no table
	Partitions []Partition   `json:"partitions"`
	Use        []Use         `json:"use"` // of the whole disk, partitions left out
}

// Partition is one partition of a disk.
type Partition struct {
	Name      string        `json:"name"`   // "nvme0n1p2"
	Number    int           `json:"number"` // from 1
	Start     Known[int64]  `json:"start"`  // bytes from the disk's start
	SizeBytes int64         `json:"sizeBytes"`
	Type      Known[string] `json:"type"`  // GPT type, lower case, or MBR type "0x07"
	Label     Known[string] `json:"label"` // of the partition table
	UUID      Known[string] `json:"uuid"`  // of the partition table
	Content   Content       `json:"content"`
	Use       []Use         `json:"use"`
}

// Content is what lies on a disk or partition.
type Content struct {
	Type  Known[string] `json:"type"` // "ext4", "ntfs", "crypto_LUKS", "LVM2_member", "linux_raid_member", "zfs_member", "BitLocker" …
	Label Known[string] `json:"label"`
	UUID  Known[string] `json:"uuid"`
	// OS is what seems to live there: "Windows", "macOS", "Linux". It follows
	// from types and labels; nothing is mounted to look.
	OS Known[string] `json:"os"`
}

// UseKind is how a block device is in use.
type UseKind string

// The ways in which a block device is in use.
const (
	UseMounted UseKind = "mounted"
	UseSwap    UseKind = "swap"
	UseRAID    UseKind = "raid" // held by an md array
	UseLVM     UseKind = "lvm"
	UseCrypt   UseKind = "crypt"
	UseZFS     UseKind = "zfs" // member of a pool, imported or not
	UseMapper  UseKind = "mapper"
	UseHeld    UseKind = "held"   // by something else
	UseMember  UseKind = "member" // says it belongs to RAID or LVM, and nothing has started that
)

// Use is one thing that holds a block device.
type Use struct {
	Kind UseKind `json:"kind"`
	By   string  `json:"by"` // mount point, name of the array or mapping
}

// NetworkDevice is a network interface with hardware behind it.
type NetworkDevice struct {
	Name      string        `json:"name"`
	Kind      string        `json:"kind"` // "ethernet", "wifi", "wwan", "bluetooth", "firewire", "infiniband", "other"
	Address   Known[string] `json:"address"`
	Driver    Known[string] `json:"driver"`
	Device    Known[string] `json:"device"`  // PCI address or USB path
	Carrier   Known[bool]   `json:"carrier"` // a cable with somebody at its other end; not known while it is down
	SpeedMbps Known[int]    `json:"speedMbps"`
}

// MissingFirmware is a file that a driver asked for and did not get.
type MissingFirmware struct {
	Driver Known[string] `json:"driver"`
	Device Known[string] `json:"device"`
	File   string        `json:"file"` // below /lib/firmware
}

// Undriven is a device that no driver has taken.
type Undriven struct {
	Bus      CardBus       `json:"bus"` // pci or usb
	Device   string        `json:"device"`
	ID       ID            `json:"id"`
	What     string        `json:"what"` // "sound", "network", "disk", "firewire", "display", "usb", "other"
	Name     Known[string] `json:"name"`
	Modalias Known[string] `json:"modalias"`
	Modules  []string      `json:"modules"` // that would answer
}
