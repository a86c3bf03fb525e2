package hwdetect

import (
	"path"
	"slices"
	"strings"
)

const netDir = "sys/class/net"

// Hardware types of interfaces. Source: include/uapi/linux/if_arp.h.
const (
	arpEthernet   = 1
	arpFireWire   = 24
	arpInfiniband = 32
)

// readNetwork lists the network interfaces that have hardware behind them.
func (t *tree) readNetwork() []NetworkDevice {
	var all []NetworkDevice
	for _, name := range t.list(netDir) {
		dir := t.real(netDir, name)
		device := t.real(dir, "device")
		if device == path.Join(dir, "device") {
			continue
		}
		n := NetworkDevice{Name: clean(name), Kind: "other", Address: t.text(dir, "address"), Driver: t.base(device, "driver"), Carrier: t.flag(dir, "carrier")}
		if strings.Trim(n.Address.Or(""), "0:") == "" {
			n.Address = Known[string]{}
		}
		if mbps, ok := t.number(dir, "speed").Get(); ok && mbps > 0 && mbps < 1<<24 {
			n.SpeedMbps = Is(mbps)
		}
		data, _ := t.data(path.Join(dir, "uevent"))
		switch devtype := parseUevent(data)["DEVTYPE"]; {
		case devtype == "wlan" || t.has(dir, "wireless") || t.has(dir, "phy80211"):
			n.Kind = "wifi"
		case devtype == "wwan" || devtype == "bluetooth":
			n.Kind = devtype
		default:
			switch t.number(dir, "type").Or(0) {
			case arpEthernet:
				n.Kind = "ethernet"
			case arpFireWire:
				n.Kind = "firewire"
			case arpInfiniband:
				n.Kind = "infiniband"
			}
		}
		for p := device; p != "." && p != "/"; p = path.Dir(p) {
			base := path.Base(p)
			if usbDevice.MatchString(base) || pciAddress.MatchString(base) {
				n.Device = Is(base)
				break
			}
		}
		if virtioName.MatchString(path.Base(device)) && !n.Driver.Known() {
			n.Driver = Is("virtio_net")
		}
		all = append(all, n)
	}
	return all
}

// readGPUs lists display adapters and 3D controllers. Headless ones (0x0302)
// and those in guests are GPUs as well.
func (t *tree) readGPUs(pci []PCIDevice) []GPU {
	const nvidia = 0x10de
	var all []GPU
	for _, d := range pci {
		if !isDisplay(d) {
			continue
		}
		all = append(all, GPU{
			PCI: Is(d.Address), ID: Is(d.ID), Name: d.Name, Driver: d.Driver, Class: Is(d.Class),
			Boot:   t.flag(t.real(pciDir, d.Address), "boot_vga"),
			NVIDIA: d.ID.Vendor == nvidia,
		})
	}
	// Boards have their display outside of PCI.
	const drm = "sys/class/drm"
	for _, name := range t.list(drm) {
		if !strings.HasPrefix(name, "card") || strings.Contains(name, "-") {
			continue
		}
		device := t.real(t.real(drm, name), "device")
		onPCI := slices.ContainsFunc(strings.Split(device, "/"), pciAddress.MatchString)
		if driver := t.base(device, "driver"); !onPCI && driver.Known() {
			all = append(all, GPU{Driver: driver, NVIDIA: driver.Or("") == "nvidia"})
		}
	}
	return all
}
