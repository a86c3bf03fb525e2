//go:build tools

package vm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/image/layout"
	"reprise/internal/bootentry"
	"reprise/internal/bootmenu"
	"reprise/internal/growroot"
	"reprise/internal/progress"
	"reprise/internal/vm"
	"reprise/internal/vm/vmtest"
	"reprise/store/sandbox"
)

// The test binary is also the /init of the guests that it boots.
func TestMain(m *testing.M) {
	if vmtest.InGuest() {
		guest()
	}
	sandbox.Init()
	os.Exit(m.Run())
}

// failParam makes a guest reboot instead of coming up.
const failParam = "guest.fail"

// guest is what runs in the machine: it mounts the root partition, grows it
// and says so.
func guest() {
	vmtest.Begin()
	line, err := os.ReadFile("/proc/cmdline")
	vmtest.Must("read the kernel line", err)
	fmt.Printf("guest: kernel line %s", line)
	if strings.Contains(string(line), failParam) {
		fmt.Println("guest: fails")
		unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	if strings.Contains(string(line), bootmenu.MediumParam) {
		vmtest.Load(mediumModules)
		vmtest.Must("medium", mediumGuest())
		fmt.Println("guest: is up")
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	vmtest.Load(modules)
	os.Mkdir("/disk", 0o755)
	device := "/dev/vda3"
	vmtest.Await(device)
	vmtest.Must("mount", unix.Mount(device, "/disk", "ext4", 0, ""))
	text, err := os.ReadFile("/disk/srv/hello")
	vmtest.Must("read", err)
	fmt.Printf("guest: the disk says %s\n", text)
	grown, err := growroot.Grow(context.Background(), "/disk")
	vmtest.Must("grow", err)
	again, err := growroot.Grow(context.Background(), "/disk")
	vmtest.Must("grow again", err)
	fmt.Printf("guest: changed %v, again %v, partition %d to %d, file system %d to %d\n",
		grown.Changed(), again.Changed(), grown.PartitionBefore, grown.PartitionAfter, grown.FSBefore, grown.FSAfter)
	vmtest.Must("unmount", unix.Unmount("/disk", 0))
	fmt.Println("guest: is up")
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

var modules = []string{
	"crypto/crc32c_generic", "lib/libcrc32c", "lib/crc16", "fs/mbcache", "fs/jbd2/jbd2", "fs/ext4/ext4", "drivers/block/virtio_blk",
}

// buildImage makes an image whose guests are this binary. mend changes the
// kernel; generations get their hashes here.
func buildImage(tb testing.TB, mend func([]byte) []byte, generations ...bootentry.Generation) (string, image.Disk) {
	tb.Helper()
	files := vmtest.Root(tb, vmtest.Boot)
	file, moduleDir := files.Kernel(tb)
	kernel, err := files.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	if mend != nil {
		kernel = mend(kernel)
	}
	initrd := vmtest.Initramfs(tb, moduleDir, modules)
	id := layout.Identify(layout.SeedOf("boot test"))
	read := func(path string) []byte {
		content, err := files.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		return content
	}
	esp := image.UEFI(read("/usr/lib/shim/shimx64.efi.signed"), read("/usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed"), read("/usr/lib/shim/mmx64.efi.signed"))
	kernelHash, initrdHash := strings.Repeat("1", 64), strings.Repeat("2", 64)
	for i := range generations {
		g := &generations[i]
		g.Kernel, g.Initrd, g.Host, g.System = kernelHash, initrdHash, "boot-test", "/nix/store/00000000000000000000000000000000-system"
		g.Params = append(g.Params, "console=ttyS0", "panic=10")
	}
	entries, err := bootentry.Files(generations, bootentry.Options{RootPARTUUID: id.Root.String(), Timeout: 1})
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range entries {
		esp = append(esp, image.File{Path: f.Path, Size: int64(len(f.Content)), Content: f.Content})
	}
	esp = append(esp, image.File{Path: bootentry.KernelPath(kernelHash), Size: int64(len(kernel)), Content: kernel},
		image.File{Path: bootentry.InitrdPath(initrdHash), Size: int64(len(initrd)), Content: initrd})
	entry := []image.Entry{image.Directory("srv", 0o755), image.Text("srv/hello", 0o644, []byte("hello"))}
	plan, err := layout.Disk(layout.Request{Identity: id, ESP: image.ESPItems(esp), Root: image.RootItems(entry)})
	if err != nil {
		tb.Fatal(err)
	}
	tools := vmtest.Root(tb, vmtest.Tools)
	bios, err := image.GRUB(tb.Context(), tools)
	if err != nil {
		tb.Fatal(err)
	}
	d := image.Disk{Plan: plan, ESP: esp, Root: entry, BIOS: bios}
	out := filepath.Join(tb.TempDir(), "disk.img")
	if err := image.WriteDisk(tb.Context(), d, out, tools, progress.Discard); err != nil {
		tb.Fatal(err)
	}
	return out, d
}

const limit = 4 * time.Minute // of one boot, on a machine that does much else

func start(tb testing.TB, o vm.Options) *vm.Machine {
	tb.Helper()
	return vmtest.Root(tb, vmtest.QEMU).Start(tb, o)
}

func expect(tb testing.TB, m *vm.Machine, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if err := m.Expect(text, limit); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestBoots(t *testing.T) {
	out, d := buildImage(t, nil, bootentry.Generation{Number: 1})
	for _, firmware := range []vm.Firmware{vm.BIOS, vm.UEFI, vm.SecureBoot} {
		t.Run(string(firmware), func(t *testing.T) {
			begin := time.Now()
			m := start(t, vm.Options{Disks: []vm.Disk{{Path: out}}, Firmware: firmware, NoReboot: true})
			expect(t, m, "reprise 1 (boot-test)",
				"guest: kernel line", "root=PARTUUID="+d.Plan.Root.GUID.String(), "reprise.generation=1 console=ttyS0",
				"the disk says hello", "changed false, again false", "guest: is up")
			if err := m.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			t.Logf("from start to power off: %s", time.Since(begin).Round(10*time.Millisecond))
		})
	}
}

// TestSecureBootRefusesUnsignedKernel boots the same kernel without its
// signature: with Secure Boot it must not run, without it does.
func TestSecureBootRefusesUnsignedKernel(t *testing.T) {
	out, _ := buildImage(t, unsign, bootentry.Generation{Number: 1})
	m := start(t, vm.Options{Disks: []vm.Disk{{Path: out}}, Firmware: vm.SecureBoot, NoReboot: true})
	which, err := m.ExpectAny(limit, "Access denied", "Security Violation", "Security violation", "Verification failed", "guest: ")
	if err != nil {
		t.Fatal(err)
	}
	if which == 4 {
		t.Fatalf("an unsigned kernel ran under Secure Boot:\n%s", m.Text())
	}
	t.Logf("%q", lastLines(m.Text(), 5))
	m.Kill()
	if strings.Contains(m.Text(), "guest: ") {
		t.Fatal("an unsigned kernel ran under Secure Boot")
	}
	m = start(t, vm.Options{Disks: []vm.Disk{{Path: out}}, Firmware: vm.UEFI, NoReboot: true})
	expect(t, m, "guest: is up")
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// unsign takes the certificate table out of a PE image.
func unsign(pe []byte) []byte {
	pe = bytes.Clone(pe)
	header := binary.LittleEndian.Uint32(pe[0x3c:])
	const optionalHeader, directories, certificates = 24, 112, 4 * 8
	table := pe[int(header)+optionalHeader+directories+certificates:]
	at := binary.LittleEndian.Uint32(table)
	clear(table[:8])
	return pe[:at]
}

// TestTrialFallsBack boots a machine whose generation on trial reboots instead
// of coming up: after its tries the default must start by itself, which is
// the oldest. A newer one that is not the default, and the newest, which has
// failed before, must not.
func TestTrialFallsBack(t *testing.T) {
	for _, firmware := range []vm.Firmware{vm.BIOS, vm.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			out, d := buildImage(t, nil, bootentry.Generation{Number: 1, Default: true}, bootentry.Generation{Number: 2, Params: []string{failParam}},
				bootentry.Generation{Number: 3, Tries: 2, Params: []string{failParam}}, bootentry.Generation{Number: 4, Done: 3, Params: []string{failParam}})
			m := start(t, vm.Options{Disks: []vm.Disk{{Path: out, Keep: true}}, Firmware: firmware})
			for range 2 {
				expect(t, m, bootentry.TrialParam, "reprise.generation=3", "guest: fails")
			}
			expect(t, m, "reprise.generation=1", "guest: is up")
			if err := m.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			if got := strings.Count(m.Text(), "guest: fails"); got != 2 {
				t.Errorf("the trial was booted %d times, want 2", got)
			}
			// The ESP must have survived what the loaders wrote.
			check(t, partition(t, out, d.Plan.ESP), "/usr/sbin/fsck.fat", "-n", "/image")
		})
	}
}

// TestRootGrows boots an image on a larger disk, twice.
func TestRootGrows(t *testing.T) {
	out, d := buildImage(t, nil, bootentry.Generation{Number: 1})
	const size = 6 << 30 // more groups than the reserve of one descriptor block
	if err := os.Truncate(out, size); err != nil {
		t.Fatal(err)
	}
	boot := func(wants ...string) {
		t.Helper()
		m := start(t, vm.Options{Disks: []vm.Disk{{Path: out, Keep: true}}, Firmware: vm.BIOS, NoReboot: true})
		expect(t, m, wants...)
		expect(t, m, "guest: is up")
		if err := m.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	grown := d.Plan.Root
	grown.LastLBA = (size-1<<20)/layout.Sector - 1
	boot("changed true, again false", fmt.Sprintf("partition %d to %d", d.Plan.Root.Bytes(), grown.Bytes()))
	boot("changed false, again false")
	if said := check(t, out, "/usr/sbin/sgdisk", "-v", "/image"); !strings.Contains(said, "No problems found") {
		t.Errorf("sgdisk: %s", said)
	}
	check(t, partition(t, out, grown), "/usr/sbin/e2fsck", "-fn", "/image")
}

// check runs a program over a file and fails the test when it is not content.
func check(tb testing.TB, file string, argv ...string) string {
	tb.Helper()
	return vmtest.Root(tb, vmtest.Tools).Judge(tb, file, argv...)
}

// partition copies a partition to a sparse file of its own.
func partition(tb testing.TB, disk string, p layout.Partition) string {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), p.Name)
	in, err := os.Open(disk)
	if err != nil {
		tb.Fatal(err)
	}
	defer in.Close()
	f, err := os.Create(out)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(p.Bytes()); err != nil {
		tb.Fatal(err)
	}
	end := p.Offset() + p.Bytes()
	for at := p.Offset(); at < end; {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if err != nil || data >= end {
			break
		}
		hole, err := unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			tb.Fatal(err)
		}
		hole = min(hole, end)
		if _, err := f.Seek(data-p.Offset(), io.SeekStart); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.Copy(f, io.NewSectionReader(in, data, hole-data)); err != nil {
			tb.Fatal(err)
		}
		at = hole
	}
	return out
}

// TestKVMIsDecided asks for KVM on whatever machine this is: the answer must
// come in time, and where it is yes, an image must boot with it.
func TestKVMIsDecided(t *testing.T) {
	begin := time.Now()
	err := vm.KVM(t.Context(), vmtest.Root(t, vmtest.QEMU).Machines())
	t.Logf("after %s: %v", time.Since(begin).Round(time.Millisecond), err)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if err != nil {
		return
	}
	out, _ := buildImage(t, nil, bootentry.Generation{Number: 1})
	m := start(t, vm.Options{Disks: []vm.Disk{{Path: out}}, Accel: vm.HW, NoReboot: true})
	expect(t, m, "guest: is up")
}
