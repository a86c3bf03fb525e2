package hwdetect

import (
	"slices"
)

// readUndriven lists the devices that no driver has taken. Trees that tell of
// no driver at all say nothing about that.
func (t *tree) readUndriven(f *Facts) []Undriven {
	var all []Undriven
	for _, d := range f.PCI {
		if bound, ok := d.Bound.Get(); !ok || bound || isBridge(d) {
			continue
		}
		what := pciMatter(d)
		if what == "other" && len(d.Modules) == 0 {
			continue
		}
		all = append(all, Undriven{
			Bus: BusPCI, Device: d.Address, ID: d.ID, What: what, Name: d.Name, Modules: d.Modules,
			Modalias: firstKnown(t.text(t.real(pciDir, d.Address), "modalias"), Is(d.modalias())),
		})
	}
	hasDriver := func(fn USBFunction) bool { return fn.Driver.Known() }
	tells := slices.ContainsFunc(f.USB, func(d USBDevice) bool { return slices.ContainsFunc(d.Interfaces, hasDriver) })
	for _, d := range f.USB {
		if !tells || d.Role == USBHub || len(d.Interfaces) == 0 || slices.ContainsFunc(d.Interfaces, hasDriver) {
			continue
		}
		what := usbMatter(d)
		if what == "other" && len(d.Modules) == 0 {
			continue
		}
		all = append(all, Undriven{Bus: BusUSB, Device: d.Path, ID: d.ID, What: what, Name: d.Product, Modules: d.Modules})
	}
	return all
}

func pciMatter(d PCIDevice) string {
	switch {
	case d.Sound != NoSound:
		return "sound"
	case d.Class>>16 == 0x02:
		return "network"
	case d.Class>>16 == 0x01:
		return "disk"
	case d.Class == fireWireClass:
		return "firewire"
	case isDisplay(d):
		return "display"
	case usbKind(d.Class) != "":
		return "usb"
	}
	return "other"
}

func usbMatter(d USBDevice) string {
	if d.AudioClass.Known() || d.Role == USBMIDI {
		return "sound"
	}
	for _, fn := range d.Interfaces {
		switch fn.Class {
		case 2, 10, 0xe0: // communication, its data, wireless
			return "network"
		case 8:
			return "disk"
		}
	}
	return "other"
}
