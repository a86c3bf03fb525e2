package advice

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"reprise/hwdetect"
)

// irqName is a name that rtirq finds in /proc/interrupts.
var irqName = regexp.MustCompile(`^[A-Za-z0-9_-]{3,32}$`)

// defaultNames is what musnix.rtirq.nameList is by itself.
const defaultNames = "snd usb i8042"

// rulePriorities raises the interrupt threads of the studio card above all
// others. Debian's rtirq knows kinds: "snd" is cards whose interrupt ALSA
// tells, "usb" all USB controllers, anything else is sought by its name.
func rulePriorities(m *machine, a *adding) {
	studio, ok := m.Studio()
	if !ok || m.guest() {
		return
	}
	names, why := defaultNames, ""
	switch {
	case studio.usb != nil:
		names = "usb snd i8042"
		why = "its sound comes through the interrupts of the USB controllers, so they go first"
		if c, ok := m.f.USBController(studio.usb.Controller); ok {
			if n := m.handler(c.IRQs, &studio, func(action string) bool { return strings.HasSuffix(action, "hci_hcd") }); n != "" {
				names = n + " " + names
			}
		}
	case studio.unit != nil:
		names, why = "firewire_ohci "+names, "its sound comes through the FireWire controller's interrupt, so that goes first"
	case studio.pci != nil:
		why = "its own interrupt goes first, then USB and the keyboard"
		numbers := append([]int{studio.pci.IRQ.Or(-1)}, studio.pci.MSI...)
		if n := m.handler(numbers, &studio, func(action string) bool { return strings.HasPrefix(action, "snd") }); n != "" {
			names = n + " " + names
		}
	default:
		return
	}
	why = studio.Name + ": " + why + "."
	above := "Interrupt threads of sound above the rest: " + studio.Name + " at 90, the sound server below it."
	if names == defaultNames {
		a.set("musnix.rtirq.enable", true, above, why)
	} else {
		a.set("musnix.rtirq.enable", true, above)
		a.set("musnix.rtirq.nameList", names, why)
	}
	if !m.has("musnix.kernel.realtime", true) || !m.carried(PackagesFor(Setting{Option: "musnix.kernel.realtime", Value: true})) {
		a.add("boot.kernelParams", "threadirqs", "Priorities of interrupts need threads for them.")
	}
}

// handler is the name by which rtirq has to seek the interrupts of the studio
// card; "" when its own kinds find one of them, or nobody listens. What others
// do on a shared interrupt is not the card's.
func (m *machine) handler(numbers []int, s *Start, found func(action string) bool) string {
	var shared []string
	if s.card != nil {
		for _, irq := range s.card.IRQs {
			shared = append(shared, irq.Shared...)
		}
	}
	name := ""
	for _, irq := range m.f.IRQs {
		if !slices.Contains(numbers, irq.Number) {
			continue
		}
		for _, action := range irq.Actions {
			n, _, _ := strings.Cut(action, ":")
			if found(n) {
				return ""
			}
			if name == "" && irqName.MatchString(n) && !slices.Contains(shared, action) {
				name = n
			}
		}
	}
	return name
}

// ruleShared tells of interrupts with others on them. Only wires are shared,
// never messages.
func ruleShared(m *machine, a *adding) {
	for _, s := range m.Starts {
		if s.card == nil || s.role != hwdetect.RoleInterface && !s.Studio {
			continue
		}
		for _, irq := range s.card.IRQs {
			if len(irq.Shared) == 0 || hwdetect.IsTrue(irq.MSI) {
				continue
			}
			var others []string
			for _, o := range irq.Shared {
				others = append(others, plain(o))
			}
			do := "put the card into another slot"
			switch {
			case s.role == hwdetect.RoleOnboard:
				a.say(fmt.Sprintf("%s shares interrupt %d with %s, and cannot be moved. An interface of your own does better.", s.Name, irq.Number, list(others)), s.Device)
				continue
			case s.usb != nil:
				do = "put it on a port of another controller"
			case s.unit != nil:
				do = "put the FireWire controller into another slot"
			}
			text := fmt.Sprintf("%s shares interrupt %d with %s: %s.", s.Name, irq.Number, list(others), do)
			if slices.ContainsFunc(others, func(o string) bool { return m.wireless(o) }) {
				text += " Or keep the wireless network off while you play."
			}
			a.hand(text, s.Device)
			if slices.Contains(others, "i801_smbus") {
				a.offer("boot.blacklistedKernelModules", "i2c_i801", true,
					"Sensors of the mainboard behind the SMBus can no longer be read.",
					fmt.Sprintf("%s shares interrupt %d with the SMBus controller, which can do without its driver.", s.Name, irq.Number))
			}
		}
	}
}

// wireless says whether an action on an interrupt is that of a wireless
// network card.
func (m *machine) wireless(action string) bool {
	return slices.ContainsFunc(m.f.Network, func(n hwdetect.NetworkDevice) bool {
		return n.Kind == "wifi" && (strings.HasPrefix(action, n.Name) || n.Driver.Known() && strings.HasPrefix(action, n.Driver.Or("")))
	})
}

// rulePCILatency gives the studio card the bus for longer, where there is a
// bus to be had. Never for all devices, and never for FireWire controllers.
func rulePCILatency(m *machine, a *adding) {
	studio, ok := m.Studio()
	if !ok || studio.pci == nil || !studio.pci.Conventional || m.guest() {
		return
	}
	if len(studio.pci.Address) != len("0000:00:00.0") {
		a.unknown(fmt.Sprintf("%s is at %s: setpci is not told of it.", studio.Name, studio.pci.Address), studio.Device)
		return
	}
	a.set("musnix.soundcardPciId", studio.pci.Address,
		fmt.Sprintf("%s sits on a conventional PCI bus: it may hold the bus longest. No other device is touched.", studio.Name))
	for _, s := range m.Starts {
		if s.pci != nil && s.Device != studio.Device && s.pci.Conventional && s.role == hwdetect.RoleInterface {
			a.say(fmt.Sprintf("%s at %s is on a conventional PCI bus, too. Two cards need a common word clock.", s.Name, s.pci.Address), s.Device)
		}
	}
}

// ruleAutosuspend keeps audio devices awake.
func ruleAutosuspend(m *machine, a *adding) {
	var seen []hwdetect.ID
	for i := range m.f.USB {
		d := &m.f.USB[i]
		if d.Role != hwdetect.USBInterface && d.Role != hwdetect.USBMIDI && d.Role != hwdetect.USBOnboard || slices.Contains(seen, d.ID) {
			continue
		}
		seen = append(seen, d.ID)
		now := ""
		if d.PowerControl.Or("") == "auto" {
			now = " Now it may."
		}
		a.add("services.udev.extraRules",
			fmt.Sprintf("ACTION!=\"remove\", SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\", ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\", TEST==\"power/control\", ATTR{power/control}=\"on\"\n", d.ID.Vendor, d.ID.Product),
			fmt.Sprintf("%s must not be suspended when it is quiet: it would drop out.%s", usbName(d), now))
	}
}

// ruleHDAPower ends the naps of codecs, which pop. On a laptop that plays
// through something else they may sleep.
func ruleHDAPower(m *machine, a *adding) {
	if m.guest() {
		return
	}
	laptop, _ := m.laptop()
	for _, s := range m.Starts {
		hda := s.card != nil && s.card.Module.Or("") == "snd_hda_intel" ||
			s.card == nil && s.pci != nil && s.pci.Sound == hwdetect.SoundHDA
		if !hda || s.role != hwdetect.RoleOnboard || laptop && !s.Studio {
			continue
		}
		a.add("boot.extraModprobeConfig", "options snd_hda_intel power_save=0 power_save_controller=N\n",
			s.Name+": the codec falls asleep after ten seconds and pops when it wakes up; this keeps it awake.")
		return
	}
}

// company is what does not go well with sound on one USB controller, by what
// it does there. Keyboards and mice do no harm.
func company(d *hwdetect.USBDevice) string {
	class := func(n int) bool {
		return slices.ContainsFunc(d.Interfaces, func(f hwdetect.USBFunction) bool { return f.Class == n })
	}
	switch {
	case d.Role == hwdetect.USBWebcam || class(14):
		return "a webcam"
	case d.Role == hwdetect.USBInterface:
		return "another audio interface"
	case class(8):
		return "a disk"
	case class(2) || class(10):
		return "a network adapter"
	case class(0xe0):
		return "a Bluetooth or wireless adapter"
	}
	return ""
}

// ruleUSBPlaces says what to put where.
func ruleUSBPlaces(m *machine, a *adding) {
	for _, s := range m.Starts {
		d := s.usb
		if d == nil || s.role != hwdetect.RoleInterface {
			continue
		}
		c, ok := m.f.USBController(d.Controller)
		var kinds []string
		var with []string
		for _, path := range d.Companions {
			other, ok := m.f.USBAt(path)
			if !ok {
				continue
			}
			if kind := company(&other); kind != "" {
				if with = append(with, "USB "+path); !slices.Contains(kinds, kind) {
					kinds = append(kinds, kind)
				}
			}
		}
		better := m.quieter(d.Controller)
		if len(kinds) > 0 {
			text := fmt.Sprintf("%s shares its controller with %s: put one on another port.", s.Name, list(kinds))
			switch {
			case len(better) > 0:
				text += " Ports of " + list(better) + " have nothing of that kind on them."
			case len(m.f.USBControllers) < 2:
				text += " All ports here belong to one controller, so it takes a USB card in a slot."
			}
			a.hand(text, append([]string{s.Device}, with...)...).Places = better
		}
		if len(d.Hubs) >= 2 {
			a.hand(fmt.Sprintf("%s hangs behind %s in a row: put it on a port of the machine itself.", s.Name, count(len(d.Hubs), "hub")), s.Device).Places = better
		}
		if ok && weakHost(c) {
			text := fmt.Sprintf("%s hangs on a weak controller (%s), which crackles", s.Name, plain(c.Driver.Or(c.Kind.Or(""))))
			if ports := m.kind("xHCI"); len(ports) > 0 {
				a.hand(text+": use a port of "+list(ports)+".", s.Device).Places = ports
			} else {
				a.say(text+". This machine has no other.", s.Device)
			}
		}
		if deep, near := m.depth(c), m.nearest(d.Controller); s.Studio && deep >= deepPCI && len(near) > 0 {
			a.hand(fmt.Sprintf("%s is reached through %s: ports of %s are nearer to the processor.", s.Name, count(deep, "PCI bridge"), list(near)), s.Device).Places = near
		}
		if speed := d.SpeedMbps.Or(0); speed <= 480 && d.MaxPowerMA.Or(0) >= 500 && d.SelfPowered.Known() && !hwdetect.IsTrue(d.SelfPowered) {
			a.hand(fmt.Sprintf("%s takes %d mA from its port, all that USB 2 gives: use its own power supply, or a port that gives more.", s.Name, d.MaxPowerMA.Or(0)), s.Device)
		}
		if d.SpeedMbps.Or(480) == 12 && d.AudioClass.Or("") == "UAC1" {
			a.say(fmt.Sprintf("%s runs at full speed (12 Mbit/s): its start value is a larger buffer.", s.Name), s.Device)
		}
		if s.card != nil && s.card.Twin {
			a.say(fmt.Sprintf("%s is there more than once. Only its port (%s) tells which it is: leave both where they are.", s.Name, s.Device), s.Device)
		}
	}
}

// deepPCI is how many bridges are many: a controller of the processor has one
// or two above it, one in a chained chipset four or more.
const deepPCI = 4

// quieter are other controllers without company, those near the processor
// first.
func (m *machine) quieter(than string) []string {
	var names []string
	for _, c := range m.near() {
		busy := c.Name == than || weakHost(c)
		for _, path := range c.Devices {
			if d, ok := m.f.USBAt(path); ok && company(&d) != "" {
				busy = true
			}
		}
		if !busy {
			names = append(names, c.Name)
		}
	}
	return names
}

// near are the controllers for fast devices, those near the processor first.
func (m *machine) near() []hwdetect.USBController {
	all := slices.DeleteFunc(slices.Clone(m.f.USBControllers), func(c hwdetect.USBController) bool {
		k := c.Kind.Or("")
		return k == "OHCI" || k == "UHCI"
	})
	slices.SortStableFunc(all, func(a, b hwdetect.USBController) int { return m.depth(a) - m.depth(b) })
	return all
}

// nearest are controllers with fewer bridges above them, and no company.
func (m *machine) nearest(than string) []string {
	old, ok := m.f.USBController(than)
	if !ok {
		return nil
	}
	var names []string
	for _, n := range m.quieter(than) {
		if c, ok := m.f.USBController(n); ok && c.PCI.Known() && m.depth(c) < min(m.depth(old), deepPCI-1) {
			names = append(names, n)
		}
	}
	return names
}

// kind are the controllers of one kind.
func (m *machine) kind(kind string) []string {
	var names []string
	for _, c := range m.f.USBControllers {
		if c.Kind.Or("") == kind && !weakHost(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

// depth is the number of bridges above a controller.
func (m *machine) depth(c hwdetect.USBController) int {
	d, _ := m.f.PCIAt(c.PCI.Or(""))
	return len(d.Parents)
}

// ruleOutsidePCI warns of cards in boxes.
func ruleOutsidePCI(m *machine, a *adding) {
	for _, s := range m.Starts {
		if s.pci != nil && s.pci.Removable && s.role == hwdetect.RoleInterface {
			a.say(s.Name+" sits behind Thunderbolt or another outside port: listen closely at 88.2 kHz and above, where such boxes have been heard to distort.", s.Device)
		}
	}
}
