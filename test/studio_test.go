package test

import (
	"bytes"
	"context"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"reprise/internal/vm"
)

// studioConfiguration is the studio without firmware, which a guest has no use
// for, and with sudo for a test that knows no password.
const studioConfiguration = `(import 'reprise/studio.jsonnet') + {
  hardware+: { enableRedistributableFirmware: false },
  security+: { sudo+: { wheelNeedsPassword: false } },
}
`

// ardour is how Ardour without windows is started: its wrapper sets these for
// the one with windows.
const ardour = "systemd-run --user --quiet --unit=take --setenv=LD_LIBRARY_PATH=/usr/lib/ardour8 --setenv=ARDOUR_DATA_PATH=/usr/share/ardour8 " +
	"--setenv=ARDOUR_CONFIG_PATH=/etc/ardour8 --setenv=ARDOUR_DLL_PATH=/usr/lib/ardour8 sh -c 'exec /usr/lib/ardour8/hardour-* $HOME/take take'"

// studioChecks are what a studio promises, as its user sees it.
var studioChecks = []rigCheck{
	check("all units are well", "systemctl is-system-running --wait", "running"),
	check("no unit failed", `failed=$(systemctl --failed --no-legend) && echo "[$failed]"`, "[]"),
	has("the kernel is PREEMPT_RT", "uname -v", "PREEMPT_RT"),
	has("the initrd begins with microcode", "sudo -n sh -c 'head -qc 4096 /efi/reprise/initrd-*' | grep -ao 'kernel/x86/microcode/[A-Za-z]*'", "AuthenticAMD"),
	check("the greeter waits", "timeout 300 sh -c 'until pgrep -u lightdm -f /lightdm-gtk-greeter >/dev/null; do sleep 1; done' && echo yes", "yes"),
	check("somebody can choose networks", "systemctl is-active NetworkManager", "active"),
	check("the user may run at real-time priority 95", "ulimit -r", "95"),
	check("PipeWire and WirePlumber run for the user", "timeout 300 sh -c 'until systemctl --user is-active --quiet pipewire wireplumber pipewire-pulse; do sleep 1; done' && echo yes", "yes"),
	has("PipeWire is under SCHED_FIFO", "timeout 120 sh -c 'until ps -L -o cls=,rtprio=,comm= -p $(pgrep -d, -x -u musician pipewire) | grep FF; do sleep 1; done'", "FF"),
	has("PipeWire stands in for JACK", "timeout 300 sh -c 'until jack_lsp | grep playback; do sleep 1; done'", "playback"),
	// Lua's own end of this program is not clean; the session is there by then.
	check("Ardour makes a session", "ardour8-new_empty_session -s 48000 $HOME/take take >/dev/null 2>&1; test -s $HOME/take/take.ardour && echo yes", "yes"),
	check("Ardour opens it", ardour+" && echo yes", "yes"),
	has("Ardour is a client of JACK", "timeout 300 sh -c 'until jack_lsp | grep \"^ardour:Click/audio_out 1\"; do sleep 1; done'", "ardour:Click/audio_out 1"),
	check("Ardour stays", "sleep 5; systemctl --user is-active take", "active"),
}

// TestStudio boots the studio to its greeter, holds it to what it promises, and
// opens a session in Ardour.
func TestStudio(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, disk := filepath.Join(dir, "studio.jsonnet"), filepath.Join(dir, "studio.img")
	if err := os.WriteFile(file, []byte(studioConfiguration), 0o644); err != nil {
		t.Fatal(err)
	}
	r := liveRig(t) // its key
	start := time.Now()
	must(t, buildLimit, "build", file, "-q", "--authorize", r.keyFile+".pub", "-o", disk)
	t.Logf("built after %s", time.Since(start).Round(time.Second))
	m := boot(t, vm.Options{Disks: []vm.Disk{{Path: disk}}, Firmware: vm.UEFI, Accel: vm.TCG, MemoryMiB: studioMemory})
	keepsStudio(t, m, r.key)
}

// studioMemory is what a studio's machine has, in MiB.
const studioMemory = 3072

// keepsStudio waits for the studio that a machine starts, holds it to what it
// promises, and switches the machine off.
func keepsStudio(t *testing.T, m *vm.Machine, key ssh.Signer, more ...rigCheck) {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 3*bootLimit)
	defer cancel()
	client, err := m.SSH(ctx, "musician", key)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	t.Logf("in after %s", time.Since(start).Round(time.Second))
	keeps(ctx, t, client, slices.Concat(studioChecks, more))
	// A text console has a handful of colours; the greeter's letters are smooth.
	if n := colours(ctx, t, m); n < 32 {
		t.Errorf("the screen has %d colours: that is no greeter", n)
	}
	if err := m.Shutdown(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
}

// TestInstallStudio installs the studio from its medium without a person, takes
// the medium out, and holds what starts to what a studio promises. Only `make
// guests` has time for it.
func TestInstallStudio(t *testing.T) {
	t.Parallel()
	if os.Getenv(everyGuest) == "" {
		return
	}
	dir := t.TempDir()
	file, iso := filepath.Join(dir, "studio.jsonnet"), filepath.Join(dir, "studio.iso")
	if err := os.WriteFile(file, []byte(studioConfiguration), 0o644); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	must(t, buildLimit, "build", file, "-q", "-o", iso)
	t.Logf("medium built after %s", time.Since(start).Round(time.Second))
	m := newBox(t, box{firmware: vm.UEFI, usb: true, bus: vm.NVMe, memory: studioMemory}, map[string]any{
		"profile": "studio", "host": "installed-studio", "user": map[string]any{"name": "musician", "keys": []string{authorizedKey(liveRig(t).key)}},
	})
	m.medium = iso
	sparse(t, m.target, 2*targetBytes)
	m.installed(t, m.install(t))
	os.Remove(iso) // what is installed needs it no more, and it is large
	g := boot(t, vm.Options{Firmware: m.firmware, Accel: vm.TCG, Disks: m.disks(), MemoryMiB: studioMemory})
	keepsStudio(t, g, m.signer, slices.Concat(firmwareChecks[m.firmware], installedChecks)...)
	m.sound(t)
}

// colours counts those on the machine's screen.
func colours(ctx context.Context, t *testing.T, m *vm.Machine) int {
	t.Helper()
	data, err := m.Screen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[color.Color]bool{}
	for y := picture.Bounds().Min.Y; y < picture.Bounds().Max.Y; y++ {
		for x := picture.Bounds().Min.X; x < picture.Bounds().Max.X; x++ {
			seen[picture.At(x, y)] = true
		}
	}
	return len(seen)
}
