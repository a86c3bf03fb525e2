//go:build tools

package vm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/image/iso9660"
	"reprise/image/iso9660/isotest"
	"reprise/image/layout"
	"reprise/internal/bootmenu"
	"reprise/internal/progress"
	"reprise/internal/sha256sums"
	"reprise/internal/vm"
	"reprise/internal/vm/vmtest"
)

// mediumModules are what finds and mounts a medium on any bus of these tests.
var mediumModules = []string{
	"drivers/scsi/scsi_common", "drivers/scsi/scsi_mod", "drivers/cdrom/cdrom", "drivers/scsi/sr_mod", "drivers/scsi/sd_mod",
	"drivers/ata/libata", "drivers/ata/libahci", "drivers/ata/ahci", "drivers/scsi/virtio_scsi",
	"drivers/usb/common/usb-common", "drivers/usb/core/usbcore", "drivers/usb/host/xhci-hcd", "drivers/usb/host/xhci-pci", "drivers/usb/storage/usb-storage",
	"drivers/block/virtio_blk", "fs/isofs/isofs",
}

// mediumGuest is what runs in a machine that was started from a medium: it
// finds the medium as stage 1 does, mounts it, compares every file with its
// sum, and says what it found.
func mediumGuest() error {
	var device string
	var v *iso9660.Volume
	for until := time.Now().Add(time.Minute); device == "" && time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		names, err := os.ReadDir("/sys/class/block")
		if err != nil {
			return err
		}
		for _, name := range names {
			f, err := os.Open("/dev/" + name.Name())
			if err != nil {
				continue
			}
			if v, err = iso9660.Open(f); err == nil && v.Label == label {
				device = name.Name()
				break
			}
			f.Close()
		}
	}
	if device == "" {
		return errors.New("no medium is there")
	}
	fmt.Printf("guest: the medium is %s, %d bytes\n", device, v.Size)
	if err := partitions(device); err != nil {
		return err
	}
	os.Mkdir("/medium", 0o755)
	if err := unix.Mount("/dev/"+device, "/medium", "iso9660", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	text, err := os.ReadFile("/medium/" + image.MediumSums)
	if err != nil {
		return err
	}
	sums, err := sha256sums.Parse(text)
	if err != nil {
		return err
	}
	result, err := sha256sums.Verify(context.Background(), os.DirFS("/medium"), sums, progress.Discard.Start("", progress.Bytes, 0))
	if err != nil {
		return err
	}
	fmt.Printf("guest: %d files, %d bytes, %d bad %v\n", result.Files, result.Bytes, len(result.Bad), result.Bad)
	return tangled()
}

// tangled compares the tree of a second disk, if there is one, with what was
// written there.
func tangled() error {
	if _, err := os.Stat("/dev/vda"); err != nil {
		return nil
	}
	os.Mkdir("/tangle", 0o755)
	if err := unix.Mount("/dev/vda", "/tangle", "iso9660", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	differences := isotest.Compare(context.Background(), "/tangle", tangle())
	fmt.Printf("guest: %d differences\n", len(differences))
	for _, d := range differences[:min(len(differences), 20)] {
		fmt.Println("guest:", d)
	}
	return nil
}

func tangle() []iso9660.File { return append(isotest.Tangle(), isotest.Large("large")) }

// partitions says what the kernel reads of the GPT; a CD has none.
func partitions(device string) error {
	found, err := filepath.Glob("/sys/class/block/" + device + "/" + device + "*/uevent")
	if err != nil {
		return err
	}
	for _, name := range found {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(text), "PARTNAME=")
		name, _, _ := strings.Cut(rest, "\n")
		fmt.Printf("guest: partition %s\n", name)
	}
	return nil
}

const label = "REPRISE"

// buildMedium makes a medium whose guests are this binary.
func buildMedium(tb testing.TB) string {
	tb.Helper()
	files := vmtest.Root(tb, vmtest.Boot)
	kernel, moduleDir := files.Kernel(tb)
	read := func(path string) []byte {
		content, err := files.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		return content
	}
	menu, err := bootmenu.GRUB(bootmenu.Options{
		Label: label, Timeout: 3, Params: []string{"panic=10"},
		Live: []bootmenu.System{{Name: "studio", Path: "/nix/store/00000000000000000000000000000000-system-studio", Params: []string{"threadirqs"}}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	store := make([]byte, 0, 24<<20)
	for r := rand.New(rand.NewPCG(1, 2)); len(store) < cap(store); {
		store = binary.LittleEndian.AppendUint64(store, r.Uint64())
	}
	m := image.ISO{
		Label: label, Seed: layout.SeedOf("boot test"), Menu: menu,
		Kernel: image.Bytes(read(kernel)), Initrd: image.Bytes(vmtest.Initramfs(tb, moduleDir, mediumModules)), Store: image.Bytes(store), Index: []byte("{}\n"),
		ESP: image.MediumUEFI(read("/usr/lib/shim/shimx64.efi.signed"), read("/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed"), read("/usr/lib/shim/mmx64.efi.signed")),
	}
	out := filepath.Join(tb.TempDir(), "medium.iso")
	if err := image.WriteISO(tb.Context(), m, out, vmtest.Root(tb, vmtest.Tools), progress.Discard); err != nil {
		tb.Fatal(err)
	}
	return out
}

const mediumMemory = 512 // MiB

const down = "\x1b[B"

// TestMediumBoots starts the same medium in every way, and chooses from its
// menu over the serial line.
func TestMediumBoots(t *testing.T) {
	out := buildMedium(t)
	other := filepath.Join(t.TempDir(), "tangle.iso")
	if err := isotest.WriteSparse(t.Context(), iso9660.Image{Label: "TANGLE", Time: isotest.Time, Files: tangle()}, other); err != nil {
		t.Fatal(err)
	}
	const install = "reprise.mode=install panic=10"
	for _, c := range []struct {
		name string
		o    vm.Options
		keys string
		want []string
	}{
		{"CD, BIOS", vm.Options{ISO: out, Firmware: vm.BIOS}, "", []string{install, "the medium is sr0"}},
		{"CD, BIOS, key a", vm.Options{ISO: out, Firmware: vm.BIOS}, "a", []string{"reprise.mode=install reprise.accessible panic=10"}},
		{"CD, UEFI", vm.Options{ISO: out, ISOBus: vm.SCSI, Firmware: vm.UEFI}, down + down + "\r", []string{"reprise.mode=check panic=10", "the medium is sr0"}},
		{"USB, BIOS", vm.Options{Disks: append(stick(out), vm.Disk{Path: other}), Firmware: vm.BIOS}, down + down + down + "\r",
			[]string{"reprise.mode=rescue panic=10", "the medium is sda", "partition iso", "partition REPRISE-ESP"}},
		{"USB, UEFI", vm.Options{Disks: stick(out), Firmware: vm.UEFI}, down + "\r",
			[]string{"reprise.mode=live reprise.system=/nix/store/00000000000000000000000000000000-system-studio threadirqs panic=10", "the medium is sda", "partition iso", "partition REPRISE-ESP"}},
		{"USB, Secure Boot", vm.Options{Disks: stick(out), Firmware: vm.SecureBoot}, "", []string{install, "the medium is sda"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.MemoryMiB, c.o.NoReboot = mediumMemory, true
			begin := time.Now()
			m := start(t, c.o)
			expect(t, m, "Install reprise", "Rescue shell")
			if err := m.Send(c.keys); err != nil {
				t.Fatal(err)
			}
			expect(t, m, "guest: kernel line", "reprise.medium=LABEL=REPRISE")
			expect(t, m, c.want...)
			expect(t, m, "guest: 7 files", " 0 bad")
			if len(c.o.Disks) > 1 {
				expect(t, m, "guest: 0 differences")
			}
			expect(t, m, "guest: is up")
			if err := m.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			t.Logf("from start to power off: %s", time.Since(begin).Round(10*time.Millisecond))
		})
	}
}

// stick is the medium on a USB stick.
func stick(file string) []vm.Disk {
	return []vm.Disk{{Path: file, Bus: vm.USB, Removable: true}}
}
