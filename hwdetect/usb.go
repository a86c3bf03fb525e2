package hwdetect

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const usbDir = "sys/bus/usb/devices"

var (
	usbDevice   = regexp.MustCompile(`^\d+-\d+(\.\d+)*$`)
	usbFunction = regexp.MustCompile(`^\d+-\d+(\.\d+)*:\d+\.\d+$`)
	usbRoot     = regexp.MustCompile(`^usb\d+$`)
)

// Classes and subclasses of USB interfaces. Source: usb.org, defined classes.
const (
	usbAudio        = 1
	usbAudioControl = 1
	usbAudioStream  = 2
	usbAudioMIDI    = 3
	usbHubClass     = 9
	usbVideo        = 14
	usbVendorClass  = 255
)

// boardMakers put a codec on the mainboard's own USB and give it their id.
// Those who sell USB interfaces too are not among them.
var boardMakers = map[uint16]bool{
	0x0b05: true, // ASUSTeK
	0x0db0: true, // Micro-Star
	0x0414: true, // Gigabyte
	0x26ce: true, // ASRock
	0x17aa: true, // Lenovo
	0x103c: true, // Hewlett-Packard
	0x413c: true, // Dell
}

// usbSoundMakers make sound hardware: a device of theirs that speaks only its
// own language is sound hardware whose driver is missing.
var usbSoundMakers = map[uint16]bool{
	0x1686: true, // Zoom
	0x2a39: true, // RME
	0x1235: true, // Focusrite
	0x0763: true, // M-Audio
	0x07fd: true, // MOTU
	0x0644: true, // Tascam
	0x194f: true, // PreSonus
	0x0dba: true, // Digidesign
	0x2708: true, // Audient
	0x31e9: true, // Solid State Logic
	0x2b5a: true, // Universal Audio
	0x0a92: true, // EGO Systems (ESI)
	0x1397: true, // Behringer
	0x22f0: true, // Allen & Heath
}

// readUSB reads controllers and devices. Root hubs are the controllers' own
// and are not listed.
func (t *tree) readUSB(pci []PCIDevice, irqs []IRQ, modules resolver) ([]USBController, []USBDevice) {
	controllers := map[string]*USBController{}
	controller := func(dir string) *USBController {
		name, address := controllerOf(dir)
		c := controllers[name]
		if c == nil {
			c = &USBController{Name: name, PCI: some(address), Driver: t.base(dir, "driver")}
			controllers[name] = c
		}
		return c
	}
	// Controllers on PCI count with nothing plugged in: that is where an
	// interface can be moved to.
	for _, d := range pci {
		if kind := usbKind(d.Class); kind != "" {
			controllers[d.Address] = &USBController{Name: d.Address, PCI: Is(d.Address), Driver: d.Driver, Kind: Is(kind)}
		}
	}
	names := t.list(usbDir)
	var devices []USBDevice
	for _, name := range names {
		switch {
		case usbRoot.MatchString(name):
			dir := t.real(usbDir, name)
			c := controller(path.Dir(dir))
			if bus, err := strconv.Atoi(strings.TrimPrefix(name, "usb")); err == nil {
				c.Buses = append(c.Buses, bus)
			}
			if words := strings.Fields(t.text(dir, "product").Or("")); len(words) > 0 && !c.Kind.Known() {
				c.Kind = Is(words[0]) // "xHCI Host Controller", "DWC OTG Controller"
			}
		case usbDevice.MatchString(name):
			if d, ok := t.readUSBDevice(name, names, modules); ok {
				root := t.real(usbDir, name)
				for root != "." && !usbRoot.MatchString(path.Base(root)) {
					root = path.Dir(root)
				}
				if root != "." {
					c := controller(path.Dir(root))
					c.Devices = append(c.Devices, name)
					d.Controller = c.Name
				}
				devices = append(devices, d)
			}
		}
	}
	byPath := map[string]*USBDevice{}
	for i := range devices {
		byPath[devices[i].Path] = &devices[i]
	}
	for i := range devices {
		d := &devices[i]
		if c := controllers[d.Controller]; c != nil {
			for _, other := range c.Devices {
				if other != d.Path && byPath[other].Role != USBHub {
					d.Companions = append(d.Companions, other)
				}
			}
		}
	}
	all := make([]USBController, 0, len(controllers))
	for _, c := range controllers {
		if address, ok := c.PCI.Get(); ok {
			if i := slices.IndexFunc(pci, func(d PCIDevice) bool { return d.Address == address }); i >= 0 {
				for _, irq := range irqsOf(pci[i], irqs) {
					c.IRQs = append(c.IRQs, irq.Number)
				}
			}
		} else {
			c.IRQs = platformIRQs(c.Name, c.Buses, irqs)
		}
		slices.Sort(c.Buses)
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b USBController) int { return strings.Compare(a.Name, b.Name) })
	return all, devices
}

// controllerOf names the controller whose device directory is given: by its
// PCI address when the directory is, or sits below, a PCI function.
func controllerOf(dir string) (name, address string) {
	for p := dir; p != "." && p != "/"; p = path.Dir(p) {
		if base := path.Base(p); pciAddress.MatchString(base) {
			return base, base
		}
	}
	return clean(path.Base(dir)), ""
}

// usbKind is by the programming interface of the class.
func usbKind(class Hex) string {
	switch class {
	case 0x0c0300:
		return "UHCI"
	case 0x0c0310:
		return "OHCI"
	case 0x0c0320:
		return "EHCI"
	case 0x0c0330:
		return "xHCI"
	}
	return ""
}

// platformIRQs are those whose action names a device outside of PCI, or one of
// the buses of a USB controller ("dwc_otg_hcd:usb1").
func platformIRQs(name string, buses []int, irqs []IRQ) []int {
	var numbers []int
	for _, irq := range irqs {
		for _, a := range irq.Actions {
			before, after, _ := strings.Cut(a, ":")
			bus, err := strconv.Atoi(strings.TrimPrefix(after, "usb"))
			if before == name || err == nil && strings.HasPrefix(after, "usb") && slices.Contains(buses, bus) {
				numbers = append(numbers, irq.Number)
				break
			}
		}
	}
	return numbers
}

func (t *tree) readUSBDevice(name string, names []string, modules resolver) (USBDevice, bool) {
	dir := t.real(usbDir, name)
	vendor, ok1 := t.hex(16, dir, "idVendor").Get()
	product, ok2 := t.hex(16, dir, "idProduct").Get()
	if !ok1 || !ok2 {
		return USBDevice{}, false
	}
	d := USBDevice{
		Path:         name,
		ID:           ID{uint16(vendor), uint16(product)},
		Manufacturer: t.text(dir, "manufacturer"),
		Product:      t.text(dir, "product"),
		Serial:       t.text(dir, "serial"),
		Removable:    t.text(dir, "removable"),
		PowerControl: t.text(dir, "power/control"),
		Hubs:         usbHubs(name),
	}
	if d.Removable.Or("unknown") == "unknown" {
		d.Removable = Known[string]{}
	}
	if bcd, ok := t.hex(16, dir, "bcdDevice").Get(); ok {
		d.Release = Is(strconv.FormatUint(uint64(bcd>>8), 16) + "." + pad2(strconv.FormatUint(uint64(bcd&0xff), 16)))
	}
	if mbps, err := strconv.ParseFloat(t.text(dir, "speed").Or(""), 64); err == nil && mbps > 0 && mbps < 1e6 {
		d.SpeedMbps = Is(mbps)
	}
	if ma, err := strconv.Atoi(strings.TrimSuffix(t.text(dir, "bMaxPower").Or(""), "mA")); err == nil && ma >= 0 {
		d.MaxPowerMA = Is(ma)
	}
	if attributes, ok := t.hex(8, dir, "bmAttributes").Get(); ok {
		d.SelfPowered = Is(attributes&0x40 != 0)
	}
	for _, sub := range names {
		if !strings.HasPrefix(sub, name+":") || !usbFunction.MatchString(sub) {
			continue
		}
		fn := t.real(usbDir, sub)
		class, ok := t.hex(8, fn, "bInterfaceClass").Get()
		if !ok {
			continue
		}
		d.Interfaces = append(d.Interfaces, USBFunction{
			Number:   int(t.hex(8, fn, "bInterfaceNumber").Or(0)),
			Class:    int(class),
			Subclass: int(t.hex(8, fn, "bInterfaceSubClass").Or(0)),
			Protocol: int(t.hex(8, fn, "bInterfaceProtocol").Or(0)),
			Driver:   t.base(fn, "driver"),
		})
		for _, m := range modules.modules(t.text(fn, "modalias").Or("")) {
			if !slices.Contains(d.Modules, m) {
				d.Modules = append(d.Modules, m)
			}
		}
	}
	deviceClass := int(t.hex(8, dir, "bDeviceClass").Or(0))
	d.Role, d.AudioClass = usbRole(d, deviceClass)
	return d, true
}

func pad2(s string) string {
	if len(s) < 2 {
		return "0" + s
	}
	return s
}

// usbHubs are the paths of the hubs above a device, from its own path.
func usbHubs(name string) []string {
	var hubs []string
	for {
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return hubs
		}
		name = name[:i]
		hubs = append(hubs, name)
	}
}

// usbRole goes by the interfaces of a device, never by its name: headsets
// without sound exist, and so do sound cards without the audio class.
func usbRole(d USBDevice, deviceClass int) (USBRole, Known[string]) {
	has := func(class, subclass int) bool {
		return slices.ContainsFunc(d.Interfaces, func(f USBFunction) bool {
			return f.Class == class && (subclass == 0 || f.Subclass == subclass)
		})
	}
	if deviceClass == usbHubClass || has(usbHubClass, 0) {
		return USBHub, Known[string]{}
	}
	var language Known[string]
	midi := has(usbAudio, usbAudioMIDI)
	audio := has(usbAudio, usbAudioStream) || has(usbAudio, usbAudioControl) && !midi
	if audio {
		// The highest protocol of its interfaces: a device may speak the
		// first in one setting and the second in another.
		protocol := 0
		for _, f := range d.Interfaces {
			if f.Class == usbAudio {
				protocol = max(protocol, f.Protocol)
			}
		}
		switch {
		case protocol >= 0x30:
			language = Is("UAC3")
		case protocol >= 0x20:
			language = Is("UAC2")
		default:
			language = Is("UAC1")
		}
	}
	if !audio {
		// A maker's own language: a driver for sound has it or would take it,
		// or its maker makes nothing else.
		sound := func(s string) bool {
			return strings.HasPrefix(s, "snd_") || strings.HasPrefix(s, "snd-")
		}
		vendorClass := has(usbVendorClass, 0)
		taken := slices.ContainsFunc(d.Interfaces, func(f USBFunction) bool { return f.Class != usbAudio && sound(f.Driver.Or("")) })
		would := !midi && slices.ContainsFunc(d.Modules, sound)
		if taken || would || vendorClass && !midi && usbSoundMakers[d.ID.Vendor] {
			audio, language = true, Is("vendor")
		}
	}
	switch {
	case audio && has(usbVideo, 0):
		return USBWebcam, language
	case audio && boardMakers[d.ID.Vendor] && d.Removable.Or("fixed") == "fixed":
		return USBOnboard, language
	case audio:
		return USBInterface, language
	case midi:
		return USBMIDI, Known[string]{}
	}
	return USBOther, Known[string]{}
}
