package installer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/config"
	"reprise/store/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init() // sandboxes and the evaluator are this binary again
	config.EvalMain()
	os.Exit(m.Run())
}

// TestConfigurationEvaluates gives what the installer writes to the evaluator.
func TestConfigurationEvaluates(t *testing.T) {
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX you@studio"
	a := answers.Default()
	a.TimeZone, a.Locale, a.KeyMap = "Europe/Berlin", "de_DE.UTF-8", "de-latin1"
	a.FileSystem = answers.Btrfs
	a.Network = &answers.Network{Interface: "enp3s0", Address: "192.168.7.2/24", Gateway: "192.168.7.1", NameServers: []string{"192.168.7.1", "::1"}}
	shipped := &plan.System{Configuration: "live-rig"}
	own := &plan.System{Configuration: "studio.jsonnet", Files: "reprise/files/studio"}
	for _, test := range []struct {
		name string
		user *answers.User
		base plan.Base
		uid  int
	}{
		{"the profile's user", &answers.User{Name: "rig", FullName: "O'Brien \"the\" bass\\player", Keys: []string{key}}, plan.Base{System: shipped, Users: map[string]int{"rig": 1000}}, 1000},
		{"another user", &answers.User{Name: "anna", PasswordHash: "x", Keys: []string{key, key[:len(key)-6] + "there"}}, plan.Base{System: shipped, Users: map[string]int{"rig": 1000}, Hardware: true, Comment: []string{"Measured: 40 µs at most.", ""}}, 1001},
		{"a file of one's own", &answers.User{Name: "anna", Keys: []string{key}}, plan.Base{System: own, Hardware: true}, 1000},
		{"no user", nil, plan.Base{System: shipped}, 0},
		{"an encrypted disk", nil, plan.Base{System: shipped, LUKS: &plan.LUKS{UUID: "6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4", Name: "reprise-6e1dba68"}}, 0},
		{"a card that was seen", nil, plan.Base{System: shipped, Wired: map[string]string{"enp3s0": "52:54:00:12:34:56"}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			a.User = test.user
			text := plan.Configuration(a, "rig-01", test.base)
			if err := os.Mkdir(filepath.Join(dir, plan.ProfileDir), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, content := range map[string]string{
				ConfigurationFile: string(text), plan.HardwareFile: "{ boot+: { kernelModules+: ['nbd'] } }\n",
				plan.ProfileDir + "/studio.jsonnet": "{ services: { openssh: { enable: true } } }\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := config.Evaluate(t.Context(), filepath.Join(dir, ConfigurationFile), config.EvalOptions{})
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			if cfg.Networking.HostName != "rig-01" || cfg.Time.TimeZone != a.TimeZone || cfg.Console.KeyMap != a.KeyMap || cfg.Networking.Interfaces["enp3s0"].Addresses[0] != a.Network.Address {
				t.Errorf("the configuration is\n%s", text)
			}
			if got, want := cfg.Networking.Interfaces["enp3s0"].PermanentMACAddress, test.base.Wired["enp3s0"]; got != want {
				t.Errorf("the card is %q, want %q", got, want)
			}
			if test.base.Hardware != slices.Contains(cfg.Boot.KernelModules, "nbd") {
				t.Errorf("kernel modules are %q", cfg.Boot.KernelModules)
			}
			const name = "rd.luks.name=6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4=reprise-6e1dba68"
			encrypted := test.base.LUKS != nil
			if encrypted != slices.Contains(cfg.Boot.KernelParams, name) || encrypted != slices.Contains(cfg.Boot.Initrd.AvailableKernelModules, "dm_crypt") {
				t.Errorf("an encrypted disk: %v; the kernel parameters are %q, the initrd has %q", encrypted, cfg.Boot.KernelParams, cfg.Boot.Initrd.AvailableKernelModules)
			}
			if !slices.Contains(cfg.Boot.Initrd.AvailableKernelModules, "btrfs") {
				t.Errorf("the initrd has %q, and the disk is btrfs", cfg.Boot.Initrd.AvailableKernelModules)
			}
			if test.user != nil {
				u := cfg.Users.Users[test.user.Name]
				if u.UID != test.uid || len(u.OpenSSH.AuthorizedKeys.Keys) != len(test.user.Keys) || u.Description != test.user.FullName {
					t.Errorf("the user is %+v in\n%s", u, text)
				}
			}
			if strings.Contains(string(text), "  \n") || strings.HasPrefix(string(text), " ") {
				t.Errorf("spaces in\n%s", text)
			}
		})
	}
}

func TestLineAnswers(t *testing.T) {
	address, sum := lineAnswers("quiet reprise.answers=https://x.example/a.json reprise.answers.sha256=AB ro")
	if address != "https://x.example/a.json" || sum != "ab" {
		t.Errorf("%q, %q", address, sum)
	}
}
