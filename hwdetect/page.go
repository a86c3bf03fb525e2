package hwdetect

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
)

// A page is text under headings, for a person.
type page struct {
	w     io.Writer
	first bool
	err   error
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) heading(s string) {
	if !p.first {
		p.line("")
	}
	p.first = false
	p.line("%s", s)
}

// labelled writes "  label  text", the labels in a column.
func (p *page) labelled(label, text string) {
	if text != "" {
		p.line("  %-11s %s", label, text)
	}
}

// roleWords are what a person reads for a role.
var roleWords = map[CardRole]string{
	RoleInterface: "audio interface", RoleOnboard: "of the mainboard", RoleHDMI: "of a display", RoleWebcam: "of a webcam",
	RoleMIDI: "MIDI only", RoleVirtual: "made by software", RoleUnusable: "without playback or capture",
}

// Roles are all roles in the order in which a machine's main card is sought.
func Roles() []CardRole {
	return []CardRole{RoleInterface, RoleOnboard, RoleHDMI, RoleWebcam, RoleMIDI, RoleVirtual, RoleUnusable}
}

// WritePage writes the facts for a person, sound first. What is not known
// is said to be, where somebody would look for it.
func (f *Facts) WritePage(w io.Writer) error {
	p := &page{w: w, first: true}
	p.sound(f)
	p.buses(f)
	p.machine(f)
	p.disks(f)
	p.rest(f)
	return p.err
}

func (p *page) sound(f *Facts) {
	p.heading("Sound")
	cards := slices.Clone(f.Cards)
	rank := Roles()
	slices.SortStableFunc(cards, func(a, b Card) int { return slices.Index(rank, a.Role) - slices.Index(rank, b.Role) })
	for _, c := range cards {
		p.line("  card %d  %s (%s), %s", c.Index, c.Name, c.ID, roleWords[c.Role])
		p.line("          %s", f.place(c))
		if s := channels(c); s != "" {
			p.line("          %s", s)
		}
		for _, irq := range c.IRQs {
			if len(irq.Shared) > 0 {
				p.line("          shares interrupt %d with %s", irq.Number, strings.Join(irq.Shared, ", "))
			}
		}
		if d, ok := f.USBAt(c.USB.Or("")); ok && len(d.Companions) > 0 {
			p.line("          on the same USB controller: %s", strings.Join(f.usbNames(d.Companions), ", "))
		}
		if c.Twin {
			p.line("          another card is of the same kind: its port or serial number tells them apart")
		}
	}
	for _, s := range f.Silent {
		p.line("  no card  %s (%s, %s)", s.Name.Or("device"), s.ID, s.Device)
		reason := string(s.Reason)
		if len(s.Modules) > 0 {
			reason += ": " + strings.Join(s.Modules, ", ")
		}
		p.line("          %s", reason)
		for _, l := range s.Log {
			p.line("          kernel: %s", l)
		}
	}
	if len(f.Cards)+len(f.Silent) == 0 {
		p.line("  none: no sound card and no sound hardware was found")
	}
}

// place says where a card's device sits.
func (f *Facts) place(c Card) string {
	switch c.Bus {
	case BusUSB:
		d, ok := f.USBAt(c.USB.Or(""))
		if !ok {
			return "on USB, port not known"
		}
		s := fmt.Sprintf("USB %s (%s)", d.Path, d.ID)
		if mbps, ok := d.SpeedMbps.Get(); ok {
			s += ", " + strconv.FormatFloat(mbps, 'f', -1, 64) + " Mbit/s"
		}
		if v, ok := d.AudioClass.Get(); ok {
			s += ", " + map[string]string{"UAC1": "USB audio class 1", "UAC2": "USB audio class 2", "UAC3": "USB audio class 3", "vendor": "in its maker's own language"}[v]
		}
		if n := len(d.Hubs); n > 0 {
			s += fmt.Sprintf(", %s deep", english(n, "hub"))
		}
		return s + ", controller " + d.Controller
	case BusFireWire:
		s := "FireWire " + c.FireWire.String()
		if u, controller, ok := f.Unit(c.FireWire.Or("")); ok {
			s += fmt.Sprintf(" (%s), controller %s %s", u.Product.Or("name not known"), controller.PCI, controller.Name.Or(controller.ID.String()))
		}
		return s
	case BusPCI:
		d, ok := f.PCIAt(c.PCI.Or(""))
		if !ok {
			return "PCI " + c.PCI.String()
		}
		s := fmt.Sprintf("PCI %s (%s), driver %s", d.Address, d.ID, d.Driver)
		if d.Conventional {
			s += ", on a conventional PCI bus"
		}
		if d.Removable {
			s += ", in an outside box"
		}
		return s
	case BusPlatform:
		return "part of the board: " + c.Platform.String()
	case BusVirtual:
		return "module " + c.Module.String()
	}
	return "what it hangs on is not known"
}

func english(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// channels says what a card can do.
func channels(c Card) string {
	out, in := 0, 0
	var rates []int
	for _, s := range c.Streams {
		if n, ok := s.Channels.Get(); ok {
			if s.Playback {
				out = max(out, n)
			} else {
				in = max(in, n)
			}
		}
		for _, r := range s.Rates {
			if !slices.Contains(rates, r) {
				rates = append(rates, r)
			}
		}
	}
	var parts []string
	if out > 0 || in > 0 {
		parts = append(parts, fmt.Sprintf("%d out, %d in", out, in))
	} else if len(c.PCMs) > 0 {
		var ways []string
		if slices.ContainsFunc(c.PCMs, func(p PCM) bool { return p.Playback }) {
			ways = append(ways, "playback")
		}
		if slices.ContainsFunc(c.PCMs, func(p PCM) bool { return p.Capture }) {
			ways = append(ways, "capture")
		}
		parts = append(parts, strings.Join(ways, " and "))
	}
	slices.Sort(rates)
	if len(rates) == 1 {
		parts = append(parts, fmt.Sprintf("%g kHz", float64(rates[0])/1000))
	} else if len(rates) > 1 {
		parts = append(parts, fmt.Sprintf("%g to %g kHz", float64(rates[0])/1000, float64(rates[len(rates)-1])/1000))
	}
	if c.MIDI > 0 {
		parts = append(parts, "MIDI")
	}
	if len(c.Codecs) > 0 {
		parts = append(parts, strings.Join(c.Codecs, ", "))
	}
	return strings.Join(parts, ", ")
}

func (f *Facts) usbNames(paths []string) []string {
	var names []string
	for _, path := range paths {
		name := path
		if d, ok := f.USBAt(path); ok {
			name = d.Product.Or(d.ID.String())
		}
		names = append(names, name)
	}
	return names
}

func (p *page) buses(f *Facts) {
	if len(f.FireWire) > 0 {
		p.heading("FireWire")
		for _, c := range f.FireWire {
			p.line("  %s  %s (%s), driver %s", c.PCI, c.Name.Or("controller"), c.ID, c.Driver)
			if IsTrue(c.RebootsOnCycleTimer) {
				p.line("          this chip behind this bridge in a machine with an AMD Zen: reading its cycle timer reboots the machine")
			}
			for _, n := range c.Nodes {
				for _, u := range n.Units {
					p.line("    %s  %s: %s", u.Name, u.Product.Or("name not known"), u.Kind)
				}
			}
			if len(c.Nodes) == 0 {
				p.line("          nothing is plugged into it")
			}
		}
	}
	if len(f.USBControllers) == 0 {
		return
	}
	p.heading("USB controllers")
	for _, c := range f.USBControllers {
		var names []string
		for _, path := range c.Devices {
			if d, ok := f.USBAt(path); ok && d.Role != USBHub {
				names = append(names, d.Product.Or(d.ID.String()))
			}
		}
		what := strings.Join(names, ", ")
		switch {
		case what != "":
		case len(c.Buses) == 0:
			what = "what is plugged in is not known"
		default:
			what = "nothing plugged in"
		}
		p.line("  %s  %s: %s", c.Name, c.Kind.Or("USB"), what)
	}
}

func (p *page) machine(f *Facts) {
	p.heading("Machine")
	ch := f.Chassis
	name := strings.TrimSpace(ch.Vendor.Or("") + " " + ch.Product.Or(""))
	if v, ok := ch.Version.Get(); ok {
		name += " (" + v + ")"
	}
	if name == "" {
		name = "maker and model not known"
	}
	p.labelled("model", name+", "+ch.Form.String())
	p.labelled("processor", f.CPU.describe())
	if d, ok := f.CPU.Scaling.Driver.Get(); ok {
		p.labelled("clock", fmt.Sprintf("governor %s, driver %s", f.CPU.Scaling.Governor, d))
	} else {
		p.labelled("clock", "governor not known")
	}
	if n, ok := f.Memory.UsableBytes.Get(); ok {
		p.labelled("memory", humanize.IBytes(uint64(n)))
	} else {
		p.labelled("memory", "not known")
	}
	for _, g := range f.GPUs {
		p.labelled("graphics", fmt.Sprintf("%s (%s), driver %s", g.Name.Or("display adapter"), g.ID, g.Driver))
	}
	p.labelled("firmware", f.Firmware.describe())
	realTime := map[bool]string{true: ", real-time (PREEMPT_RT)", false: ""}[IsTrue(f.Kernel.RealTime)]
	p.labelled("kernel", f.Kernel.Release.String()+realTime)
	if IsTrue(f.Virtual.Guest) {
		p.labelled("guest", "virtual machine, hypervisor "+f.Virtual.Hypervisor.String())
	}
	for _, b := range f.Power.Batteries {
		s := "charge not known"
		if n, ok := b.Percent.Get(); ok {
			s = fmt.Sprintf("%d %%, %s", n, strings.ToLower(b.Status.String()))
		}
		p.labelled("battery", b.Name+": "+s)
	}
}

func (c CPU) describe() string {
	s := c.Model.Or(c.Vendor.Or("model not known"))
	cores, ok := c.Cores.Get()
	if !ok {
		return s + ", cores not known"
	}
	s += fmt.Sprintf(", %s, %s", english(cores, "core"), english(c.Threads.Or(0), "thread"))
	if IsTrue(c.Hybrid) {
		var kinds []string
		for _, class := range c.Classes {
			kinds = append(kinds, fmt.Sprintf("%d %s", class.Cores, map[CoreKind]string{Performance: "performance", Efficiency: "efficiency", LowPower: "low power", Uniform: "uniform"}[class.Kind]))
		}
		s += " (" + strings.Join(kinds, ", ") + ")"
	}
	return s
}

func (w Firmware) describe() string {
	uefi, known := w.UEFI.Get()
	switch {
	case !known:
		return "not known"
	case !uefi:
		return "BIOS"
	}
	s := "UEFI"
	if bits, ok := w.Bits.Get(); ok {
		s += fmt.Sprintf(", %d bits", bits)
	}
	on, known := w.SecureBoot.Get()
	return s + ", Secure Boot " + map[bool]string{true: map[bool]string{true: "on", false: "off"}[on], false: "not known"}[known]
}

func (p *page) disks(f *Facts) {
	p.heading("Disks")
	for _, d := range f.Disks {
		p.line("  %-9s %s, %s, serial %s, %s", d.Name, d.Model.Or("model not known"), humanize.IBytes(uint64(d.SizeBytes)), d.Serial, d.Transport)
		for _, u := range d.Use {
			p.line("    in use: %s %s", u.Kind, u.By)
		}
		if t, ok := d.Content.Type.Get(); ok {
			p.line("    %s without partitions%s", t, label(d.Content))
		}
		for _, part := range d.Partitions {
			what := part.Content.Type.Or("content not known")
			if os, ok := part.Content.OS.Get(); ok {
				what += ", " + os
			}
			for _, u := range part.Use {
				what += fmt.Sprintf(", %s %s", u.Kind, u.By)
			}
			p.line("    %-11s %9s  %s%s", part.Name, humanize.IBytes(uint64(part.SizeBytes)), what, label(part.Content))
		}
	}
	if len(f.Disks) == 0 {
		p.line("  none")
	}
}

func label(c Content) string {
	if l, ok := c.Label.Get(); ok {
		return fmt.Sprintf(", %q", l)
	}
	return ""
}

func (p *page) rest(f *Facts) {
	if len(f.Network) > 0 {
		p.heading("Network")
		for _, n := range f.Network {
			cable := map[bool]string{true: "connected", false: "no connection"}[IsTrue(n.Carrier)]
			if !n.Carrier.Known() {
				cable = "connection not known"
			}
			p.line("  %-9s %s, driver %s, %s", n.Name, n.Kind, n.Driver, cable)
		}
	}
	if len(f.MissingFirmware) > 0 {
		p.heading("Missing firmware")
		for _, m := range f.MissingFirmware {
			p.line("  %s, asked for by %s for %s", m.File, m.Driver, m.Device)
		}
	}
	if len(f.Undriven) > 0 {
		p.heading("Without a driver")
		for _, u := range f.Undriven {
			s := "which module would take it is not known"
			if len(u.Modules) > 0 {
				s = "module " + strings.Join(u.Modules, " or ")
			}
			p.line("  %s  %s (%s), %s: %s", u.Device, u.Name.Or("device"), u.ID, u.What, s)
		}
	}
	if len(f.Unreadable) > 0 {
		p.heading("Not readable as this user")
		for _, u := range f.Unreadable {
			p.line("  /%s: %s", u.Path, u.Reason)
		}
	}
}
