package stage1

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"reprise/initrd/blockdev"
	"reprise/initrd/kmod"
)

// A reach says for which devices modules are loaded. Most machines need the
// first only: every further driver costs time, and systemd-udevd loads it a
// moment later anyway.
type reach int

const (
	swift       reach = iota // disks that answer at once: NVMe and those of virtual machines
	controllers              // all mass storage controllers on PCI
	buses                    // also USB, SD cards and all else that a disk may hang on
	everything               // also keyboards, for the rescue shell
)

// quiet is how long nothing must happen before the reach is widened: the time
// that the disks of each reach may take once their drivers are loaded. A disk
// that takes longer is found all the same, with more drivers loaded.
var quiet = map[reach]time.Duration{
	swift:       150 * time.Millisecond,
	controllers: 500 * time.Millisecond,
}

// covers says whether a device with this modalias is within reach.
func (r reach) covers(modalias string) bool {
	bus, rest, _ := strings.Cut(modalias, ":")
	switch bus {
	case "virtio", "scsi", "vmbus", "xen", "mmc":
		return true // they are there only when what they hang on is
	case "pci":
		// Base class 1 is mass storage, sub-class 8 of it NVMe.
		return strings.Contains(rest, "bc01sc08") || r >= controllers && strings.Contains(rest, "bc01") || r >= buses
	case "hid", "serio":
		return r >= everything
	case "usb":
		// A keyboard has interface class 3.
		return r >= everything || r == buses && !strings.Contains(rest, "ic03")
	}
	return r >= buses
}

// allBuses are the buses of /sys whose devices say a modalias that some module
// of an initramfs may answer to. The order is that of loading.
var allBuses = []string{"pci", "virtio", "vmbus", "xen", "scsi", "mmc", "platform", "acpi", "usb", "serio", "hid"}

// devices loads modules for the machine's devices, as far as it is told to
// reach, and finds disks.
type devices struct {
	loader *kmod.Loader
	sys    fs.FS
	events *uevents // nil when the kernel gave none: then /sys is read again and again
	// optical counts CD drives among the disks.
	optical bool

	mu      sync.Mutex
	reach   reach
	wide    *kmod.Loader // of the carried system's modules; nil until it is there
	loading int          // modules that are being loaded
	moved   time.Time    // when a load last ended or a device last came
	closed  bool         // no load is begun any more
}

func openDisk(name string) (blockdev.Disk, error) { return os.Open("/dev/" + name) }

func (d *devices) list(contents bool) ([]blockdev.Device, error) {
	return blockdev.System{Sys: d.sys, Open: openDisk, Optical: d.optical}.List(contents)
}

// extend loads for no fewer devices than r says, from here on.
func (d *devices) extend(r reach) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reach = max(d.reach, r)
}

// within is how far the devices that modules are loaded for reach.
func (d *devices) within() reach {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reach
}

// coldplug loads modules for the devices that are there, each in its own time.
func (d *devices) coldplug() {
	for _, alias := range kmod.Modaliases(d.sys, allBuses) {
		d.plug(alias)
	}
}

// widen loads modules for every device with another loader from here on; nil
// goes back to the initramfs's own modules, and loads nothing.
func (d *devices) widen(l *kmod.Loader) {
	d.mu.Lock()
	d.wide = l
	d.moved = time.Now()
	d.mu.Unlock()
	if l == nil {
		return
	}
	for _, alias := range kmod.Modaliases(d.sys, d.wideBuses()) {
		d.plug(alias)
	}
}

// notBuses have devices for which an installer loads nothing: modules for the
// processor's features are loaded when something needs them.
var notBuses = []string{"cpu", "dax", "edac", "machinecheck", "memory", "node", "clockevents", "clocksource", "workqueue"}

// wideBuses are those of allBuses, and then every other that the kernel has.
func (d *devices) wideBuses() []string {
	buses := slices.Clone(allBuses)
	entries, _ := fs.ReadDir(d.sys, "bus")
	for _, e := range entries {
		if !slices.Contains(buses, e.Name()) && !slices.Contains(notBuses, e.Name()) {
			buses = append(buses, e.Name())
		}
	}
	return buses
}

// plug loads the modules for one device without waiting for them.
func (d *devices) plug(modalias string) {
	d.mu.Lock()
	covered, loader := d.reach.covers(modalias), d.wide
	d.mu.Unlock()
	if !covered {
		return
	}
	if loader == nil {
		loader = d.loader
	}
	names, _ := loader.Index().Resolve(modalias)
	if !slices.ContainsFunc(names, func(n string) bool { return !loader.Tried(n) }) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.loading++
	go func() {
		// A driver that refuses its device says so in the kernel's log.
		_ = loader.Load(modalias)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.loading--
		d.moved = time.Now()
	}()
}

// settled says whether nothing is being loaded and nothing has happened for a
// while.
func (d *devices) settled(quiet time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.loading == 0 && time.Since(d.moved) >= quiet
}

// close begins no more loads and waits for those that run, at most so long.
// A load must not be cut off: process 1 ends its threads when it becomes the
// system's first program, and a driver whose thread is killed while it probes
// leaves its device without a driver (ahci: "probe failed with error -4").
func (d *devices) close(most time.Duration) {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	for begun := time.Now(); time.Since(begun) < most && !d.settled(0); {
		time.Sleep(2 * time.Millisecond)
	}
	if d.events != nil {
		d.events.close()
		d.events = nil
	}
}

// slowest is how long a driver that is being loaded may hold up the start.
const slowest = 20 * time.Second

// find waits for the device that ref names and keep wants (nil: any), at most
// so long, but in any case until all drivers have been tried. The last list of
// devices comes back with what was found: nothing, one, or several that have
// the same name.
func (d *devices) find(ref blockdev.Ref, keep func(blockdev.Device) bool, most time.Duration) (found, all []blockdev.Device, err error) {
	begun := time.Now()
	d.coldplug()
	for {
		if all, err = d.list(ref.Contents()); err != nil {
			return nil, nil, err
		}
		if found = kept(ref.Find(all), keep); len(found) > 0 {
			return found, all, nil
		}
		waited := time.Since(begun)
		late := waited >= most
		reach := d.within()
		if late && (reach == buses && d.settled(0) || waited >= most+slowest) {
			return nil, all, nil
		}
		if reach < buses && (late && d.settled(0) || d.settled(quiet[reach])) {
			d.extend(reach + 1)
			d.coldplug()
		}
		look := 20 * time.Millisecond
		if waited > 3*time.Second {
			look = time.Second // news wakes us anyway
		}
		d.pause(look)
	}
}

func kept(found []blockdev.Device, keep func(blockdev.Device) bool) []blockdev.Device {
	if keep == nil {
		return found
	}
	return slices.DeleteFunc(found, func(d blockdev.Device) bool { return !keep(d) })
}

// again waits until nothing has happened for a while, and looks once more.
func (d *devices) again(ref blockdev.Ref, keep func(blockdev.Device) bool, quiet time.Duration) ([]blockdev.Device, error) {
	for begun := time.Now(); !d.settled(quiet) && time.Since(begun) < slowest; {
		d.pause(20 * time.Millisecond)
		if d.settled(quiet) {
			d.coldplug() // no event may have been missed
		}
	}
	all, err := d.list(ref.Contents())
	return kept(ref.Find(all), keep), err
}

// pause waits for news of devices and loads modules for those that came.
func (d *devices) pause(most time.Duration) {
	if d.events == nil {
		time.Sleep(most)
		d.coldplug()
		return
	}
	modaliases, news := d.events.wait(most)
	if !news {
		return
	}
	d.mu.Lock()
	d.moved = time.Now()
	d.mu.Unlock()
	for _, a := range modaliases {
		d.plug(a)
	}
}
