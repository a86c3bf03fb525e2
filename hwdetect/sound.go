package hwdetect

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	soundDir  = "sys/class/sound"
	asoundDir = "proc/asound"
)

var (
	cardName  = regexp.MustCompile(`^card(\d{1,4})$`)
	pcmName   = regexp.MustCompile(`^pcmC(\d{1,4})D(\d{1,4})([pc])$`)
	midiName  = regexp.MustCompile(`^midiC(\d{1,4})D(\d{1,4})$`)
	procPCM   = regexp.MustCompile(`^pcm(\d{1,4})([pc])$`)
	procMIDI  = regexp.MustCompile(`^midi\d{1,4}$`)
	procCodec = regexp.MustCompile(`^codec#\d{1,4}$`)
)

// readCards joins what /sys says of cards with what /proc/asound says: each
// alone is enough.
func (t *tree) readCards(f *Facts) []Card {
	data, _ := t.data(asoundDir + "/cards")
	named := parseCards(data)
	data, _ = t.data(asoundDir + "/modules")
	modules := parseCardModules(data)
	entries := t.list(soundDir)
	at := map[int]*Card{}
	for _, entry := range entries {
		if m := cardName.FindStringSubmatch(entry); m != nil {
			n, _ := strconv.Atoi(m[1])
			at[n] = &Card{Index: n, Bus: BusUnknown}
		}
	}
	for _, n := range named {
		if at[n.index] == nil {
			at[n.index] = &Card{Index: n.index, Bus: BusUnknown}
		}
		c := at[n.index]
		c.ID, c.Driver, c.Name, c.LongName = some(n.id), some(n.driver), some(n.name), some(n.longName)
	}
	var cards []Card
	for _, n := range sortedKeys(at) {
		c := at[n]
		sys := path.Join(soundDir, "card"+strconv.Itoa(n))
		proc := path.Join(asoundDir, "card"+strconv.Itoa(n))
		if module, ok := modules[n]; ok {
			c.Module = Is(module)
		}
		if !c.Module.Known() {
			c.Module = t.base(t.real(sys, "device"), "driver/module")
		}
		c.ID = firstKnown(c.ID, t.text(t.real(sys), "id"), t.text(proc, "id"))
		if real := t.real(sys); real != sys {
			t.placeCard(c, path.Dir(path.Dir(real)))
		} else {
			t.placeByProc(c, proc, f)
		}
		if virtualModule(*c) {
			c.Bus, c.Platform = BusVirtual, Known[string]{} // its device is made up as well
		}
		known := t.readDevices(c, n, entries, proc)
		t.readDetails(c, proc)
		c.Role = cardRole(*c, f, known)
		c.IRQs = cardIRQs(*c, f)
		cards = append(cards, *c)
	}
	markTwins(cards, f)
	return cards
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// placeCard finds what a card hangs on from the directory of its device. Other
// devices may lie between a card and the PCI function it belongs to.
func (t *tree) placeCard(c *Card, dir string) {
	c.SysPath = some(strings.TrimPrefix(dir, "sys/"))
	virtual := false
	for p := dir; p != "." && p != "/" && p != "sys"; p = path.Dir(p) {
		base := path.Base(p)
		switch {
		case usbFunction.MatchString(base) && !c.USB.Known():
			d, _, _ := strings.Cut(base, ":")
			c.USB = Is(d)
		case fireWireUnit.MatchString(base) && !c.FireWire.Known():
			c.FireWire = Is(base)
		case pciAddress.MatchString(base) && !c.PCI.Known():
			c.PCI = Is(base)
		case base == "virtual" && path.Dir(p) == "sys/devices":
			virtual = true
		}
	}
	switch {
	case c.USB.Known():
		c.Bus = BusUSB
	case c.FireWire.Known():
		c.Bus = BusFireWire
	case c.PCI.Known():
		c.Bus = BusPCI
	case virtual || dir == "sys/devices":
		c.Bus = BusVirtual
	default:
		c.Bus = BusPlatform
		c.Platform = some(clean(path.Base(dir)))
	}
}

var (
	usbPlace = regexp.MustCompile(` at usb-(.+)-([\d.]+)(?:,|$| :)`)
	fwPlace  = regexp.MustCompile(` at (fw\d+\.\d+)(?:,|$)`)
)

// placeByProc finds a card's device without /sys/class/sound: from the number
// on the bus, or from the long name ("… at usb-0000:0d:00.0-7, high speed";
// the host may also be a platform device).
func (t *tree) placeByProc(c *Card, proc string, f *Facts) {
	if m := fwPlace.FindStringSubmatch(c.LongName.Or("")); m != nil {
		c.Bus, c.FireWire = BusFireWire, Is(m[1])
		if _, controller, ok := f.Unit(m[1]); ok {
			c.PCI = some(controller.PCI)
		}
		return
	}
	bus, number, ok := strings.Cut(t.text(proc, "usbbus").Or(""), "/")
	if ok {
		for _, d := range f.USB {
			busnum := t.number(usbDir, d.Path, "busnum")
			devnum := t.number(usbDir, d.Path, "devnum")
			if b, err := strconv.Atoi(bus); err == nil && busnum == Is(b) {
				if n, err := strconv.Atoi(number); err == nil && devnum == Is(n) {
					c.USB = Is(d.Path)
				}
			}
		}
	}
	m := usbPlace.FindStringSubmatch(c.LongName.Or(""))
	if !c.USB.Known() && m != nil {
		for _, d := range f.USB {
			if _, port, _ := strings.Cut(d.Path, "-"); d.Controller == m[1] && port == m[2] {
				c.USB = Is(d.Path)
			}
		}
	}
	if d, ok := f.USBAt(c.USB.Or("")); ok {
		c.Bus = BusUSB
		if controller, ok := f.USBController(d.Controller); ok {
			c.PCI = controller.PCI
		}
		return
	}
	switch {
	case m != nil || ok:
		c.Bus = BusUSB
		if m != nil && pciAddress.MatchString(m[1]) {
			c.PCI = Is(m[1])
		}
	case virtualModule(*c):
		c.Bus = BusVirtual
	}
}

// readDevices lists the PCM and MIDI devices of a card, and says whether this
// tree tells of them at all.
func (t *tree) readDevices(c *Card, n int, entries []string, proc string) (known bool) {
	pcms := map[int]*PCM{}
	add := func(device, direction string) {
		d, err := strconv.Atoi(device)
		if err != nil {
			return
		}
		if pcms[d] == nil {
			pcms[d] = &PCM{Device: d}
		}
		if direction == "p" {
			pcms[d].Playback = true
		} else {
			pcms[d].Capture = true
		}
	}
	number := strconv.Itoa(n)
	for _, entry := range entries {
		if m := pcmName.FindStringSubmatch(entry); m != nil && m[1] == number {
			add(m[2], m[3])
			known = true
		}
		if m := midiName.FindStringSubmatch(entry); m != nil && m[1] == number {
			c.MIDI++
			known = true
		}
		known = known || entry == "controlC"+number
	}
	midi := 0
	for _, entry := range t.list(proc) {
		if m := procPCM.FindStringSubmatch(entry); m != nil {
			add(m[1], m[2])
			known = true
		}
		if procMIDI.MatchString(entry) {
			midi++
			known = true
		}
	}
	c.MIDI = max(c.MIDI, midi)
	for _, d := range sortedKeys(pcms) {
		p := pcms[d]
		for _, direction := range []string{"p", "c"} {
			data, ok := t.data(path.Join(proc, "pcm"+strconv.Itoa(d)+direction, "info"))
			if !ok {
				continue
			}
			for _, line := range lines(data) {
				if id, ok := strings.CutPrefix(line, "id: "); ok && !p.ID.Known() {
					p.ID = some(clean(id))
				}
			}
		}
		c.PCMs = append(c.PCMs, *p)
	}
	return known
}

// maxStreams bounds the streams and codecs of one card.
const maxStreams = 16

func (t *tree) readDetails(c *Card, proc string) {
	switch c.Bus {
	case BusUSB:
		for i := range maxStreams {
			data, ok := t.data(path.Join(proc, "stream"+strconv.Itoa(i)))
			if !ok {
				break
			}
			c.Streams = append(c.Streams, parseStream(data)...)
		}
	case BusFireWire:
		data, _ := t.data(path.Join(proc, "firewire/formation"))
		c.Streams = parseFormation(data)
	}
	for _, entry := range t.list(proc) {
		if !procCodec.MatchString(entry) || len(c.Codecs) == maxStreams {
			continue
		}
		data, _ := t.data(path.Join(proc, entry))
		for _, line := range lines(data) {
			if name, ok := strings.CutPrefix(line, "Codec: "); ok {
				c.Codecs = append(c.Codecs, clean(name))
				break
			}
		}
	}
}

// cardIRQs are the interrupts of the PCI function that a card's data comes
// through, or of a board's own device.
func cardIRQs(c Card, f *Facts) []CardIRQ {
	address, ok := c.PCI.Get()
	if !ok {
		name, driver := c.Platform.Or(""), ""
		var buses []int
		if d, ok := f.USBAt(c.USB.Or("")); ok {
			if controller, ok := f.USBController(d.Controller); ok {
				name, buses, driver = controller.Name, controller.Buses, controller.Driver.Or("")
			}
		}
		var out []CardIRQ
		for _, n := range platformIRQs(name, buses, f.IRQs) {
			i := slices.IndexFunc(f.IRQs, func(irq IRQ) bool { return irq.Number == n })
			// A controller outside of PCI may listen under several names.
			shared := slices.DeleteFunc(slices.Clone(f.IRQs[i].Actions), func(a string) bool {
				return a == name || driver != "" && strings.HasPrefix(a, driver)
			})
			out = append(out, CardIRQ{Number: n, Shared: shared})
		}
		return out
	}
	d, ok := f.PCIAt(address)
	if !ok {
		return nil
	}
	own := []string{"snd_hda_intel:card" + strconv.Itoa(c.Index)}
	if m, ok := c.Module.Get(); ok && c.Bus == BusPCI {
		own = append(own, m)
	}
	return irqsOf(d, f.IRQs, own...)
}

// markTwins finds cards of one kind of device.
func markTwins(cards []Card, f *Facts) {
	kind := func(c Card) string {
		switch c.Bus {
		case BusUSB:
			if d, ok := f.USBAt(c.USB.Or("")); ok {
				return "usb " + d.ID.String() + " " + d.Product.Or("")
			}
		case BusFireWire:
			if u, _, ok := f.Unit(c.FireWire.Or("")); ok {
				return "firewire " + unitID(u.Key) + " " + u.Key.ModelName.Or("")
			}
		case BusPCI:
			if d, ok := f.PCIAt(c.PCI.Or("")); ok && d.Sound != SoundVideo {
				return "pci " + d.ID.String() + " " + d.Subsystem.Or(ID{}).String()
			}
		}
		return ""
	}
	place := func(c Card) string { return c.USB.Or("") + " " + c.FireWire.Or("") + " " + c.PCI.Or("") }
	for i := range cards {
		for j := range cards {
			if k := kind(cards[i]); i != j && k != "" && k == kind(cards[j]) && place(cards[i]) != place(cards[j]) {
				cards[i].Twin = true
			}
		}
	}
}
