package hwdetect

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"reprise/initrd/kmod"
)

// Options are what Read may use beside the tree. The zero value is good.
type Options struct {
	// Modules is the index of the kernel's modules, to say which of them
	// answer to a device. Nil: lists of modules stay empty.
	Modules *kmod.Index
	// PCIIDs is the path of pci.ids on the machine that runs this, plain or
	// .gz. "": names of PCI devices are not known.
	PCIIDs string
	// Contents looks at what is on the disks: it opens the nodes in dev of
	// the tree, which wakes up sleeping drives. Without it, and where a node
	// cannot be opened, udev's records (run/udev/data) are used.
	Contents bool
	// KernelLog is what the kernel logged since it started, one message a
	// line, with or without time stamps. Nil: what a snapshot holds of it.
	KernelLog []byte
}

// ErrNoMachine says that a tree has neither a /sys nor a /proc.
var ErrNoMachine = errors.New("there is no machine in it: neither sys nor proc holds anything")

// logFile is where a snapshot keeps what it has of the kernel's log.
const logFile = "reprise/kernel.log"

// Read reads the Facts of the machine whose root is fsys: it looks at sys and
// proc in it, and a few files of run and dev. It fails with ErrNoMachine, and
// when pci.ids is named and cannot be read; parts that are missing or odd
// leave facts not known.
func Read(fsys fs.FS, o Options) (*Facts, error) {
	n, err := readNames(o.PCIIDs)
	if err != nil {
		return nil, err
	}
	t := newTree(fsys)
	if !slices.ContainsFunc([]string{"sys/devices", "sys/class", "sys/bus", "sys/block", "proc/cpuinfo", "proc/meminfo", "proc/asound"}, func(p string) bool { return t.has(p) }) {
		return nil, ErrNoMachine
	}
	data, _ := t.data(unreadableFile)
	for _, line := range lines(data) {
		path, reason, _ := strings.Cut(line, "\t")
		t.unreadable[path] = reason
	}
	modules := newResolver(o.Modules)
	data = o.KernelLog
	if data == nil {
		data, _ = t.data(logFile)
	}
	log := parseLog(data)

	f := &Facts{Kernel: t.readKernel(), CPU: t.readCPU(), Memory: t.readMemory(), Chassis: t.readChassis(), Firmware: t.readFirmware()}
	f.PCI = t.readPCI(n, modules)
	f.Virtual = t.readVirtual(f.PCI)
	if IsTrue(f.Virtual.Guest) && !slices.Contains([]Form{FormLaptop, FormTablet}, f.Chassis.Form.Or("")) {
		f.Chassis.Form = Is(FormVirtual)
	}
	f.Power = t.readPower(f.Chassis.Form)
	f.IRQs = t.readIRQs()
	f.USBControllers, f.USB = t.readUSB(f.PCI, f.IRQs, modules)
	f.FireWire = t.readFireWire(f.PCI, f.IRQs, f.CPU.Zen, modules)
	f.Cards = t.readCards(f)
	link(f)
	f.Silent = t.readSilent(f, modules, log)
	f.GPUs = t.readGPUs(f.PCI)
	f.Disks = t.readDisks(o)
	f.Network = t.readNetwork()
	f.MissingFirmware = readMissingFirmware(log)
	f.Undriven = t.readUndriven(f)
	for path, reason := range t.unreadable {
		f.Unreadable = append(f.Unreadable, Unreadable{clean(path), reason})
	}
	slices.SortFunc(f.Unreadable, func(a, b Unreadable) int { return strings.Compare(a.Path, b.Path) })
	fillLists(reflect.ValueOf(f).Elem())
	return f, nil
}

// fillLists makes lists with nothing in them of those that are nil: in JSON an
// empty list is known to be empty, and null is not known.
func fillLists(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillLists(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			fillLists(v.Index(i))
		}
	}
}

// link writes the numbers of cards into the devices they belong to.
func link(f *Facts) {
	for _, c := range f.Cards {
		for i := range f.USB {
			if c.USB.Or("") == f.USB[i].Path {
				f.USB[i].Cards = append(f.USB[i].Cards, c.Index)
			}
		}
		for i := range f.FireWire {
			for j := range f.FireWire[i].Nodes {
				units := f.FireWire[i].Nodes[j].Units
				for k := range units {
					if c.FireWire.Or("") == units[k].Name {
						units[k].Cards = append(units[k].Cards, c.Index)
					}
				}
			}
		}
	}
}
