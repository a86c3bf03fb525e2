package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reprise/internal/vm"
)

// theMedium is built once for all tests. The owner of the rig's key may log in
// to what it carries.
var theMedium = sync.OnceValues(func() (string, error) {
	r, err := theRig()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(scratch, "medium")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	iso := filepath.Join(dir, "live-rig.iso")
	out, err := exec.Command(program, "--store", store, "build", "live-rig", "-q", "--authorize", r.keyFile+".pub", "-o", iso).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the medium: %w\n%s", err, out)
	}
	return iso, nil
})

// installMedium is the installation medium of the live-rig.
func installMedium(t *testing.T) string {
	t.Helper()
	iso, err := theMedium()
	if err != nil {
		t.Fatal(err)
	}
	return iso
}

// Keys of the boot menu on the serial line.
const (
	menuDown  = "\x0e" // Ctrl-N: the arrow keys are several bytes, which may come apart
	menuEnter = "\r"
)

// notInSession are checks of the rig that a session from a medium cannot meet:
// its disks are somebody else's, and it has sound cards.
var notInSession = []rigCheck{{what: "the ESP is at /efi"}, {what: "jackd is of the dummy driver"}}

// sessionChecks are what a session from the medium promises besides.
var sessionChecks = []rigCheck{
	has("the medium is there", "findmnt -n -o FSTYPE,OPTIONS /.reprise/medium", "iso9660 ro"),
	has("the store is that of the medium", "findmnt -n -o FSTYPE,OPTIONS /nix/store", "squashfs ro"),
	check("its state is in memory", "findmnt -n -o FSTYPE /var", "tmpfs"),
	check("no disk but the medium is mounted", "findmnt -rnv -o SOURCE | grep ^/dev/ | sort -u | tr '\\n' ' '", "/dev/loop0 /dev/sda"),
	check("who sits there is logged in", "who | grep -c '^rig *ttyS0'", "1"),
	check("and needs no password", "sudo -n grep -c '^rig::' /etc/shadow", "1"),
	check("it is tuned to its machine", "systemctl is-active reprise-tune.service", "active"),
	check("jackd plays on the USB interface, as advised", "ps -C jackd -o args=", "/usr/bin/jackd -R -P70 -d alsa -d hw:Audio -r 48000 -p 1024 -n 3 -P"),
	check("the card runs as advised", "awk '/^(rate|period_size|buffer_size):/ {printf \"%s %s \", $1, $2}' /proc/asound/Audio/pcm0p/sub0/hw_params", "rate: 48000 period_size: 1024 buffer_size: 3072"),
	check("the USB interface stays awake, whoever lets it sleep", "d=/sys/class/sound/$(readlink /proc/asound/Audio)/device/..; echo auto | sudo -n tee $d/power/control >/dev/null; sudo -n udevadm trigger --settle --action=change $(readlink -f $d); cat $d/power/control", "on"),
	check("its interrupt thread is above jackd", "ps -eLo rtprio=,comm= | awk '/irq.*xhci/ && $1 > 70 {n++} END {print (n > 0)}'", "1"),
	check("a rule of udev says so", "grep -c 46f4 /etc/udev/rules.d/99-local.rules", "1"),
	has("who logs in is told", "cat /run/motd.d/reprise-session", "tuned to its machine, and to QEMU USB Audio (46f4:0002)."),
	check("tuned again it stays as it is", "before=$(sudo -n find /.reprise/disk/etc/upper -type f -exec sha256sum {} + | sort) && sudo -n reprise tune -q >/dev/null && test \"$before\" = \"$(sudo -n find /.reprise/disk/etc/upper -type f -exec sha256sum {} + | sort)\" && echo yes", "yes"),
	has("its lock is on the medium", "sudo -n head -n 1 /.reprise/medium/reprise/systems/live-rig.lock", "Lock: "),
}

// TestSession starts the live-rig from the medium without installing it, on a
// machine whose own disk has a system, and holds it to what the rig promises.
func TestSession(t *testing.T) {
	t.Parallel()
	iso := installMedium(t)
	r := liveRig(t)
	m := boot(t, vm.Options{Disks: []vm.Disk{{Path: iso, Bus: vm.USB}, {Path: r.image}}, Firmware: vm.BIOS, Accel: vm.TCG, Args: soundCards})
	start := time.Now()
	talk := func(expect, send string) {
		t.Helper()
		if err := m.Expect(expect, bootLimit); err != nil {
			t.Fatal(err)
		}
		if err := m.Send(send); err != nil {
			t.Fatal(err)
		}
	}
	talk("Rescue shell", menuDown+menuEnter)
	talk("live-rig login: rig (automatic login)", "")
	t.Logf("logged in after %s", time.Since(start).Round(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	client, err := m.SSH(ctx, "rig", r.key)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if said, err := vm.Output(ctx, client, "systemctl show -p InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic,MemoryPeak,CPUUsageNSec reprise-tune.service; sudo -n journalctl -o cat -u reprise-tune.service; cat /run/motd.d/reprise-session"); err == nil {
		t.Logf("tuned:\n%s", said)
	}
	keeps(ctx, t, client, without(slices.Concat(rigChecks, sessionChecks), notInSession))
	if err := m.Shutdown(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
}

// TestMediumAgain holds that the same medium comes out again: built anew under
// another name it is the same file, and built to the same place nothing is done.
func TestMediumAgain(t *testing.T) {
	iso := installMedium(t)
	r := liveRig(t)
	if out := must(t, buildLimit, "build", "live-rig", "-q", "--authorize", r.keyFile+".pub", "-o", iso); !strings.Contains(out, "unchanged") {
		t.Errorf("built again: %s, want that it is unchanged", out)
	}
	second := filepath.Join(t.TempDir(), "second.iso")
	lock := strings.TrimSuffix(iso, ".iso") + ".lock"
	must(t, buildLimit, "build", "live-rig", "-q", "--authorize", r.keyFile+".pub", "--lock", lock, "-o", second)
	if a, b := sum(t, iso), sum(t, second); a != b {
		t.Errorf("the first medium has SHA-256 %s, the second %s", a, b)
	}
}
