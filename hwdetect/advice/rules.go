package advice

// rules in the order in which they speak. Sources: kernel documentation and
// drivers at 6.12, Debian trixie's packages, and threads in which somebody
// measured or lost an evening; their addresses stand with the rule.
var rules = []rule{
	// The kernel and its line.
	{"kernel", "NVIDIA/open-gpu-kernel-modules#1240, nixpkgs#110724: \"Failed PREEMPT_RT sanity check\"; Debian trixie linux-image-rt-amd64", ruleKernel},
	{"virtual machine", "PipeWire 1.4.2 pipewire.conf, context.properties.rules: min-quantum 1024 in a VM", ruleGuest},
	{"housekeeping", "Linux 6.12 admin-guide/kernel-parameters.txt: irqaffinity, rcu_nocbs; MitchSchwartz/MPE-Sound-Module#38; Ubuntu Studio 25.10 grub.d", ruleHousekeeping},
	{"hybrid cores", "discourse.ardour.org/t/112571: real-time threads on P-cores end the dropouts", ruleHybrid},
	{"weaknesses of the processor", "Linux 6.12 admin-guide/kernel-parameters.txt: mitigations, nosmt; rtcqs 0.6.4; wiki.linuxaudio.org system_configuration", ruleRisky},

	{"microcode", "Linux 6.12 arch/x86/microcode.rst: early loading; Debian trixie amd64-microcode and intel-microcode", ruleMicrocode},

	// Power.
	{"governor", "musnix modules/base.nix; wiki.linuxaudio.org system_configuration; systemd-ac-power(1)", ruleGovernor},
	{"idle states", "Linux 6.12 admin-guide/pm/cpuidle.rst: /dev/cpu_dma_latency", ruleIdle},
	{"HDA power saving", "Linux 6.12 sound/designs/powersave.rst; Debian's CONFIG_SND_HDA_POWER_SAVE_DEFAULT is 10 seconds", ruleHDAPower},
	{"USB autosuspend", "geoffreybennett/linux-fcp#11; Linux 6.12 driver-api/usb/power-management.rst", ruleAutosuspend},

	// Disks.
	{"disks that rotate", "jackaudio/jack2#491: writing back causes dropouts where load on the CPU does not; Linux 6.12 admin-guide/sysctl/vm.rst", ruleDisks},

	// Interrupts and places.
	{"interrupt priorities", "rtirq 20150216; PipeWire 1.4.2 module-rt: rt.prio 88, below a card's interrupt at 90", rulePriorities},
	{"shared interrupts", "Schroedingers-Cat/snd-hdspe#7; autostatic.com/tag/jmicron; rtcqs irqs_check", ruleShared},
	{"PCI latency", "musnix modules/base.nix; pcisig conventional PCI 3.0, 6.2.4; takaswie/linux-firewire-dkms#40: never set it for all", rulePCILatency},
	{"USB places", "linux-fcp#45, #46, #52, #59; raspberrypi/linux#4314; nixos-facter report of a Yamaha TF three hubs deep", ruleUSBPlaces},
	{"outside PCI", "PhilippeBekaert/snd-hdspe#3: double and quad speed distorted behind Thunderbolt", ruleOutsidePCI},

	// FireWire.
	{"FireWire controllers", "Linux 6.12 drivers/firewire/ohci.c: ohci_quirks[], detect_vt630x_with_asm1083_on_amd_ryzen_machine", ruleFireWireControllers},
	{"FireWire units", "takaswie/linux-firewire-dkms#21, #22, #26, #27, #47; alsa-project/snd-firewire-ctl-services#118", ruleFireWireUnits},

	// Cards and servers.
	{"card names", "Linux 6.12 sound/core/init.c: id_store; trap: numbers and ids move", ruleNames},
	{"sound server", "jackd(1): -n 3 for USB and FFADO; pipewire.conf(5); wireplumber 0.5 monitor.alsa.rules", ruleServer},
	{"silent hardware", "alsa-lib#462, #515; thesofproject/linux#4923, #5827, #5921", ruleSilent},
	{"firmware", "Debian trixie firmware-sof-signed and firmware-* packages", ruleFirmware},
}
