package stage1

import (
	"io/fs"
	"os"
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
	controllers reach = iota // mass storage controllers on PCI and of virtual machines, and their disks
	buses                    // also USB, SD cards and all else that a disk may hang on
	everything               // also keyboards, for the rescue shell
)

// soon is how long the disks behind the plain controllers may take before the
// reach is widened: an NVMe drive answers in a tenth of that.
const soon = 400 * time.Millisecond

// covers says whether a device with this modalias is within reach.
func (r reach) covers(modalias string) bool {
	bus, rest, _ := strings.Cut(modalias, ":")
	switch r {
	case controllers:
		switch bus {
		case "pci":
			return strings.Contains(rest, "bc01") // base class 1: mass storage
		case "virtio", "scsi", "vmbus", "xen", "mmc":
			return true
		}
		return false
	case buses:
		// A keyboard has interface class 3.
		return bus != "hid" && bus != "serio" && !(bus == "usb" && strings.Contains(rest, "ic03"))
	}
	return true
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
	reach  reach
	busy   sync.WaitGroup
}

func openDisk(name string) (blockdev.Disk, error) { return os.Open("/dev/" + name) }

func (d *devices) list(contents bool) ([]blockdev.Device, error) {
	return blockdev.System{Sys: d.sys, Open: openDisk}.List(contents)
}

// coldplug loads modules for the devices that are there, each in its own time,
// and returns how many devices asked for a module that is at hand.
func (d *devices) coldplug() int {
	asked := 0
	for _, alias := range kmod.Modaliases(d.sys, allBuses, nil) {
		if d.plug(alias) {
			asked++
		}
	}
	return asked
}

// plug loads the modules for one device without waiting for them.
func (d *devices) plug(modalias string) bool {
	if !d.reach.covers(modalias) {
		return false
	}
	if names, _ := d.loader.Index().Resolve(modalias); len(names) == 0 {
		return false
	}
	d.busy.Go(func() {
		// A driver that refuses its device says so in the kernel's log.
		_ = d.loader.Load(modalias)
	})
	return true
}

// find waits for the device that ref names, at most so long. The last list of
// devices comes back with what was found: nothing, one, or several that have
// the same name.
func (d *devices) find(ref blockdev.Ref, most time.Duration) (found, all []blockdev.Device, err error) {
	begun := time.Now()
	asked := d.coldplug()
	for {
		if all, err = d.list(ref.Contents()); err != nil {
			return nil, nil, err
		}
		if found = ref.Find(all); len(found) > 0 {
			return found, all, nil
		}
		waited := time.Since(begun)
		if d.reach < buses && (asked == 0 || waited > soon) {
			d.reach = buses
			d.coldplug()
		}
		if waited >= most {
			return nil, all, nil
		}
		look := 100 * time.Millisecond
		if waited > 3*time.Second {
			look = time.Second // news wakes us anyway
		}
		d.pause(min(most-waited, look))
	}
}

// pause waits for news of devices and loads modules for those that came.
func (d *devices) pause(most time.Duration) {
	if d.events == nil {
		time.Sleep(most)
		d.coldplug()
		return
	}
	modaliases, _ := d.events.wait(most)
	for _, a := range modaliases {
		d.plug(a)
	}
}
