package hwdetect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"reprise/hwdetect"
	"reprise/hwdetect/fixture"
)

// The traps are what machines of real people have proved: each test is one
// wrong conclusion that a detector could draw.

// read makes Facts from a description.
func read(t *testing.T, description string) *hwdetect.Facts {
	t.Helper()
	tree, err := fixture.Parse(description)
	if err != nil {
		t.Fatal(err)
	}
	f, err := hwdetect.Read(tree, hwdetect.Options{Modules: index(t)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func unit(t *testing.T, f *hwdetect.Facts, name string) hwdetect.FireWireUnit {
	t.Helper()
	u, _, ok := f.Unit(name)
	if !ok {
		t.Fatalf("there is no unit %s", name)
	}
	return u
}

func card(t *testing.T, f *hwdetect.Facts, index int) hwdetect.Card {
	t.Helper()
	c, ok := f.CardAt(index)
	if !ok {
		t.Fatalf("there is no card %d", index)
	}
	return c
}

func silent(t *testing.T, f *hwdetect.Facts, device string) hwdetect.Silent {
	t.Helper()
	i := slices.IndexFunc(f.Silent, func(s hwdetect.Silent) bool { return s.Device == device })
	if i < 0 {
		t.Fatalf("%s is not among those without a card: %+v", device, f.Silent)
	}
	return f.Silent[i]
}

// onBus describes a FireWire bus with one node behind a good controller.
func onBus(node, unit string) string {
	return "cpu intel CPU family=6 cores=4\npci 0000:00:1c.0/0000:02:00.0 11c1:5901 class=0c0010 driver=firewire_ohci msi=30\n" +
		"node fw0 on=0000:02:00.0 vendor=001f11 model=023901\nnode fw1 on=0000:02:00.0 " + node + "\nunit " + unit + "\n"
}

// Trap 1: modules.alias is ambiguous for FireWire.
func TestTrap01AmbiguousModules(t *testing.T) {
	for _, c := range []struct{ node, unit, want string }{
		{"vendor=00a07e", "0000a3:000001 model=000001", "snd_firewire_digi00x"},
		{"vendor=0001f2", "0001f2:000001 model=101800", "snd_firewire_motu"},
		{"vendor=000a35", "000a35:000001 model=101800", "snd_fireface"},
		{"vendor=000ff2 model=010065", "00a02d:010001 model=010065", "snd_bebob"},
		{"vendor=000ff2 model=001640", "00a02d:010001 model=001640", "snd_oxfw"},
		{"vendor=00130e model=000009", "00130e:000001 model=000009", "snd_dice"},
	} {
		u := unit(t, read(t, onBus(c.node, c.unit)), "fw1.0")
		if len(u.Modules) == 0 || u.Modules[0] != c.want {
			t.Errorf("%s %s: modules %v, want %s first", c.node, c.unit, u.Modules, c.want)
		}
		if u.Kind != hwdetect.UnitAudio {
			t.Errorf("%s %s: kind %q", c.node, c.unit, u.Kind)
		}
	}
}

// Trap 2: vendor and model are no key.
func TestTrap02VendorAndModelAreNoKey(t *testing.T) {
	f := facts(t, "fw-saffirepro40-two-chips")
	liquid, pro10 := unit(t, f, "fw3.0").Key, unit(t, f, "fw4.0").Key
	if liquid.Vendor != pro10.Vendor || liquid.Model != pro10.Model {
		t.Fatalf("the fixture lost its trap: %+v %+v", liquid, pro10)
	}
	if liquid.Specifier == pro10.Specifier || liquid == pro10 {
		t.Errorf("two products have one key: %+v", liquid)
	}
	saffire := read(t, onBus(`vendor=00130e model=000000 name="Focusrite/Saffire"`, "00a02d:010001 model=000000"))
	le := read(t, onBus(`vendor=00130e model=000000 name="Focusrite/SaffireLE"`, "00a02d:010001 model=000000"))
	if unit(t, saffire, "fw1.0").Key == unit(t, le, "fw1.0").Key {
		t.Error("Saffire and Saffire LE have one key: the name belongs to it")
	}
}

// Trap 3: some makers write neither model nor name.
func TestTrap03NamelessUnits(t *testing.T) {
	u := unit(t, facts(t, "fw-ricoh-w530-motu828mk3"), "fw1.0")
	if u.Key.ModelName.Known() || u.Product.Or("") != "MOTU 828mk3" {
		t.Errorf("name %v, product %v", u.Key.ModelName, u.Product)
	}
	u = unit(t, facts(t, "fw-apogee-duet-tascam-owc-dock"), "fw2.0")
	if u.Key.Model.Known() || u.Key.ModelName.Known() || u.Product.Or("") != "Tascam FW-1884" {
		t.Errorf("model %v, name %v, product %v", u.Key.Model, u.Key.ModelName, u.Product)
	}
	// An unheard-of version of such a maker has no name, and that is said.
	u = unit(t, read(t, onBus("vendor=0001f2", "0001f2:0000ee")), "fw1.0")
	if u.Product.Known() || u.Product.String() != "not known" {
		t.Errorf("product of an unheard-of unit is %q", u.Product)
	}
}

// Trap 4: one marketing name, two chips.
func TestTrap04SameNameOtherChip(t *testing.T) {
	f := facts(t, "fw-saffirepro40-two-chips")
	early, late := unit(t, f, "fw1.0").Key, unit(t, f, "fw2.0").Key
	if early.Model.Or(0) != 0x5 || late.Model.Or(0) != 0xde {
		t.Errorf("models %v and %v", early.Model, late.Model)
	}
}

// Trap 5: not all on the bus are interfaces, whatever driver matches.
func TestTrap05NotAnInterface(t *testing.T) {
	f := facts(t, "fw-not-instruments")
	for name, want := range map[string]hwdetect.UnitKind{
		"fw1.0": hwdetect.UnitNoDriver, "fw2.0": hwdetect.UnitNoDriver, "fw3.0": hwdetect.UnitEffect, "fw4.0": hwdetect.UnitEffect,
		"fw5.0": hwdetect.UnitRadio, "fw6.0": hwdetect.UnitControl, "fw7.0": hwdetect.UnitVideo, "fw7.1": hwdetect.UnitAudio,
		"fw7.2": hwdetect.UnitVideo, "fw8.0": hwdetect.UnitEffect, "fw9.0": hwdetect.UnitNoDriver,
	} {
		if u := unit(t, f, name); u.Kind != want {
			t.Errorf("%s %v is %q, want %q", name, u.Product, u.Kind, want)
		}
	}
	if u := unit(t, facts(t, "fw-pi5-firehat"), "fw1.0"); u.Kind != hwdetect.UnitDisk {
		t.Errorf("a disk is %q", u.Kind)
	}
	// A camcorder speaks the same protocol as BridgeCo's units do.
	if u := unit(t, read(t, onBus("vendor=080046 model=fa0000", "00a02d:010001")), "fw1.0"); u.Kind != hwdetect.UnitUnknown {
		t.Errorf("a camcorder is %q", u.Kind)
	}
}

// Trap 6: the first node is the controller itself; its GUID may be zero; a
// controller without anything plugged in is normal.
func TestTrap06LocalNode(t *testing.T) {
	for _, name := range []string{"fw-ricoh-w530-fca1616-not-a-node", "fw-pi5-firehat", "fw-ti-saffirepro14-5900x"} {
		c := facts(t, name).FireWire[0]
		if c.LocalNode.Or("") != "fw0" {
			t.Errorf("%s: local node %v", name, c.LocalNode)
		}
		for _, n := range c.Nodes {
			if n.Name == "fw0" {
				t.Errorf("%s: the controller's own node is listed as an instrument", name)
			}
		}
	}
	if n := len(facts(t, "fw-ricoh-w530-fca1616-not-a-node").FireWire[0].Nodes); n != 0 {
		t.Errorf("%d nodes where none is", n)
	}
	// The kernel's word counts more than the number: here fw1 is the local one
	// of a second controller.
	f := read(t, "pci 0000:02:00.0 11c1:5901 class=0c0010\npci 0000:03:00.0 11c1:5901 class=0c0010\n"+
		"node fw0 on=0000:02:00.0 vendor=00d00d local=1\nnode fw1 on=0000:03:00.0 vendor=00d00d local=1\nnode fw2 on=0000:03:00.0 vendor=0001f2 local=0\nunit 0001f2:000003\n")
	if f.FireWire[1].LocalNode.Or("") != "fw1" || len(f.FireWire[1].Nodes) != 1 || len(f.FireWire[0].Nodes) != 0 {
		t.Errorf("two controllers: %+v", f.FireWire)
	}
}

// Trap 7: a boot loader is a state, not a device.
func TestTrap07BootLoader(t *testing.T) {
	f := facts(t, "fw-bebob-maudio-fw410-bootloader")
	if u := unit(t, f, "fw1.0"); u.Kind != hwdetect.UnitBootLoader {
		t.Errorf("kind %q", u.Kind)
	}
	if s := silent(t, f, "fw1.0"); s.Reason != hwdetect.AwaitsFirmware || len(s.Log) != 2 {
		t.Errorf("reason %q, log %q", s.Reason, s.Log)
	}
}

// Trap 8: VIA's chip behind ASMedia's bridge is bad on Zen only.
func TestTrap08CycleTimer(t *testing.T) {
	const pair = "pci 0000:00:01.1/0000:04:00.0 1b21:1080 class=060400\npci 0000:00:01.1/0000:04:00.0/0000:05:00.0 1106:3044 class=0c0010\n"
	for _, c := range []struct {
		name, text string
		want       hwdetect.Known[bool]
	}{
		{"on Zen", "cpu amd Ryzen family=23 cores=8\n" + pair, hwdetect.Is(true)},
		{"on a later Zen", "cpu amd Ryzen family=26 cores=8\n" + pair, hwdetect.Is(true)},
		{"on an older AMD", "cpu amd FX-8300 family=21 cores=8\n" + pair, hwdetect.Is(false)},
		{"on Intel", "cpu intel Core family=6 cores=8\n" + pair, hwdetect.Is(false)},
		{"on ARM", "cpu arm \"\" cores=4\n" + pair, hwdetect.Is(false)},
		{"on what is not known", "kernel 6.1\n" + pair, hwdetect.Known[bool]{}},
		{"without the bridge", "cpu amd Ryzen family=23 cores=8\npci 0000:00:01.1/0000:05:00.0 1106:3044 class=0c0010\n", hwdetect.Is(false)},
		{"other chip", "cpu amd Ryzen family=23 cores=8\n" + strings.ReplaceAll(pair, "1106:3044", "1106:3403"), hwdetect.Is(false)},
	} {
		if got := read(t, c.text).FireWire[0].RebootsOnCycleTimer; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Trap 11: RME's new cards have another vendor and no module in the kernel.
func TestTrap11RMERefresh(t *testing.T) {
	f := read(t, "kernel 6.12\npci 0000:00:1c.0 8086:0001 class=060400 driver=pcieport\n"+"pci 0000:00:1d.0/0000:03:00.0 1d18:3fc6 class=040100 rev=d4\n"+
		"pci 0000:00:1d.0/0000:04:00.0 10ee:3fc6 class=040100\n")
	if s := silent(t, f, "0000:03:00.0"); s.Reason != hwdetect.NoModule || s.Role != hwdetect.RoleInterface {
		t.Errorf("1d18:3fc6: %q, %q", s.Reason, s.Role)
	}
	if s := silent(t, f, "0000:04:00.0"); s.Reason != hwdetect.NotLoaded || !slices.Equal(s.Modules, []string{"snd_hdspm"}) {
		t.Errorf("10ee:3fc6: %q, %v", s.Reason, s.Modules)
	}
}

// Trap 12: an alias that matches, or a driver that is bound, is no card.
func TestTrap12MatchIsNoCard(t *testing.T) {
	if s := silent(t, facts(t, "pci-esi-juli-ex"), "0000:05:00.0"); s.Reason != hwdetect.NotBound || !slices.Contains(s.Log, "snd_ice1724 0000:05:00.0: No matching model found for ID 0x494c554a") {
		t.Errorf("Juli@ eX: %q, %q", s.Reason, s.Log)
	}
	if s := silent(t, facts(t, "sof-lg-16z90u-ptl"), "0000:00:1f.3"); s.Reason != hwdetect.BoundNoCard {
		t.Errorf("bound without a card: %q", s.Reason)
	}
	if s := silent(t, facts(t, "pci-esi-maya44ex"), "0000:02:00.0"); s.Reason != hwdetect.NoModule {
		t.Errorf("MAYA44 eX: %q", s.Reason)
	}
}

// Trap 13: the class tells a DSP, the id does not.
func TestTrap13ClassTellsDSP(t *testing.T) {
	for class, want := range map[string]hwdetect.SoundClass{"040300": hwdetect.SoundHDA, "040380": hwdetect.SoundHDADSP, "040100": hwdetect.SoundCard} {
		f := read(t, "pci 0000:00:1f.3 8086:54c8 class="+class+"\n")
		if d, _ := f.PCIAt("0000:00:1f.3"); d.Sound != want {
			t.Errorf("class %s is %q, want %q", class, d.Sound, want)
		}
	}
	if s := silent(t, facts(t, "sof-chuwi-adl-n-dsp-off"), "0000:00:1f.3"); s.Reason != hwdetect.DSPOff {
		t.Errorf("reason %q", s.Reason)
	}
}

// Trap 14: the mainboard's sound may be on USB.
func TestTrap14OnboardOnUSB(t *testing.T) {
	f := facts(t, "usb-x870e-alc4080")
	if c := card(t, f, 0); c.Role != hwdetect.RoleOnboard || c.Bus != hwdetect.BusUSB {
		t.Errorf("role %q on %q", c.Role, c.Bus)
	}
	// ASUS sells interfaces too: one that a person can pull out is no codec.
	f = read(t, "pci 0000:00:14.0 8086:a36d class=0c0330\nusb 1-2 0b05:183d on=0000:00:14.0 ASUS Xonar speed=480 removable=removable\nif 0 01/01/20\nif 1 01/02/20\n")
	if d, _ := f.USBAt("1-2"); d.Role != hwdetect.USBInterface {
		t.Errorf("a removable card of ASUS is %q", d.Role)
	}
}

// Trap 15: MOTU's M2, M4 and M6 share an id.
func TestTrap15SharedUSBID(t *testing.T) {
	d, _ := facts(t, "usb-motu-m4").USBAt("3-2")
	if d.ID != (hwdetect.ID{Vendor: 0x07fd, Product: 0x0008}) || d.Product.Or("") != "M4" {
		t.Errorf("%v %v", d.ID, d.Product)
	}
}

// Trap 16: card 0 is not the studio's card.
func TestTrap16CardZero(t *testing.T) {
	for name, want := range map[string][]hwdetect.CardRole{
		"pci-rme-hdspe-madi-i7-10700":        {hwdetect.RoleVirtual, hwdetect.RoleInterface},
		"usb-scarlett-2i2g4-webcam-topology": {hwdetect.RoleWebcam, hwdetect.RoleInterface},
		"pi5-i2s-dac":                        {hwdetect.RoleHDMI, hwdetect.RoleHDMI, hwdetect.RoleInterface},
		"usb-yamaha-tf-ryzen9950x3d":         {hwdetect.RoleHDMI, hwdetect.RoleHDMI, hwdetect.RoleOnboard, hwdetect.RoleInterface},
		"hybrid-core-ultra7-ardour":          {hwdetect.RoleOnboard, hwdetect.RoleInterface},
	} {
		var got []hwdetect.CardRole
		for _, c := range facts(t, name).Cards {
			got = append(got, c.Role)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: roles %q, want %q", name, got, want)
		}
	}
	// A keyboard that only speaks MIDI.
	f := read(t, "pci 0000:00:14.0 8086:a36d class=0c0330\nusb 1-2 1c75:0288 on=0000:00:14.0 Arturia KeyStep speed=12\nif 0 01/01/00\nif 1 01/03/00\n"+
		"card 0 KeyStep USB-Audio KeyStep module=snd_usb_audio at=1-2:1.0 midi=1\n")
	if c := card(t, f, 0); c.Role != hwdetect.RoleMIDI {
		t.Errorf("a MIDI keyboard is %q", c.Role)
	}
}

// Trap 17: interrupts by pin are shared.
func TestTrap17SharedInterrupt(t *testing.T) {
	f := facts(t, "pci-rme-hdspe-aio-shared-irq")
	if irqs := card(t, f, 1).IRQs; len(irqs) != 1 || !slices.Equal(irqs[0].Shared, []string{"i801_smbus"}) || irqs[0].MSI != hwdetect.Is(false) {
		t.Errorf("RME: %+v", irqs)
	}
	if irqs := card(t, f, 0).IRQs; len(irqs) != 1 || len(irqs[0].Shared) != 0 || irqs[0].MSI != hwdetect.Is(true) {
		t.Errorf("onboard: %+v", irqs)
	}
	if irqs := facts(t, "fw-jmicron-notebook-wifi-shared-irq").FireWire[0].IRQs; len(irqs) != 1 || !slices.Equal(irqs[0].Shared, []string{"iwl4965"}) {
		t.Errorf("FireWire: %+v", irqs)
	}
	// Two cards of one kind on one line share it with each other.
	f = read(t, "pci 0000:05:00.0 1412:1712 class=040100 driver=snd_ice1712 irq=21\npci 0000:05:01.0 1412:1712 class=040100 driver=snd_ice1712 irq=21\n"+
		"irq 21 level IO-APIC snd_ice1712,snd_ice1712\ncard 0 A ICE1712 A module=snd_ice1712 at=0000:05:00.0 pcm=0p\n")
	if irqs := card(t, f, 0).IRQs; len(irqs) != 1 || !slices.Equal(irqs[0].Shared, []string{"snd_ice1712"}) {
		t.Errorf("twins on a line: %+v", irqs)
	}
	// The same from /proc/interrupts, for kernels without /sys/kernel/irq.
	f = read(t, "pci 0000:03:00.0 1d18:3fc6 class=040100 driver=snd_hdspe irq=16\ncard 0 H HDSPe H module=snd_hdspe at=0000:03:00.0 pcm=0p\n"+
		`file proc/interrupts "           CPU0       CPU1\n 16:          0     111089  IR-IO-APIC  16-fasteoi   i801_smbus, snd_hdspe"`+"\n")
	if irqs := card(t, f, 0).IRQs; len(irqs) != 1 || !slices.Equal(irqs[0].Shared, []string{"i801_smbus"}) || irqs[0].MSI != hwdetect.Is(false) {
		t.Errorf("/proc/interrupts: %+v", irqs)
	}
}

// Trap 18, the part that is fact: a latency timer means something on a
// conventional bus only.
func TestTrap18Conventional(t *testing.T) {
	for name, want := range map[string][]string{
		"fw-ricoh-onyx1640i":                    nil,
		"pci-rme-hdspe-aio-shared-irq":          nil,
		"usb-yamaha-tf-ryzen9950x3d":            nil,
		"pci-xonar-on-pcie-bridge-rx580":        {"0000:03:04.0"},
		"pci-dual-delta1010lt":                  {"0000:05:00.0", "0000:05:01.0"},
		"fw-via-asm1083-ryzen3700x-lightbridge": {"0000:05:00.0"},
	} {
		var got []string
		for _, d := range facts(t, name).PCI {
			if d.Conventional {
				got = append(got, d.Address)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: conventional are %v, want %v", name, got, want)
		}
	}
}

// Trap 19: the chassis type decides, not what is plugged in.
func TestTrap19Chassis(t *testing.T) {
	for _, c := range []struct {
		text   string
		form   hwdetect.Form
		laptop bool
	}{
		{"machine X chassis=3\nbattery UPS 90 Full\n", hwdetect.FormDesktop, false},
		{"machine X chassis=9\n", hwdetect.FormLaptop, true},
		{"machine X chassis=31\n", hwdetect.FormLaptop, true},
		{"machine X chassis=35\n", hwdetect.FormMini, false},
		{"machine X chassis=23\n", hwdetect.FormServer, false},
		{"machine \"HP t620 Dual Core TC\" vendor=HP chassis=3\n", hwdetect.FormThin, false},
		{"machine \"Raspberry Pi 5 Model B Rev 1.0\" tree=1\n", hwdetect.FormEmbedded, false},
		{"machine X chassis=3\nbattery hidpp_battery_0 50 Discharging scope=Device\n", hwdetect.FormDesktop, false},
	} {
		f := read(t, c.text)
		if f.Chassis.Form.Or("") != c.form || f.Power.Laptop != hwdetect.Is(c.laptop) {
			t.Errorf("%q: form %v, laptop %v", c.text, f.Chassis.Form, f.Power.Laptop)
		}
	}
	f := read(t, "machine X chassis=3\nbattery hidpp_battery_0 50 Discharging scope=Device\n")
	if len(f.Power.Batteries) != 0 || hwdetect.IsTrue(f.Power.OnBattery) {
		t.Errorf("a mouse's battery feeds the machine: %+v", f.Power)
	}
	// A tree without SMBIOS tells neither.
	f = read(t, "cpu intel CPU family=6 cores=4\n")
	if f.Chassis.Form.Known() || f.Power.Laptop.Known() || f.Chassis.Form.String() != "not known" {
		t.Errorf("form %v, laptop %v", f.Chassis.Form, f.Power.Laptop)
	}
}

// Trap 20: NVIDIA counts as a 3D controller too.
func TestTrap20NVIDIA(t *testing.T) {
	for _, class := range []string{"030000", "030200", "038000"} {
		if f := read(t, "pci 0000:01:00.0 10de:15f8 class="+class+"\n"); !f.NVIDIA() {
			t.Errorf("class %s is no NVIDIA", class)
		}
	}
	if facts(t, "hda-ryzen1600").NVIDIA() || !facts(t, "vm-qemu-nvidia-passthrough").NVIDIA() {
		t.Error("NVIDIA where none is, or none where one is")
	}
	// The sound function of a GPU, and a bridge of NVIDIA's, are no GPUs.
	if read(t, "pci 0000:00:05.0 10de:03f0 class=040300\n").NVIDIA() {
		t.Error("a sound function is a GPU")
	}
}

// Trap 22: domains beyond 0000, controllers outside of PCI, cards below
// platform devices, directories with nothing in them.
func TestTrap22OddPlaces(t *testing.T) {
	if f := facts(t, "fw-pi5-firehat"); f.FireWire[0].PCI != "0001:01:00.0" {
		t.Errorf("controller %q", f.FireWire[0].PCI)
	}
	f := facts(t, "usb-ni-komplete6-pi")
	c := card(t, f, 1)
	if c.USB.Or("") != "1-1.2" || c.PCI.Known() || f.USB[1].Controller != "3f980000.usb" || len(c.IRQs) != 1 || len(c.Streams) != 2 {
		t.Errorf("card on a platform host: %+v", c)
	}
	c = card(t, facts(t, "laptop-amd-acp-huawei"), 1)
	if c.PCI.Or("") != "0000:03:00.5" || c.Bus != hwdetect.BusPCI || len(c.IRQs) != 1 || c.IRQs[0].Number != 79 {
		t.Errorf("card below platform devices: %+v", c)
	}
	text := "cpu intel CPU family=6 cores=2 nosmtfiles\n"
	for _, dir := range []string{"sys/devices/system/cpu/cpu0/cpufreq", "sys/class/thermal", "sys/devices/system/cpu/smt", "sys/class/power_supply", "sys/kernel/irq", "sys/class/sound"} {
		text += fmt.Sprintf("file %s/.keep\n", dir)
	}
	f = read(t, text)
	if f.CPU.Scaling.Governor.Known() || f.CPU.Scaling.Governor.String() != "not known" || f.CPU.SMT.Active != hwdetect.Is(false) {
		t.Errorf("%+v %+v", f.CPU.Scaling, f.CPU.SMT)
	}
}
