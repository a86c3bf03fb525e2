package hwdetect

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const pciDir = "sys/bus/pci/devices"

var pciAddress = regexp.MustCompile(`^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)

// toConventional are bridges from PCI Express to conventional PCI, for trees
// that do not tell which devices are PCI Express.
var toConventional = map[ID]bool{
	{0x1b21, 0x1080}: true, {0x1b21, 0x1083}: true, // ASMedia ASM1083/1085
	{0x104c, 0x8231}: true, {0x104c, 0x8240}: true, {0x104c, 0x823e}: true, // TI XIO2000, XIO2001, XIO2213
	{0x10b5, 0x8111}: true, {0x10b5, 0x8112}: true, {0x10b5, 0x8114}: true, // PLX PEX8111 …
	{0x12d8, 0xe110}: true, {0x12d8, 0xe111}: true, {0x12d8, 0xe112}: true, {0x12d8, 0xe113}: true, // Pericom
	{0x1283, 0x8892}: true, {0x1283, 0x8893}: true, {0x1283, 0x8888}: true, // ITE
}

// subtractive is the class of bridges that pass on what nobody else answers:
// conventional PCI always.
const subtractive = 0x060401

// readPCI reads all PCI functions. modules may be nil.
func (t *tree) readPCI(n names, modules resolver) []PCIDevice {
	var all []PCIDevice
	dirs := map[string]string{}
	telling := false // this tree says which functions are PCI Express
	drivers := false // and which are bound
	addresses := t.list(pciDir)
	slices.Sort(addresses) // they are hexadecimal
	for _, address := range addresses {
		if !pciAddress.MatchString(address) {
			continue
		}
		dir := t.real(pciDir, address)
		class, ok1 := t.hex(32, dir, "class").Get()
		vendor, ok2 := t.hex(16, dir, "vendor").Get()
		device, ok3 := t.hex(16, dir, "device").Get()
		modalias := t.text(dir, "modalias")
		if !ok2 || !ok3 || !ok1 {
			m, ok := parsePCIModalias(modalias.Or(""))
			if !ok {
				continue
			}
			class, vendor, device = m.class, uint32(m.id.Vendor), uint32(m.id.Product)
		}
		d := PCIDevice{
			Address: address,
			Class:   Hex(class),
			ID:      ID{uint16(vendor), uint16(device)},
			Driver:  t.base(dir, "driver"),
			Parents: pciParents(dir),
		}
		if r, ok := t.hex(8, dir, "revision").Get(); ok {
			d.Revision = Is(int(r))
		}
		sv, ok1 := t.hex(16, dir, "subsystem_vendor").Get()
		sd, ok2 := t.hex(16, dir, "subsystem_device").Get()
		if ok1 && ok2 && sv != 0 {
			d.Subsystem = Is(ID{uint16(sv), uint16(sd)})
		}
		d.VendorName, d.Name = n.pci(d.ID)
		d.Modules = modules.modules(modalias.Or(d.modalias()))
		if irq, ok := t.number(dir, "irq").Get(); ok && irq > 0 && irq < 1<<20 {
			d.IRQ = Is(irq)
		}
		for _, name := range t.list(path.Join(dir, "msi_irqs")) {
			if irq, err := strconv.Atoi(name); err == nil {
				d.MSI = append(d.MSI, irq)
			}
		}
		if t.has(dir, "max_link_width") {
			d.Express, telling = Is(true), true
		}
		drivers = drivers || d.Driver.Known()
		d.Removable = t.text(dir, "removable").Or("") == "removable"
		dirs[address] = dir
		all = append(all, d)
	}
	byAddress := map[string]*PCIDevice{}
	for i := range all {
		byAddress[all[i].Address] = &all[i]
	}
	for i := range all {
		d := &all[i]
		if telling && !d.Express.Known() {
			d.Express = Is(false)
		}
		if d.Driver.Known() {
			d.Bound = Is(true)
		} else if drivers {
			d.Bound = Is(false)
		}
		for _, parent := range d.Parents {
			if p := byAddress[parent]; p != nil && p.Removable {
				d.Removable = true
			}
		}
		d.Conventional = conventional(*d, byAddress)
		d.Sound = soundClass(*d, all)
	}
	return all
}

// modalias is what the kernel would write.
func (d PCIDevice) modalias() string {
	sub := d.Subsystem.Or(ID{})
	c := uint32(d.Class)
	return formatHex(uint32(d.ID.Vendor), uint32(d.ID.Product), uint32(sub.Vendor), uint32(sub.Product), c>>16&0xff, c>>8&0xff, c&0xff)
}

func pciParents(dir string) []string {
	var parents []string
	for p := path.Dir(dir); p != "." && p != "/"; p = path.Dir(p) {
		if base := path.Base(p); pciAddress.MatchString(base) {
			parents = append(parents, base)
		}
	}
	return parents
}

// conventional says whether a function sits on a conventional PCI bus behind a
// bridge. On a root bus that cannot be told, and a latency timer would do
// nothing there.
func conventional(d PCIDevice, at map[string]*PCIDevice) bool {
	if len(d.Parents) == 0 || isBridge(d) || IsTrue(d.Express) {
		return false
	}
	parent := at[d.Parents[0]]
	if d.Express.Known() {
		return parent == nil || isBridge(*parent)
	}
	if parent != nil && (toConventional[parent.ID] || parent.Class == subtractive) {
		return true
	}
	// Behind a bridge, PCI Express has only one device, number 0 (with ARI,
	// functions beyond 7 look like others: those are network cards).
	return !strings.HasPrefix(d.slot(), "00") && d.Class>>8 != 0x0200
}

func isBridge(d PCIDevice) bool { return d.Class>>16 == 0x06 }

// slot is device and function, "1f.3".
func (d PCIDevice) slot() string { return d.Address[strings.LastIndexByte(d.Address, ':')+1:] }

// chip is domain, bus and device: the functions of one chip share it.
func (d PCIDevice) chip() string { return d.Address[:strings.LastIndexByte(d.Address, '.')] }

func isDisplay(d PCIDevice) bool { return d.Class>>16 == 0x03 }

// soundClass goes by the class of the function. HDA on a chip with a display
// is the sound of its sockets.
func soundClass(d PCIDevice, all []PCIDevice) SoundClass {
	switch {
	case d.Class>>8 == 0x0403:
		// AMD's processors with graphics put their display (.0), the sound of
		// its sockets (.1) and the mainboard's codec (.6) into one slot; the
		// codec has AMD's own id, the graphics and their sound have ATI's.
		display := slices.ContainsFunc(all, func(o PCIDevice) bool { return isDisplay(o) && o.chip() == d.chip() })
		if displaySound[d.ID] || display && d.ID.Vendor != 0x1022 {
			return SoundVideo
		}
		if d.Class&0xff == 0x80 {
			return SoundHDADSP
		}
		return SoundHDA
	case d.Class>>8 == 0x0401:
		return SoundCard
	case d.Class>>8 == 0x0480 && d.ID.Vendor == 0x1022:
		return SoundCoproc
	case soundVendors[d.ID.Vendor]:
		return SoundCard
	}
	return NoSound
}

// displaySound are HDA functions that serve displays from a slot of their own:
// Intel's of Haswell and Broadwell.
var displaySound = map[ID]bool{{0x8086, 0x0a0c}: true, {0x8086, 0x0c0c}: true, {0x8086, 0x0d0c}: true, {0x8086, 0x160c}: true}

// soundVendors make sound hardware and nothing else: their functions count
// whatever class they show.
var soundVendors = map[uint16]bool{
	0x1d18: true, // RME, cards from 2021 on
	0x1a00: true, // Universal Audio, Thunderbolt
	0x1369: true, // Digigram
}
