package advice

import (
	"fmt"
	"strings"

	"reprise/hwdetect"
)

// Makers of FireWire controllers, by PCI vendor.
const (
	vendorTI      = 0x104c
	vendorLSI     = 0x11c1 // Agere, Lucent
	vendorVIA     = 0x1106
	vendorRicoh   = 0x1180
	vendorJMicron = 0x197b
	vendorNEC     = 0x1033
	vendorALi     = 0x10b9
	vendorO2      = 0x1217
)

// asm1083 is the PCI Express to PCI bridge of cheap FireWire cards.
var asm1083 = hwdetect.ID{Vendor: 0x1b21, Product: 0x1080}

// vt6306 is VIA's VT6306, 6307 and 6308.
var vt6306 = hwdetect.ID{Vendor: vendorVIA, Product: 0x3044}

// reboots says that reading a controller's cycle timer reboots the machine.
// Where the processor is not known, the pair of chips is enough to be careful.
func reboots(c *hwdetect.FireWireController) bool {
	yes, known := c.RebootsOnCycleTimer.Get()
	if known {
		return yes
	}
	bridge, _ := c.Bridge.Get()
	return c.ID == vt6306 && bridge == asm1083
}

// controllerGrades judge by what the kernel has to work around.
var controllerGrades = []struct {
	match func(hwdetect.FireWireController) bool
	grade GradeLevel
	why   string
}{
	{func(c hwdetect.FireWireController) bool {
		return c.ID.Vendor == vendorTI && (c.ID.Product == 0x8009 || c.ID.Product == 0x8020 || c.ID.Product == 0x8025)
	},
		Usable, "Texas Instruments' chips are the best known; the kernel works around faults of this old one."},
	{func(c hwdetect.FireWireController) bool { return c.ID.Vendor == vendorTI },
		Good, "Texas Instruments' chips need no workaround that matters."},
	{func(c hwdetect.FireWireController) bool { return c.ID.Vendor == vendorLSI },
		Good, "LSI's chips need no workaround that matters."},
	{func(c hwdetect.FireWireController) bool { return c.ID.Vendor == vendorVIA },
		Usable, "VIA's chips have a faulty cycle timer, which the kernel works around."},
	{func(c hwdetect.FireWireController) bool { return c.ID.Vendor == vendorRicoh },
		Usable, "Ricoh's chips have a faulty cycle timer and no message interrupts; dropouts have been seen with most units. A Texas Instruments controller is better."},
	{func(c hwdetect.FireWireController) bool {
		return c.ID.Vendor == vendorJMicron || c.ID.Vendor == vendorO2
	},
		Usable, "This chip has no message interrupts, so it shares its interrupt with others. A Texas Instruments controller is better."},
	{func(c hwdetect.FireWireController) bool { return c.ID.Vendor == vendorNEC || c.ID.Vendor == vendorALi },
		Usable, "This maker's chips have a faulty cycle timer, which the kernel works around. A Texas Instruments controller is better."},
	{func(hwdetect.FireWireController) bool { return true },
		Usable, "The kernel knows no fault of this chip, and nobody has told how it does with sound."},
}

// ruleFireWireControllers grades, and keeps the driver away from what reboots
// the machine.
func ruleFireWireControllers(m *machine, a *adding) {
	var bad, fine []string
	for i := range m.f.FireWire {
		c := &m.f.FireWire[i]
		name := controllerName(c)
		if reboots(c) {
			bad = append(bad, c.PCI)
			a.grade("PCI "+c.PCI, name, Avoid, "Behind an ASM1083 bridge in a machine with an AMD Zen, reading its cycle timer reboots the machine.")
			a.hand(name+" behind an ASM1083 bridge can reboot this machine: take it out, and put a controller of Texas Instruments in its place.", "PCI "+c.PCI)
			continue
		}
		fine = append(fine, c.PCI)
		for _, g := range controllerGrades {
			if !g.match(*c) {
				continue
			}
			grade, why := g.grade, g.why
			if d, ok := m.f.PCIAt(c.PCI); ok && d.Removable && grade == Good {
				grade, why = Usable, why+" It sits behind Thunderbolt: units were not always found at a cold start."
			}
			if others := sharedWith(c); len(others) > 0 {
				why += " It shares its interrupt with " + list(others) + "."
				if grade = Usable; c.ID.Vendor != vendorTI && c.ID.Vendor != vendorLSI && c.ID.Vendor != vendorVIA {
					grade = Avoid
				}
				a.hand(fmt.Sprintf("%s shares its interrupt with %s: put it into another slot, or keep the other one switched off while you play.", name, list(others)), "PCI "+c.PCI)
			}
			a.grade("PCI "+c.PCI, name, grade, why)
			break
		}
		if len(c.Nodes) == 0 {
			a.say(name+": nothing is plugged into it, or what is plugged in is switched off.", "PCI "+c.PCI)
		}
	}
	for _, address := range bad {
		why := fmt.Sprintf("The VIA controller (%s) at %s behind an ASM1083 bridge: reading its cycle timer reboots the machine, so its driver is kept away from it.", vt6306, address)
		if len(fine) == 0 {
			a.add("boot.blacklistedKernelModules", "firewire_ohci", why)
			continue
		}
		// The driver serves the others: before it loads, this one is given to a
		// driver that does not exist. Without that, the driver does not load.
		// Source: Linux, ABI/testing/sysfs-bus-pci, driver_override.
		a.add("boot.extraModprobeConfig", overrideLine(bad), why, "The driver still serves "+list(fine)+".")
	}
}

// overrideLine has modprobe give controllers away before it loads the driver.
// There is one line for all: modprobe takes the first that it finds.
func overrideLine(addresses []string) string {
	var words []string
	for _, address := range addresses {
		words = append(words, "echo none >/sys/bus/pci/devices/"+address+"/driver_override && ")
	}
	return "install firewire_ohci " + strings.Join(words, "") + "/usr/sbin/modprobe --ignore-install firewire_ohci\n"
}

func controllerName(c *hwdetect.FireWireController) string {
	name := plain(c.Name.Or(""))
	if name == "" {
		name = "FireWire controller"
	}
	return name + " (" + c.ID.String() + ")"
}

func sharedWith(c *hwdetect.FireWireController) []string {
	var others []string
	for _, irq := range c.IRQs {
		for _, o := range irq.Shared {
			others = append(others, plain(o))
		}
	}
	return others
}

// ruleFireWireUnits says what is on the bus and what plays it. All ALSA
// drivers are good with three periods; FFADO gives snd_dice units a shorter
// way. The two exclude each other.
func ruleFireWireUnits(m *machine, a *adding) {
	for i := range m.f.FireWire {
		c := &m.f.FireWire[i]
		for _, n := range c.Nodes {
			for j := range n.Units {
				u := &n.Units[j]
				device, name := "FireWire "+u.Name, unitName(u)
				switch u.Kind {
				case hwdetect.UnitBootLoader:
					a.hand(name+" waits for its firmware: its driver sends it, and it comes back under another name. If it does not, switch it off and on.", device)
				case hwdetect.UnitNoDriver:
					a.grade(device, name, Avoid, "No Linux driver plays it.")
				case hwdetect.UnitEffect, hwdetect.UnitControl, hwdetect.UnitRadio:
					a.say(fmt.Sprintf("%s on FireWire is no audio interface (%s).", name, u.Kind), device)
				case hwdetect.UnitUnknown:
					a.unknown(name+" on FireWire: what it is, and what plays it, is not known.", device)
				case hwdetect.UnitAudio:
					if reboots(c) {
						a.grade(device, name, Avoid, "It hangs on a controller that can reboot the machine: put it on another one.")
					}
				}
			}
		}
	}
	for i := range m.Starts {
		s := &m.Starts[i]
		if s.unit == nil || s.Other == nil {
			continue
		}
		module := m.unitModule(s)
		a.say(fmt.Sprintf("%s has two drivers, and one excludes the other: ALSA's %s, for every program, and FFADO, for JACK alone and with a shorter way. ALSA's is chosen.", s.Name, module), s.Device)
		if !s.Studio || m.Wants.Server != JACK {
			continue
		}
		why := s.Name + " through FFADO: at 512 frames ALSA's way was measured at 55 ms there and back, FFADO's far lower."
		risk := "No program but JACK can use the unit then, and FFADO must know it: ffado-test tells. Choose all three together."
		a.offer("musnix.ffado.enable", true, false, risk, why)
		a.offer("boot.blacklistedKernelModules", module, true, risk, why)
		a.offer(jackOption, jackWords(*s.Other), false, risk, why)
	}
}

// unitModule is the ALSA module of a unit.
func (m *machine) unitModule(s *Start) string {
	if s.card != nil {
		if module, ok := s.card.Module.Get(); ok {
			return strings.ReplaceAll(module, "-", "_")
		}
	}
	if s.unit != nil {
		if d, ok := s.unit.Driver.Get(); ok {
			return strings.ReplaceAll(d, "-", "_")
		}
		if len(s.unit.Modules) > 0 {
			return strings.ReplaceAll(s.unit.Modules[0], "-", "_")
		}
	}
	return ""
}
