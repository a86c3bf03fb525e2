package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"reprise/internal/vm"
)

// bootLimit is five times what a full boot under TCG takes on a busy machine.
const bootLimit = 8 * time.Minute

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// archiveQEMU runs QEMU of the archive through `reprise tool`.
type archiveQEMU struct{}

func (archiveQEMU) Run(ctx context.Context, c vm.Command) error {
	args := []string{"--store", store, "tool", "-q", "-p", "ovmf,qemu-system-x86,seabios", "--network"}
	for _, b := range c.Binds {
		mode := ""
		switch {
		case b.Device:
			mode = ":dev"
		case b.Writable:
			mode = ":rw"
		}
		args = append(args, "--bind", b.Source+":"+b.Target+mode)
	}
	for _, e := range c.Env {
		args = append(args, "--env", e)
	}
	cmd := exec.CommandContext(ctx, program, append(append(args, "--"), c.Argv...)...)
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, &said)
	}
	return nil
}

// boot starts an image and returns the machine; it is ended with the test.
func boot(t *testing.T, o vm.Options) *vm.Machine {
	t.Helper()
	// The first run fetches QEMU, which is no part of the boot.
	must(t, buildLimit, "tool", "-q", "-p", "ovmf,qemu-system-x86,seabios", "--", "qemu-system-x86_64", "--version")
	dir := t.TempDir()
	o.LogFile = filepath.Join(dir, "serial.log")
	m, err := vm.Start(t.Context(), o, archiveQEMU{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		if t.Failed() {
			t.Logf("serial log:\n%s", m.Text())
		}
	})
	return m
}

// keeps holds a machine that somebody is logged in on to checks.
func keeps(ctx context.Context, t *testing.T, client *ssh.Client, checks []rigCheck) {
	t.Helper()
	for _, check := range checks {
		got, err := vm.Output(ctx, client, check.command)
		if err != nil {
			t.Errorf("%s: %v", check.command, err)
		}
		if got = strings.TrimSpace(got); !check.good(got) {
			t.Errorf("%s\n  %s\n  says %q, want %s", check.what, check.command, got, check.want)
		}
	}
}

// without leaves out checks, by their names.
func without(checks, others []rigCheck) []rigCheck {
	return slices.DeleteFunc(slices.Clone(checks), func(c rigCheck) bool {
		return slices.ContainsFunc(others, func(o rigCheck) bool { return o.what == c.what })
	})
}

// TestBoot boots the live-rig under each firmware and checks what the rig
// promises, from inside, over ssh.
func TestBoot(t *testing.T) {
	t.Parallel()
	for _, firmware := range []vm.Firmware{vm.UEFI, vm.SecureBoot, vm.BIOS} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			r := liveRig(t)
			m := boot(t, vm.Options{Disks: []vm.Disk{{Path: r.image}}, Firmware: firmware, Accel: vm.TCG})
			start := time.Now()
			if err := m.Expect("live-rig login:", bootLimit); err != nil {
				t.Fatal(err)
			}
			t.Logf("login prompt on the serial console after %s", time.Since(start).Round(time.Second))
			ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
			defer cancel()
			client, err := m.SSH(ctx, "rig", r.key)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			keeps(ctx, t, client, slices.Concat(rigChecks, firmwareChecks[firmware]))
			if err := m.Shutdown(ctx, 2*time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStateLasts changes what a machine may change, reboots it, and looks
// whether it is still there, and whether the disk was left clean.
func TestStateLasts(t *testing.T) {
	t.Parallel()
	r := liveRig(t)
	// A disk that is larger than the image, as disks are.
	const more = 1 << 30
	disk := filepath.Join(t.TempDir(), "disk.img")
	before, _ := sizes(t, r.image)
	sparseCopy(t, r.image, disk, before+more)
	m := boot(t, vm.Options{Disks: []vm.Disk{{Path: disk}}, Firmware: vm.UEFI, Accel: vm.TCG})
	ctx, cancel := context.WithTimeout(t.Context(), 2*bootLimit)
	defer cancel()
	talk := func(commands ...string) []string {
		t.Helper()
		if err := m.Expect("live-rig login:", bootLimit); err != nil {
			t.Fatal(err)
		}
		client, err := m.SSH(ctx, "rig", r.key)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var said []string
		for _, c := range commands {
			out, err := vm.Output(ctx, client, c)
			if err != nil {
				t.Fatalf("%s: %v", c, err)
			}
			said = append(said, strings.TrimSpace(out))
		}
		return said
	}
	shadow := "sudo -n grep '^rig:' /var/lib/reprise/state/shadow"
	first := talk("echo 'rig:Encore 42' | sudo -n chpasswd", shadow, `printf 'Encore 42\nDa capo 4321\nDa capo 4321\n' | passwd`, shadow, "df -B1 --output=size /var | tail -n 1", "cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub || cat /var/lib/reprise/state/ssh/ssh_host_ed25519_key.pub",
		"echo take one > song.txt", "sudo -n systemd-run --on-active=2 systemctl reboot")
	if !strings.HasPrefix(first[1], "rig:$") {
		t.Errorf("after chpasswd the line of rig is %q, want a hash", first[1])
	}
	if !strings.HasPrefix(first[3], "rig:$") || first[3] == first[1] {
		t.Errorf("after the user's own passwd the line of rig is %q, before it was %q", first[3], first[1])
	}
	if size, err := strconv.ParseInt(strings.TrimSpace(first[4]), 10, 64); err != nil || size < more {
		t.Errorf("the root file system has %s bytes on a disk with %d more than the image", first[4], int64(more))
	}
	after := talk(shadow, "cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub || cat /var/lib/reprise/state/ssh/ssh_host_ed25519_key.pub",
		"cat song.txt", "systemctl is-system-running --wait", counted("sudo -n dmesg", "recovery complete"))
	for i, want := range []string{first[3], first[5], first[6], "take one", "running", "0"} {
		if after[i] != want {
			t.Errorf("after the reboot answer %d is %q, want %q", i, after[i], want)
		}
	}
	if err := m.Shutdown(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
}

// sizes returns a file's length and the bytes that it takes on its disk.
func sizes(t *testing.T, path string) (length, allocated int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size(), info.Sys().(*syscall.Stat_t).Blocks * 512
}

// sparseCopy copies a file to a longer one, holes left out.
func sparseCopy(t *testing.T, from, to string, length int64) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	block, zero := make([]byte, 1<<20), make([]byte, 1<<20)
	for offset := int64(0); ; {
		n, err := io.ReadFull(in, block)
		if n > 0 && !bytes.Equal(block[:n], zero[:n]) {
			if _, err := out.WriteAt(block[:n], offset); err != nil {
				t.Fatal(err)
			}
		}
		offset += int64(n)
		if err != nil {
			break
		}
	}
	if err := out.Truncate(length); err != nil {
		t.Fatal(err)
	}
}

type rigCheck struct {
	what, command, want string
	good                func(string) bool
}

func is(want string) (string, func(string) bool) {
	return fmt.Sprintf("%q", want), func(got string) bool { return got == want }
}

func check(what, command, want string) rigCheck {
	text, good := is(want)
	return rigCheck{what, command, text, good}
}

func has(what, command, want string) rigCheck {
	return rigCheck{what, command, "something with " + want, func(got string) bool { return strings.Contains(got, want) }}
}

// counted counts the lines with pattern in what command says. It fails when
// the command does; no such line is no failure.
func counted(command, pattern string) string {
	return fmt.Sprintf(`said=$(%s) && printf '%%s\n' "$said" | { grep -c '%s' || test $? = 1; }`, command, pattern)
}

// firmwareChecks hold that the machine was started the way the test means.
var firmwareChecks = map[vm.Firmware][]rigCheck{
	vm.BIOS:       {check("started by a BIOS", "test -e /sys/firmware/efi || echo bios", "bios")},
	vm.UEFI:       {check("started by UEFI", "test -e /sys/firmware/efi && echo uefi", "uefi")},
	vm.SecureBoot: {has("Secure Boot is enforced", "sudo -n dmesg | grep -i 'secure boot'", "Secure boot enabled")},
}

// rigChecks are what a live-rig promises, as its user sees it.
var rigChecks = append([]rigCheck{
	check("all units are well", "systemctl is-system-running --wait", "running"),
	check("no unit failed", `failed=$(systemctl --failed --no-legend) && echo "[$failed]"`, "[]"),
	has("the kernel is PREEMPT_RT", "uname -v", "PREEMPT_RT"),
	check("the kernel says so too", "cat /sys/kernel/realtime", "1"),
	check("the kernel's configuration is there", "test -s /boot/config-$(uname -r) && echo yes", "yes"),
	check("/boot is no mount", "findmnt -n /boot; test $? = 1 && echo none", "none"),
	has("the ESP is at /efi", "findmnt -n -o FSTYPE /efi", "vfat"),
	check("the user is in group audio", "id -nG | tr ' ' '\\n' | grep -cx audio", "1"),
	check("the user may run at real-time priority 95", "ulimit -r", "95"),
	check("the user may lock memory without limit", "ulimit -l", "unlimited"),
	check("swappiness", "cat /proc/sys/vm/swappiness", "10"),
	check("the governor is performance where there is one", "for f in /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor; do test ! -e $f || grep -qx performance $f || echo $f; done; echo all", "all"),
	check("the user may hold the processors awake", "test -w /dev/cpu_dma_latency && echo yes", "yes"),
	check("the root file system is read-only", "touch /x /usr/x /etc/x 2>&1 | grep -c 'Read-only'", "3"),
	has("DHCP gave an address", "ip -4 -o addr show scope global", "10.0.2."),
	check("passwords do not let in by ssh", "sudo -n /usr/sbin/sshd -T | grep '^passwordauthentication'", "passwordauthentication no"),
	check("sudo asks for no password, since nobody has one", "sudo -n true && echo yes", "yes"),
	check("no account has a password", counted("sudo -n cut -d: -f2 /etc/shadow", "[$]"), "0"),
	check("a login prompt is on tty1", "systemctl is-active getty@tty1.service", "active"),
	check("priorities of interrupt threads were set", "systemctl is-active rtirq.service", "active"),
	has("chage works for an ordinary user on a read-only /etc", "chage -l rig", "Last password change"),
	check("/var leads to /run as everywhere", "readlink /var/run /var/lock | xargs", "/run /run/lock"),
	check("the store cannot be written to", "touch /nix/store/x 2>&1 | grep -c 'Read-only\\|Permission'", "1"),
}, jackChecks...)

// jackChecks are for a rig that knows of no sound card.
var jackChecks = []rigCheck{
	check("jackd runs as a user service", "systemctl --user is-active jackd.service", "active"),
	has("jackd is of the dummy driver", "ps -C jackd -o args= | head -1", "dummy"),
	has("a thread of jackd is under SCHED_FIFO", "timeout 120 sh -c 'until ps -L -C jackd -o cls=,rtprio= | sort -u | grep FF; do sleep 1; done'", "FF"),
	check("a client can reach jackd", "timeout 60 jack_lsp | grep -c system:playback", "2"),
}
