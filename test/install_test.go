package test

import (
	"os"
	"path/filepath"
	"testing"

	"reprise/internal/vm"
)

// everyGuest in the environment asks for the rare rows of TestInstall and
// TestSwitch, too.
const everyGuest = "REPRISE_TEST_GUESTS"

// TestInstall installs without a person, takes the medium out, and boots what
// was installed. Further kinds of disks are those of TestGuided (USB),
// TestSessionInstalls (SATA) and TestPowerCuts (virtio).
func TestInstall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		box     box
		answers map[string]any
		rare    bool
	}{
		{"Secure Boot, CD, NVMe, encrypted", box{firmware: vm.SecureBoot, bus: vm.NVMe}, map[string]any{"encryption": "luks2", "passphraseFile": "passphrase.txt"}, false},
		{"BIOS, USB, SATA, answers beside, btrfs", box{firmware: vm.BIOS, answered: onMedium, bus: vm.SATA}, map[string]any{"fileSystem": "btrfs", "measure": 2}, true},
		{"UEFI, USB, USB", box{firmware: vm.UEFI, usb: true, bus: vm.USB}, nil, true},
		{"UEFI, CD, virtio, btrfs, encrypted", box{firmware: vm.UEFI, bus: vm.Virtio},
			map[string]any{"fileSystem": "btrfs", "encryption": "luks2", "passphraseFile": "passphrase.txt"}, true},
		{"BIOS, CD, NVMe, answers from a server", box{firmware: vm.BIOS, answered: onServer, bus: vm.NVMe}, nil, true},
	} {
		if c.rare && os.Getenv(everyGuest) == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newBox(t, c.box, c.answers)
			m.installed(t, m.install(t))
			m.sound(t)
			m.boots(t)
			m.sound(t)
		})
	}
}

// TestInstallRefused shows the installer what it cannot install on or from: it
// says what is wrong, and writes nothing.
func TestInstallRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		box     box
		answers map[string]any
		spoil   func(*testing.T, *box)
		want    []string // on the serial line, in this order
	}{
		{"wrong answers from a server", box{firmware: vm.BIOS, answered: onServer, bus: vm.Virtio}, map[string]any{"profil": "live-rig", "erase": "another", "host": "no good", "fileSystem": "zfs"}, nil,
			[]string{installPrefix + "failed step=answers reason=", "profil", "zfs", "no good"}},
		{"unknown disk and profile, on a stick that comes later", box{firmware: vm.BIOS, answered: onLater, bus: vm.Virtio}, map[string]any{"disk": "another", "erase": "another", "profile": "life-rig"}, nil,
			[]string{installPrefix + "failed step=plan reason=", "life-rig", "another"}},
		{"damaged medium", box{firmware: vm.UEFI, usb: true, bus: vm.Virtio}, nil, func(t *testing.T, m *box) {
			damaged := filepath.Join(m.dir, "damaged.iso")
			copyFile(t, m.medium, damaged)
			length, _ := sizes(t, damaged)
			f, err := os.OpenFile(damaged, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			at := length - length/8 // in the store, and far behind what starts the installer
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, at); err != nil {
				t.Fatal(err)
			}
			b[0] ^= 1
			if _, err := f.WriteAt(b, at); err != nil {
				t.Fatal(err)
			}
			m.medium = damaged
		}, []string{"step=check-medium status=failed", installPrefix + "failed step=check-medium reason=", "store.squashfs"}},
		{"only the stick", box{firmware: vm.BIOS, usb: true}, map[string]any{"disk": "only", "erase": "only"}, func(t *testing.T, m *box) {
			m.target, m.foreign = "", ""
		}, []string{installPrefix + "failed step=plan reason=", "disk"}},
		{"small disk", box{firmware: vm.BIOS, bus: vm.SATA}, nil, func(t *testing.T, m *box) { sparse(t, m.target, 1<<30) },
			[]string{installPrefix + "failed step=plan reason=", "is too small by"}},
		{"little memory", box{firmware: vm.BIOS, usb: true, bus: vm.Virtio, memory: 512}, nil, nil,
			[]string{"this machine has too little memory", "1 GiB for installing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newBox(t, c.box, c.answers)
			if c.spoil != nil {
				c.spoil(t, m)
			}
			g := m.install(t)
			for _, want := range c.want {
				if err := g.Expect(want, bootLimit); err != nil {
					t.Fatal(err)
				}
			}
			g.Kill()
			if m.target == "" {
				return
			}
			if _, written := sizes(t, m.target); written != 0 {
				t.Errorf("%d bytes were written to the disk", written)
			}
			if sum(t, m.foreign) != m.before {
				t.Error("the foreign disk was written to")
			}
		})
	}
}
