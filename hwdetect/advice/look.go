package advice

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"reprise/hwdetect"
)

// machine is what rules look at and add to.
type machine struct {
	Advice
	f      *hwdetect.Facts
	kernel kernelChoice
}

// kernelChoice is the kernel that is chosen.
type kernelChoice int

const (
	leaveKernel kernelChoice = iota // as the profile has it
	realtimeKernel
	stockKernel // preempt=full threadirqs
)

// look collects what more than one rule needs: the cards and candidates for
// cards in the order in which a musician would mean them.
func look(f *hwdetect.Facts, want Wants) *machine {
	m := &machine{f: f}
	m.Wants, m.Settings, m.Starts, m.Grades = want, []Setting{}, []Start{}, []Grade{}
	m.Hands, m.Conflicts, m.Notes, m.Unknown = []Note{}, []Note{}, []Note{}, []Note{}
	m.Machine = describe(f)
	switch {
	case f.NVIDIA():
		m.kernel = stockKernel
	case !hwdetect.IsTrue(f.Virtual.Guest):
		m.kernel = realtimeKernel
	}
	m.Starts = append(m.Starts, m.candidates()...)
	for i := range m.Starts {
		m.begin(&m.Starts[i])
	}
	// A display's card or a webcam is taken when there is nothing else, a
	// controller that must not be touched never.
	if len(m.Starts) > 0 {
		m.Starts[0].Studio = true
	}
	return m
}

// guest says whether this is a virtual machine.
func (m *machine) guest() bool { return hwdetect.IsTrue(m.f.Virtual.Guest) }

// laptop says whether this machine is carried around, and whether that is
// known.
func (m *machine) laptop() (yes, known bool) { return m.f.Power.Laptop.Get() }

func describe(f *hwdetect.Facts) string {
	var parts []string
	if s := plain(join(f.Chassis.Vendor.Or(""), f.Chassis.Product.Or(""))); s != "" {
		parts = append(parts, s)
	} else if s := plain(join(f.Chassis.BoardVendor.Or(""), f.Chassis.Board.Or(""))); s != "" {
		parts = append(parts, s)
	}
	if s := plain(f.CPU.Model.Or("")); s != "" {
		parts = append(parts, s)
	}
	if n, ok := f.CPU.Cores.Get(); ok && n > 0 {
		parts = append(parts, count(n, "core"))
	}
	if len(parts) == 0 {
		return "a machine that does not tell its name"
	}
	return strings.Join(parts, ", ")
}

// join puts a maker before a name, unless the name says it already.
func join(maker, name string) string {
	maker, name = strings.TrimSpace(maker), strings.TrimSpace(name)
	switch {
	case name == "":
		return maker
	case maker == "", strings.EqualFold(strings.Fields(maker)[0], strings.Fields(name)[0]):
		return name
	}
	return maker + " " + name
}

// plain makes a name of a device fit for a comment and a sentence: devices
// write what they like into their names.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 64 {
		s = strings.TrimSpace(string(runes[:64])) + "…"
	}
	return s
}

// count is "1 core", "2 cores".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// list joins names for a sentence: "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// usbName is "Focusrite Scarlett 2i2 (1235:8210)".
func usbName(d *hwdetect.USBDevice) string {
	name := strings.TrimSuffix(plain(join(d.Manufacturer.Or(""), d.Product.Or(""))), " USB")
	if name == "" {
		name = "USB device"
	}
	return name + " (" + d.ID.String() + ")"
}

// pciName is the name of the card where it is known, or that of its chip.
func pciName(d *hwdetect.PCIDevice, card *hwdetect.Card) string {
	name := ""
	if card != nil {
		name = serialTail.ReplaceAllString(plain(card.Name.Or("")), "")
	}
	if name == "" {
		name = plain(join(d.VendorName.Or(""), d.Name.Or("")))
	}
	if name == "" {
		name = "Sound device"
	}
	return name + " (" + d.ID.String() + ")"
}

// unitName has the numbers that make up the identity of a unit: names alone
// mean two things more than once.
func unitName(u *hwdetect.FireWireUnit) string {
	name := plain(u.Product.Or(""))
	if name == "" {
		name = plain(join(u.Key.VendorName.Or(""), u.Key.ModelName.Or("")))
	}
	if name == "" {
		name = "FireWire unit"
	}
	var ids []string
	for _, id := range []struct {
		what  string
		value hwdetect.Known[hwdetect.Hex]
	}{{"vendor", u.Key.Vendor}, {"model", u.Key.Model}, {"version", u.Key.Version}} {
		// Many units have no model; then the version is all there is.
		if v, ok := id.value.Get(); ok && (id.what != "version" || v != 0 && u.Key.Model.Or(0) == 0) {
			ids = append(ids, id.what+" "+v.String())
		}
	}
	if len(ids) > 0 {
		name += " (" + strings.Join(ids, ", ") + ")"
	}
	return name
}

// rolesBest is the order in which the studio card is sought.
var rolesBest = []hwdetect.CardRole{hwdetect.RoleInterface, hwdetect.RoleOnboard, hwdetect.RoleHDMI, hwdetect.RoleWebcam}

// candidates are the cards that are there, and devices that will have one once
// their modules are loaded: an installer often runs without them. The best is
// first. Neither number nor name of a card says which one is meant.
func (m *machine) candidates() []Start {
	var all []Start
	for i := range m.f.Cards {
		c := &m.f.Cards[i]
		if !slices.Contains(rolesBest, c.Role) {
			continue
		}
		s := Start{card: c, role: c.Role, ID: c.ID.Or("")}
		m.attach(&s)
		if !m.kept(&s) {
			all = append(all, s)
		}
	}
	all = append(all, m.expected()...)
	slices.SortStableFunc(all, func(a, b Start) int {
		if d := slices.Index(rolesBest, a.role) - slices.Index(rolesBest, b.role); d != 0 {
			return d
		}
		if d := m.quality(&b) - m.quality(&a); d != 0 {
			return d
		}
		return strings.Compare(a.Device, b.Device)
	})
	return all
}

// attach finds the device of a card and names both.
func (m *machine) attach(s *Start) {
	c := s.card
	s.Name, s.Device = plain(c.Name.Or("card")), "card "+fmt.Sprint(c.Index)
	if path, ok := c.USB.Get(); ok {
		s.Device = "USB " + path
		if d, ok := m.f.USBAt(path); ok {
			s.usb, s.Name = &d, usbName(&d)
		}
	} else if name, ok := c.FireWire.Get(); ok {
		s.Device = "FireWire " + name
		if u, _, ok := m.f.Unit(name); ok {
			s.unit, s.Name = &u, unitName(&u)
		}
	} else if address, ok := c.PCI.Get(); ok {
		s.Device = "PCI " + address
		if d, ok := m.f.PCIAt(address); ok {
			s.pci, s.Name = &d, pciName(&d, c)
		}
	} else if name, ok := c.Platform.Get(); ok {
		s.Device = "platform " + name
	}
	known := false
	for _, p := range c.PCMs {
		known = true
		s.Playback, s.Capture = s.Playback || p.Playback, s.Capture || p.Capture
	}
	if !known { // it is a card, so it does something
		s.Playback, s.Capture = true, true
	}
	s.PCM = mainPCM(c.PCMs)
}

// mainPCM prefers a device that does both, then one that plays.
func mainPCM(pcms []hwdetect.PCM) int {
	best, score := 0, 0
	for _, p := range pcms {
		n := 0
		if p.Playback {
			n += 2
		}
		if p.Capture {
			n++
		}
		if n > score {
			best, score = p.Device, n
		}
	}
	return best
}

// expected are devices without a card that get one when their module is there.
func (m *machine) expected() []Start {
	hopeless := map[string]bool{}
	for _, s := range m.f.Silent {
		switch s.Reason {
		case hwdetect.NotLoaded, hwdetect.ModulesUnknown:
		default:
			hopeless[s.Device] = true
		}
	}
	taken := map[string]bool{}
	for _, c := range m.f.Cards {
		taken[c.USB.Or("")], taken[c.FireWire.Or("")] = true, true
		if c.Bus == hwdetect.BusPCI {
			taken[c.PCI.Or("")] = true
		}
	}
	var all []Start
	add := func(s Start) {
		s.Playback, s.Capture = true, s.role != hwdetect.RoleHDMI
		if !m.kept(&s) {
			all = append(all, s)
		}
	}
	for i := range m.f.USB {
		d := &m.f.USB[i]
		role := map[hwdetect.USBRole]hwdetect.CardRole{hwdetect.USBInterface: hwdetect.RoleInterface, hwdetect.USBOnboard: hwdetect.RoleOnboard}[d.Role]
		if role != "" && !taken[d.Path] && !hopeless[d.Path] && len(d.Cards) == 0 {
			add(Start{role: role, usb: d, Name: usbName(d), Device: "USB " + d.Path})
		}
	}
	for i := range m.f.FireWire {
		for _, n := range m.f.FireWire[i].Nodes {
			for _, u := range n.Units {
				if u.Kind == hwdetect.UnitAudio && !taken[u.Name] && !hopeless[u.Name] && len(u.Cards) == 0 {
					add(Start{role: hwdetect.RoleInterface, unit: &u, Name: unitName(&u), Device: "FireWire " + u.Name})
				}
			}
		}
	}
	for i := range m.f.PCI {
		d := &m.f.PCI[i]
		// A function that some driver has and that made no card makes none later.
		if d.Sound == hwdetect.NoSound || taken[d.Address] || hopeless[d.Address] || hwdetect.IsTrue(d.Bound) || d.Driver.Known() {
			continue
		}
		add(Start{role: pciRole(d), pci: d, Name: pciName(d, nil), Device: "PCI " + d.Address})
	}
	return all
}

// pciRole tells a card that somebody bought from what a mainboard or display
// has. Intel's own functions of class 0x0401 are its DSP.
func pciRole(d *hwdetect.PCIDevice) hwdetect.CardRole {
	switch {
	case d.Sound == hwdetect.SoundVideo:
		return hwdetect.RoleHDMI
	case d.Sound == hwdetect.SoundCard && d.ID.Vendor != vendorIntel:
		return hwdetect.RoleInterface
	}
	return hwdetect.RoleOnboard
}

// kept says that a card hangs on a controller whose driver is kept from
// loading: there will be no card.
func (m *machine) kept(s *Start) bool {
	if s.unit == nil {
		return false
	}
	_, c, ok := m.f.Unit(s.unit.Name)
	return ok && reboots(&c)
}

// quality compares cards of the same role: both ways before one, channels
// before none known, headsets and microphones last.
func (m *machine) quality(s *Start) int {
	n := 0
	if s.Playback && s.Capture {
		n += 1000
	}
	if !soloist(s) {
		n += 500
	}
	channels := 4
	if s.usb == nil && s.role == hwdetect.RoleInterface { // PCI and FireWire cards do not tell; few have less
		channels = 16
	}
	if s.card != nil && len(s.card.Streams) > 0 {
		channels = 0
		for _, playback := range []bool{true, false} {
			most := 0
			for _, t := range s.card.Streams {
				if t.Playback == playback {
					most = max(most, t.Channels.Or(0))
				}
			}
			channels += most
		}
	}
	return n + min(channels, 200)
}

// soloist says that a device is for one pair of ears or one voice: it has
// buttons and is slow, or says so in its name.
func soloist(s *Start) bool {
	if s.usb != nil && fullSpeed(s) && slices.ContainsFunc(s.usb.Interfaces, func(f hwdetect.USBFunction) bool { return f.Class == 3 }) {
		return true
	}
	name := strings.ToLower(s.Name)
	return slices.ContainsFunc([]string{"headset", "headphone", "microphone", "speakerphone", "conference", "dongle", "expansion card", "webcam", "camera", "gamepad", "controller"}, func(word string) bool {
		return strings.Contains(name, word)
	})
}

const vendorIntel = 0x8086
