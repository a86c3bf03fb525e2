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

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/image/layout"
	"reprise/internal/bootentry"
	"reprise/internal/bootmenu"
	"reprise/internal/growroot"
	"reprise/internal/progress"
	"reprise/internal/toolbox"
	"reprise/internal/vm"
	"reprise/store/sandbox"
)

// The test binary is also the /init of the guests that it boots.
func TestMain(m *testing.M) {
	if os.Getpid() == 1 && os.Getenv("HOME") == "/" {
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
	must := func(what string, err error) {
		if err != nil {
			fmt.Printf("guest: %s: %v\n", what, err)
			unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		}
	}
	for name, kind := range map[string]string{"/dev": "devtmpfs", "/proc": "proc", "/sys": "sysfs"} {
		os.Mkdir(name, 0o755)
		must("mount "+name, unix.Mount(kind, name, kind, 0, ""))
	}
	console, err := os.OpenFile("/dev/ttyS0", os.O_RDWR, 0)
	must("open the serial line", err)
	os.Stdout = console
	line, err := os.ReadFile("/proc/cmdline")
	must("read the kernel line", err)
	fmt.Printf("guest: kernel line %s", line)
	if strings.Contains(string(line), failParam) {
		fmt.Println("guest: fails")
		unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	}
	load := func(modules []string) {
		for _, name := range modules {
			f, err := os.Open("/" + filepath.Base(name))
			must("open "+name, err)
			const compressed = 4 // MODULE_INIT_COMPRESSED_FILE
			must("load "+name, unix.FinitModule(int(f.Fd()), "", compressed))
		}
	}
	if strings.Contains(string(line), bootmenu.MediumParam) {
		load(mediumModules)
		must("medium", mediumGuest())
		fmt.Println("guest: is up")
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	load(modules)
	os.Mkdir("/disk", 0o755)
	device := "/dev/vda3"
	for range 100 {
		if _, err := os.Stat(device); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	must("mount", unix.Mount(device, "/disk", "ext4", 0, ""))
	text, err := os.ReadFile("/disk/srv/hello")
	must("read", err)
	fmt.Printf("guest: the disk says %s\n", text)
	grown, err := growroot.Grow(context.Background(), "/disk")
	must("grow", err)
	again, err := growroot.Grow(context.Background(), "/disk")
	must("grow again", err)
	fmt.Printf("guest: changed %v, again %v, partition %d to %d, file system %d to %d\n",
		grown.Changed(), again.Changed(), grown.PartitionBefore, grown.PartitionAfter, grown.FSBefore, grown.FSAfter)
	must("unmount", unix.Unmount("/disk", 0))
	fmt.Println("guest: is up")
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

var modules = []string{
	"crypto/crc32c_generic", "lib/libcrc32c", "lib/crc16", "fs/mbcache", "fs/jbd2/jbd2", "fs/ext4/ext4", "drivers/block/virtio_blk",
}

// tree is a root file system whose programs run in a sandbox.
type tree string

// root returns the tree that the environment names: REPRISE_TEST_TOOLS holds
// e2fsprogs, libarchive13t64, grub-common, grub-pc-bin and gdisk,
// REPRISE_TEST_QEMU qemu-system-x86, ovmf and seabios, REPRISE_TEST_BOOT a
// kernel, shim-signed, shim-helpers-amd64-signed, grub-efi-amd64-signed and
// systemd-boot-efi-amd64-signed.
func root(tb testing.TB, name string) tree {
	tb.Helper()
	dir := os.Getenv("REPRISE_TEST_" + name)
	if dir == "" {
		tb.Fatalf("REPRISE_TEST_%s names no tree", name)
	}
	return tree(dir)
}

func (t tree) ReadFile(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(t), path))
}

func (t tree) spec() sandbox.Spec {
	return sandbox.Spec{Root: string(t), AsRoot: true, Tmpfs: []string{"/tmp"}}
}

func (t tree) Run(ctx context.Context, c image.Command) error {
	var stderr bytes.Buffer
	spec := t.spec()
	spec.Argv, spec.Env, spec.Stdin, spec.Stdout, spec.Stderr = c.Argv, c.Env, c.Stdin, c.Stdout, &stderr
	for _, b := range c.Binds {
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable})
	}
	if err := sandbox.Run(ctx, spec); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Argv[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// machines is a tree that holds QEMU.
type machines struct{ tree }

func (t machines) Run(ctx context.Context, c vm.Command) error {
	spec := t.spec()
	spec.Argv, spec.Env, spec.Stdin, spec.Stdout, spec.Network = c.Argv, c.Env, c.Stdin, c.Stdout, true
	for _, b := range c.Binds {
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable, Device: b.Device})
	}
	return toolbox.Run(ctx, spec)
}

// kernel finds the one kernel of the tree and its modules.
func (t tree) kernel(tb testing.TB) (kernel []byte, modules string) {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(string(t), "usr/lib/reprise/boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		tb.Fatalf("kernels: %q, %v", found, err)
	}
	if kernel, err = os.ReadFile(found[0]); err != nil {
		tb.Fatal(err)
	}
	version := strings.TrimPrefix(filepath.Base(found[0]), "vmlinuz-")
	return kernel, filepath.Join(string(t), "usr/lib/modules", version, "kernel")
}

// buildImage makes an image whose guests are this binary. mend changes the
// kernel; generations get their hashes here.
func buildImage(tb testing.TB, mend func([]byte) []byte, generations ...bootentry.Generation) (string, image.Disk) {
	tb.Helper()
	files := root(tb, "BOOT")
	kernel, moduleDir := files.kernel(tb)
	if mend != nil {
		kernel = mend(kernel)
	}
	initrd := initramfs(tb, moduleDir, modules)
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
	tools := root(tb, "TOOLS")
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

// initramfs packs a static build of this binary with the modules it loads.
func initramfs(tb testing.TB, moduleDir string, modules []string) []byte {
	tb.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		tb.Fatal(err)
	}
	w := cpio.NewWriter(z)
	add := func(name, source string, mode cpio.FileMode) {
		content, err := os.ReadFile(source)
		if err != nil {
			tb.Fatal(err)
		}
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(content))}); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			tb.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	add("init", self, 0o755)
	for _, name := range modules {
		add(filepath.Base(name), filepath.Join(moduleDir, name+".ko.xz"), 0o644)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

const limit = 4 * time.Minute // of one boot, on a machine that does much else

func start(tb testing.TB, o vm.Options) *vm.Machine {
	tb.Helper()
	m, err := vm.Start(tb.Context(), o, machines{root(tb, "QEMU")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
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

// TestTrialFallsBack boots a machine whose newest generation reboots instead
// of coming up: after its tries the older one must start by itself.
func TestTrialFallsBack(t *testing.T) {
	for _, firmware := range []vm.Firmware{vm.BIOS, vm.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			out, d := buildImage(t, nil, bootentry.Generation{Number: 1}, bootentry.Generation{Number: 2, Tries: 2, Params: []string{failParam}})
			m := start(t, vm.Options{Disks: []vm.Disk{{Path: out, Keep: true}}, Firmware: firmware})
			for range 2 {
				expect(t, m, "reprise.generation=2", bootentry.TrialParam, "guest: fails")
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
	var out bytes.Buffer
	err := root(tb, "TOOLS").Run(tb.Context(), image.Command{
		Argv: argv, Stdout: &out, Env: []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}, Binds: []image.Bind{{Source: file, Target: "/image"}},
	})
	if err != nil {
		tb.Errorf("%v\n%s", err, out.String())
	}
	return out.String()
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
	err := vm.KVM(t.Context(), machines{root(t, "QEMU")})
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
