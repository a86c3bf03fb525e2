package advice

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"reprise/hwdetect"
)

const jackOption = "services.jack.jackd.extraOptions"

// jackPriority is below a card's interrupt (90) and above its clients.
const jackPriority = 70

// jackWords is jackd's command line for a start value.
func jackWords(s Start) []any {
	words := []any{"-R", "-P" + strconv.Itoa(jackPriority)}
	if s.Sync {
		words = append(words, "-S")
	}
	number := func(n int) string { return strconv.Itoa(n) }
	switch s.Driver {
	case Dummy:
		return append(words, "-d", "dummy", "-r", number(s.Rate), "-p", number(s.Period))
	case FFADO:
		return append(words, "-d", "firewire", "-r", number(s.Rate), "-p", number(s.Period), "-n", number(s.Periods))
	}
	device := "hw:" + s.ID
	if s.PCM != 0 {
		device += "," + number(s.PCM)
	}
	words = append(words, "-d", "alsa", "-d", device, "-r", number(s.Rate), "-p", number(s.Period), "-n", number(s.Periods))
	switch {
	case s.Playback && !s.Capture:
		words = append(words, "-P")
	case s.Capture && !s.Playback:
		words = append(words, "-C")
	}
	return words
}

var (
	goodID    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,15}$`)
	serialID  = regexp.MustCompile(`[0-9]{5,}`)
	countedID = regexp.MustCompile(`_[0-9]+$`)
)

// movingID says why ALSA's name of a card cannot be relied on; "" when it can.
// ALSA gives names in the order in which cards come up.
func (m *machine) movingID(s *Start) string {
	switch {
	case s.ID == "":
		return "it has no card yet, so ALSA's name for it is not known"
	case !goodID.MatchString(s.ID):
		return fmt.Sprintf("ALSA's name for it, %s, cannot stand in a command line", strconv.QuoteToASCII(s.ID))
	case s.card != nil && s.card.Twin:
		return "there is another of its kind, and ALSA names them as they come"
	case s.ID == studioID:
		return "the name that it has now is from a rule of udev, too"
	case serialID.MatchString(s.ID):
		return "ALSA's name for it holds a serial number"
	case countedID.MatchString(s.ID):
		return "ALSA counts it, as cards come up"
	}
	for _, c := range m.f.Cards {
		if id := c.ID.Or(""); countedID.ReplaceAllString(id, "") == s.ID && id != s.ID {
			return fmt.Sprintf("ALSA calls another card %s, and which is which depends on who is first", id)
		}
	}
	return ""
}

// studioID is the name that a rule of udev gives to the studio card.
const studioID = "Studio"

// ruleNames gives the studio card a name that stays, where JACK has to name it.
func ruleNames(m *machine, a *adding) {
	if m.Wants.Server != JACK || len(m.Starts) == 0 {
		return
	}
	s := &m.Starts[0]
	why := m.movingID(s)
	if why == "" {
		return
	}
	match := ""
	switch {
	case s.usb != nil && s.card != nil && s.card.Twin:
		// A device on port 1.3 of bus 1 has "1-1.3:" in its interfaces' names.
		// The bus is numbered as it comes up; the controller stays.
		_, port, _ := strings.Cut(s.usb.Path, "-")
		if c, ok := m.f.USBController(s.usb.Controller); ok {
			match = fmt.Sprintf(`DEVPATH=="*/%s/*-%s:*/sound/card*"`, c.Name, port)
		}
	case s.usb != nil:
		match = fmt.Sprintf(`ATTRS{idVendor}=="%04x", ATTRS{idProduct}=="%04x"`, s.usb.ID.Vendor, s.usb.ID.Product)
	case s.unit != nil:
		match = m.unitMatch(s.unit)
	case s.pci != nil:
		match = fmt.Sprintf(`DEVPATH=="*/%s/*sound/card*"`, s.pci.Address)
	}
	if match == "" {
		a.unknown(s.Name+": no name for JACK can be made, because "+why+". Set services.jack.jackd.extraOptions by hand.", s.Device)
		return
	}
	s.ID = studioID
	a.add("services.udev.extraRules", `ACTION=="add", SUBSYSTEM=="sound", KERNEL=="card*", `+match+`, ATTR{id}="`+studioID+"\"\n",
		fmt.Sprintf("%s is called %s: %s.", s.Name, studioID, why))
}

// fullGUID is a GUID that nobody has masked.
var fullGUID = regexp.MustCompile(`^0x[0-9a-f]{16}$`)

// unitMatch is what tells udev one FireWire unit: what kind it is, and, where
// another is of that kind, the GUID of its node. "" when nothing does.
func (m *machine) unitMatch(u *hwdetect.FireWireUnit) string {
	specifier, ok1 := u.Key.Specifier.Get()
	version, ok2 := u.Key.Version.Get()
	guid, alike := "", 0
	for _, c := range m.f.FireWire {
		for _, n := range c.Nodes {
			for _, other := range n.Units {
				if other.Name == u.Name {
					guid = n.GUID.Or("")
				}
				if other.Key.Specifier.Equal(u.Key.Specifier) && other.Key.Version.Equal(u.Key.Version) {
					alike++
				}
			}
		}
	}
	switch {
	case ok1 && ok2 && alike == 1:
		return fmt.Sprintf(`ATTRS{specifier_id}=="%s", ATTRS{version}=="%s"`, specifier, version)
	case fullGUID.MatchString(guid):
		return fmt.Sprintf(`ATTRS{guid}=="%s"`, guid)
	}
	return ""
}

// ruleServer puts the start value of the studio card into the server's
// configuration.
func ruleServer(m *machine, a *adding) {
	studio, ok := m.Studio()
	if !ok {
		a.say("No card was found that plays or records.")
		if m.Wants.Server == JACK {
			a.set(jackOption, jackWords(Start{Driver: Dummy, Rate: preferredRate, Period: 128}), "No sound card was found in "+m.Machine+": the dummy driver makes no sound and runs everywhere.")
		}
		return
	}
	var others, devices []string
	for _, s := range m.Starts[1:] {
		if s.role == hwdetect.RoleInterface && studio.role == hwdetect.RoleInterface {
			others, devices = append(others, s.Name+" at "+s.Device), append(devices, s.Device)
		}
	}
	if len(others) > 0 {
		a.say(fmt.Sprintf("%s at %s is taken for the studio card. There is also %s.", studio.Name, studio.Device, list(others)), append(devices, studio.Device)...)
	}
	if studio.role != hwdetect.RoleInterface {
		a.say(fmt.Sprintf("No audio interface was found: %s (%s) is taken. Plug yours in and ask again.", studio.Name, studio.role), studio.Device)
	}
	why := append([]string{fmt.Sprintf("%s: %d frames at %d Hz are %s a period. Start here, and measure.", studio.Name, studio.Period, studio.Rate, millis(studio.Period, studio.Rate))}, studio.Why...)
	why = append(why, studio.Trouble...)
	switch m.Wants.Server {
	case JACK:
		if studio.ID == "" {
			return // ruleNames has told
		}
		a.set(jackOption, jackWords(studio), why...)
	case PipeWire:
		m.pipewire(a, studio, why)
	}
}

func millis(frames, rate int) string {
	return strconv.FormatFloat(float64(frames)*1000/float64(rate), 'f', 1, 64) + " ms"
}

// conf is the name of our files in PipeWire's and WirePlumber's directories.
const conf = "90-hardware"

// pipewire sets PipeWire's cycle, and tells WirePlumber which card is meant. In
// a guest PipeWire forces its own cycle, so nothing is set.
func (m *machine) pipewire(a *adding, s Start, why []string) {
	if m.guest() {
		return
	}
	base := "services.pipewire.extraConfig.pipewire" + key(conf) + key("context.properties")
	a.set(base+key("default.clock.rate"), s.Rate, fmt.Sprintf("%s: one rate for all, %d Hz. Programs with another are converted.", s.Name, s.Rate))
	a.set(base+key("default.clock.quantum"), s.Period, why...)
	rules := "services.pipewire.wireplumber.extraConfig" + key(conf) + key("monitor.alsa.rules")
	card, node := match(s)
	if s.role == hwdetect.RoleInterface && card != nil {
		a.add(rules, wireplumberRule(card, map[string]any{"device.profile": "pro-audio"}),
			s.Name+": the Pro Audio profile has all its channels and nothing in between.")
	}
	if node == nil {
		a.unknown(s.Name+" has no card yet: which one WirePlumber takes first is its own choice. Choose it once, and it is remembered.", s.Device)
		return
	}
	props := map[string]any{"priority.driver": 3000, "priority.session": 3000}
	reasons := []string{s.Name + " is the card that is meant: it goes before displays, webcams and loopbacks, whatever their numbers."}
	if s.unit != nil {
		props["api.alsa.period-num"] = s.Periods
		reasons = append(reasons, "FireWire wants three periods.")
	}
	if s.Buffer != 0 || rme(&s) {
		props["api.alsa.disable-tsched"] = true
		reasons = append(reasons, "This driver wants to be woken by the card's interrupt, not by a timer.")
	}
	a.add(rules, wireplumberRule(node, props), reasons...)
}

func wireplumberRule(match, props map[string]any) map[string]any {
	return map[string]any{"matches": []any{match}, "actions": map[string]any{"update-props": props}}
}

// match returns what tells WirePlumber's device and nodes of a card from
// others: ALSA's long name without address, interrupt and serial number, or
// the ids of a USB device. Nil where there is nothing.
func match(s Start) (device, node map[string]any) {
	if s.card != nil {
		if long, ok := s.card.LongName.Get(); ok && strings.TrimSpace(long) != "" {
			pattern, exact := long, s.card.Twin && s.usb != nil
			if i := strings.Index(long, " at "); i > 0 && !exact {
				pattern = long[:i]
			}
			// "RayDAT_24012345", "S/N 0x24012345", "(serial 7)"
			pattern = strings.TrimSpace(serialTail.ReplaceAllString(pattern, ""))
			if exact {
				pattern = long
			}
			if pattern = regexpText(pattern); !exact {
				pattern += ".*"
			}
			long := "api.alsa.card.longname"
			return map[string]any{"device.name": "~alsa_card.*", long: "~" + pattern}, map[string]any{"node.name": "~alsa_(in|out)put.*", long: "~" + pattern}
		}
	}
	if s.usb != nil {
		return map[string]any{"device.name": "~alsa_card.*", "device.vendor.id": fmt.Sprintf("0x%04x", s.usb.ID.Vendor), "device.product.id": fmt.Sprintf("0x%04x", s.usb.ID.Product)}, nil
	}
	return nil, nil
}

var serialTail = regexp.MustCompile(`(?i)[ _]*(\(serial .*|s/n .*|_?[0-9]{5,}.*)$`)

// regexpText makes a pattern of a name: letters, digits and spaces stand for
// themselves, all else for any one character, in every dialect of patterns.
func regexpText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && (r == ' ' || r == '_' || r == '-' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') {
			return r
		}
		return '.'
	}, s)
}

// ruleSilent tells of sound hardware that makes none.
func ruleSilent(m *machine, a *adding) {
	for _, s := range m.f.Silent {
		name := plain(s.Name.Or(""))
		if name == "" {
			name = "A sound device"
		}
		if !strings.Contains(name, s.ID) {
			name += " (" + plain(s.ID) + ")"
		}
		if s.Bus == hwdetect.BusFireWire && m.graded("FireWire "+s.Device) {
			continue
		}
		switch s.Reason {
		case hwdetect.NotLoaded:
			continue // its module is there, and loads in the installed system
		case hwdetect.NoModule:
			a.say(fmt.Sprintf("%s makes no sound: no module of Debian's kernel knows it.", name), s.Device)
		case hwdetect.ModulesUnknown:
			a.unknown(fmt.Sprintf("%s has no driver here; whether the kernel has one is not known.", name), s.Device)
		default:
			a.say(fmt.Sprintf("%s makes no sound: %s.", name, s.Reason), s.Device)
		}
	}
}

// graded says whether a grade says already what is wrong with a device.
func (m *machine) graded(device string) bool {
	return slices.ContainsFunc(m.Grades, func(g Grade) bool { return g.Device == device })
}

// ruleFirmware asks for firmware where a driver did, and where a DSP does
// nothing without.
func ruleFirmware(m *machine, a *adding) {
	const option = "hardware.enableRedistributableFirmware"
	var files []string
	for _, f := range m.f.MissingFirmware {
		if files = append(files, plain(f.File)); len(files) == 3 {
			break
		}
	}
	if len(files) > 0 {
		a.set(option, true, fmt.Sprintf("Drivers asked for firmware that was not there: %s.", strings.Join(files, ", ")))
	}
	if m.guest() {
		return
	}
	for i := range m.f.PCI {
		d := &m.f.PCI[i]
		// By class, not by id: the same chip with its DSP switched off shows
		// 0x040300 and needs none.
		if d.ID.Vendor == vendorIntel && (d.Sound == hwdetect.SoundHDADSP || d.Sound == hwdetect.SoundCard) {
			a.set(option, true, fmt.Sprintf("%s at %s has a DSP (class %s), which makes no sound without its firmware.", pciName(d, nil), d.Address, d.Class))
			return
		}
	}
}
