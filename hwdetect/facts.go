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

// PCIDevice is one function on a PCI bus.
type PCIDevice struct {
	Address      string        `json:"address"` // "0000:00:1f.3"; the domain is not always 0000
	Class        Hex           `json:"class"`   // 0x040300: class, subclass, programming interface
	ID           ID            `json:"id"`
	Subsystem    Known[ID]     `json:"subsystem"`
	Revision     Known[int]    `json:"revision"` // old kernels do not tell
	VendorName   Known[string] `json:"vendorName"`
	Name         Known[string] `json:"name"`
	Driver       Known[string] `json:"driver"`       // not known also when nothing is bound: see Bound
	Bound        Known[bool]   `json:"bound"`        // a driver has taken it; not known where the tree tells of no driver at all
	Modules      []string      `json:"modules"`      // that answer to its modalias
	Parents      []string      `json:"parents"`      // bridges above it, nearest first
	IRQ          Known[int]    `json:"irq"`          // of the pin; 0 is not known
	MSI          []int         `json:"msi"`          // Linux numbers of its message interrupts
	Express      Known[bool]   `json:"express"`      // it is PCI Express; not known on trees that do not tell
	Conventional bool          `json:"conventional"` // sits on a conventional PCI bus: latency_timer means something here only
	Removable    bool          `json:"removable"`    // behind Thunderbolt, USB4 or another outside port
	Sound        SoundClass    `json:"sound"`
}

// SoundClass is what the class of a PCI function says about its sound.
type SoundClass string

// The classes of PCI functions with sound. The class decides between legacy
// HDA and a DSP, the id does not: the same chip shows either.
const (
	NoSound     SoundClass = ""
	SoundHDA    SoundClass = "hda"          // 0x040300: HDA without DSP
	SoundHDADSP SoundClass = "hda with dsp" // 0x040380: HDA that a DSP may take over
	SoundCard   SoundClass = "multimedia"   // 0x040100: every classic card, and Intel's DSP-only mode
	SoundCoproc SoundClass = "coprocessor"  // 0x048000: AMD's audio co-processor
	SoundVideo  SoundClass = "hdmi"         // HDA function of a display adapter
)

// USBController is one host controller with all its buses.
type USBController struct {
	Name    string        `json:"name"` // PCI address, or name of a platform device
	PCI     Known[string] `json:"pci"`  // its PCI address; not known for platform devices
	Driver  Known[string] `json:"driver"`
	Kind    Known[string] `json:"kind"`    // "xHCI", "EHCI", "OHCI", "UHCI", "dwc2" …
	Buses   []int         `json:"buses"`   // an xHCI has one for USB 2 and one for USB 3
	Devices []string      `json:"devices"` // USB paths, hubs with them
	IRQs    []int         `json:"irqs"`
}

// USBRole is what a USB device is to sound.
type USBRole string

// The roles of USB devices.
const (
	USBOther     USBRole = ""
	USBHub       USBRole = "hub"
	USBInterface USBRole = "audio interface" // audio that a person plugs in
	USBOnboard   USBRole = "onboard audio"   // a mainboard's codec on USB
	USBWebcam    USBRole = "webcam"          // audio and video in one
	USBMIDI      USBRole = "midi"            // MIDI without audio
)

// USBDevice is one device on USB.
type USBDevice struct {
	Path         string         `json:"path"` // "1-5.2": bus, then the port of each hub
	ID           ID             `json:"id"`
	Release      Known[string]  `json:"release"` // bcdDevice as "6.45": often the firmware
	Manufacturer Known[string]  `json:"manufacturer"`
	Product      Known[string]  `json:"product"` // tells apart devices that share an id
	Serial       Known[string]  `json:"serial"`
	SpeedMbps    Known[float64] `json:"speedMbps"` // 1.5, 12, 480, 5000, 10000, 20000
	MaxPowerMA   Known[int]     `json:"maxPowerMA"`
	SelfPowered  Known[bool]    `json:"selfPowered"`
	Removable    Known[string]  `json:"removable"`    // "removable", "fixed"
	PowerControl Known[string]  `json:"powerControl"` // "on": never suspended; "auto"
	Role         USBRole        `json:"role"`
	// AudioClass is "UAC1", "UAC2", "UAC3", or "vendor" for audio in a maker's
	// own language, which needs a module that knows the id.
	AudioClass Known[string] `json:"audioClass"`
	Interfaces []USBFunction `json:"interfaces"`
	Modules    []string      `json:"modules"`    // that answer to its interfaces
	Hubs       []string      `json:"hubs"`       // USB paths of the hubs above it, nearest first, root hub left out
	Controller string        `json:"controller"` // USBController.Name
	Companions []string      `json:"companions"` // USB paths of what else hangs on that controller, hubs left out
	Cards      []int         `json:"cards"`
}

// USBFunction is one interface of a USB device, in its current setting.
type USBFunction struct {
	Number   int           `json:"number"`
	Class    int           `json:"class"`    // 1 audio, 3 HID, 8 disk, 9 hub, 14 video, 255 vendor
	Subclass int           `json:"subclass"` // of audio: 1 control, 2 streaming, 3 MIDI
	Protocol int           `json:"protocol"` // of audio: 0 UAC1, 0x20 UAC2, 0x30 UAC3
	Driver   Known[string] `json:"driver"`
}

// FireWireController is one OHCI-1394 host with what is plugged into it.
type FireWireController struct {
	PCI      string        `json:"pci"`
	ID       ID            `json:"id"`
	Name     Known[string] `json:"name"`
	Revision Known[int]    `json:"revision"`
	Driver   Known[string] `json:"driver"`
	Bridge   Known[ID]     `json:"bridge"` // of the bridge right above it
	// RebootsOnCycleTimer is true for a VIA VT6306/7/8 behind an ASM1083 or
	// ASM1085 bridge in a machine with an AMD Zen: kernels that do not know of
	// it read the cycle timer and the machine reboots. It is false where one of
	// the three is known to be another, and not known where the CPU is not.
	// Source: drivers/firewire/ohci.c, QUIRK_REBOOT_BY_CYCLE_TIMER_READ.
	RebootsOnCycleTimer Known[bool]    `json:"rebootsOnCycleTimer"`
	IRQs                []CardIRQ      `json:"irqs"`
	LocalNode           Known[string]  `json:"localNode"` // "fw0": this machine itself, never an instrument
	Nodes               []FireWireNode `json:"nodes"`     // remote ones; none is a normal state
}

// FireWireNode is a remote node: a box, with one or more units in it.
type FireWireNode struct {
	Name       string         `json:"name"` // "fw1"
	GUID       Known[string]  `json:"guid"` // "0x000a9200…"
	Vendor     Known[Hex]     `json:"vendor"`
	Model      Known[Hex]     `json:"model"` // many have none
	VendorName Known[string]  `json:"vendorName"`
	ModelName  Known[string]  `json:"modelName"`
	Units      []FireWireUnit `json:"units"`
}

// FireWireKey names a kind of unit. Vendor and model alone do not: the same
// pair is two products more than once, and the same name two chips.
type FireWireKey struct {
	Vendor     Known[Hex]    `json:"vendor"`
	Model      Known[Hex]    `json:"model"`
	Specifier  Known[Hex]    `json:"specifier"`
	Version    Known[Hex]    `json:"version"`
	VendorName Known[string] `json:"vendorName"`
	ModelName  Known[string] `json:"modelName"`
}

// UnitKind is what a FireWire unit is for.
type UnitKind string

// The kinds of units.
const (
	UnitAudio      UnitKind = "audio"                // an ALSA driver exists for it
	UnitBootLoader UnitKind = "boot loader"          // an audio unit that waits for its firmware; comes back with another identity
	UnitNoDriver   UnitKind = "audio without driver" // an instrument that no Linux driver plays
	UnitEffect     UnitKind = "effect processor"     // DSP or other box that a driver may match and that is no interface
	UnitControl    UnitKind = "control surface"
	UnitRadio      UnitKind = "radio"
	UnitVideo      UnitKind = "video"
	UnitDisk       UnitKind = "disk"
	UnitNetwork    UnitKind = "network"
	UnitUnknown    UnitKind = "not known"
)

// FireWireUnit is one function of a node.
type FireWireUnit struct {
	Name     string        `json:"name"` // "fw1.0"
	Key      FireWireKey   `json:"key"`
	Kind     UnitKind      `json:"kind"`
	Driver   Known[string] `json:"driver"`
	Modalias Known[string] `json:"modalias"`
	// Modules answer to the modalias, the right one first: snd_dice and
	// snd_oxfw claim units of others by patterns that are too wide.
	Modules []string `json:"modules"`
	Cards   []int    `json:"cards"`
	// Product is the name people know, where the unit itself is nameless.
	Product Known[string] `json:"product"`
}

// CardBus is what the device of a card sits on.
type CardBus string

// The buses of cards.
const (
	BusPCI      CardBus = "pci"
	BusUSB      CardBus = "usb"
	BusFireWire CardBus = "firewire"
	BusPlatform CardBus = "platform" // a board's own, such as I²S
	BusVirtual  CardBus = "virtual"  // made by software: loopback, dummy
	BusUnknown  CardBus = "not known"
)

// CardRole ranks cards: the lower its rank, the likelier it is the one a
// musician means.
type CardRole string

// The roles of cards, in the order in which a machine's main card is sought.
const (
	RoleInterface CardRole = "interface" // bought to play and record through
	RoleOnboard   CardRole = "onboard"   // codec of the mainboard, on whatever bus
	RoleHDMI      CardRole = "hdmi"      // a display's
	RoleWebcam    CardRole = "webcam"
	RoleMIDI      CardRole = "midi"     // without audio
	RoleVirtual   CardRole = "virtual"  // loopback, dummy
	RoleUnusable  CardRole = "unusable" // without playback, capture or MIDI
)

// Card is one card of ALSA.
type Card struct {
	Index    int           `json:"index"`
	ID       Known[string] `json:"id"`       // "USB", "PCH"; may hold a serial number
	Name     Known[string] `json:"name"`     // "Scarlett 2i2 USB"
	LongName Known[string] `json:"longName"` // "Focusrite Scarlett 2i2 USB at usb-0000:0d:00.0-7, high speed"
	Driver   Known[string] `json:"driver"`   // ALSA's word: "USB-Audio", "HDA-Intel"
	Module   Known[string] `json:"module"`   // "snd_usb_audio"
	Bus      CardBus       `json:"bus"`
	Role     CardRole      `json:"role"`

	PCI      Known[string] `json:"pci"`      // of the device or, for USB and FireWire, of its controller
	USB      Known[string] `json:"usb"`      // USBDevice.Path
	FireWire Known[string] `json:"fireWire"` // FireWireUnit.Name
	Platform Known[string] `json:"platform"` // name of the platform device
	SysPath  Known[string] `json:"sysPath"`  // below /sys, of the device
	Twin     bool          `json:"twin"`     // another card has a device of the same kind: only place or serial tells them apart

	PCMs    []PCM     `json:"pcms"`
	MIDI    int       `json:"midi"` // raw MIDI devices
	Streams []Stream  `json:"streams"`
	Codecs  []string  `json:"codecs"` // of HDA: "Realtek ALC256"
	Clock   []string  `json:"clock"`  // of FireWire: rates that its driver tells of
	IRQs    []CardIRQ `json:"irqs"`
}

// PCM is one audio device of a card.
type PCM struct {
	Device   int           `json:"device"`
	ID       Known[string] `json:"id"`
	Playback bool          `json:"playback"`
	Capture  bool          `json:"capture"`
}

// Stream is one setting of a USB card, as its driver tells.
type Stream struct {
	Playback bool          `json:"playback"`
	Format   Known[string] `json:"format"`
	Channels Known[int]    `json:"channels"`
	Rates    []int         `json:"rates"` // Hz; with a range, its ends
	Sync     Known[string] `json:"sync"`  // "ASYNC", "ADAPTIVE", "SYNC"
}

// CardIRQ is an interrupt that serves a card, and who else it serves.
type CardIRQ struct {
	Number int         `json:"number"`
	MSI    Known[bool] `json:"msi"` // messages are never shared
	// Shared are the other actions on the line. Drivers of a card's own chain
	// (controller, the card itself) are not among them.
	Shared []string `json:"shared"`
}

// IRQ is an interrupt with somebody listening.
type IRQ struct {
	Number  int           `json:"number"`
	Actions []string      `json:"actions"` // "xhci_hcd", "snd_hda_intel:card1"
	Chip    Known[string] `json:"chip"`    // "IR-IO-APIC", "IR-PCI-MSI-0000:0e:00.0"
	Trigger Known[string] `json:"trigger"` // "edge", "level"
}

// Reason says why a device makes no sound.
type Reason string

// The reasons for which sound hardware has no card.
const (
	NoModule       Reason = "no module of this kernel knows it"
	NotLoaded      Reason = "its module is not loaded"
	NotBound       Reason = "its module did not take it"
	BoundNoCard    Reason = "a driver has it and made no card"
	AwaitsFirmware Reason = "it waits for its firmware and comes back as another device"
	CardsUnknown   Reason = "a driver has it; whether that made a card is not known"
	DSPOff         Reason = "its DSP is switched off and nothing else drives it"
	ModulesUnknown Reason = "no driver has it; which module would is not known"
)

// Silent is sound hardware without a card.
type Silent struct {
	Bus    CardBus       `json:"bus"`
	Device string        `json:"device"` // PCI address, USB path, FireWire unit
	PCI    Known[string] `json:"pci"`    // of the device or, for USB and FireWire, of its controller
	ID     string        `json:"id"`     // "8086:51c8"; of FireWire vendor, model, specifier and version
	// Role is what its card would be, once it has one: before drivers are
	// loaded, all sound hardware of a machine stands here.
	Role    CardRole      `json:"role"`
	Name    Known[string] `json:"name"`
	Driver  Known[string] `json:"driver"`
	Modules []string      `json:"modules"`
	Reason  Reason        `json:"reason"`
	// Log is what the kernel said about it, when its log was given.
	Log  []string  `json:"log"`
	IRQs []CardIRQ `json:"irqs"`
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
