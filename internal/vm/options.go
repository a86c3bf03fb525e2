package vm

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func (o Options) withDefaults() Options {
	o.Firmware = cmp.Or(o.Firmware, UEFI)
	o.Accel = cmp.Or(o.Accel, TCG)
	o.MemoryMiB = cmp.Or(o.MemoryMiB, 1024)
	o.CPUs = cmp.Or(o.CPUs, 2)
	o.ISOBus = cmp.Or(o.ISOBus, SATA)
	o.Disks = slices.Clone(o.Disks)
	for i := range o.Disks {
		o.Disks[i].Bus = cmp.Or(o.Disks[i].Bus, Virtio)
	}
	return o
}

func (o Options) check() error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !slices.Contains([]Firmware{BIOS, UEFI, SecureBoot}, o.Firmware) {
		say("firmware %q: want %q, %q or %q", o.Firmware, BIOS, UEFI, SecureBoot)
	}
	if !slices.Contains([]Accel{Auto, TCG, HW}, o.Accel) {
		say("acceleration %q: want %q, %q or %q", o.Accel, Auto, TCG, HW)
	}
	if o.MemoryMiB < 64 || o.CPUs < 1 {
		say("%d MiB of memory and %d CPUs: want 64 and 1 at least", o.MemoryMiB, o.CPUs)
	}
	if o.SSHPort < 0 || o.SSHPort > 65535 {
		say("ssh port %d: want 1 to 65535, or 0 for a free one", o.SSHPort)
	}
	if len(o.Disks) == 0 && o.ISO == "" {
		say("no disk and no medium: nothing could be booted")
	}
	for _, d := range o.Disks {
		if !slices.Contains([]Bus{Virtio, NVMe, SATA, USB}, d.Bus) {
			say("bus %q of %q: want %q, %q, %q or %q", d.Bus, d.Path, Virtio, NVMe, SATA, USB)
		}
		if info, err := os.Stat(d.Path); err != nil {
			errs = append(errs, err)
		} else if info.IsDir() {
			say("%q is a directory: want a disk image", d.Path)
		}
		if d.Removable && d.Bus != USB {
			say("%q is removable and on bus %q: want %q", d.Path, d.Bus, USB)
		}
		if d.Later && d.Bus != USB {
			say("%q comes later and on bus %q: want %q", d.Path, d.Bus, USB)
		}
		if d.Log != "" && !d.Keep {
			say("writes to %q are logged and not kept: want Keep", d.Path)
		}
		if len(d.Bad) > 0 && (!d.Keep || d.Log != "") {
			say("%q has bad sectors: want Keep, and no Log", d.Path)
		}
		if strings.ContainsAny(d.Serial, ",=") {
			say("serial number %q: commas and equal signs are QEMU's own", d.Serial)
		}
	}
	if o.ISO != "" {
		if _, err := os.Stat(o.ISO); err != nil {
			errs = append(errs, err)
		}
		if !slices.Contains([]Bus{SATA, SCSI}, o.ISOBus) {
			say("bus %q of the CD drive: want %q or %q", o.ISOBus, SATA, SCSI)
		}
	}
	return errors.Join(errs...)
}

// Firmware files as Debian's ovmf package names them. Variables are used
// through a temporary overlay, so every machine begins with fresh ones; those
// of ".ms" hold Microsoft's keys and enforce Secure Boot.
const (
	ovmfCode       = "/usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVars       = "/usr/share/OVMF/OVMF_VARS_4M.fd"
	ovmfSecureCode = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
	ovmfSecureVars = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"
)

// command is the command line for o with the machine's working directory dir,
// and what has to be bound for it.
func (o Options) command(dir string) (argv []string, binds []Bind) {
	binds = []Bind{{Source: dir, Target: inside, Writable: true}}
	machine := "q35"
	if o.Firmware == SecureBoot {
		machine += ",smm=on" // else the variables' flash could be written by the guest
	}
	accel := string(o.Accel)
	cpu := "max"
	if o.Accel == HW {
		cpu = "host"
		binds = append(binds, Bind{Source: kvmDevice, Target: kvmDevice, Writable: true, Device: true})
	}
	argv = []string{
		qemu, "-nodefaults", "-no-user-config", "-name", "reprise",
		"-machine", machine, "-accel", accelArgument(accel), "-cpu", cpu,
		"-m", strconv.Itoa(o.MemoryMiB), "-smp", strconv.Itoa(o.CPUs),
		"-chardev", "stdio,id=line,signal=off", "-serial", "chardev:line",
		"-qmp", "unix:" + inside + "/" + qmpSocket + ",server=on,wait=off",
		"-device", "virtio-rng-pci",
		"-netdev", fmt.Sprintf("user,id=net,hostfwd=tcp:127.0.0.1:%d-:22", o.SSHPort),
		"-device", "virtio-net-pci,netdev=net,romfile=",
		"-vga", "std",
	}
	flash := func(unit int, file, rest string) {
		argv = append(argv, "-drive", fmt.Sprintf("if=pflash,unit=%d,format=raw,file=%s,%s", unit, file, rest))
	}
	switch o.Firmware {
	case UEFI:
		flash(0, ovmfCode, "readonly=on")
		flash(1, ovmfVars, "snapshot=on")
	case SecureBoot:
		argv = append(argv, "-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1")
		flash(0, ovmfSecureCode, "readonly=on")
		flash(1, ovmfSecureVars, "snapshot=on")
	}
	if o.Window {
		argv = append(argv, "-display", "gtk", "-device", "qemu-xhci", "-device", "usb-tablet")
		binds = append(binds, windowBinds()...)
	} else {
		argv = append(argv, "-display", "none")
	}
	sata := 0
	for i, d := range o.Disks {
		target := diskFile(i)
		binds = append(binds, Bind{Source: absolute(d.Path), Target: target, Writable: d.Keep})
		id := diskID(i)
		switch {
		case d.Log != "":
			log := fmt.Sprintf("%s-log%d", inside, i)
			binds = append(binds, Bind{Source: absolute(d.Log), Target: log, Writable: true})
			argv = append(argv, "-blockdev", fmt.Sprintf(`{"driver":"blklogwrites","node-name":%q,"discard":"unmap","log-sector-size":%d,`+
				`"file":{"driver":"raw","discard":"unmap","file":{"driver":"file","discard":"unmap","filename":%q}},`+
				`"log":{"driver":"raw","file":{"driver":"file","filename":%q}}}`, id, writeLogSector, target, log))
		case len(d.Bad) > 0:
			argv = append(argv, "-blockdev", fmt.Sprintf(`{"driver":"raw","node-name":%q,"discard":"unmap","file":{"driver":"blkdebug","discard":"unmap","inject-error":[%s],`+
				`"image":{"driver":"file","discard":"unmap","filename":%q}}}`, id, d.faults(), target))
		default:
			argv = append(argv, "-drive", d.drive(i))
		}
		argv = append(argv, d.device(id, i, sata)...)
		if d.Bus == SATA {
			sata++
		}
	}
	if o.ISO != "" {
		target := inside + "-cd"
		binds = append(binds, Bind{Source: absolute(o.ISO), Target: target})
		argv = append(argv, "-drive", "if=none,id=cd,media=cdrom,format=raw,readonly=on,file="+target)
		device, order := fmt.Sprintf("ide-cd,bus=ide.%d", sata), len(o.Disks)+1
		if o.ISOFirst {
			order = 0
		}
		if o.ISOBus == SCSI {
			argv = append(argv, "-device", "virtio-scsi-pci,id=cdbus")
			device = "scsi-cd,bus=cdbus.0"
		}
		argv = append(argv, "-device", fmt.Sprintf("%s,drive=cd,bootindex=%d", device, order))
	}
	if o.NoReboot {
		argv = append(argv, "-no-reboot")
	}
	return append(argv, o.Args...), binds
}

// diskID is QEMU's name of a disk's content, and diskFile that of its file in the
// sandbox.
func diskID(index int) string   { return fmt.Sprintf("disk%d", index) }
func diskFile(index int) string { return fmt.Sprintf("%s-disk%d", inside, index) }

// drive is the disk's content without a device.
func (d Disk) drive(index int) string {
	rest := "snapshot=on"
	if d.Keep {
		rest = "cache=writeback"
	}
	return fmt.Sprintf("if=none,id=%s,format=raw,discard=unmap,file=%s,%s", diskID(index), diskFile(index), rest)
}

// faults are blkdebug's rules for the sectors that are bad: they hold from the
// begin, for writes. Source: qapi/block-core.json of QEMU 7.2.
func (d Disk) faults() string {
	const eio = 5
	rules := make([]string, len(d.Bad))
	for i, sector := range d.Bad {
		rules[i] = fmt.Sprintf(`{"event":"none","iotype":"write","errno":%d,"sector":%d}`, eio, sector)
	}
	return strings.Join(rules, ",")
}

// device is the disk's place on its bus. q35 has six SATA ports of its own, of
// which sata is the first one that is free.
func (d Disk) device(id string, index, sata int) []string {
	serial := cmp.Or(d.Serial, fmt.Sprintf("reprise-%d", index))
	rest := fmt.Sprintf("drive=%s,serial=%s,bootindex=%d", id, serial, index+1)
	switch d.Bus {
	case NVMe:
		return []string{"-device", "nvme," + rest}
	case SATA:
		return []string{"-device", fmt.Sprintf("ide-hd,bus=ide.%d,", sata) + rest}
	case USB:
		bus := id + "usb"
		if d.Later {
			return []string{"-device", "qemu-xhci,id=" + bus}
		}
		if d.Removable {
			rest += ",removable=on"
		}
		return []string{"-device", "qemu-xhci,id=" + bus, "-device", "usb-storage,id=" + id + "device,bus=" + bus + ".0," + rest}
	}
	return []string{"-device", "virtio-blk-pci," + rest}
}

// environment is all that QEMU gets. Overlays of disks go to TMPDIR.
func (o Options) environment() []string {
	env := []string{"PATH=/usr/bin:/usr/sbin", "TMPDIR=" + inside, "HOME=" + inside, "LC_ALL=C.UTF-8"}
	if o.Window {
		for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "XAUTHORITY"} {
			if value := os.Getenv(name); value != "" {
				env = append(env, name+"="+value)
			}
		}
	}
	return env
}

// windowBinds are the sockets and the key of the user's screen, as far as
// they are there.
func windowBinds() []Bind {
	sources := []string{"/tmp/.X11-unix", os.Getenv("XAUTHORITY")}
	if name := os.Getenv("WAYLAND_DISPLAY"); name != "" {
		sources = append(sources, filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), name))
	}
	var binds []Bind
	for _, source := range sources {
		if source == "" {
			continue
		}
		if _, err := os.Stat(source); err == nil {
			binds = append(binds, Bind{Source: source, Target: source, Writable: true})
		}
	}
	return binds
}

// absolute makes path absolute; where the working directory is gone it is
// left as it is, and the bind says what is wrong.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// accelArgument is how QEMU is told. TCG runs all processors in one thread:
// with a thread each, QEMU 10.0 now and then ends in firmware that remaps
// memory ("iotlb_to_section: Assertion", system/physmem.c), because one
// processor looks a section up while another replaces the table.
func accelArgument(accel string) string {
	if accel == string(TCG) {
		return "tcg,thread=single"
	}
	return accel
}
