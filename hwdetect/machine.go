package hwdetect

import (
	"encoding/binary"
	"path"
	"slices"
	"strconv"
	"strings"
)

func (t *tree) readKernel() Kernel {
	k := Kernel{Release: t.text("proc/sys/kernel/osrelease"), CommandLine: t.text("proc/cmdline")}
	version := t.text("proc/version")
	if !k.Release.Known() {
		// "Linux version 6.12.117+deb13-amd64 (…) …"
		if f := strings.Fields(version.Or("")); len(f) > 2 && f[0] == "Linux" {
			k.Release = Is(f[2])
		}
	}
	switch v, ok := version.Get(); {
	case t.text("sys/kernel/realtime").Or("") == "1":
		k.RealTime = Is(true)
	case ok:
		k.RealTime = Is(strings.Contains(v, "PREEMPT_RT") || strings.Contains(v, "PREEMPT RT"))
	}
	return k
}

func (t *tree) readMemory() Memory {
	var m Memory
	data, _ := t.data("proc/meminfo")
	for _, line := range lines(data) {
		key, value, _ := strings.Cut(line, ":")
		f := strings.Fields(value)
		if len(f) == 0 {
			continue
		}
		kib, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil || kib < 0 || kib > 1<<50 {
			continue
		}
		switch key {
		case "MemTotal":
			m.UsableBytes = Is(kib << 10)
		case "SwapTotal":
			m.SwapBytes = Is(kib << 10)
		}
	}
	const blocks = "sys/devices/system/memory"
	size, err := strconv.ParseInt(strings.TrimPrefix(t.text(blocks, "block_size_bytes").Or(""), "0x"), 16, 64)
	if err != nil || size <= 0 || size > 1<<40 {
		return m
	}
	var count int64
	for _, name := range t.list(blocks) {
		n, ok := strings.CutPrefix(name, "memory")
		if _, err := strconv.Atoi(n); ok && err == nil && t.text(blocks, name, "online").Or("1") == "1" {
			count++
		}
	}
	if count > 0 {
		m.PhysicalBytes = Is(count * size)
	}
	return m
}

const (
	dmiDir        = "sys/class/dmi/id"
	deviceTreeDir = "proc/device-tree"
)

// forms of SMBIOS chassis types. Source: SMBIOS 3.7, 7.4.1.
var forms = map[int]Form{
	3: FormDesktop, 4: FormDesktop, 5: FormDesktop, 6: FormDesktop, 7: FormDesktop, 13: FormDesktop, 15: FormDesktop, 16: FormDesktop, 24: FormDesktop,
	8: FormLaptop, 9: FormLaptop, 10: FormLaptop, 14: FormLaptop, 31: FormLaptop, 32: FormLaptop,
	11: FormTablet, 30: FormTablet,
	17: FormServer, 22: FormServer, 23: FormServer, 25: FormServer, 28: FormServer, 29: FormServer,
	33: FormEmbedded, 34: FormEmbedded,
	35: FormMini, 36: FormMini,
}

// thinClients are words in the names of machines that are sold as thin
// clients: their chassis type says desktop or mini.
var thinClients = []string{"thin client", "wyse", "igel", "futro"}

// filler is what makers leave in fields that they did not fill in.
var filler = []string{
	"to be filled by o.e.m.", "to be filled by oem", "default string", "system product name", "system manufacturer", "system version",
	"system serial number", "not specified", "not applicable", "not available", "none", "n/a", "o.e.m.", "oem", "unknown", "invalid", "empty",
	"0123456789", "123456789", "00000000-0000-0000-0000-000000000000", "chassis serial number", "base board serial number", "undefined",
}

// dmi reads a field of SMBIOS; what a maker did not fill in is not known.
func (t *tree) dmi(dir, name string) Known[string] {
	v := t.text(dir, name)
	s, ok := v.Get()
	if !ok || slices.Contains(filler, strings.ToLower(s)) || strings.Trim(s, "0.xX- ") == "" {
		return Known[string]{}
	}
	return v
}

func (t *tree) readChassis() Chassis {
	dir := t.real(dmiDir)
	c := Chassis{
		Type:        t.number(dir, "chassis_type"),
		Vendor:      t.dmi(dir, "sys_vendor"),
		Product:     t.dmi(dir, "product_name"),
		Version:     t.dmi(dir, "product_version"),
		Serial:      t.dmi(dir, "product_serial"),
		UUID:        t.dmi(dir, "product_uuid"),
		BoardVendor: t.dmi(dir, "board_vendor"),
		Board:       t.dmi(dir, "board_name"),
	}
	if n, ok := c.Type.Get(); ok {
		if form, ok := forms[n]; ok {
			c.Form = Is(form)
		}
	}
	names := strings.ToLower(c.Product.Or("") + " " + c.Version.Or("") + " " + c.Vendor.Or(""))
	for _, word := range thinClients {
		if strings.Contains(names, word) && c.Form.Or(FormDesktop) != FormLaptop {
			c.Form = Is(FormThin)
		}
	}
	// HP's thin clients are "t620" and the like, without the word.
	if f := strings.Fields(strings.ToLower(c.Product.Or(""))); len(f) > 1 && f[0] == "hp" && len(f[1]) == 4 && f[1][0] == 't' && strings.Trim(f[1][1:], "0123456789") == "" {
		c.Form = Is(FormThin)
	}
	if c.Product.Known() || c.Type.Known() {
		return c
	}
	// Boards with a device tree have no SMBIOS.
	if model, ok := t.text(deviceTreeDir, "model").Get(); ok {
		c.Product, c.Form = Is(model), Is(FormEmbedded)
		if kind, ok := t.text(deviceTreeDir, "chassis-type").Get(); ok {
			switch kind {
			case "laptop", "convertible", "detachable":
				c.Form = Is(FormLaptop)
			case "tablet", "handset":
				c.Form = Is(FormTablet)
			case "desktop":
				c.Form = Is(FormDesktop)
			case "server":
				c.Form = Is(FormServer)
			}
		}
		if c.Serial = t.text(deviceTreeDir, "serial-number"); c.Serial.Known() {
			c.Serial = some(strings.Trim(c.Serial.Or(""), "\x00"))
		}
	}
	return c
}

// Names of UEFI's global variables. Source: UEFI 2.10, 3.3.
const (
	efiDir    = "sys/firmware/efi"
	efiGlobal = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
)

func (t *tree) readFirmware() Firmware {
	dir := t.real(dmiDir)
	f := Firmware{
		Vendor:  t.dmi(dir, "bios_vendor"),
		Version: t.dmi(dir, "bios_version"),
		Date:    t.dmi(dir, "bios_date"),
	}
	switch {
	case t.has(efiDir):
		f.UEFI = Is(true)
		f.Bits = t.number(efiDir, "fw_platform_size")
		f.SecureBoot = t.efiFlag("SecureBoot")
		f.SetupMode = t.efiFlag("SetupMode")
	case t.has("sys/firmware"):
		f.UEFI = Is(false)
		f.SecureBoot = Is(false)
	}
	return f
}

// efiFlag reads a UEFI variable of one byte; four bytes of attributes come
// before it. Kernels with PREEMPT_RT do not offer them: not known.
func (t *tree) efiFlag(name string) Known[bool] {
	b, ok := t.data(path.Join(efiDir, "efivars", name+efiGlobal))
	if !ok || len(b) != 5 || binary.LittleEndian.Uint32(b) == 0 {
		return Known[bool]{}
	}
	return Is(b[4] == 1)
}

// hypervisors by words in SMBIOS: vendor, product, board vendor, BIOS vendor.
var hypervisors = []struct{ word, name string }{
	{"kvm", "kvm"}, {"virtualbox", "virtualbox"}, {"innotek", "virtualbox"}, {"vmware", "vmware"},
	{"xen", "xen"}, {"parallels", "parallels"}, {"bhyve", "bhyve"}, {"bochs", "bochs"},
	{"amazon ec2", "amazon"}, {"google compute engine", "google"}, {"openstack", "kvm"}, {"rhev", "kvm"}, {"ovirt", "kvm"},
	{"kubevirt", "kvm"}, {"apple virtualization", "apple"}, {"qemu", "qemu"}, {"firecracker", "firecracker"},
}

// virtio is the vendor of PCI devices that many hypervisors offer: they show a
// guest, and not whose.
const virtio = 0x1af4

// virtualVendors are PCI vendors whose devices exist in guests of one
// hypervisor only.
var virtualVendors = map[uint16]string{
	0x1b36: "qemu", // Red Hat, emulated devices of QEMU
	0x80ee: "virtualbox",
	0x15ad: "vmware",
	0x5853: "xen",
	0x1414: "hyper-v",
	0x1ab8: "parallels",
}

func (t *tree) readVirtual(pci []PCIDevice) Virtual {
	var v Virtual
	data, hasInfo := t.data("proc/cpuinfo")
	flagged := false
	for _, line := range lines(data) {
		if key, value, _ := strings.Cut(line, ":"); clean(key) == "flags" {
			flagged = slices.Contains(strings.Fields(value), "hypervisor")
			break
		}
	}
	dir := t.real(dmiDir)
	var words []string
	for _, name := range []string{"sys_vendor", "product_name", "board_vendor", "bios_vendor"} {
		words = append(words, strings.ToLower(t.text(dir, name).Or("")))
	}
	all := strings.Join(words, "\n")
	for _, h := range hypervisors {
		if strings.Contains(all, h.word) {
			v.Hypervisor = Is(h.name)
			break
		}
	}
	// Hyper-V's machines say Microsoft, and so do laptops made by Microsoft.
	if words[0] == "microsoft corporation" && words[1] == "virtual machine" {
		v.Hypervisor = Is("hyper-v")
	}
	if kind, ok := t.text("sys/hypervisor/type").Get(); ok && kind != "" {
		v.Hypervisor = Is(kind)
	}
	if !v.Hypervisor.Known() {
		for _, d := range pci {
			if name, ok := virtualVendors[d.ID.Vendor]; ok {
				v.Hypervisor = Is(name)
				break
			}
		}
	}
	paravirtual := len(t.list("sys/bus/virtio/devices")) > 0 || slices.ContainsFunc(pci, func(d PCIDevice) bool { return d.ID.Vendor == virtio })
	switch {
	case v.Hypervisor.Known() || flagged || paravirtual:
		v.Guest = Is(true)
	case hasInfo:
		v.Guest = Is(false)
	}
	if c, ok := t.text("run/systemd/container").Get(); ok {
		v.Container = Is(c)
	}
	return v
}

func (t *tree) readPower(form Known[Form]) Power {
	const dir = "sys/class/power_supply"
	var p Power
	mains, feeding := 0, 0
	for _, name := range t.list(dir) {
		supply := t.real(dir, name)
		// Mice, headsets and pens have batteries too.
		if t.text(supply, "scope").Or("System") != "System" {
			continue
		}
		switch t.text(supply, "type").Or("") {
		case "Battery":
			if t.text(supply, "present").Or("1") == "0" {
				continue
			}
			p.Batteries = append(p.Batteries, Battery{clean(name), t.number(supply, "capacity"), t.text(supply, "status")})
		case "Mains", "USB", "USB_C", "USB_PD", "Wireless":
			if online, ok := t.text(supply, "online").Get(); ok {
				mains++
				if online != "0" {
					feeding++
				}
			}
		}
	}
	discharging := slices.ContainsFunc(p.Batteries, func(b Battery) bool { return b.Status.Or("") == "Discharging" })
	switch {
	case feeding > 0:
		p.OnBattery = Is(false)
	case len(p.Batteries) > 0 && mains > 0, discharging:
		p.OnBattery = Is(true)
	case len(p.Batteries) == 0 && (mains > 0 || form.Known() && form.Or("") != FormLaptop && form.Or("") != FormTablet):
		p.OnBattery = Is(false)
	}
	switch f, ok := form.Get(); {
	case ok && (f == FormLaptop || f == FormTablet):
		p.Laptop = Is(true)
	case ok && f != FormEmbedded && f != FormMini:
		// A desktop with a battery has a UPS.
		p.Laptop = Is(false)
	case len(p.Batteries) > 0:
		p.Laptop = Is(true)
	case ok:
		p.Laptop = Is(false)
	}
	return p
}
