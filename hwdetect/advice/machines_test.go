package advice

import (
	"fmt"
	"slices"

	"reprise/hwdetect"
)

// Machines of the tests, made by hand from what their owners told. Each is
// named for what it is about.

func is[T any](v T) hwdetect.Known[T] { return hwdetect.Is(v) }

func id(text string) hwdetect.ID {
	v, err := hwdetect.ParseID(text)
	if err != nil {
		panic(err)
	}
	return v
}

// cores makes physical cores of a kind with n threads each, numbered on from
// what is there, siblings side by side.
func cores(f *hwdetect.Facts, kind hwdetect.CoreKind, physical, n int) {
	next := 0
	for _, c := range f.CPU.Core {
		next = max(next, slices.Max(c.Threads)+1)
	}
	for range physical {
		core := hwdetect.Core{ID: len(f.CPU.Core), Kind: kind}
		for range n {
			core.Threads = append(core.Threads, next)
			next++
		}
		f.CPU.Core = append(f.CPU.Core, core)
	}
	f.CPU.Cores, f.CPU.Threads = is(len(f.CPU.Core)), is(next)
	f.CPU.SMT.Active = is(hwdetect.IsTrue(f.CPU.SMT.Active) || n > 1)
	f.CPU.Hybrid = is(slices.ContainsFunc(f.CPU.Core, func(c hwdetect.Core) bool { return c.Kind == hwdetect.Efficiency }))
}

// desk is a desktop with an AMD processor and nothing on it.
func desk(physical, threads int) *hwdetect.Facts {
	f := &hwdetect.Facts{}
	cores(f, hwdetect.Uniform, physical, threads)
	f.CPU.Vendor, f.CPU.Model, f.CPU.Zen = is("AuthenticAMD"), is("AMD Ryzen 7 3700X 8-Core Processor"), is(true)
	f.CPU.Scaling = hwdetect.Scaling{Driver: is("acpi-cpufreq"), Governor: is("schedutil"), Governors: []string{"conservative", "ondemand", "userspace", "powersave", "performance", "schedutil"}}
	f.CPU.Idle = hwdetect.Idle{Driver: is("acpi_idle"), States: []hwdetect.IdleState{
		{Name: "POLL", LatencyMicros: is(0)}, {Name: "C1", LatencyMicros: is(1)}, {Name: "C2", LatencyMicros: is(18)}, {Name: "C3", LatencyMicros: is(350)},
	}}
	f.CPU.Vulnerabilities = []hwdetect.Vulnerability{{Name: "meltdown", State: "Not affected"}, {Name: "spectre_v2", State: "Mitigation: Retpolines"}}
	f.Chassis = hwdetect.Chassis{Form: is(hwdetect.FormDesktop), Type: is(3), Vendor: is("ASRock"), Product: is("X570 Phantom Gaming 4")}
	f.Power.Laptop = is(false)
	f.Virtual.Guest = is(false)
	return f
}

// lap makes a laptop of a desktop.
func lap(f *hwdetect.Facts) *hwdetect.Facts {
	f.Chassis = hwdetect.Chassis{Form: is(hwdetect.FormLaptop), Type: is(10), Vendor: is("LENOVO"), Product: is("ThinkPad T14")}
	f.Power = hwdetect.Power{Laptop: is(true), OnBattery: is(false), Batteries: []hwdetect.Battery{{Name: "BAT0", Percent: is(80)}}}
	f.CPU.Vendor, f.CPU.Zen, f.CPU.Model = is("GenuineIntel"), is(false), is("12th Gen Intel(R) Core(TM) i7-1270P")
	f.CPU.Scaling = hwdetect.Scaling{Driver: is("intel_pstate"), Governor: is("powersave"), Governors: []string{"performance", "powersave"}}
	f.CPU.Idle = hwdetect.Idle{Driver: is("intel_idle"), States: []hwdetect.IdleState{
		{Name: "POLL", LatencyMicros: is(0)}, {Name: "C1E", LatencyMicros: is(2)}, {Name: "C6", LatencyMicros: is(170)}, {Name: "C10", LatencyMicros: is(680)},
	}}
	return f
}

func guest(f *hwdetect.Facts) *hwdetect.Facts {
	f.Virtual = hwdetect.Virtual{Guest: is(true), Hypervisor: is("kvm")}
	f.CPU.Scaling, f.CPU.Idle = hwdetect.Scaling{}, hwdetect.Idle{}
	f.Chassis = hwdetect.Chassis{Form: is(hwdetect.FormVirtual), Vendor: is("QEMU"), Product: is("Standard PC (Q35 + ICH9, 2009)")}
	return f
}

func xhci(f *hwdetect.Facts, address string, bridges int) {
	d := hwdetect.PCIDevice{Address: address, Class: 0x0c0330, ID: id("1022:43fd"), Driver: is("xhci_hcd"), Bound: is(true)}
	for i := range bridges {
		d.Parents = append(d.Parents, fmt.Sprintf("0000:%02x:00.0", 0x40+i))
	}
	f.PCI = append(f.PCI, d)
	irq := 40 + len(f.USBControllers)
	f.USBControllers = append(f.USBControllers, hwdetect.USBController{Name: address, PCI: is(address), Driver: is("xhci_hcd"), Kind: is("xHCI"), IRQs: []int{irq}})
	f.IRQs = append(f.IRQs, hwdetect.IRQ{Number: irq, Actions: []string{"xhci_hcd"}})
}

// plug puts a device on a controller.
func plug(f *hwdetect.Facts, controller string, d hwdetect.USBDevice) {
	d.Controller = controller
	for i := range f.USB {
		if f.USB[i].Controller == controller {
			f.USB[i].Companions = append(f.USB[i].Companions, d.Path)
			d.Companions = append(d.Companions, f.USB[i].Path)
		}
	}
	f.USB = append(f.USB, d)
	for i := range f.USBControllers {
		if f.USBControllers[i].Name == controller {
			f.USBControllers[i].Devices = append(f.USBControllers[i].Devices, d.Path)
		}
	}
}

func scarlett(path string) hwdetect.USBDevice {
	return hwdetect.USBDevice{Path: path, ID: id("1235:8210"), Manufacturer: is("Focusrite"), Product: is("Scarlett 2i2 USB"), SpeedMbps: is(480.0), MaxPowerMA: is(500),
		PowerControl: is("auto"), Role: hwdetect.USBInterface, AudioClass: is("UAC2"),
		Interfaces: []hwdetect.USBFunction{{Class: 1, Subclass: 1, Protocol: 0x20}, {Class: 1, Subclass: 2, Protocol: 0x20}}}
}

func camera(path string) hwdetect.USBDevice {
	return hwdetect.USBDevice{Path: path, ID: id("1532:0e03"), Manufacturer: is("Razer"), Product: is("Kiyo"), SpeedMbps: is(480.0), Role: hwdetect.USBWebcam, AudioClass: is("UAC1"),
		Interfaces: []hwdetect.USBFunction{{Class: 14}, {Class: 1, Subclass: 1}}}
}

// usbCard is the card of a device on USB.
func usbCard(f *hwdetect.Facts, index int, cardID string, d hwdetect.USBDevice, role hwdetect.CardRole, rates ...int) hwdetect.Card {
	if len(rates) == 0 {
		rates = []int{44100, 48000, 88200, 96000}
	}
	for i := range f.USB {
		if f.USB[i].Path == d.Path {
			f.USB[i].Cards = append(f.USB[i].Cards, index)
		}
	}
	return hwdetect.Card{Index: index, ID: is(cardID), Name: d.Product, LongName: is(d.Manufacturer.Or("") + " " + d.Product.Or("") + " at usb-0000:0e:00.0-" + d.Path + ", high speed"),
		Driver: is("USB-Audio"), Module: is("snd_usb_audio"), Bus: hwdetect.BusUSB, Role: role, USB: is(d.Path),
		PCMs:    []hwdetect.PCM{{Playback: true, Capture: true}},
		Streams: []hwdetect.Stream{{Playback: true, Channels: is(2), Rates: rates}, {Channels: is(2), Rates: rates}}}
}

func pciDevice(address, ids string, class hwdetect.Hex, sound hwdetect.SoundClass) hwdetect.PCIDevice {
	return hwdetect.PCIDevice{Address: address, ID: id(ids), Class: class, Sound: sound, Bound: is(false)}
}

// hda is the mainboard's codec with its card.
func hda(f *hwdetect.Facts, index int, address string) {
	d := pciDevice(address, "1022:15e3", 0x040300, hwdetect.SoundHDA)
	d.Driver, d.Bound = is("snd_hda_intel"), is(true)
	f.PCI = append(f.PCI, d)
	f.Cards = append(f.Cards, hwdetect.Card{Index: index, ID: is("Generic"), Name: is("HD-Audio Generic"), LongName: is("HD-Audio Generic at 0xfc500000 irq 72"), Driver: is("HDA-Intel"),
		Module: is("snd_hda_intel"), Bus: hwdetect.BusPCI, Role: hwdetect.RoleOnboard, PCI: is(address), PCMs: []hwdetect.PCM{{Playback: true, Capture: true}}})
}

func hdmi(f *hwdetect.Facts, index int, address string) {
	d := pciDevice(address, "10de:22bb", 0x040300, hwdetect.SoundVideo)
	d.Driver, d.Bound = is("snd_hda_intel"), is(true)
	f.PCI = append(f.PCI, d)
	f.Cards = append(f.Cards, hwdetect.Card{Index: index, ID: is("NVidia"), Name: is("HDA NVidia"), LongName: is("HDA NVidia at 0xfc080000 irq 70"), Driver: is("HDA-Intel"), Module: is("snd_hda_intel"),
		Bus: hwdetect.BusPCI, Role: hwdetect.RoleHDMI, PCI: is(address), PCMs: []hwdetect.PCM{{Device: 3, Playback: true}, {Device: 7, Playback: true}}})
}

func loopback(f *hwdetect.Facts, index int) {
	f.Cards = append(f.Cards, hwdetect.Card{Index: index, ID: is("Loopback"), Name: is("Loopback"), Bus: hwdetect.BusVirtual, Role: hwdetect.RoleVirtual, PCMs: []hwdetect.PCM{{Playback: true, Capture: true}}})
}

func firewire(f *hwdetect.Facts, address, ids, name string, units ...hwdetect.FireWireUnit) *hwdetect.FireWireController {
	f.PCI = append(f.PCI, hwdetect.PCIDevice{Address: address, ID: id(ids), Class: 0x0c0010, Driver: is("firewire_ohci"), Bound: is(true)})
	c := hwdetect.FireWireController{PCI: address, ID: id(ids), Name: is(name), RebootsOnCycleTimer: is(false), LocalNode: is("fw0")}
	if len(units) > 0 {
		c.Nodes = []hwdetect.FireWireNode{{Name: "fw1", Units: units}}
	}
	f.FireWire = append(f.FireWire, c)
	return &f.FireWire[len(f.FireWire)-1]
}

func unit(module, vendor, model string, product string, numbers ...hwdetect.Hex) hwdetect.FireWireUnit {
	return hwdetect.FireWireUnit{Name: "fw1.0", Kind: hwdetect.UnitAudio, Driver: is(module), Modules: []string{module}, Product: is(product),
		Key: hwdetect.FireWireKey{Vendor: is(numbers[0]), Model: is(numbers[1]), Version: is(numbers[2]), VendorName: is(vendor), ModelName: is(model)}}
}

func unitCard(f *hwdetect.Facts, index int, cardID, module, long string) {
	f.Cards = append(f.Cards, hwdetect.Card{Index: index, ID: is(cardID), Name: is(cardID), LongName: is(long), Module: is(module), Bus: hwdetect.BusFireWire, Role: hwdetect.RoleInterface,
		FireWire: is("fw1.0"), PCMs: []hwdetect.PCM{{Playback: true, Capture: true}}})
}

// rmeCard is an HDSPe with the module of its driver.
func rmeCard(f *hwdetect.Facts, index int, cardID, name string, conventional bool) {
	d := pciDevice("0000:03:00.0", "10ee:3fc6", 0x040100, hwdetect.SoundCard)
	d.Driver, d.Bound, d.Conventional, d.VendorName, d.IRQ = is("snd_hdspm"), is(true), conventional, is("Xilinx Corporation"), is(16)
	f.PCI = append(f.PCI, d)
	f.Cards = append(f.Cards, hwdetect.Card{Index: index, ID: is(cardID), Name: is(name), LongName: is(name + " S/N 0x" + "24012345 at 0x51100000, irq 16"), Driver: is("HDSPM"), Module: is("snd_hdspm"),
		Bus: hwdetect.BusPCI, Role: hwdetect.RoleInterface, PCI: is(d.Address), PCMs: []hwdetect.PCM{{Playback: true, Capture: true}}})
}

// delta is a card on a conventional bus behind a bridge.
func delta(f *hwdetect.Facts, index int, address string) {
	d := pciDevice(address, "1412:1712", 0x040100, hwdetect.SoundCard)
	d.Driver, d.Bound, d.Conventional, d.IRQ = is("snd_ice1712"), is(true), true, is(17)
	f.PCI = append(f.PCI, d)
	f.Cards = append(f.Cards, hwdetect.Card{Index: index, ID: is(map[int]string{0: "M1010LT", 1: "M1010LT_1"}[index]), Name: is("M Audio Delta 1010LT"), LongName: is("M Audio Delta 1010LT at 0xd000, irq 17"),
		Driver: is("ICE1712"), Module: is("snd_ice1712"), Bus: hwdetect.BusPCI, Role: hwdetect.RoleInterface, PCI: is(address), Twin: index < 2, PCMs: []hwdetect.PCM{{Playback: true, Capture: true}}})
}

// machines are the machines of the golden files.
func machines() map[string]*hwdetect.Facts {
	all := map[string]*hwdetect.Facts{}

	f := desk(8, 2)
	f.GPUs = []hwdetect.GPU{{PCI: is("0000:01:00.0"), ID: is(id("10de:2704")), Name: is("GeForce RTX 4080"), Class: is(hwdetect.Hex(0x030000)), NVIDIA: true}}
	hdmi(f, 0, "0000:01:00.1")
	hda(f, 1, "0000:7a:00.6")
	xhci(f, "0000:0e:00.0", 6)
	xhci(f, "0000:7a:00.3", 1)
	plug(f, "0000:0e:00.0", camera("1-3"))
	d := scarlett("1-5.2.1")
	d.Hubs = []string{"1-5.2", "1-5"}
	plug(f, "0000:0e:00.0", d)
	f.Cards = append(f.Cards, usbCard(f, 2, "Kiyo", camera("1-3"), hwdetect.RoleWebcam), usbCard(f, 3, "USB", d, hwdetect.RoleInterface))
	all["nvidia-scarlett-webcam"] = f

	f = desk(8, 2)
	c := firewire(f, "0000:05:00.0", "1106:3044", "VT6306/7/8 [Fire II(M)] IEEE 1394 OHCI Controller", unit("snd_bebob", "M-Audio", "ProFire Lightbridge", "", 0x000d6c, 0x0100a1, 0x014001))
	c.Bridge, c.RebootsOnCycleTimer = is(asm1083), is(true)
	hda(f, 0, "0000:0a:00.4")
	all["via-asm1083-zen"] = f

	f = desk(4, 1)
	firewire(f, "0000:02:00.0", "104c:823f", "XIO2213A/B/XIO2221 IEEE-1394b OHCI Controller", unit("snd_dice", "Focusrite", "SAFFIRE_PRO_40", "Focusrite Saffire Pro 40", 0x00130e, 0x000005, 0x000001))
	unitCard(f, 0, "SPRO40", "snd_dice", "Focusrite Saffire_PRO_40 (serial 7) at fw1.0, S400")
	f.Disks = []hwdetect.Disk{{Name: "sda", Model: is("WDC WD40EFRX"), Rotates: is(true), Removable: is(false)}}
	all["ti-dice"] = f

	f = lap(desk(2, 2))
	c = firewire(f, "0000:0d:00.3", "1180:e832", "R5C832 PCIe IEEE 1394 Controller", unit("snd_firewire_motu", "", "", "MOTU 828mk3", 0x0001f2, 0x000000, 0x000015))
	c.IRQs = []hwdetect.CardIRQ{{Number: 19, MSI: is(false), Shared: []string{"iwl3945"}}}
	unitCard(f, 1, "D828mk3", "snd_firewire_motu", "MOTU 828mk3 (serial 4711) at fw1.0, S400")
	hda(f, 0, "0000:00:1b.0")
	all["ricoh-laptop-motu"] = f

	f = desk(6, 1)
	rmeCard(f, 1, "HDSPe24018716", "RME RayDAT_24018716", false)
	loopback(f, 0)
	f.Cards[0].IRQs = []hwdetect.CardIRQ{{Number: 16, MSI: is(false), Shared: []string{"i801_smbus"}}}
	all["rme-hdspe-raydat"] = f

	f = desk(2, 1)
	delta(f, 0, "0000:07:01.0")
	delta(f, 1, "0000:07:02.0")
	all["dual-delta-conventional"] = f

	f = desk(6, 2)
	xhci(f, "0000:00:14.0", 0)
	one, two := scarlett("1-2"), scarlett("1-3")
	one.ID, two.ID, one.Product, two.Product = id("1235:8208"), id("1235:8208"), is("Clarett 8Pre USB"), is("Clarett 8Pre USB")
	plug(f, "0000:00:14.0", one)
	plug(f, "0000:00:14.0", two)
	a, b := usbCard(f, 0, "USB", one, hwdetect.RoleInterface), usbCard(f, 1, "USB_1", two, hwdetect.RoleInterface)
	a.Twin, b.Twin = true, true
	f.Cards = append(f.Cards, a, b)
	all["two-identical-usb"] = f

	f = lap(desk(0, 0))
	f.CPU.Core = nil
	cores(f, hwdetect.Performance, 4, 2)
	cores(f, hwdetect.Efficiency, 8, 1)
	cores(f, hwdetect.LowPower, 2, 1)
	sof := pciDevice("0000:00:1f.3", "8086:51c8", 0x040380, hwdetect.SoundHDADSP)
	sof.Driver, sof.Bound, sof.IRQ = is("sof-audio-pci-intel-tgl"), is(true), is(208)
	f.PCI = append(f.PCI, sof)
	f.IRQs = append(f.IRQs, hwdetect.IRQ{Number: 208, Actions: []string{"AudioDSP"}})
	f.Cards = append(f.Cards, hwdetect.Card{Index: 0, ID: is("sofhdadsp"), Name: is("sof-hda-dsp"), LongName: is("LENOVO-21C1-ThinkPad"), Driver: is("sof-hda-dsp"), Module: is("snd_soc_skl_hda_dsp"), Bus: hwdetect.BusPCI,
		Role: hwdetect.RoleOnboard, PCI: is("0000:00:1f.3"), PCMs: []hwdetect.PCM{{Playback: true, Capture: true}, {Device: 3, Playback: true}}})
	all["hybrid-laptop-sof"] = f

	f = desk(2, 1)
	f.Chassis = hwdetect.Chassis{Form: is(hwdetect.FormThin), Vendor: is("HP"), Product: is("t520 Flexible Series TC")}
	f.CPU.Model, f.CPU.Zen = is("AMD GX-212JC SOC"), is(false)
	hda(f, 0, "0000:00:09.2")
	all["thin-client"] = f

	all["virtual-machine"] = guest(desk(2, 1))

	f = guest(desk(4, 1))
	f.GPUs = []hwdetect.GPU{{PCI: is("0000:06:00.0"), ID: is(id("10de:15f8")), Class: is(hwdetect.Hex(0x030200)), NVIDIA: true}}
	all["virtual-machine-nvidia-3d"] = f

	f = desk(6, 2)
	f.Chassis = hwdetect.Chassis{Form: is(hwdetect.FormServer), Vendor: is("Dell Inc."), Product: is("PowerEdge R610")}
	f.CPU.Model, f.CPU.Zen = is("Intel(R) Xeon(R) CPU L5640 @ 2.27GHz"), is(false)
	all["no-sound"] = f

	// As an installer sees it: nothing of sound is loaded yet.
	f = desk(6, 2)
	xhci(f, "0000:02:00.0", 1)
	plug(f, "0000:02:00.0", scarlett("3-1"))
	f.PCI = append(f.PCI, pciDevice("0000:0c:00.3", "1022:1457", 0x040300, hwdetect.SoundHDA))
	f.Silent = []hwdetect.Silent{{Bus: hwdetect.BusUSB, Device: "3-1", ID: "1235:8210", Reason: hwdetect.NotLoaded}, {Bus: hwdetect.BusPCI, Device: "0000:0c:00.3", ID: "1022:1457", Reason: hwdetect.NotLoaded}}
	all["no-modules-yet"] = f

	all["nothing-known"] = &hwdetect.Facts{}
	return all
}
