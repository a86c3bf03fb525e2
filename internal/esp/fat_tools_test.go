//go:build tools

package esp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/internal/bootentry"
	"reprise/internal/progress"
	"reprise/internal/vm"
	"reprise/internal/vm/vmtest"
	"reprise/store/sandbox"
)

// The test binary is also the /init of the guest that it boots.
func TestMain(m *testing.M) {
	if vmtest.InGuest() {
		guest()
	}
	sandbox.Init()
	os.Exit(m.Run())
}

// fatBytes is the ESP of the guest: FAT32 with clusters of one sector, so that
// entries have chains of them. The disk goes on after it: a write there says
// to the log which change follows.
const (
	fatBytes  = 34 << 20
	diskBytes = fatBytes + 1<<20
	fatSector = 512
)

var modules = []string{"fs/nls/nls_cp437", "fs/nls/nls_ascii", "fs/nls/nls_utf8", "fs/nls/nls_ucs2_utils", "fs/fat/fat", "fs/fat/vfat", "drivers/block/virtio_blk"}

// bulk is the content of an image in the guest.
func bulk(name string) []byte {
	out := make([]byte, 20<<10+7)
	r := rand.NewChaCha8(sha256.Sum256([]byte(name)))
	r.Read(out)
	return out
}

func bulkDigest(name string) string {
	sum := sha256.Sum256(bulk(name))
	return hex.EncodeToString(sum[:])
}

func guestGeneration(n int) bootentry.Generation {
	return bootentry.Generation{Number: n, System: fmt.Sprintf("/nix/store/%032d-system-rig", n), Host: "rig",
		Kernel: bulkDigest(fmt.Sprint("kernel", (n+1)/2)), Initrd: bulkDigest(fmt.Sprint("initrd", n)), Params: []string{strings.Repeat("quiet", 60)}}
}

// A phase is one change in the guest. UEFI and BIOS start old before it and
// new after it.
type phase struct {
	name     string
	old, new int
	do       func(g *espGuest)
}

// espGuest is the ESP as it is mounted in the guest.
type espGuest struct {
	dir    *Dir
	from   map[string]Source
	filler *os.File
}

func (g *espGuest) read() State {
	s, err := Read(g.dir)
	vmtest.Must("read", err)
	return s
}

func (g *espGuest) apply(p Plan) {
	vmtest.Must("apply", Apply(context.Background(), g.dir, p, progress.Discard))
}

// add makes the generations that are there and one more on trial.
func (g *espGuest) add(n int) Plan {
	s := g.read()
	var list []bootentry.Generation
	for _, m := range s.Numbers() {
		list = append(list, guestGeneration(m))
	}
	added := guestGeneration(n)
	added.Tries = 3
	return Make(s, Request{Generations: append(s.Carry(list), added), Options: options, Sources: g.from, Running: s.Default()})
}

// phases are what the guest does, in its order.
var phases = []phase{
	{"first", 0, 1, func(g *espGuest) {
		g.apply(Make(g.read(), Request{Generations: []bootentry.Generation{guestGeneration(1)}, Options: options, Sources: g.from}))
	}},
	{"add 2", 1, 2, func(g *espGuest) { g.apply(g.add(2)) }},
	// Renaming on FAT can lose the name: the trial is over then, and the
	// default starts. systemd-boot counts that way; Bless does not.
	{"the loader counts", 1, 2, func(g *espGuest) {
		vmtest.Must("rename", g.dir.Rename("loader/entries/reprise-2+3.conf", "loader/entries/reprise-2+2-1.conf"))
	}},
	{"bless 2", 2, 2, func(g *espGuest) { g.apply(Bless(g.read(), 2)) }},
	{"add 3", 2, 3, func(g *espGuest) { g.apply(g.add(3)) }},
	{"back to 1", 3, 1, func(g *espGuest) { g.apply(SetDefault(g.read(), 1)) }},
	{"fill", 1, 1, func(g *espGuest) {
		space, err := g.dir.Space()
		vmtest.Must("space", err)
		g.filler, err = os.Create("/esp/filler")
		vmtest.Must("create", err)
		vmtest.Must("fill", unix.Fallocate(int(g.filler.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, space.Free))
		space, err = g.dir.Space()
		vmtest.Must("space", err)
		fmt.Printf("guest: %d bytes free\n", space.Free)
	}},
	{"on to 2, full", 1, 2, func(g *espGuest) { g.apply(SetDefault(g.read(), 2)) }},
	{"add 4, full", 2, 4, func(g *espGuest) {
		plan := g.add(4)
		fmt.Printf("guest: need %d of %d, dropped %v, problems %q\n", plan.Need, plan.Free, plan.Dropped, plan.Problems)
		g.apply(plan)
	}},
	{"bless 4", 4, 4, func(g *espGuest) { g.apply(Bless(g.read(), 4)) }},
	{"end", 4, 4, func(g *espGuest) { g.filler.Close() }},
}

func guest() {
	vmtest.Begin()
	vmtest.Load(modules)
	vmtest.Await("/dev/vda")
	raw, err := os.OpenFile("/dev/vda", os.O_WRONLY|unix.O_DSYNC, 0)
	vmtest.Must("open the disk", err)
	for _, dir := range []string{"/esp", "/from"} {
		vmtest.Must("mkdir", os.Mkdir(dir, 0o700))
	}
	vmtest.Must("mount", unix.Mount("/dev/vda", "/esp", "vfat", 0, "umask=0077"))
	g := &espGuest{from: map[string]Source{}}
	g.dir, err = Open("/esp")
	vmtest.Must("open", err)
	vmtest.Must("mounted", g.dir.Mounted())
	for n := range 5 {
		for _, kind := range []string{"kernel", "initrd"} {
			name := fmt.Sprint(kind, n+1)
			file := filepath.Join("/from", name)
			vmtest.Must("write", os.WriteFile(file, bulk(name), 0o600))
			g.from[bulkDigest(name)] = Source{file, int64(len(bulk(name)))}
		}
	}
	for i, p := range phases {
		_, err := raw.WriteAt(make([]byte, fatSector), fatBytes+int64(i)*fatSector)
		vmtest.Must("mark", err)
		begin := time.Now()
		p.do(g)
		fmt.Printf("guest: %s took %s\n", p.name, time.Since(begin).Round(time.Millisecond))
	}
	vmtest.Must("close", g.dir.Close())
	vmtest.Must("unmount", unix.Unmount("/esp", 0))
	fmt.Println("guest: is up")
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// overlay is a disk that keeps what is written to it apart.
type overlay struct {
	base []byte
	over map[int64][]byte // by sector
}

func (o overlay) WriteAt(p []byte, at int64) (int, error) {
	for i := 0; i < len(p); i += fatSector {
		o.over[(at+int64(i))/fatSector] = bytes.Clone(p[i : i+fatSector])
	}
	return len(p), nil
}

func (o overlay) read(at, length int64) []byte {
	var out []byte
	for n := at / fatSector; int64(len(out)) < length; n++ {
		if s, ok := o.over[n]; ok {
			out = append(out, s...)
		} else {
			out = append(out, o.base[n*fatSector:(n+1)*fatSector]...)
		}
	}
	return out[:length]
}

// TestFATPowerCuts makes every change of an ESP in a guest, on a FAT that
// Linux writes, and cuts the power after each write that reached the disk. What is not
// flushed by then may be there in part.
func TestFATPowerCuts(t *testing.T) {
	boot, tools := vmtest.Root(t, vmtest.Boot), vmtest.Root(t, vmtest.Tools)
	dir := t.TempDir()
	disk, log, initrd := filepath.Join(dir, "disk.img"), filepath.Join(dir, "log"), filepath.Join(dir, "initrd")
	for name, size := range map[string]int64{disk: fatBytes, log: 0} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
	}
	err := tools.Run(t.Context(), image.Command{
		Argv: []string{"/usr/sbin/mkfs.fat", "-F", "32", "-s", "1", "-i", "01020304", "/image"}, Env: []string{"LC_ALL=C"},
		Binds: []image.Bind{{Source: disk, Target: "/image", Writable: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(disk, diskBytes); err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	kernel, moduleDir := boot.Kernel(t)
	if err := os.WriteFile(initrd, vmtest.Initramfs(t, moduleDir, modules), 0o600); err != nil {
		t.Fatal(err)
	}
	m := vmtest.Root(t, vmtest.QEMU).Start(t, vm.Options{
		Firmware: vm.BIOS, NoReboot: true, Disks: []vm.Disk{{Path: disk, Keep: true, Log: log}},
		Args: []string{"-kernel", "/kernel", "-initrd", "/initrd", "-append", "console=ttyS0 quiet panic=-1"},
	}, vm.Bind{Source: filepath.Join(string(boot), kernel), Target: "/kernel"}, vm.Bind{Source: initrd, Target: "/initrd"})
	if err := m.Expect("guest: is up", 10*time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, m.Text())
	}
	if err := m.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(m.Text()) {
		if strings.HasPrefix(line, "guest:") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if text := m.Text(); !strings.Contains(text, "guest: 0 bytes free") {
		t.Error("the ESP was not full")
	}
	if err := os.Truncate(disk, fatBytes); err != nil {
		t.Fatal(err)
	}
	t.Log(tools.Judge(t, disk, "/usr/sbin/fsck.fat", "-n", "/image"))
	cutFAT(t, base, log)
}

func cutFAT(t *testing.T, base []byte, logFile string) {
	f, err := os.Open(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	log, err := vm.ReadWriteLog(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	now, cuts, seen := -1, 0, map[int]bool{}
	for n, w := range log.Entries {
		if w.Offset >= fatBytes {
			now = int(w.Offset-fatBytes) / fatSector
			seen[now] = true
			continue
		}
		if now < 1 {
			continue // nothing could be started before
		}
		for try := range 6 {
			r := rand.New(rand.NewPCG(uint64(n), uint64(try)))
			o := overlay{base, map[int64][]byte{}}
			lost, err := log.Cut(o, n+1, func(sectors int64) int64 {
				switch kind := r.IntN(3); {
				case try == 0 || try > 1 && kind == 0:
					return sectors
				case try == 1 || kind == 1:
					return 0
				}
				return r.Int64N(sectors + 1)
			})
			if err != nil {
				t.Fatal(err)
			}
			cuts++
			for firmware, c := range startsOf(t, o) {
				if p := phases[now]; c.Number != p.old && c.Number != p.new {
					t.Errorf("%s, after write %d, %d lost: %s starts %d, want %d or %d", p.name, n, lost, firmware, c.Number, p.old, p.new)
				}
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	if len(seen) != len(phases) {
		t.Errorf("%d of %d changes are in the log", len(seen), len(phases))
	}
	t.Logf("%d writes, %d cuts", len(log.Entries), cuts)
}

// startsOf tells what both firmwares start, and fails the test when it is not
// whole.
func startsOf(t *testing.T, o overlay) map[Firmware]Choice {
	t.Helper()
	fat := openFAT(o)
	s, err := Read(fat)
	if err != nil {
		t.Fatal(err)
	}
	all := map[Firmware]Choice{}
	for _, firmware := range []Firmware{UEFI, BIOS} {
		c, err := Choose(s, firmware)
		if err != nil {
			t.Errorf("%s: %v", firmware, err)
		}
		all[firmware] = c
		for _, name := range []string{c.Kernel, c.Initrd} {
			content, err := fat.ReadFile(name, 1<<20)
			sum := sha256.Sum256(content)
			if _, hash, _ := strings.Cut(path.Base(name), "-"); err != nil || hex.EncodeToString(sum[:16]) != hash {
				t.Errorf("%s starts %d, whose %q is not whole: %d bytes, %v", firmware, c.Number, name, len(content), err)
			}
		}
	}
	return all
}
