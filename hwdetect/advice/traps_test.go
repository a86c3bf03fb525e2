package advice

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"reprise/hwdetect"
)

// The traps that real machines laid for detectors, as far as advice meets them.
// Numbers are those of the collection that the machines come from.

func chosen(a Advice, option string) []any {
	var values []any
	for _, s := range a.Chosen() {
		if s.Option == option {
			values = append(values, s.Value)
		}
	}
	return values
}

func jack(f *hwdetect.Facts) Advice { return Advise(f, Wants{Server: JACK}) }
func pw(f *hwdetect.Facts) Advice   { return Advise(f, Wants{Server: PipeWire}) }

// words is the command line that JACK gets.
func words(t *testing.T, a Advice) string {
	t.Helper()
	all := chosen(a, jackOption)
	if len(all) != 1 {
		t.Fatalf("%d settings of %s", len(all), jackOption)
	}
	return strings.Trim(fmt.Sprint(all[0]), "[]")
}

func all(notes []Note) string {
	var b strings.Builder
	for _, n := range notes {
		b.WriteString(n.Text + "\n")
	}
	return b.String()
}

func TestTrap04SameNameOtherChip(t *testing.T) {
	f := desk(4, 1)
	firewire(f, "0000:02:00.0", "104c:823f", "XIO2213A", unit("snd_dice", "Focusrite", "SAFFIRE_PRO_40_1", "Focusrite Saffire Pro 40", 0x00130e, 0x0000de, 0x000001))
	if s, _ := jack(f).Studio(); !strings.Contains(s.Name, "0x0000de") {
		t.Errorf("name %q does not tell the two Saffire Pro 40 apart", s.Name)
	}
}

func TestTrap05OnTheBusIsNotAnInterface(t *testing.T) {
	for _, kind := range []hwdetect.UnitKind{hwdetect.UnitNoDriver, hwdetect.UnitEffect, hwdetect.UnitControl, hwdetect.UnitRadio, hwdetect.UnitVideo, hwdetect.UnitDisk, hwdetect.UnitNetwork, hwdetect.UnitUnknown} {
		f := desk(4, 1)
		u := unit("snd_dice", "Solid State Logic", "Duende", "SSL Duende", 0x0050c2, 0x000070, 0x000001)
		u.Kind = kind
		firewire(f, "0000:02:00.0", "104c:823f", "XIO2213A", u)
		a := jack(f)
		if _, ok := a.Studio(); ok {
			t.Errorf("%q became the studio card", kind)
		}
		if got := words(t, a); !strings.Contains(got, "dummy") {
			t.Errorf("%q: jackd %s", kind, got)
		}
	}
}

func TestTrap06ControllerWithoutUnit(t *testing.T) {
	f := desk(4, 1)
	firewire(f, "0000:02:00.3", "1180:e832", "R5C832")
	a := jack(f)
	if _, ok := a.Studio(); ok || len(a.Grades) != 1 || a.Grades[0].Grade != Usable || !strings.Contains(all(a.Notes), "nothing is plugged into it") {
		t.Errorf("grades %+v, notes %s", a.Grades, all(a.Notes))
	}
}

func TestTrap07BootLoader(t *testing.T) {
	f := desk(4, 1)
	u := unit("snd_bebob", "M-Audio", "FW Bootloader", "", 0x000d6c, 0x010058, 0x014001)
	u.Kind = hwdetect.UnitBootLoader
	firewire(f, "0000:02:00.0", "104c:823f", "XIO2213A", u)
	if a := jack(f); !strings.Contains(all(a.Hands), "waits for its firmware") || len(a.Starts) != 0 {
		t.Errorf("hands %s starts %+v", all(a.Hands), a.Starts)
	}
}

func TestTrap08VIABehindASM1083(t *testing.T) {
	pair := func(reboots hwdetect.Known[bool]) *hwdetect.Facts {
		f := desk(4, 1)
		c := firewire(f, "0000:05:00.0", "1106:3044", "VT6306", unit("snd_bebob", "M-Audio", "ProFire Lightbridge", "", 0x000d6c, 0x0100a1, 0x014001))
		c.Bridge, c.RebootsOnCycleTimer = is(asm1083), reboots
		unitCard(f, 0, "Lightbridge", "snd_bebob", "M-Audio ProFire Lightbridge at fw1.0, S400")
		return f
	}
	for name, reboots := range map[string]hwdetect.Known[bool]{"on Zen": is(true), "processor not known": {}} {
		a := jack(pair(reboots))
		if got := chosen(a, "boot.blacklistedKernelModules"); !slices.Contains(got, any("firewire_ohci")) {
			t.Errorf("%s: blacklisted %v", name, got)
		}
		if a.Grades[0].Grade != Avoid || !strings.Contains(all(a.Hands), "can reboot this machine") {
			t.Errorf("%s: grade %+v, hands %s", name, a.Grades[0], all(a.Hands))
		}
		if s, ok := a.Studio(); ok {
			t.Errorf("%s: %s is the studio card, and has no driver", name, s.Name)
		}
	}
	// The same pair elsewhere works.
	a := jack(pair(is(false)))
	if got := chosen(a, "boot.blacklistedKernelModules"); len(got) > 0 || a.Grades[0].Grade != Usable {
		t.Errorf("not on Zen: blacklisted %v, grade %+v", got, a.Grades[0])
	}
	// A good controller beside it keeps its driver.
	f := pair(is(true))
	firewire(f, "0000:06:00.0", "104c:823f", "XIO2213A")
	a = jack(f)
	if got := chosen(a, "boot.blacklistedKernelModules"); len(got) > 0 {
		t.Errorf("two controllers: blacklisted %v", got)
	}
	want := "install firewire_ohci echo none >/sys/bus/pci/devices/0000:05:00.0/driver_override && /usr/sbin/modprobe --ignore-install firewire_ohci\n"
	if got := chosen(a, "boot.extraModprobeConfig"); !slices.Contains(got, any(want)) {
		t.Errorf("two controllers: modprobe.d %q", got)
	}
}

func TestTrap09BuffersOfTheDevice(t *testing.T) {
	f := desk(8, 2)
	firewire(f, "0000:02:00.0", "104c:823f", "XIO2213A", unit("snd_fireface", "RME", "Fireface 802", "RME Fireface 802", 0x000a35, 0x101800, 0x000005))
	unitCard(f, 0, "Fireface802", "snd_fireface", "RME Fireface802 at fw1.0, S400")
	if s, _ := jack(f).Studio(); s.Period == 128 && s.Periods == 2 || !slices.Contains([]string{"32x2", "64x2", "256x2", "128x3", "128x4"}, fmt.Sprintf("%dx%d", s.Period, s.Periods)) {
		t.Errorf("Fireface 802 begins with %dx%d, which fails", s.Period, s.Periods)
	}
	if s, _ := jack(machines()["rme-hdspe-raydat"]).Studio(); s.Buffer != 16384 {
		t.Errorf("RayDAT has a buffer of %d frames", s.Buffer)
	}
}

func TestTrap10FireWireHasThreePeriods(t *testing.T) {
	for _, module := range []string{"snd_bebob", "snd_dice", "snd_oxfw", "snd_fireworks", "snd_firewire_digi00x", "snd_firewire_tascam", "snd_firewire_motu", "snd_fireface", "snd_isight", "snd_something_new"} {
		f := desk(4, 1)
		firewire(f, "0000:02:00.0", "104c:823f", "XIO2213A", unit(module, "Maker", "Unit", "", 1, 2, 3))
		unitCard(f, 0, "Unit", module, "Maker Unit at fw1.0, S400")
		s, ok := jack(f).Studio()
		if !ok || s.Periods < 3 || !s.Sync || s.Driver != ALSA {
			t.Errorf("%s: %+v", module, s)
		}
	}
}

func TestTrap11And12NoCardNoPromise(t *testing.T) {
	for _, reason := range []hwdetect.Reason{hwdetect.NoModule, hwdetect.NotBound, hwdetect.BoundNoCard, hwdetect.DSPOff} {
		f := desk(4, 1)
		f.PCI = append(f.PCI, pciDevice("0000:03:00.0", "1d18:3fc6", 0x040100, hwdetect.SoundCard))
		f.Silent = []hwdetect.Silent{{Bus: hwdetect.BusPCI, Device: "0000:03:00.0", ID: "1d18:3fc6", Reason: reason}}
		a := jack(f)
		if _, ok := a.Studio(); ok || !strings.Contains(all(a.Notes), "makes no sound") {
			t.Errorf("%s: starts %+v, notes %s", reason, a.Starts, all(a.Notes))
		}
	}
}

func TestTrap13ClassDecidesOnDSP(t *testing.T) {
	for class, sound := range map[hwdetect.Hex]hwdetect.SoundClass{0x040300: hwdetect.SoundHDA, 0x040380: hwdetect.SoundHDADSP, 0x040100: hwdetect.SoundCard} {
		f := lap(desk(4, 1))
		f.PCI = append(f.PCI, pciDevice("0000:00:1f.3", "8086:54c8", class, sound))
		f.Silent = []hwdetect.Silent{{Bus: hwdetect.BusPCI, Device: "0000:00:1f.3", Reason: hwdetect.NotLoaded}}
		a := jack(f)
		firmware := len(chosen(a, "hardware.enableRedistributableFirmware")) > 0
		if want := class != 0x040300; firmware != want {
			t.Errorf("class %s: firmware %v, want %v", class, firmware, want)
		}
		if power := len(chosen(a, "boot.extraModprobeConfig")) > 0; power != (class == 0x040300) {
			t.Errorf("class %s: power saving of HDA is set: %v", class, power)
		}
	}
}

func TestTrap14OnboardMayBeUSB(t *testing.T) {
	f := desk(8, 2)
	xhci(f, "0000:0d:00.0", 1)
	onboard := hwdetect.USBDevice{Path: "1-7", ID: id("0b05:1b9b"), Product: is("USB Audio"), SpeedMbps: is(480.0), Role: hwdetect.USBOnboard, AudioClass: is("UAC2")}
	plug(f, "0000:0d:00.0", onboard)
	plug(f, "0000:0d:00.0", scarlett("1-9"))
	f.Cards = append(f.Cards, usbCard(f, 0, "Audio", onboard, hwdetect.RoleOnboard), usbCard(f, 1, "USB", scarlett("1-9"), hwdetect.RoleInterface))
	if s, _ := jack(f).Studio(); s.Device != "USB 1-9" {
		t.Errorf("studio card is %s", s.Name)
	}
}

func TestTrap15ProductTellsApart(t *testing.T) {
	f := desk(4, 1)
	xhci(f, "0000:0d:00.0", 1)
	plug(f, "0000:0d:00.0", hwdetect.USBDevice{Path: "1-1", ID: id("07fd:0008"), Manufacturer: is("MOTU"), Product: is("M4"), Role: hwdetect.USBInterface, SpeedMbps: is(480.0)})
	if s, _ := jack(f).Studio(); s.Name != "MOTU M4 (07fd:0008)" {
		t.Errorf("name is %q", s.Name)
	}
}

func TestTrap16StudioCardIsNotCardZero(t *testing.T) {
	f := desk(8, 2)
	loopback(f, 0)
	hdmi(f, 1, "0000:01:00.1")
	xhci(f, "0000:0e:00.0", 1)
	plug(f, "0000:0e:00.0", camera("1-3"))
	f.Cards = append(f.Cards, usbCard(f, 2, "Kiyo", camera("1-3"), hwdetect.RoleWebcam))
	f.Cards = append(f.Cards, hwdetect.Card{Index: 3, ID: is("Keystation"), Bus: hwdetect.BusUSB, Role: hwdetect.RoleMIDI, MIDI: 1})
	for _, step := range []struct {
		what, want string
		add        func()
	}{
		{"HDMI and a webcam", "PCI 0000:01:00.1", func() {}},
		{"and onboard", "PCI 0000:7a:00.6", func() { hda(f, 4, "0000:7a:00.6") }},
		{"and a headset", "USB 1-4", func() {
			headset := hwdetect.USBDevice{Path: "1-4", ID: id("1038:12ad"), Product: is("SteelSeries Arctis 7 headset"), Role: hwdetect.USBInterface, SpeedMbps: is(12.0)}
			plug(f, "0000:0e:00.0", headset)
			f.Cards = append(f.Cards, usbCard(f, 5, "Headset", headset, hwdetect.RoleInterface))
		}},
		{"and an interface", "USB 1-5", func() {
			plug(f, "0000:0e:00.0", scarlett("1-5"))
			f.Cards = append(f.Cards, usbCard(f, 6, "USB", scarlett("1-5"), hwdetect.RoleInterface))
		}},
		{"and a card with many channels", "PCI 0000:03:00.0", func() { rmeCard(f, 7, "HDSPe24018716", "RME MADI_24018716", false) }},
	} {
		step.add()
		if s, ok := jack(f).Studio(); !ok || s.Device != step.want {
			t.Errorf("%s: studio card is %q, want %q", step.what, s.Device, step.want)
		}
	}
	// A name with a serial number in it is not relied on.
	a := jack(f)
	if got := words(t, a); !strings.Contains(got, "hw:Studio ") {
		t.Errorf("jackd %s", got)
	}
	if rules := fmt.Sprint(chosen(a, "services.udev.extraRules")); !strings.Contains(rules, `DEVPATH=="*/0000:03:00.0/*sound/card*", ATTR{id}="Studio"`) {
		t.Errorf("udev %s", rules)
	}
}

func TestTrap17SharedInterrupts(t *testing.T) {
	if got := all(jack(machines()["rme-hdspe-raydat"]).Hands); !strings.Contains(got, "shares interrupt 16 with i801_smbus: put the card into another slot") {
		t.Error(got)
	}
	f := machines()["rme-hdspe-raydat"]
	f.IRQs = []hwdetect.IRQ{{Number: 16, Actions: []string{"i801_smbus", "snd_hdspm"}}}
	if got := chosen(jack(f), "musnix.rtirq.nameList"); len(got) > 0 {
		t.Errorf("the neighbour on the interrupt is raised: %v", got)
	}
	a := jack(machines()["ricoh-laptop-motu"])
	if got := all(a.Hands); !strings.Contains(got, "shares its interrupt with iwl3945") || a.Grades[0].Grade != Avoid {
		t.Errorf("hands %s, grade %+v", got, a.Grades[0])
	}
	// Messages are never shared, whatever the list says.
	f = machines()["rme-hdspe-raydat"]
	f.Cards[0].IRQs[0].MSI = is(true)
	if got := all(jack(f).Hands); strings.Contains(got, "shares interrupt") {
		t.Error(got)
	}
}

func TestTrap18LatencyTimerOfOneCardOnly(t *testing.T) {
	for name, f := range machines() {
		for _, s := range append(jack(f).Settings, pw(f).Settings...) {
			if strings.Contains(fmt.Sprint(s.Value), "setpci") || strings.Contains(fmt.Sprint(s.Value), "latency_timer") {
				t.Errorf("%s: %+v", name, s)
			}
			if s.Option == "musnix.soundcardPciId" && name != "dual-delta-conventional" {
				t.Errorf("%s has no sound card on conventional PCI, and %+v", name, s)
			}
		}
	}
	if got := chosen(jack(machines()["dual-delta-conventional"]), "musnix.soundcardPciId"); fmt.Sprint(got) != "[0000:07:01.0]" {
		t.Errorf("soundcardPciId %v", got)
	}
	// FireWire on a conventional bus is the case in which the tweak did harm.
	f := desk(4, 1)
	firewire(f, "0000:07:06.0", "104c:8024", "TSB43AB23", unit("snd_oxfw", "Mackie", "Onyx 1640i", "", 0x000ff2, 0x001640, 0x010001))
	f.PCI[0].Conventional = true
	if got := chosen(jack(f), "musnix.soundcardPciId"); len(got) > 0 {
		t.Errorf("FireWire: soundcardPciId %v", got)
	}
}

func TestTrap19ChassisIsNotGuessed(t *testing.T) {
	f := desk(8, 2) // chassis type 3, although a tool called it a laptop
	a := jack(f)
	if got := chosen(a, "powerManagement.cpuFreqGovernorOnBattery"); len(got) > 0 {
		t.Errorf("a desktop has a governor for its battery: %v", got)
	}
	f.Power.Laptop, f.Chassis.Form = hwdetect.Known[bool]{}, hwdetect.Known[hwdetect.Form]{}
	a = jack(f)
	if got := chosen(a, "powerManagement.maxIdleLatency"); len(got) > 0 || !strings.Contains(all(a.Unknown), "laptop") {
		t.Errorf("chassis not known: maxIdleLatency %v, unknown: %s", got, all(a.Unknown))
	}
}

func TestTrap20NVIDIAWithoutDisplay(t *testing.T) {
	for _, class := range []hwdetect.Hex{0x030000, 0x030200, 0x038000} {
		for name, f := range map[string]*hwdetect.Facts{"desktop": desk(4, 1), "laptop": lap(desk(4, 2)), "guest": guest(desk(4, 1))} {
			f.GPUs = []hwdetect.GPU{{ID: is(id("10de:15f8")), Class: is(class), NVIDIA: true}}
			a := jack(f)
			if got := chosen(a, "musnix.kernel.realtime"); fmt.Sprint(got) != "[false]" {
				t.Errorf("%s, class %s: realtime %v", name, class, got)
			}
			params := fmt.Sprint(chosen(a, "boot.kernelParams"))
			if !strings.Contains(params, "preempt=full") || !strings.Contains(params, "threadirqs") || !strings.Contains(all(a.Conflicts), "PREEMPT_RT") {
				t.Errorf("%s, class %s: %s; %s", name, class, params, all(a.Conflicts))
			}
		}
	}
}

func TestTrap21PeriodicDropoutsAreNoBufferMatter(t *testing.T) {
	f := desk(4, 1)
	xhci(f, "0000:0d:00.0", 1)
	d := hwdetect.USBDevice{Path: "1-1", ID: id("2708:0009"), Manufacturer: is("Audient"), Product: is("iD4"), Role: hwdetect.USBInterface, SpeedMbps: is(480.0)}
	plug(f, "0000:0d:00.0", d)
	f.Cards = append(f.Cards, usbCard(f, 0, "iD4", d, hwdetect.RoleInterface, 44100, 48000, 88200, 96000))
	s, _ := jack(f).Studio()
	if s.Rate != 48000 || !strings.Contains(strings.Join(s.Trouble, " "), "A larger buffer does not help") {
		t.Errorf("%+v", s)
	}
	if got := words(t, jack(f)); strings.Contains(got, " -s") {
		t.Errorf("soft mode: jackd %s", got)
	}
}

func TestTrap22OtherDomainsAndPlatforms(t *testing.T) {
	f := desk(4, 1)
	delta(f, 5, "0001:01:00.0")
	if got := chosen(jack(f), "musnix.soundcardPciId"); fmt.Sprint(got) != "[0001:01:00.0]" {
		t.Errorf("soundcardPciId %v", got)
	}
	f = desk(4, 1)
	f.USBControllers = []hwdetect.USBController{{Name: "3f980000.usb", Driver: is("dwc2"), Kind: is("dwc2"), IRQs: []int{33}}, {Name: "0000:01:00.0", PCI: is("0000:01:00.0"), Kind: is("xHCI")}}
	f.IRQs = []hwdetect.IRQ{{Number: 33, Actions: []string{"dwc2_hsotg:usb1"}}}
	plug(f, "3f980000.usb", scarlett("1-1.2"))
	f.Cards = append(f.Cards, usbCard(f, 0, "K6", scarlett("1-1.2"), hwdetect.RoleInterface))
	a := jack(f)
	if got := fmt.Sprint(chosen(a, "musnix.rtirq.nameList")); got != "[dwc2_hsotg usb snd i8042]" {
		t.Errorf("nameList %s", got)
	}
	if len(a.Hands) == 0 || !slices.ContainsFunc(a.Hands, func(n Note) bool { return slices.Equal(n.Places, []string{"0000:01:00.0"}) }) {
		t.Errorf("hands %+v", a.Hands)
	}
	if s, _ := a.Studio(); s.Period < 256 {
		t.Errorf("a weak controller begins with %d frames", s.Period)
	}
}

// What people read first, word for word.
func TestSharedWithWebcam(t *testing.T) {
	f := desk(4, 1)
	xhci(f, "0000:0e:00.0", 1)
	plug(f, "0000:0e:00.0", camera("1-3"))
	plug(f, "0000:0e:00.0", scarlett("1-5"))
	const want = "Focusrite Scarlett 2i2 (1235:8210) shares its controller with a webcam: put one on another port."
	if got := all(jack(f).Hands); !strings.Contains(got, want) {
		t.Errorf("hands %s", got)
	}
}

func TestPlacesNameControllers(t *testing.T) {
	a := jack(machines()["nvidia-scarlett-webcam"])
	if len(a.Hands) == 0 || !slices.Equal(a.Hands[0].Places, []string{"0000:7a:00.3"}) || !slices.Equal(a.Hands[0].Devices, []string{"USB 1-5.2.1", "USB 1-3"}) {
		t.Errorf("%+v", a.Hands)
	}
}

func TestLaptopDiffersFromDesktop(t *testing.T) {
	f := lap(desk(4, 2))
	a := jack(f)
	if got := fmt.Sprint(chosen(a, "powerManagement.cpuFreqGovernor"), chosen(a, "powerManagement.cpuFreqGovernorOnBattery"), chosen(a, "powerManagement.maxIdleLatency")); got != "[performance] [powersave] [200]" {
		t.Errorf("laptop: %s", got)
	}
	f.Power.OnBattery = is(true)
	if got := all(jack(f).Hands); !strings.Contains(got, "plug it in") {
		t.Errorf("on battery: %s", got)
	}
	a = jack(desk(4, 2))
	if got := fmt.Sprint(chosen(a, "powerManagement.cpuFreqGovernor"), chosen(a, "powerManagement.cpuFreqGovernorOnBattery"), chosen(a, "powerManagement.maxIdleLatency")); got != "[performance] [] [50]" {
		t.Errorf("desktop: %s", got)
	}
}

func TestHybridLeavesSlowCores(t *testing.T) {
	a := jack(machines()["hybrid-laptop-sof"])
	if got := fmt.Sprint(chosen(a, `systemd.user.units["jackd.service.d/cores.conf"]`)); !strings.Contains(got, "CPUAffinity=0-7\n") {
		t.Errorf("drop-in %s", got)
	}
	// CPU 0's core and the efficiency cores serve interrupts; the low-power
	// cores, 16 and 17, serve nothing.
	if got := fmt.Sprint(chosen(a, "boot.kernelParams")); got != "[irqaffinity=0-1,8-15 rcu_nocbs=2-7]" {
		t.Errorf("kernel parameters %s", got)
	}
	// Two performance cores are too few, whatever stands beside them.
	f := lap(desk(0, 0))
	cores(f, hwdetect.Performance, 2, 2)
	cores(f, hwdetect.Efficiency, 8, 1)
	if got := fmt.Sprint(chosen(jack(f), "boot.kernelParams")); strings.Contains(got, "irqaffinity") {
		t.Errorf("2P+8E: %s", got)
	}
}

func TestWithoutPackagesSettingsAreOffers(t *testing.T) {
	a := Advise(machines()["ti-dice"], Wants{Server: JACK, Carried: []string{"linux-image-amd64"}})
	for _, option := range []string{"musnix.kernel.realtime", "musnix.rtirq.enable", "musnix.rtirq.nameList"} {
		if len(chosen(a, option)) > 0 {
			t.Errorf("%s is chosen, and its packages are not at hand", option)
		}
	}
	if !slices.ContainsFunc(a.Offers(), func(s Setting) bool {
		return s.Option == "musnix.kernel.realtime" && strings.Contains(s.Risk, "linux-image-rt-amd64")
	}) {
		t.Errorf("offers %+v", a.Offers())
	}
	if _, err := evaluate(t, JACK, string(a.Jsonnet())); err != nil {
		t.Error(err)
	}
}

// Each maker's processors get their own corrections, guests none.
func TestMicrocodeByMaker(t *testing.T) {
	const amd, intel = "hardware.cpu.amd.updateMicrocode", "hardware.cpu.intel.updateMicrocode"
	other := desk(4, 1)
	other.CPU.Vendor = is("CentaurHauls")
	for name, test := range map[string]struct {
		f    *hwdetect.Facts
		want string
	}{"desktop": {desk(4, 1), amd}, "laptop": {lap(desk(4, 2)), intel}, "guest": {guest(desk(4, 1)), ""}, "another maker": {other, ""}, "not known": {&hwdetect.Facts{}, ""}} {
		got := ""
		for _, option := range []string{amd, intel} {
			if v := chosen(jack(test.f), option); len(v) > 0 {
				got += option
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// A medium with the PREEMPT_RT kernel alone, and a machine that should have
// the stock one: it is said, it stands as a comment, and what is written is
// for the kernel that is there.
func TestStockKernelIsNotAtHand(t *testing.T) {
	f := desk(4, 1)
	f.GPUs = []hwdetect.GPU{{ID: is(id("10de:2704")), Name: is("GeForce RTX 4080"), NVIDIA: true}}
	a := Advise(f, Wants{Server: JACK, Carried: []string{"linux-image-rt-amd64", "rtirq-init", "procps"}})
	if got := chosen(a, "musnix.kernel.realtime"); len(got) != 0 {
		t.Errorf("musnix.kernel.realtime is chosen: %v", got)
	}
	if params := fmt.Sprint(chosen(a, "boot.kernelParams")); strings.Contains(params, "preempt=full") {
		t.Errorf("kernel parameters of the stock kernel are chosen: %s", params)
	}
	missing := strings.Join(a.Missing(), "\n")
	for _, want := range []string{"GeForce RTX 4080 (10de:2704)", "should have the stock kernel", "Only the PREEMPT_RT kernel is at hand", "needs linux-image-amd64", "comment in hardware.jsonnet"} {
		if !strings.Contains(missing, want) {
			t.Errorf("%q lacks %q", missing, want)
		}
	}
	text := string(a.Jsonnet())
	if !strings.Contains(text, "\n// + { musnix+: { kernel+: { realtime: false } } }\n") || !strings.Contains(text, "preempt=full") {
		t.Errorf("the offer does not stand in\n%s", text)
	}
	cfg, err := evaluate(t, JACK, text)
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.Realtime() {
		t.Error("the kernel is not the PREEMPT_RT one")
	}
}

// Where a session has given the studio card its name, the machine that is
// installed from it still needs the rule that does so.
func TestNameFromSession(t *testing.T) {
	named := 0
	for name, f := range facts(t) {
		a := Advise(f, Wants{Server: JACK})
		before := fmt.Sprint(chosen(a, "services.udev.extraRules"))
		if !strings.Contains(before, `ATTR{id}="Studio"`) || a.Starts[0].card == nil {
			continue
		}
		named++
		a.Starts[0].card.ID = hwdetect.Is("Studio")
		if after := fmt.Sprint(chosen(Advise(f, Wants{Server: JACK}), "services.udev.extraRules")); after != before {
			t.Errorf("%s: the rules are\n%s\nand, when they have been obeyed,\n%s", name, before, after)
		}
	}
	if named == 0 {
		t.Error("no machine needs a name")
	}
}
