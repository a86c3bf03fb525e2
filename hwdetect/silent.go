package hwdetect

import (
	"slices"
	"strings"
)

// readSilent finds sound hardware for which no card exists. That a module's
// patterns match is no proof that the card works, and neither is a driver that
// is bound: only a card counts.
func (t *tree) readSilent(f *Facts, modules resolver, log klog) []Silent {
	var all []Silent
	carded := func(match func(Card) bool) bool { return slices.ContainsFunc(f.Cards, match) }
	for _, d := range f.PCI {
		if d.Sound == NoSound || d.Sound == SoundVideo || carded(func(c Card) bool { return c.PCI.Or("") == d.Address && c.Bus == BusPCI }) {
			continue
		}
		// AMD's co-processor is there without microphones to serve; it is
		// missed only where nothing else makes sound.
		if d.Sound == SoundCoproc && slices.ContainsFunc(f.PCI, func(o PCIDevice) bool { return o.Sound == SoundHDA || o.Sound == SoundCard }) {
			continue
		}
		s := Silent{
			Bus: BusPCI, Device: d.Address, PCI: Is(d.Address), ID: d.ID.String(), Name: d.Name, Driver: d.Driver,
			Modules: d.Modules, Role: pciCardRole(d), IRQs: irqsOf(d, f.IRQs), Log: log.about(d.Address),
		}
		s.Reason = t.reason(d.Driver, d.Modules, modules)
		if slices.ContainsFunc(s.Log, func(l string) bool { return strings.Contains(l, "DSP is not enabled") }) {
			s.Reason = DSPOff
		}
		all = append(all, s)
	}
	for _, d := range f.USB {
		if !d.AudioClass.Known() || carded(func(c Card) bool { return c.USB.Or("") == d.Path }) {
			continue
		}
		var driver Known[string]
		for _, fn := range d.Interfaces {
			if fn.Class == usbAudio || fn.Class == usbVendorClass {
				driver = firstKnown(driver, fn.Driver)
			}
		}
		s := Silent{
			Bus: BusUSB, Device: d.Path, ID: d.ID.String(), Name: d.Product, Driver: driver,
			Modules: soundModules(d.Modules), Role: usbCardRole(d), Log: log.about("usb " + d.Path),
		}
		s.Reason = t.reason(driver, s.Modules, modules)
		if c, ok := f.USBController(d.Controller); ok {
			s.PCI = c.PCI
			if p, ok := f.PCIAt(c.PCI.Or("")); ok {
				s.IRQs = irqsOf(p, f.IRQs)
			}
		}
		all = append(all, s)
	}
	for _, c := range f.FireWire {
		for _, n := range c.Nodes {
			for _, u := range n.Units {
				wanted := u.Kind == UnitAudio || u.Kind == UnitBootLoader || u.Kind == UnitNoDriver
				if !wanted || len(u.Cards) > 0 {
					continue
				}
				s := Silent{
					Bus: BusFireWire, Device: u.Name, PCI: some(c.PCI), ID: unitID(u.Key), Name: u.Product, Driver: u.Driver,
					Modules: u.Modules, Role: RoleInterface, IRQs: c.IRQs, Log: log.about(u.Name),
				}
				s.Reason = t.reason(u.Driver, u.Modules, modules)
				switch u.Kind {
				case UnitNoDriver:
					s.Reason = NoModule
				case UnitBootLoader:
					s.Reason = AwaitsFirmware
				}
				all = append(all, s)
			}
		}
	}
	return all
}

func soundModules(modules []string) []string {
	return slices.DeleteFunc(slices.Clone(modules), func(m string) bool { return !strings.HasPrefix(m, "snd_") })
}

func (t *tree) reason(driver Known[string], answer []string, modules resolver) Reason {
	switch {
	case driver.Known() && !t.has(soundDir) && !t.has(asoundDir):
		return CardsUnknown // this tree tells of no cards at all
	case driver.Known():
		return BoundNoCard
	case !modules.known():
		return ModulesUnknown
	case len(answer) == 0:
		return NoModule
	case slices.ContainsFunc(answer, func(m string) bool { return t.has("sys/module", m) }):
		return NotBound
	}
	return NotLoaded
}
