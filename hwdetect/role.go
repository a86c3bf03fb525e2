package hwdetect

import (
	"slices"
	"strings"
)

// virtualModule says whether software alone made a card.
func virtualModule(c Card) bool {
	switch c.Module.Or("") {
	case "snd_aloop", "snd_dummy", "snd_virmidi", "snd_pcmtest":
		return true
	}
	switch c.Driver.Or("") {
	case "Loopback", "Dummy", "VirMIDI":
		return true
	}
	return false
}

// cardRole ranks a card by what it hangs on and what it can do; known says
// whether its devices are known. Its index means nothing: displays, webcams
// and loopbacks often come first.
func cardRole(c Card, f *Facts, known bool) CardRole {
	switch {
	case virtualModule(c) || c.Bus == BusVirtual:
		return RoleVirtual
	case c.Module.Or("") == "snd_pcsp":
		return RoleUnusable // the beeper
	case known && len(c.PCMs) == 0 && c.MIDI > 0:
		return RoleMIDI
	case known && len(c.PCMs) == 0:
		return RoleUnusable
	}
	switch c.Bus {
	case BusUSB:
		if d, ok := f.USBAt(c.USB.Or("")); ok {
			return usbCardRole(d)
		}
		return RoleInterface
	case BusFireWire:
		if u, _, ok := f.Unit(c.FireWire.Or("")); ok && u.Kind == UnitVideo || c.Module.Or("") == "snd_isight" {
			return RoleWebcam
		}
		return RoleInterface
	case BusPCI:
		if d, ok := f.PCIAt(c.PCI.Or("")); ok {
			return pciCardRole(d)
		}
	case BusPlatform:
		return platformRole(c, f)
	}
	if displayName(c.ID.Or("")) || displayName(c.Name.Or("")) {
		return RoleHDMI
	}
	return RoleOnboard
}

func usbCardRole(d USBDevice) CardRole {
	switch d.Role {
	case USBWebcam:
		return RoleWebcam
	case USBOnboard:
		return RoleOnboard
	case USBMIDI:
		return RoleMIDI
	}
	return RoleInterface
}

// chipsetMakers put sound into chipsets and processors.
var chipsetMakers = map[uint16]bool{0x8086: true, 0x1022: true, 0x1002: true, 0x10de: true, 0x1106: true, 0x1039: true, 0x10b9: true}

func pciCardRole(d PCIDevice) CardRole {
	switch d.Sound {
	case SoundVideo:
		return RoleHDMI
	case SoundCoproc:
		return RoleOnboard
	case SoundHDA, SoundHDADSP:
		// Creative and ASUS sell cards that speak HDA.
		if chipsetMakers[d.ID.Vendor] || len(d.Parents) == 0 {
			return RoleOnboard
		}
		return RoleInterface
	case SoundCard:
		if chipsetMakers[d.ID.Vendor] {
			return RoleOnboard
		}
		return RoleInterface
	}
	if isDisplay(d) {
		return RoleHDMI
	}
	return RoleOnboard
}

func displayName(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "hdmi") || strings.Contains(s, "displayport")
}

// platformRole: on a Raspberry Pi, what is neither the display nor the
// headphone socket sits on the header and was bought; other boards' own cards
// are codecs of theirs.
func platformRole(c Card, f *Facts) CardRole {
	names := strings.ToLower(c.ID.Or("") + " " + c.Name.Or("") + " " + c.Driver.Or(""))
	allDisplay := len(c.PCMs) > 0 && !slices.ContainsFunc(c.PCMs, func(p PCM) bool { return !displayName(p.ID.Or("")) })
	switch {
	case displayName(names) || allDisplay:
		return RoleHDMI
	case strings.Contains(f.Chassis.Product.Or(""), "Raspberry Pi") && !strings.Contains(names, "headphones") && !strings.Contains(names, "bcm2835"):
		return RoleInterface
	}
	return RoleOnboard
}

// unitID writes a FireWire unit's key without its names.
func unitID(k FireWireKey) string {
	return k.Vendor.String() + " " + k.Model.String() + " " + k.Specifier.String() + ":" + k.Version.String()
}
