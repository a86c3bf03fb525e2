package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/internal/config"
)

func TestMain(m *testing.M) {
	config.EvalMain()
	os.Exit(m.Run())
}

// layers evaluates a configuration and returns what all effects make of it.
func layers(t *testing.T, text string) (string, *config.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rig.jsonnet")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Evaluate(t.Context(), file, config.EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, real := install(t, packages(t))
	var b strings.Builder
	for _, e := range All() {
		got, err := build(t, e, cfg, c, real)
		if err != nil {
			t.Fatalf("%s: %v", e.Name, err)
		}
		b.WriteString(got)
	}
	return b.String(), cfg
}

// Each option that tunes for the hardware reaches the built system: as a line
// of a layer, a word of the kernel's command line, or a package.
func TestSoundOptionsReachTheSystem(t *testing.T) {
	const base = "{ users: { users: { rig: { extraGroups: ['audio'] } } } }"
	plain, plainConfig := layers(t, base)
	for _, test := range []struct {
		option string
		text   string   // what is added to base
		layer  []string // in the layers, and not without the option
		params []string // on the kernel's command line
		roots  []string // packages
	}{
		{"boot.kernelParams", "{ boot+: { kernelParams+: ['irqaffinity=0'] } }", nil, []string{"irqaffinity=0"}, nil},
		{"boot.blacklistedKernelModules", "{ boot+: { blacklistedKernelModules+: ['firewire_ohci'] } }", []string{"etc/modprobe.d/reprise.conf", "\nblacklist firewire_ohci\n"}, nil, nil},
		{"boot.extraModprobeConfig", "{ boot+: { extraModprobeConfig+: 'options snd_hda_intel power_save=0\\n' } }", []string{"\noptions snd_hda_intel power_save=0\n"}, nil, nil},
		{"boot.kernel.sysctl", "{ boot+: { kernel+: { sysctl+: { 'vm.dirty_bytes': 52428800 } } } }", []string{"\nvm.dirty_bytes = 52428800\n"}, nil, nil},
		{"hardware.cpu.amd.updateMicrocode", "{ hardware+: { cpu+: { amd+: { updateMicrocode: true } } } }", nil, nil, []string{"amd64-microcode"}},
		{"hardware.cpu.intel.updateMicrocode", "{ hardware+: { cpu+: { intel+: { updateMicrocode: true } } } }", nil, nil, []string{"intel-microcode"}},
		{"musnix.kernel.realtime", "{ musnix+: { kernel+: { realtime: true } } }", nil, nil, []string{"linux-image-rt-amd64"}},
		{"musnix.soundcardPciId", "{ musnix+: { soundcardPciId: '0000:03:04.0' } }",
			[]string{"etc/systemd/system/multi-user.target.wants/pci-latency.service", "ExecStart=/usr/bin/setpci -v -s 0000:03:04.0 latency_timer=ff\n"}, nil, []string{"pciutils"}},
		{"musnix.rtirq.nameList", "{ musnix+: { enable: true, rtirq: { enable: true, nameList: 'usb snd' } } }",
			[]string{"\nRTIRQ_NAME_LIST=\"usb snd\"\n", "etc/systemd/system/multi-user.target.wants/rtirq.service"}, []string{"threadirqs"}, []string{"rtirq-init"}},
		{"musnix.ffado.enable", "{ musnix+: { ffado: { enable: true } } }", nil, nil, []string{"jackd2-firewire", "libffado2"}},
		{"powerManagement.cpuFreqGovernor", "{ powerManagement+: { cpuFreqGovernor: 'performance' } }",
			[]string{"etc/systemd/system/multi-user.target.wants/cpufreq.service", "echo performance > "}, []string{"cpufreq.default_governor=performance"}, nil},
		{"powerManagement.cpuFreqGovernorOnBattery", "{ powerManagement+: { cpuFreqGovernor: 'performance', cpuFreqGovernorOnBattery: 'powersave' } }",
			[]string{"g=performance; systemd-ac-power || g=powersave;", "etc/udev/rules.d/90-reprise-governor.rules"}, nil, nil},
		{"powerManagement.maxIdleLatency", "{ powerManagement+: { maxIdleLatency: 50 } }",
			[]string{"etc/systemd/system/multi-user.target.wants/cpu-latency.service", "ConditionACPower=true", "echo 0x00000032 >&3", "etc/udev/rules.d/90-reprise-idle.rules"}, nil, nil},
		{"services.udev.extraRules", "{ services+: { udev+: { extraRules+: 'ACTION==\"add\"\\n' } } }", []string{"etc/udev/rules.d/99-local.rules", "\nACTION==\"add\"\n"}, nil, nil},
		{"services.jack.jackd.extraOptions", "{ services+: { jack+: { jackd+: { enable: true, extraOptions: ['-d', 'alsa', '-d', 'hw:USB'] } } } }",
			[]string{"ExecStart=/usr/bin/jackd -d alsa -d hw:USB\n", "etc/systemd/user/default.target.wants/jackd.service"}, nil, []string{"jackd2"}},
		{"systemd.user.units", "{ systemd+: { user+: { units+: { 'jackd.service.d/cores.conf': { text: '[Service]\\nCPUAffinity=0-7\\n' } } } } }",
			[]string{"etc/systemd/user/jackd.service.d/cores.conf", "\nCPUAffinity=0-7\n"}, nil, nil},
		{"services.pipewire.enable", "{ services+: { pipewire+: { enable: true } } }", nil, nil, []string{"pipewire", "wireplumber"}},
		{"services.pipewire.alsa.enable", "{ services+: { pipewire+: { enable: true, alsa: { enable: true } } } }", nil, nil, []string{"pipewire-alsa"}},
		{"services.pipewire.pulse.enable", "{ services+: { pipewire+: { enable: true, pulse: { enable: true } } } }", nil, nil, []string{"pipewire-pulse"}},
		{"services.pipewire.jack.enable", "{ services+: { pipewire+: { enable: true, jack: { enable: true } } } }",
			[]string{"etc/ld.so.conf.d/pipewire-jack-x86_64-linux-gnu.conf"}, nil, []string{"pipewire-jack"}},
		{"services.pipewire.extraConfig.pipewire", "{ services+: { pipewire+: { enable: true, extraConfig: { pipewire: { '90-hardware': { 'context.properties': { 'default.clock.quantum': 128 } } } } } } }",
			[]string{"--- etc/pipewire/pipewire.conf.d/90-hardware.conf\n{\n  \"context.properties\": {\n    \"default.clock.quantum\": 128\n  }\n}\n"}, nil, nil},
		{"services.pipewire.wireplumber.extraConfig", "{ services+: { pipewire+: { enable: true, wireplumber: { extraConfig: { '90-hardware': { 'monitor.alsa.rules': [] } } } } } }",
			[]string{"--- etc/wireplumber/wireplumber.conf.d/90-hardware.conf\n{\n  \"monitor.alsa.rules\": []\n}\n"}, nil, nil},
	} {
		t.Run(test.option, func(t *testing.T) {
			got, cfg := layers(t, base+" + "+test.text)
			for _, line := range test.layer {
				if !strings.Contains(got, line) || strings.Contains(plain, line) {
					t.Errorf("%q: in the layers %v, without the option %v", line, strings.Contains(got, line), strings.Contains(plain, line))
				}
			}
			for _, p := range test.params {
				if !slices.Contains(cfg.Boot.KernelParams, p) || slices.Contains(plainConfig.Boot.KernelParams, p) {
					t.Errorf("kernel parameters are %q, want %q among them", cfg.Boot.KernelParams, p)
				}
			}
			for _, p := range test.roots {
				if !slices.Contains(cfg.Roots(), p) || slices.Contains(plainConfig.Roots(), p) {
					t.Errorf("packages are %q, want %q among them", cfg.Roots(), p)
				}
			}
		})
	}
}
