package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// relations checks values against each other, fills in defaults that depend on
// others, and tells every contradiction. Values that are bad by themselves
// were told before and are left alone.
func (c *checker) relations(cfg *Config) {
	c.kernel(cfg)
	c.users(cfg)
	c.groups(cfg)
	c.files(cfg)
	c.mounts(cfg)
	c.encrypted(cfg)
	c.network(cfg)
	c.audio(cfg)
	c.desktop(cfg)
	c.rest(cfg)
}

// kernel refuses the classic of musnix: boot.kernelPackages somewhere else
// silently wins, and the user believes the kernel is a real-time one.
func (c *checker) kernel(cfg *Config) {
	if cfg.Boot.KernelPackages == "" {
		cfg.Boot.KernelPackages = "linux"
		if cfg.Musnix.Kernel.Realtime {
			cfg.Boot.KernelPackages = "linux-rt"
		}
	}
	if cfg.Musnix.Kernel.Realtime && !cfg.Realtime() && c.sound("boot.kernelPackages", "musnix.kernel.realtime") {
		other := ""
		if place, exact := c.places.find("musnix.kernel.realtime"); exact {
			other = " at " + place.String()
		}
		c.fail("boot.kernelPackages", fmt.Sprintf("is %q, but musnix.kernel.realtime%s asks for a PREEMPT_RT kernel", cfg.Boot.KernelPackages, other),
			"one kernel", "write boot+: { kernelPackages: 'linux-rt' }, or leave one of the two out")
	}
	for i, param := range cfg.Boot.KernelParams {
		path := Path("boot", "kernelParams", i)
		name, _, _ := strings.Cut(param, "=")
		switch {
		case slices.Contains(ownParams, name):
			c.fail(path, "is "+strconv.Quote(param)+", which the boot entry sets", "other parameters", "remove it")
		case slices.Contains(knownParams, name) || len(name) < 5:
		default:
			for _, near := range diag.Nearest(name, knownParams) {
				if distanceOne(name, near) {
					c.fail(path, "is "+strconv.Quote(param)+", which the kernel would ignore", "a parameter the kernel knows", "write '"+strings.Replace(param, name, near, 1)+"'")
					break
				}
			}
		}
	}
}

// ownParams belong to the boot entry.
var ownParams = []string{"root", "rootfstype", "rootflags", "init", "initrd", "rdinit", "reprise.system"}

// knownParams are the parameters that people tune sound with. A word one slip
// away from one of them is that slip; the kernel says nothing about words it
// does not know. Source: Linux 6.12, admin-guide/kernel-parameters.txt.
var knownParams = []string{
	"amd_pstate", "audit", "clocksource", "console", "cpufreq.default_governor", "idle", "intel_idle.max_cstate",
	"intel_pstate", "irqaffinity", "isolcpus", "mitigations", "nohz_full", "nosmt", "nvme_core.default_ps_max_latency_us",
	"panic", "pcie_aspm", "preempt", "processor.max_cstate", "quiet", "rcu_nocbs", "skew_tick", "snd_hda_intel.power_save",
	"splash", "threadirqs", "tsc", "usbcore.autosuspend",
}

// distanceOne reports whether one letter is missing, added, changed, or
// swapped with its neighbour.
func distanceOne(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case a == b:
		return false
	case len(b) == len(a)+1:
		return a[i:] == b[i+1:]
	case len(a) != len(b):
		return false
	}
	if a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// files checks environment.etc.
func (c *checker) files(cfg *Config) {
	paths := sortedKeys(cfg.Environment.Etc)
	for _, name := range paths {
		path := Path("environment", "etc", name)
		if instead, ok := ownFiles[name]; ok {
			c.fail(path, "is a file that reprise writes", "what the file should say, as options", "write "+instead)
		}
		if top, _, _ := strings.Cut(name, "/"); top == "reprise" {
			c.fail(path, "lies where a machine keeps its own configuration, which is no part of a system", "another path", "write 'myfiles' in place of 'reprise'")
		}
		for _, other := range paths {
			if strings.HasPrefix(other, name+"/") {
				c.fail(path, fmt.Sprintf("is a file, and %q needs a directory there", other), "one or the other", "rename one of them")
				break
			}
		}
	}
}

// ownFiles are made from options, and from the accounts that packages bring.
var ownFiles = map[string]string{
	"fstab":         "fileSystems",
	"group":         "users.groups",
	"gshadow":       "users.groups",
	"hostname":      "networking.hostName",
	"hosts":         "networking.hostName and networking.domain",
	"ld.so.cache":   "nothing: it is made from the packages",
	"locale.conf":   "i18n.defaultLocale",
	"localtime":     "time.timeZone",
	"machine-id":    "nothing: every machine makes its own on its first boot",
	"passwd":        "users.users",
	"resolv.conf":   "networking.nameservers",
	"shadow":        "users.users",
	"timezone":      "time.timeZone",
	"vconsole.conf": "console.keyMap",
}

// mounts checks fileSystems.
func (c *checker) mounts(cfg *Config) {
	for _, point := range sortedKeys(cfg.FileSystems) {
		path := Path("fileSystems", point)
		first, _, _ := strings.Cut(strings.TrimPrefix(point, "/"), "/")
		switch {
		case point == "/" || slices.Contains(ownMounts, point):
			c.fail(path, "is a place that the image lays out itself", "another mount point", "mount it below /mnt, /srv or /home")
		case slices.Contains(readOnlyTops, first):
			c.fail(path, "lies where the system is read-only", "another mount point", "mount it below /mnt, /srv or /home")
		case cfg.FileSystems[point].Device == "" && c.sound(path):
			c.fail(path, "has no device", deviceFormat.want, "add device: '"+deviceFormat.example+"'")
		}
	}
}

// encrypted checks boot.initrd.luks: it is for the one root file system.
func (c *checker) encrypted(cfg *Config) {
	devices := cfg.Boot.Initrd.LUKS.Devices
	const path = "boot.initrd.luks.devices"
	for _, name := range sortedKeys(devices) {
		if at := Path("boot", "initrd", "luks", "devices", name); devices[name].Device == "" && c.sound(at) {
			c.fail(at, "has no device", luksFormat.want, "add device: '"+luksFormat.example+"'")
		}
	}
	if len(devices) > 1 && c.sound(path) {
		c.fail(path, fmt.Sprintf("has %d devices", len(devices)), "the one that holds the root file system",
			"leave the others out: they are opened when the machine runs, by cryptsetup open")
	}
}

var (
	ownMounts    = []string{"/nix", "/nix/store", "/var", "/home", "/root", "/srv", "/efi", "/run", "/tmp"}
	readOnlyTops = []string{"bin", "boot", "dev", "efi", "etc", "lib", "lib64", "nix", "proc", "sbin", "sys", "usr"}
)

// network checks that the default gateway can be reached.
func (c *checker) network(cfg *Config) {
	gateway, err := netip.ParseAddr(cfg.Networking.DefaultGateway)
	if err != nil || !c.sound("networking") {
		return
	}
	for _, i := range cfg.Networking.Interfaces {
		for _, a := range i.Addresses {
			if p, err := netip.ParsePrefix(a); err == nil && p.Contains(gateway) || gateway.IsLinkLocalUnicast() {
				return
			}
		}
	}
	c.fail("networking.defaultGateway", fmt.Sprintf("is %q, which no fixed address of networking.interfaces reaches", gateway),
		"a gateway in the network of a fixed address", "write interfaces: { enp3s0: { addresses: ['"+neighbour(gateway)+"'] } }, or leave the gateway to DHCP")
}

// neighbour is an example of an address in the gateway's network.
func neighbour(gateway netip.Addr) string {
	bits, next := 24, gateway.Next()
	if gateway.Is6() {
		bits = 64
	}
	if !next.IsValid() || !netip.PrefixFrom(gateway, bits).Contains(next) {
		next = gateway.Prev()
	}
	return netip.PrefixFrom(next, bits).String()
}

// audio checks what musnix and JACK need from elsewhere.
func (c *checker) audio(cfg *Config) {
	m := cfg.Musnix
	threaded := cfg.Realtime() || m.Enable || slices.Contains(cfg.Boot.KernelParams, "threadirqs")
	if m.Rtirq.Enable && !threaded && c.sound("musnix", "boot") {
		c.fail("musnix.rtirq.enable", "is true, but interrupts have no threads on this kernel", "threaded interrupts",
			"write musnix+: { enable: true }, or kernel: { realtime: true }")
	}
	if m.Rtirq.PrioLow > m.Rtirq.PrioHigh && c.sound("musnix.rtirq") {
		c.fail("musnix.rtirq.prioLow", fmt.Sprintf("is %d, above prioHigh, which is %d", m.Rtirq.PrioLow, m.Rtirq.PrioHigh), "prioLow below prioHigh", "write prioLow: 51")
	}
	c.soundServers(cfg)
	if cfg.Services.Jack.Jackd.Enable && c.sound("users", "services.jack") && len(cfg.inGroup("audio")) == 0 {
		c.fail("services.jack.jackd.enable", "is true, but no user is in group audio", "a user who may run it in real time",
			"write users+: { users+: { rig+: { extraGroups+: ['audio'] } } }")
	}
}

// soundServers tells of settings for a server that is not there, and of two
// servers for one card. What is set for a processor's clock on battery needs a
// clock that is set on mains.
func (c *checker) soundServers(cfg *Config) {
	p := cfg.Services.Pipewire
	if !p.Enable {
		for _, o := range []struct {
			path string
			set  bool
		}{
			{"services.pipewire.alsa.enable", p.Alsa.Enable},
			{"services.pipewire.extraConfig.pipewire", len(p.ExtraConfig.Pipewire) > 0},
			{"services.pipewire.jack.enable", p.Jack.Enable},
			{"services.pipewire.pulse.enable", p.Pulse.Enable},
			{"services.pipewire.wireplumber.extraConfig", len(p.Wireplumber.ExtraConfig) > 0},
		} {
			if o.set && c.sound("services.pipewire") {
				c.fail(o.path, "is set, but services.pipewire.enable is not", "PipeWire, or no settings for it", "write services+: { pipewire+: { enable: true } }, or remove it")
				break
			}
		}
	}
	if cfg.Services.Jack.Jackd.Enable && p.Enable && p.Jack.Enable && c.sound("services") {
		c.fail("services.pipewire.jack.enable", "is true, but services.jack.jackd.enable is true, too", "one JACK",
			"write services+: { jack+: { jackd+: { enable: false } } }, or leave this one out")
	}
	if m := cfg.PowerManagement; m.CPUFreqGovernorOnBattery != "" && m.CPUFreqGovernor == "" && !cfg.Musnix.Enable && c.sound("powerManagement") {
		c.fail("powerManagement.cpuFreqGovernorOnBattery", "is set, but powerManagement.cpuFreqGovernor is not", "both",
			"write powerManagement+: { cpuFreqGovernor: 'performance' }")
	}
}

// rest checks what stands alone.
func (c *checker) rest(cfg *Config) {
	if cfg.Hardware.EnableRedistributableFirmware && !slices.Contains(cfg.Archive.Components, "non-free-firmware") && c.sound("archive.components") {
		c.fail("hardware.enableRedistributableFirmware", "is true, but archive.components leaves non-free-firmware out", "both or neither",
			"add 'non-free-firmware' to archive.components")
	}
	c.units("systemd.units", cfg.Systemd.Units)
	c.units("systemd.user.units", cfg.Systemd.User.Units)
	if len(cfg.Archive.Suites) == 0 && c.sound("archive.suites") {
		c.fail("archive.suites", "is empty", "one suite or more", "write suites: ['trixie', 'trixie-updates', 'trixie-security']")
	}
	if len(cfg.Archive.Components) == 0 && c.sound("archive.components") {
		c.fail("archive.components", "is empty", "one component or more", "write components: ['main', 'contrib', 'non-free-firmware']")
	}
	if len(cfg.Services.OpenSSH.Ports) == 0 && c.sound("services.openssh.ports") {
		c.fail("services.openssh.ports", "is empty", "one port or more", "write ports: [22]")
	}
	if l := cfg.I18n.DefaultLocale; l != "C.UTF-8" && l != "" {
		if !slices.Contains(cfg.I18n.SupportedLocales, l+"/UTF-8") {
			cfg.I18n.SupportedLocales = append(cfg.I18n.SupportedLocales, l+"/UTF-8")
		}
	}
	slices.Sort(cfg.I18n.SupportedLocales)
	if cfg.Archive.SecurityMirror != "" && cfg.Archive.Mirror == "" && c.sound("archive") {
		c.fail("archive.securityMirror", "is set, but archive.mirror is not", "both or neither", "add mirror: '"+urlFormat.example+"'")
	}
	if cfg.Archive.SecurityMirror == "" && cfg.Archive.Mirror != "" {
		cfg.Archive.SecurityMirror = strings.TrimRight(cfg.Archive.Mirror, "/") + "-security"
	}
}

// units checks units and drop-ins.
func (c *checker) units(path string, units map[string]Unit) {
	for _, name := range sortedKeys(units) {
		u := units[name]
		if !u.Enable && (u.Text != "" || len(u.WantedBy) > 0) {
			c.fail(program.Join(path, name), "is masked by enable: false, but has text or wantedBy", "one or the other", "remove enable: false, or the rest")
		}
		if u.Enable && u.Text == "" && len(u.WantedBy) == 0 && c.sound(program.Join(path, name)) {
			c.fail(program.Join(path, name), "says nothing", "text, wantedBy or enable: false", "add one of them, or remove it")
		} else if strings.Contains(name, ".d/") && (u.Text == "" || len(u.WantedBy) > 0 || !u.Enable) {
			c.fail(program.Join(path, name), "is a drop-in, which is nothing but text", "text, and neither enable nor wantedBy", "set those on the unit itself")
		}
	}
}
