package advice

import (
	"slices"
	"strings"
)

// An Effect is an option that a rule may set, and where it acts in the built
// system. No setting is without one; a test in internal/effect/machine holds
// that each reaches its place.
type Effect struct {
	Option string // what a Setting's Option is, or begins with
	Where  string
	// packages are those of Debian that the option brings, by its value.
	packages func(value any) []string
}

// Effects returns every option that advice may set, sorted by name.
func Effects() []Effect { return slices.Clone(effects) }

var effects = []Effect{
	{"boot.blacklistedKernelModules", "/etc/modprobe.d/reprise.conf, which udev and modprobe read before they load a module", nil},
	{"boot.extraModprobeConfig", "/etc/modprobe.d/reprise.conf, which udev and modprobe read before they load a module", nil},
	{"boot.kernel.sysctl", "/etc/sysctl.d/60-reprise.conf, which systemd-sysctl applies", nil},
	{"boot.kernelParams", "the kernel's command line in the boot entry", nil},
	{"hardware.enableRedistributableFirmware", "the firmware-* packages in /usr/lib/firmware", always(
		"firmware-amd-graphics", "firmware-atheros", "firmware-brcm80211", "firmware-cirrus", "firmware-intel-graphics", "firmware-intel-misc",
		"firmware-intel-sound", "firmware-iwlwifi", "firmware-linux-free", "firmware-mediatek", "firmware-misc-nonfree", "firmware-realtek",
		"firmware-sof-signed")},
	{"hardware.cpu.amd.updateMicrocode", "corrections of the processor at the head of the initramfs", always("amd64-microcode")},
	{"hardware.cpu.intel.updateMicrocode", "corrections of the processor at the head of the initramfs", always("intel-microcode")},
	{"musnix.ffado.enable", "libffado and JACK's firewire back end", always("ffado-tools", "jackd2-firewire", "libffado2")},
	{"musnix.kernel.realtime", "the kernel of the boot entry", func(v any) []string {
		if v == true {
			return []string{"linux-image-rt-amd64"}
		}
		return []string{"linux-image-amd64"}
	}},
	{"musnix.rtirq.enable", "rtirq.service, which sets the priorities of interrupt threads", always("rtirq-init", "procps")},
	{"musnix.rtirq.nameList", "/etc/default/rtirq, which rtirq.service reads", always("rtirq-init", "procps")},
	{"musnix.soundcardPciId", "pci-latency.service, which runs setpci for this card", always("pciutils")},
	{"powerManagement.cpuFreqGovernor", "cpufreq.service, and cpufreq.default_governor on the kernel's command line", nil},
	{"powerManagement.cpuFreqGovernorOnBattery", "cpufreq.service, and a rule of udev that runs it when mains power comes or goes", nil},
	{"powerManagement.maxIdleLatency", "cpu-latency.service, which holds /dev/cpu_dma_latency", nil},
	{"services.jack.jackd.extraOptions", "the command line of jackd.service of every user in group audio", nil},
	{"services.pipewire.extraConfig.pipewire", "/etc/pipewire/pipewire.conf.d", nil},
	{"services.pipewire.wireplumber.extraConfig", "/etc/wireplumber/wireplumber.conf.d", nil},
	{"services.udev.extraRules", "/etc/udev/rules.d/99-local.rules", nil},
	{"systemd.user.units", "a drop-in below /etc/systemd/user", nil},
}

func always(packages ...string) func(any) []string {
	return func(any) []string { return packages }
}

// EffectOf returns where a setting acts.
func EffectOf(s Setting) (Effect, bool) {
	for _, e := range effects {
		if rest, ok := strings.CutPrefix(s.Option, e.Option); ok && (rest == "" || rest[0] == '[') {
			return e, true
		}
	}
	return Effect{}, false
}

// PackagesFor returns the Debian packages that a setting brings.
func PackagesFor(s Setting) []string {
	if e, ok := EffectOf(s); ok && e.packages != nil {
		return e.packages(s.Value)
	}
	return nil
}

// Packages returns every Debian package that advice may ask for, sorted: a
// medium that carries them needs no network.
func Packages() []string {
	var all []string
	for _, e := range effects {
		if e.packages != nil {
			all = append(all, e.packages(true)...)
			all = append(all, e.packages(false)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
