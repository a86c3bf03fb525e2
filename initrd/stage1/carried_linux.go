package stage1

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reprise/hwdetect"
	"reprise/initrd/kmod"
	"reprise/internal/rootmount"
)

// A medium's initramfs holds what it takes to reach the medium, disks and
// keyboards. Drivers for sound, FireWire and the network come from a carried
// system with the same kernel, once a first screen is there: they are in the
// store of the medium anyway, and a boot loader reads slowly.

// Where the tools of the medium are mounted beside the view of that system.
const (
	toolsMeta = rootmount.Private + "/tools-meta"
	toolsRoot = rootmount.Private + "/tools"
)

const moduleTrees = "/usr/lib/modules"

// Where the views are seen in the initramfs, at their usual places.
var (
	ofSystem = []string{"/etc/ssl"}
	ofTools  = []string{"/usr/share/misc"}
)

// A carriedSystem is what stage 1 wants of medium.json.
type carriedSystem struct {
	Path    string `json:"path"`
	Kernel  string `json:"kernelVersion"`
	Modules string `json:"modules"`
}

type carriedList struct {
	Systems []carriedSystem `json:"systems"`
	Tools   struct {
		Path string `json:"path"`
	} `json:"tools"`
}

func readCarried() (*carriedList, error) {
	data, err := readBounded(filepath.Join(rootmount.Medium, description), maxDescription)
	if err != nil {
		return nil, err
	}
	m := &carriedList{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", description, err)
	}
	return m, nil
}

// with finds the system that this kernel belongs to.
func (m *carriedList) with(kernel string) (carriedSystem, bool) {
	i := slices.IndexFunc(m.Systems, func(s carriedSystem) bool { return s.Kernel == kernel && isStorePath(s.Path) })
	if i < 0 {
		return carriedSystem{}, false
	}
	return m.Systems[i], true
}

// carriedDrivers are the drivers of the medium's store. They are loaded once
// somebody asks, and only once.
type carriedDrivers struct {
	ask, done chan struct{}
	asked     sync.Once
	began     sync.Once

	network networkProcess
}

func newCarriedDrivers() *carriedDrivers {
	return &carriedDrivers{ask: make(chan struct{}), done: make(chan struct{})}
}

// want says that somebody waits for the drivers.
func (c *carriedDrivers) want() { c.asked.Do(func() { close(c.ask) }) }

const (
	// unasked is how long the drivers wait for somebody to ask. The installer
	// asks as soon as its first screen is drawn.
	unasked = 15 * time.Second
	// calm is how long nothing must happen until devices are taken to be there:
	// codecs, USB devices and FireWire units come one after the other.
	calm = time.Second
	// unsettled is how long to wait for that in any case.
	unsettled = 30 * time.Second
)

// start loads the drivers as soon as they are wanted. Called again, it does
// nothing.
func (c *carriedDrivers) start(b *boot) {
	c.began.Do(func() {
		go func() {
			defer close(c.done)
			select {
			case <-c.ask:
			case <-time.After(unasked):
			}
			begun := time.Now()
			if err := guarded(b.widen); err != nil {
				b.log.printf(logWarning, "of the medium's drivers only some are there: %v", err)
				return
			}
			mounted := time.Since(begun)
			c.network.start(b)
			for !b.devices.settled(calm) && time.Since(begun) < unsettled {
				time.Sleep(50 * time.Millisecond)
			}
			b.log.printf(logInfo, "drivers of the medium: index after %v, devices quiet after %v", mounted.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
		}()
	})
}

// widen mounts the carried system of this kernel, and loads what its modules
// have for the devices of this machine.
func (b *boot) widen() error {
	list, err := readCarried()
	if err != nil {
		return err
	}
	dir, err := kmod.Dir("/")
	if err != nil {
		return err
	}
	release := filepath.Base(dir)
	system, ok := list.with(release)
	if !ok {
		return fmt.Errorf("none of the carried systems has the kernel %s", release)
	}
	b.await("erofs", "overlay")
	if err := rootmount.Apply(rootmount.View(rootmount.Disk, system.Path, rootmount.Meta, rootmount.Root)); err != nil {
		return err
	}
	if err := show(rootmount.Root, slices.Concat([]string{dir}, ofSystem)); err != nil {
		return err
	}
	if isStorePath(list.Tools.Path) {
		err := rootmount.Apply(rootmount.View(rootmount.Disk, list.Tools.Path, toolsMeta, toolsRoot))
		if err == nil {
			err = show(toolsRoot, ofTools)
		}
		if err != nil {
			b.log.printf(logWarning, "the tools of the medium: %v", err)
		}
	}
	// Firmware files are looked for here first: firmware_class.path in the
	// kernel's admin-guide/kernel-parameters.
	_ = os.WriteFile("/sys/module/firmware_class/parameters/path", []byte(filepath.Join(rootmount.Root, "usr/lib/firmware")), 0)
	x, err := kmod.Read(os.DirFS(dir))
	if err != nil {
		return err
	}
	options, refused := b.wideChoice(x)
	why := kmod.Refused{}
	for name := range refused {
		why[name] = ""
	}
	if reason := b.holdFireWire(); reason != "" {
		refused[fireWireDriver], why[fireWireDriver] = true, reason
	}
	b.keepRefused(why)
	b.devices.widen(kmod.NewLoader(x, dir, options, refused))
	return nil
}

// show binds directories of a view to their places in the initramfs. What the
// view lacks is left out.
func show(view string, dirs []string) error {
	for _, dir := range dirs {
		from := filepath.Join(view, dir)
		if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
			continue
		}
		err := rootmount.Apply([]rootmount.Step{
			{Op: rootmount.Mkdir, Target: dir, Mode: 0o755},
			{Op: rootmount.Bind, Source: from, Target: dir},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// shown lists where undo finds what show has bound.
func shown() []string {
	dirs, _ := filepath.Glob(moduleTrees + "/*")
	return slices.Concat(dirs, ofSystem, ofTools)
}

// unwanted are directories of modules that an installer is better off without:
// a driver of the graphics card takes the screen away and builds it up anew.
var unwanted = []string{"kernel/drivers/gpu/", "kernel/drivers/video/", "kernel/drivers/watchdog/"}

// wideOptions are parameters of modules that only an installer wants.
var wideOptions = map[string]string{
	// Without it the sound of an Intel machine waits for the graphics driver,
	// which is not loaded: sound/hda/hdac_i915.c, snd_hdac_i915_init.
	"snd_hda_core": "gpu_bind=0",
}

// wideChoice decides how the modules of the carried system are loaded.
func (b *boot) wideChoice(x *kmod.Index) (options map[string]string, refused map[string]bool) {
	options = maps.Clone(wideOptions)
	for name, text := range b.line.Options {
		options[name] = strings.TrimSpace(options[name] + " " + text)
	}
	refused = kmod.Blacklist(os.DirFS(rootmount.Root))
	maps.Copy(refused, b.line.Refused)
	// The beeper would be the first sound card.
	refused["snd_pcsp"] = true
	for _, name := range x.Names() {
		m, _ := x.Module(name)
		if slices.ContainsFunc(unwanted, func(dir string) bool { return strings.HasPrefix(m.File, dir) }) {
			refused[name] = true
		}
	}
	return options, refused
}

// fireWireDriver reads the cycle timer of every controller that it drives.
const fireWireDriver = "firewire_ohci"

// keepRefused tells modprobe, in the rescue shell and for the kernel, what is
// not to be loaded.
func (b *boot) keepRefused(list kmod.Refused) {
	if len(list) == 0 {
		return
	}
	err := os.MkdirAll(filepath.Dir(kmod.RefusedFile), 0o755)
	if err == nil {
		err = os.WriteFile(kmod.RefusedFile, list.Encode(), 0o644)
	}
	if err != nil {
		b.log.printf(logWarning, "modprobe does not know what is refused: %v", err)
	}
}

// holdFireWire keeps the FireWire driver from controllers whose cycle timer
// must not be read, and says so. Where no other controller is left, it returns
// why the driver is refused altogether, else "".
func (b *boot) holdFireWire() (refused string) {
	facts, err := hwdetect.Read(os.DirFS("/"), hwdetect.Options{})
	if err != nil {
		b.log.printf(logWarning, "FireWire is left alone, for the machine cannot be looked at: %v", err)
		return "it is not known whether it reboots this machine, which cannot be looked at"
	}
	const mayReboot = "reading the cycle timer of this machine's FireWire controller may reboot it"
	held := heldFireWire(facts.FireWire)
	for _, c := range held {
		b.log.printf(logWarning, "the FireWire controller %s stays without its driver: reading the cycle timer of a %s behind this bridge reboots a machine with an AMD Zen", c.PCI, c.Name.Or("VIA VT6306"))
		// No driver has this name: Documentation/ABI/testing/sysfs-bus-pci, driver_override.
		if err := os.WriteFile(filepath.Join("/sys/bus/pci/devices", c.PCI, "driver_override"), []byte("reprise-none"), 0); err != nil {
			b.log.printf(logWarning, "%v", err)
			refused = mayReboot
		}
	}
	if len(held) > 0 && len(held) == len(facts.FireWire) {
		refused = mayReboot
	}
	return refused
}

// heldFireWire are the controllers that may reboot the machine. Where it is
// not known whether one does, it may.
func heldFireWire(all []hwdetect.FireWireController) []hwdetect.FireWireController {
	var held []hwdetect.FireWireController
	for _, c := range all {
		if reboots, known := c.RebootsOnCycleTimer.Get(); reboots || !known {
			held = append(held, c)
		}
	}
	return held
}

// forgetCarried ends what uses the medium's store, for another attempt.
func (b *boot) forgetCarried() {
	if b.carried != nil {
		b.carried.network.end()
	}
	b.carried = nil
	b.devices.widen(nil)
	// For a shell: reprise detect says what the machine is made of.
	if err := os.MkdirAll("/usr/bin", 0o755); err == nil {
		_ = os.Symlink("/init", "/usr/bin/reprise")
	}
}

// letGo undoes what widen has mounted.
func letGo() {
	for _, at := range slices.Concat(shown(), []string{toolsRoot, toolsMeta}) {
		for unix.Unmount(at, unix.MNT_DETACH) == nil {
		}
	}
}
