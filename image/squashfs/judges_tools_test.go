//go:build tools

package squashfs

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/vm"
	"reprise/internal/vm/vmtest"
	"reprise/store/sandbox"
)

// The test binary is also the /init of the guest that mounts the images.
func TestMain(m *testing.M) {
	if vmtest.InGuest() {
		guest()
	}
	sandbox.Init()
	os.Exit(m.Run())
}

// tool runs a program of squashfs-tools and returns what it says, warnings too.
func tool(tb testing.TB, binds []sandbox.Bind, argv ...string) string {
	tb.Helper()
	var out bytes.Buffer
	err := sandbox.Run(tb.Context(), sandbox.Spec{
		Root: string(vmtest.Root(tb, vmtest.Tools)), AsRoot: true, Tmpfs: []string{"/tmp"}, Argv: argv, Binds: binds,
		Env: []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"}, Stdout: &out, Stderr: &out,
	})
	if err != nil {
		tb.Fatalf("%s: %v\n%s", argv[0], err, out.String())
	}
	return out.String()
}

// large adds what only judges need to see: 70,000 entries, a large file, one
// beyond 4 GiB that is a hole but for its ends, and listings in many blocks.
func large(tb testing.TB, dir string) []Path {
	tb.Helper()
	many := filepath.Join(dir, "x-many")
	if err := os.Mkdir(many, 0o755); err != nil {
		tb.Fatal(err)
	}
	for i := range 70_000 {
		if err := os.Symlink("t", filepath.Join(many, fmt.Sprintf("%s%06d", strings.Repeat("x", i%200), i))); err != nil {
			tb.Fatal(err)
		}
	}
	create := func(name string, fill func(f *os.File) error) {
		f, err := os.Create(filepath.Join(dir, name))
		if err == nil {
			err = errors.Join(fill(f), f.Close())
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	create("y-large", func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<20)
		random := rand.New(rand.NewPCG(3, 4))
		for n := 0; n < 300<<20; {
			line, _ := fmt.Fprintf(w, "%x %s\n", random.Uint64(), strings.Repeat("=", random.IntN(200)))
			n += line
		}
		return w.Flush()
	})
	create("z-huge", func(f *os.File) error {
		_, err1 := f.WriteString("begin")
		_, err2 := f.WriteAt([]byte("end"), 4<<30+5)
		return errors.Join(err1, err2)
	})
	var paths []Path
	for _, name := range []string{"x-many", "y-large", "z-huge"} {
		paths = append(paths, Path{Name: name, Dir: filepath.Join(dir, name)})
	}
	return paths
}

// sums returns the SHA-256 of each tree in dir: of names, kinds, modes,
// targets and contents. A tree on disk counts as what it should become; in an
// image times and owners count too, of which this process is to be one.
func sums(dir string, image bool, tell func(name, sum string)) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, e := range entries {
		h, n := sha256.New(), 0
		err := filepath.WalkDir(filepath.Join(dir, e.Name()), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if n++; n > 10_000 && n%16 != 0 { // the guest would take minutes
				fmt.Fprintf(h, "%q %s\n", path[len(dir):], d.Type())
				return nil
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			mode, owner, times := info.Mode(), fmt.Sprint(int(st.Uid)-os.Geteuid(), int(st.Gid)-os.Getegid()), fmt.Sprint(st.Mtim.Nano())
			if !image {
				mode = mode.Type() | map[bool]fs.FileMode{false: 0o444, true: 0o555}[mode.IsDir() || mode&0o100 != 0]
				owner, times = "0 0", "1000000000"
			}
			size := info.Size()
			switch mode.Type() {
			case fs.ModeSymlink:
				mode = fs.ModeSymlink
			case fs.ModeDir:
				size = 0
			}
			fmt.Fprintf(h, "%q %s %s %s %d\n", path[len(dir):], mode, owner, times, size)
			switch mode.Type() {
			case fs.ModeSymlink:
				target, err := os.Readlink(path)
				fmt.Fprintf(h, "%q\n", target)
				return err
			case 0:
				return hashFile(h, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		found[e.Name()] = fmt.Sprintf("%x", h.Sum(nil))
		if tell != nil {
			tell(e.Name(), found[e.Name()])
		}
	}
	return found, nil
}

// hashFile adds what a file holds, as a CRC-32C. Of a large one it reads parts
// only, the end among them: a guest without KVM takes minutes for more.
func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	c := crc32.New(castagnoli)
	const large, parts, part = 64 << 20, 61, 48 << 10
	if size := info.Size(); size > large {
		for i := range int64(parts) {
			if _, err := io.Copy(c, io.NewSectionReader(f, (size-part)*i/(parts-1), part)); err != nil {
				return err
			}
		}
	} else if _, err = io.Copy(c, f); err != nil {
		return err
	}
	fmt.Fprintf(h, "%x\n", c.Sum32())
	return nil
}

func writeFile(tb testing.TB, m *Image) string {
	tb.Helper()
	f, err := os.Create(filepath.Join(tb.TempDir(), "image"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(m.WriteTo(tb.Context(), f), f.Close()); err != nil {
		tb.Fatal(err)
	}
	return f.Name()
}

// beyond4G writes an image whose second half lies behind a gap of 5 GiB, as
// if that much of other paths were between.
func beyond4G(tb testing.TB, paths []Path, o Options) string {
	tb.Helper()
	m, err := Pack(tb.Context(), paths, o)
	if err != nil {
		tb.Fatal(err)
	}
	t, err := newTables(m.options.BlockSize, len(paths))
	if err != nil {
		tb.Fatal(err)
	}
	f, err := os.Create(filepath.Join(tb.TempDir(), "image"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	for i, p := range m.paths {
		if i == len(m.paths)/2 {
			t.base += 5 << 30
		}
		x, _, err := m.options.readIndex(p.Path)
		if err != nil {
			tb.Fatal(err)
		}
		if err := m.writeBlocks(tb.Context(), io.NewOffsetWriter(f, t.base), p, make([]byte, sumBytes)); err != nil {
			tb.Fatal(err)
		}
		if err := t.add(p.Name, x); err != nil {
			tb.Fatal(err)
		}
	}
	superblock, tail, err := t.finish()
	if err != nil {
		tb.Fatal(err)
	}
	_, err1 := f.WriteAt(superblock, 0)
	_, err2 := f.WriteAt(tail, t.base)
	if err := errors.Join(err1, err2); err != nil {
		tb.Fatal(err)
	}
	return f.Name()
}

// TestJudges has the images read by squashfs-tools and by a kernel that
// mounts them.
func TestJudges(t *testing.T) {
	dir := t.TempDir()
	paths, _ := sample(t, dir, DefaultBlockSize)
	want, err := sums(dir, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Cache: t.TempDir(), Level: Fastest}
	far := beyond4G(t, paths, o)
	paths = append(paths, large(t, dir)...)
	all, err := sums(dir, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Pack(t.Context(), paths, o)
	if err != nil {
		t.Fatal(err)
	}
	image := writeFile(t, m)

	for _, c := range []struct {
		name, image string
		want        map[string]string
	}{{"unsquashfs", image, all}, {"unsquashfs beyond 4 GiB", far, want}} {
		t.Run(c.name, func(t *testing.T) {
			out := t.TempDir()
			binds := []sandbox.Bind{{Source: c.image, Target: "/image"}, {Source: out, Target: "/out", Writable: true}}
			if said := tool(t, binds[:1], "/usr/bin/unsquashfs", "-s", "/image"); !strings.Contains(said, "Compression zstd") || !strings.Contains(said, "exportable via NFS") {
				t.Errorf("unsquashfs -s: %s", said)
			}
			said := tool(t, binds, "/usr/bin/unsquashfs", "-no-progress", "-strict-errors", "-d", "/out/tree", "/image")
			t.Cleanup(func() { writable(t, out) })
			if strings.Contains(strings.ToLower(said), "warn") {
				t.Errorf("unsquashfs: %s", said)
			}
			got, err := sums(filepath.Join(out, "tree"), true, nil)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, c.want)
		})
	}
	t.Run("kernel", func(t *testing.T) {
		begin := time.Now()
		machine := start(t, image, far)
		for i, want := range []map[string]string{all, want} {
			if err := machine.Expect(fmt.Sprintf("guest: %d is done", i), limit); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for line := range strings.Lines(machine.Text()) {
				var n int
				var name, sum string
				if _, err := fmt.Sscanf(line, "guest: sum %d %q %s", &n, &name, &sum); err == nil && n == i {
					got[name] = sum
				}
			}
			same(t, got, want)
		}
		if err := machine.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		t.Logf("from start to power off: %s", time.Since(begin).Round(10*time.Millisecond))
	})
}

func same(tb testing.TB, got, want map[string]string) {
	tb.Helper()
	for name, sum := range want {
		if got[name] != sum {
			tb.Errorf("%q: sum %q, want %q", name, got[name], sum)
		}
	}
	if len(got) != len(want) {
		tb.Errorf("%d trees, want %d", len(got), len(want))
	}
}

// writable lets a tree of read-only directories be removed.
func writable(tb testing.TB, dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		if err != nil {
			tb.Error(err)
		}
		return err
	})
}

const limit = 6 * time.Minute // of a boot, on a machine that does much else

var modules = []string{"drivers/block/virtio_blk", "fs/squashfs/squashfs"}

// start boots the kernel of the archive with this binary as /init and the
// images as disks.
func start(tb testing.TB, images ...string) *vm.Machine {
	tb.Helper()
	boot := vmtest.Root(tb, vmtest.Boot)
	kernel, moduleDir := boot.Kernel(tb)
	initrd := filepath.Join(tb.TempDir(), "initrd")
	if err := os.WriteFile(initrd, vmtest.Initramfs(tb, moduleDir, modules), 0o644); err != nil {
		tb.Fatal(err)
	}
	o := vm.Options{Firmware: vm.BIOS, Accel: vm.Auto, NoReboot: true, Args: []string{"-kernel", "/kernel", "-initrd", "/initrd", "-append", "console=ttyS0 quiet panic=-1"}}
	for _, image := range images {
		o.Disks = append(o.Disks, vm.Disk{Path: image})
	}
	return vmtest.Root(tb, vmtest.QEMU).Start(tb, o, vm.Bind{Source: filepath.Join(string(boot), kernel), Target: "/kernel"}, vm.Bind{Source: initrd, Target: "/initrd"})
}

// guest is what runs in the machine: it mounts each disk and tells the sums
// of the trees on it.
func guest() {
	vmtest.Begin()
	vmtest.Load(modules)
	for i, device := range []string{"/dev/vda", "/dev/vdb"} {
		dir := fmt.Sprintf("/%d", i)
		os.Mkdir(dir, 0o755)
		vmtest.Await(device)
		vmtest.Must("mount "+device, unix.Mount(device, dir, "squashfs", unix.MS_RDONLY, "errors=panic"))
		_, err := sums(dir, true, func(name, sum string) { fmt.Printf("guest: sum %d %q %s\n", i, name, sum) })
		vmtest.Must("read "+device, err)
		// Names that sort before, between and behind those that are there.
		for _, name := range []string{"e-many/a", "e-many/zzz", "e-many/" + strings.Repeat("m", 100) + "-0350x", "nothing"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
				vmtest.Must("look for "+name, fmt.Errorf("it is there, or: %v", err))
			}
		}
		fmt.Printf("guest: %d is done\n", i)
	}
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
