package hwdetect

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

const fireWireDir = "sys/bus/firewire/devices"

var (
	fireWireNode = regexp.MustCompile(`^fw\d+$`)
	fireWireUnit = regexp.MustCompile(`^fw\d+\.\d+$`)
)

// The identity that the kernel's FireWire stack gives its own node.
const (
	linuxVendor Hex = 0x001f11
	linuxModel  Hex = 0x023901
)

// fireWireClass is an OHCI-1394 host controller.
const fireWireClass Hex = 0x0c0010

// readFireWire reads the controllers with their nodes and units.
func (t *tree) readFireWire(pci []PCIDevice, irqs []IRQ, zen Known[bool], modules resolver) []FireWireController {
	var all []FireWireController
	for _, d := range pci {
		if d.Class != fireWireClass {
			continue
		}
		c := FireWireController{
			PCI: d.Address, ID: d.ID, Name: d.Name, Revision: d.Revision, Driver: d.Driver,
			IRQs: irqsOf(d, irqs, "firewire_ohci"),
		}
		if len(d.Parents) > 0 {
			if i := slices.IndexFunc(pci, func(o PCIDevice) bool { return o.Address == d.Parents[0] }); i >= 0 {
				c.Bridge = Is(pci[i].ID)
			}
		}
		c.RebootsOnCycleTimer = rebootsOnCycleTimer(c, zen)
		all = append(all, c)
	}
	names := t.list(fireWireDir)
	locals := t.localNodes(names)
	for _, name := range names {
		if !fireWireNode.MatchString(name) {
			continue
		}
		dir := t.real(fireWireDir, name)
		var address string
		for p := path.Dir(dir); p != "." && p != "/"; p = path.Dir(p) {
			if pciAddress.MatchString(path.Base(p)) {
				address = path.Base(p)
				break
			}
		}
		i := slices.IndexFunc(all, func(c FireWireController) bool { return c.PCI == address })
		if i < 0 {
			// A controller whose PCI function this tree does not tell of.
			all = append(all, FireWireController{PCI: address})
			i = len(all) - 1
		}
		if locals[name] {
			all[i].LocalNode = Is(name)
			continue
		}
		all[i].Nodes = append(all[i].Nodes, t.readNode(name, dir, names, modules))
	}
	slices.SortStableFunc(all, func(a, b FireWireController) int { return strings.Compare(a.PCI, b.PCI) })
	return all
}

func rebootsOnCycleTimer(c FireWireController, zen Known[bool]) Known[bool] {
	bridge, bridged := c.Bridge.Get()
	if c.ID != (ID{0x1106, 0x3044}) || !bridged || bridge != (ID{0x1b21, 0x1080}) {
		return Is(false)
	}
	return zen
}

// localNodes are the nodes that are this machine's own controllers: those the
// kernel says so of; else those with the identity of its own stack; else the
// first of a controller, when it has no units.
func (t *tree) localNodes(names []string) map[string]bool {
	locals := map[string]bool{}
	seen := map[string]bool{} // controllers with a local node, by directory
	var undecided []string
	for _, name := range names {
		if !fireWireNode.MatchString(name) {
			continue
		}
		dir := t.real(fireWireDir, name)
		host := path.Dir(dir)
		vendor, model := t.hex(24, dir, "vendor"), t.hex(24, dir, "model")
		own := Hex(vendor.Or(0)) == linuxVendor && Hex(model.Or(0)) == linuxModel
		switch told := t.flag(dir, "is_local"); {
		case IsTrue(told) || !told.Known() && own:
			locals[name], seen[host] = true, true
		case !told.Known():
			undecided = append(undecided, name)
		}
	}
	for _, name := range undecided {
		dir := t.real(fireWireDir, name)
		host := path.Dir(dir)
		if !seen[host] {
			seen[host] = true
			locals[name] = !t.text(dir, "units").Known() && !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name+".") })
		}
	}
	return locals
}

func (t *tree) readNode(name, dir string, names []string, modules resolver) FireWireNode {
	raw, _ := t.data(path.Join(dir, "config_rom"))
	guid, rom, _ := parseConfigROM(raw)
	n := FireWireNode{
		Name:       name,
		Vendor:     asHex(t.hex(24, dir, "vendor")),
		Model:      asHex(t.hex(24, dir, "model")),
		VendorName: firstKnown(t.text(dir, "vendor_name"), rom.vendorName),
		ModelName:  firstKnown(t.text(dir, "model_name"), rom.modelName),
	}
	n.Vendor, n.Model = firstKnown(n.Vendor, rom.vendor), firstKnown(n.Model, rom.model)
	if g, ok := t.text(dir, "guid").Get(); ok {
		n.GUID = Is(g)
	} else if g, ok := guid.Get(); ok {
		n.GUID = Is(fmt.Sprintf("0x%016x", g))
	}
	for _, sub := range names {
		if strings.HasPrefix(sub, name+".") && fireWireUnit.MatchString(sub) {
			n.Units = append(n.Units, t.readUnit(sub, n, rom, len(n.Units), modules))
		}
	}
	if len(n.Units) > 0 {
		return n
	}
	// No driver core has made units, but the node says what it has.
	keys := parseUnits(t.text(dir, "units").Or(""))
	for i := range max(len(keys), len(rom.units)) {
		u := FireWireUnit{Name: fmt.Sprintf("%s.%d", name, i)}
		if i < len(keys) {
			u.Key = keys[i]
		}
		n.Units = append(n.Units, finishUnit(u, n, rom, i, modules))
	}
	return n
}

func (t *tree) readUnit(name string, n FireWireNode, rom romDirectory, index int, modules resolver) FireWireUnit {
	dir := t.real(fireWireDir, name)
	u := FireWireUnit{
		Name:     name,
		Driver:   t.base(dir, "driver"),
		Modalias: t.text(dir, "modalias"),
		Key: FireWireKey{
			Specifier: asHex(t.hex(24, dir, "specifier_id")),
			Version:   asHex(t.hex(24, dir, "version")),
			Vendor:    asHex(t.hex(24, dir, "vendor")),
			Model:     asHex(t.hex(24, dir, "model")),
			ModelName: t.text(dir, "model_name"),
		},
	}
	return finishUnit(u, n, rom, index, modules)
}

// finishUnit completes a unit's key, in this order, from its modalias, its own
// directory of the configuration ROM, and its node: names and models stand
// now here, now there, and some makers write none at all.
func finishUnit(u FireWireUnit, n FireWireNode, rom romDirectory, index int, modules resolver) FireWireUnit {
	var own romDirectory
	if index < len(rom.units) {
		own = rom.units[index]
	}
	k := &u.Key
	if vendor, model, specifier, version, ok := parseFireWireModalias(u.Modalias.Or("")); ok {
		k.Vendor = firstKnown(k.Vendor, Is(vendor))
		k.Specifier = firstKnown(k.Specifier, Is(specifier))
		k.Version = firstKnown(k.Version, Is(version))
		if model != 0 {
			k.Model = firstKnown(k.Model, Is(model))
		}
	}
	k.Vendor = firstKnown(k.Vendor, own.vendor, n.Vendor)
	k.Model = firstKnown(k.Model, own.model, n.Model)
	k.Specifier = firstKnown(k.Specifier, own.specifier)
	k.Version = firstKnown(k.Version, own.version)
	k.VendorName = firstKnown(k.VendorName, own.vendorName, n.VendorName)
	k.ModelName = firstKnown(k.ModelName, own.modelName, n.ModelName)
	if !u.Modalias.Known() && k.Vendor.Known() && k.Specifier.Known() && k.Version.Known() {
		u.Modalias = Is(fireWireModalias(k.Vendor.Or(0), k.Model.Or(0), k.Specifier.Or(0), k.Version.Or(0)))
	}
	u.Modules = preferred(modules.modules(u.Modalias.Or("")))
	u.Kind, u.Product = unitKind(u)
	return u
}

// firstKnown returns the first that is known.
func firstKnown[T any](all ...Known[T]) Known[T] {
	for _, k := range all {
		if k.Known() {
			return k
		}
	}
	return Known[T]{}
}

// greedy are modules whose patterns also match units of others: snd_dice takes
// every unit of version 1 of any maker, snd_oxfw every one of some makers.
var greedy = []string{"snd_oxfw", "snd_dice"}

// preferred puts the module that is right for a unit first.
func preferred(modules []string) []string {
	out := slices.Clone(modules)
	slices.SortStableFunc(out, func(a, b string) int { return slices.Index(greedy, a) - slices.Index(greedy, b) })
	return out
}
