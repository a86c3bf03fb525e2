package hwdetect

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
