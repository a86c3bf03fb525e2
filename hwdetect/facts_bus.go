package hwdetect

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
