package test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"reprise/internal/vm"
)

// TestSwitch changes a running machine, restarts it, and goes back: what runs,
// what is the default and what is started agree, and the sound server plays on.
func TestSwitch(t *testing.T) {
	t.Parallel()
	for _, firmware := range []vm.Firmware{vm.UEFI, vm.BIOS} {
		if firmware != vm.UEFI && os.Getenv(everyGuest) == "" {
			continue
		}
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			s := newSwitching(t, firmware)
			s.boots(1)
			sound := s.say("systemctl --user show -P MainPID jackd.service")

			if out := s.say("sudo -n reprise switch -q rig.jsonnet"); !strings.Contains(out, "generation 2 is the default") {
				t.Errorf("switch: %s", out)
			}
			s.keeps(check("the change is active", "cat /proc/sys/vm/swappiness", "25"),
				check("its file is there", "cat /etc/set-list", "Da capo"),
				check("the sound server plays on", "systemctl --user show -P MainPID jackd.service", sound),
				has("it is a generation", "reprise generations | head -n 2", "running, default"),
				check("all units are well", "systemctl is-system-running --wait", "running"),
				has("nix-env agrees", "ls -l /nix/var/nix/profiles/system", "system-2-link"))
			if again := s.say("sudo -n reprise switch -q rig.jsonnet"); !strings.Contains(again, "generation 2 is the default") {
				t.Errorf("switch again: %s", again)
			}
			s.reboots(2)
			s.keeps(check("the change is active", "cat /proc/sys/vm/swappiness", "25"), check("its file is there", "cat /etc/set-list", "Da capo"))

			if out := s.say("sudo -n reprise rollback"); !strings.Contains(out, "generation 1 is the default") {
				t.Errorf("rollback: %s", out)
			}
			s.keeps(check("the change is gone", "cat /proc/sys/vm/swappiness", "10"), check("its file, too", "test -e /etc/set-list || echo gone", "gone"))

			// Tried, and forgotten.
			s.say("sudo -n reprise test -q rig.jsonnet")
			s.keeps(check("what is tried is active", "cat /etc/set-list", "Da capo"))
			s.reboots(1)
			s.keeps(check("and forgotten", "test -e /etc/set-list || echo gone", "gone"))

			s.say("sudo -n reprise boot -q rig.jsonnet")
			s.keeps(check("nothing changes now", "test -e /etc/set-list || echo gone", "gone"),
				has("what runs is not the default", "reprise generations | tail -n 2", "running"),
				has("the default is the other", "reprise generations | head -n 2", "default"))
			if err := s.m.Shutdown(t.Context(), 2*time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
}

// A switching is a live-rig that is changed from inside.
type switching struct {
	t      *testing.T
	m      *vm.Machine
	client *ssh.Client
	key    ssh.Signer
}

// switchRoom is what the disk has beyond the image, bytes.
const switchRoom = 1 << 30

func newSwitching(t *testing.T, firmware vm.Firmware) *switching {
	t.Helper()
	r := liveRig(t)
	disk := filepath.Join(t.TempDir(), "disk.img")
	length, _ := sizes(t, r.image)
	sparseCopy(t, r.image, disk, length+switchRoom)
	s := &switching{t: t, key: r.key, m: boot(t, vm.Options{Disks: []vm.Disk{{Path: disk, Keep: true}}, Firmware: firmware, Accel: vm.TCG, MemoryMiB: 1536})}
	s.login()
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(r.key.PublicKey())))
	s.say("cat > reprise.lock <<'END'\n" + string(read(t, r.lock)) + "END")
	s.say(fmt.Sprintf("cat > rig.jsonnet <<'END'\n"+`(import 'reprise/live-rig.jsonnet') + {
  users+: { users+: { rig+: { openssh+: { authorizedKeys+: { keys: ['%s'] } } } } },
  boot+: { kernel+: { sysctl+: { 'vm.swappiness': 25 } } },
  environment+: { etc+: { 'set-list': { text: 'Da capo\n' } } },
}
END`, key))
	return s
}

func (s *switching) login() {
	s.t.Helper()
	if err := s.m.Expect("live-rig login:", bootLimit); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), bootLimit)
	defer cancel()
	client, err := s.m.SSH(ctx, "rig", s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { client.Close() })
	s.client = client
}

// say runs a command that has to succeed.
func (s *switching) say(command string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), bootLimit)
	defer cancel()
	begun := time.Now()
	out, err := vm.Output(ctx, s.client, command)
	if err != nil {
		s.t.Fatalf("%.80s: %v\n%s", command, err, out)
	}
	if took := time.Since(begun); took > time.Second {
		s.t.Logf("%6.1f s  %.60s", took.Seconds(), command)
	}
	return strings.TrimSpace(out)
}

func (s *switching) keeps(checks ...rigCheck) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), bootLimit)
	defer cancel()
	keeps(ctx, s.t, s.client, checks)
}

// boots holds that generation n was started.
func (s *switching) boots(n int) {
	s.t.Helper()
	s.keeps(has("the generation that was started", "cat /proc/cmdline", fmt.Sprintf("reprise.generation=%d ", n)))
}

// reboots restarts the machine, which has to come up as generation n.
func (s *switching) reboots(n int) {
	s.t.Helper()
	s.say("sudo -n systemd-run --on-active=1 systemctl reboot")
	s.client.Close()
	s.login()
	s.boots(n)
}
