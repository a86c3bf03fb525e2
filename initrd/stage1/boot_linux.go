package stage1

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"

	"reprise/initrd/blockdev"
	"reprise/initrd/kmod"
	"reprise/internal/rootmount"
)

const (
	target        = "/sysroot"
	loadList      = "/etc/reprise/load"
	maxActivation = 16 << 20 // bytes
)

// fileSystems are the modules that the root file system is made with, beside
// that of the disk.
var fileSystems = []string{"erofs", "overlay"}

// rootTypes are the file systems that a root partition may have, with the
// options that they are mounted with.
var rootTypes = map[string]string{"ext4": "errors=remount-ro", "btrfs": ""}

// A boot is one start of the machine.
type boot struct {
	line     Line
	programs Programs
	devices  *devices // nil until prepare is done
	mounted  int      // how many of the kernel's file systems prepare has mounted
	log      journal
	system   string          // the store path that is started
	switched bool            // the old root is gone
	carried  *carriedDrivers // nil unless a medium's store is mounted
	marks    []mark
}

type mark struct {
	name string
	at   time.Duration // since the kernel started
}

// start is process 1. It does not return.
func start(p Programs) {
	// Nothing here lives long enough to be worth collecting.
	debug.SetGCPercent(-1)
	b := &boot{programs: p}
	b.mark("init")
	for asked := false; ; undo() {
		var err error
		if b.devices == nil {
			err = guarded(b.prepare)
		}
		switch {
		case err != nil:
		case b.line.Rescue && !asked:
			asked, err = true, errRescue
		case b.line.Mode != "":
			err = guarded(b.fromMedium)
		default:
			err = guarded(b.attempt)
		}
		b.hold(err)
	}
}

// guarded does a step and turns a panic of ours into an error: a dead process
// 1 would be a panic of the kernel, which says nothing of use.
func guarded(step func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault in stage 1: %v\n%s", p, debug.Stack())
		}
	}()
	return step()
}

func (b *boot) mark(name string) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	b.marks = append(b.marks, mark{name, time.Duration(now.Nano())})
}

// times prints the phases: "init 2.310 s, modules +0.120, … (start to finish 0.420 s)".
func (b *boot) times() string {
	var s strings.Builder
	for i, m := range b.marks {
		if i == 0 {
			fmt.Fprintf(&s, "%s at %.3f s", m.name, m.at.Seconds())
			continue
		}
		fmt.Fprintf(&s, ", %s +%.3f", m.name, (m.at - b.marks[i-1].at).Seconds())
	}
	last := b.marks[len(b.marks)-1].at
	fmt.Fprintf(&s, "; %.3f s of %.3f s", (last - b.marks[0].at).Seconds(), last.Seconds())
	return s.String()
}

// kernelMounts are where the kernel and its drivers are seen.
var kernelMounts = []struct {
	kind, at, data string
	flags          uintptr
}{
	{"devtmpfs", "/dev", "mode=0755", unix.MS_NOSUID},
	{"proc", "/proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"sysfs", "/sys", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	// As systemd would mount it (mount-setup.c).
	{"tmpfs", "/run", "mode=0755,size=20%,nr_inodes=800k", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_STRICTATIME},
}

// prepare mounts the kernel's own file systems and reads the kernel line. When
// it fails, it may be done again.
func (b *boot) prepare() error {
	unix.Umask(0o022)
	for _, m := range kernelMounts[b.mounted:] {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		if _, err := mount.Mount(m.kind, m.at, m.kind, m.data, m.flags); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		b.mounted++
	}
	b.log.open()
	attachConsole()
	data, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("read the kernel line: %w", err)
	}
	var problems []error
	b.line, problems = parseLine(string(data))
	for _, p := range problems {
		b.log.printf(logWarning, "kernel line: %v", p)
	}
	// udev has the kernel look every two seconds for cards that are put into
	// readers and discs into drives (60-block.rules); here there is none.
	_ = os.WriteFile("/sys/module/block/parameters/events_dfl_poll_msecs", []byte("2000\n"), 0)
	if !b.line.Panic {
		// A machine that stands still for ever cannot be counted as a failed boot.
		_ = os.WriteFile("/proc/sys/kernel/panic", []byte("10\n"), 0)
	}
	// Not in the archive: see package build.
	if err := os.MkdirAll("/sbin", 0o755); err == nil {
		err = os.Symlink("/init", "/sbin/modprobe")
		if err != nil && !errors.Is(err, fs.ErrExist) {
			b.log.printf(logWarning, "no modprobe for the kernel: %v", err)
		}
	}
	dir, err := kmod.Dir("/")
	if err != nil {
		return err
	}
	x, err := kmod.Read(os.DirFS(dir))
	if err != nil {
		return &Failure{Got: "the initramfs is not for this kernel", Want: dir, Err: err,
			Do: []string{"boot the kernel and the initramfs of one generation together"}}
	}
	refused := kmod.Refused{}
	for name := range b.line.Refused {
		refused[name] = "the kernel line says so (modprobe.blacklist)"
	}
	b.keepRefused(refused)
	d := &devices{optical: b.line.Mode != "", loader: kmod.NewLoader(x, dir, b.line.Options, b.line.Refused), sys: os.DirFS("/sys")}
	if d.events, err = listenUevents(); err != nil {
		b.log.printf(logWarning, "%v", err)
	}
	b.devices = d
	b.mark("prepare")
	return nil
}

// errRescue is no failure: somebody wants a shell first.
var errRescue = errors.New("reprise.rescue is on the kernel line: a shell before anything is mounted; exit goes on")

// attempt starts the system. It returns only with an error.
func (b *boot) attempt() error {
	early := append(slices.Clone(fileSystems), cmp.Or(b.line.RootType, "ext4"))
	if len(b.line.LUKS) > 0 {
		early = append(early, encryption...)
	}
	for _, name := range early {
		go func() {
			if err := b.devices.loader.Load(name); err != nil && !errors.Is(err, kmod.ErrUnknown) {
				b.log.printf(logWarning, "%v", err)
			}
		}()
	}
	device, err := b.findRoot()
	if err != nil {
		return err
	}
	b.mark("disk found")
	node, err := b.opened(device)
	if err != nil {
		return err
	}
	kind := b.rootType(node)
	b.await(kind)
	b.mark(kind)
	return b.startFrom(func() error { return b.mountDisk(node, kind) })
}

// startFrom starts the system of the disk that mount mounts at
// rootmount.Disk. It returns only with an error.
func (b *boot) startFrom(mount func() error) error {
	// Loaded while we mount: drivers that process 1 wants from its first second.
	var listed sync.WaitGroup
	listed.Go(b.loadListed)
	if err := mount(); err != nil {
		return err
	}
	b.mark("disk mounted")
	if err := b.findSystem(); err != nil {
		return err
	}
	if err := b.runActivation(); err != nil {
		return err
	}
	b.mark("activation")
	b.await("erofs", "overlay")
	b.mark("erofs, overlay")
	init, err := b.compose()
	if err != nil {
		return err
	}
	b.mark("root")
	listed.Wait()
	b.devices.close(slowest)
	b.mark("drivers")
	return b.switchRoot(init)
}

// await waits until modules are loaded. Whether they could be, the mount that
// needs them will tell.
func (b *boot) await(names ...string) {
	for _, name := range names {
		_ = b.devices.loader.Load(name)
	}
}

func (b *boot) loadListed() {
	data, err := os.ReadFile(loadList)
	if err != nil {
		return
	}
	for _, name := range strings.Fields(string(data)) {
		if err := b.devices.loader.Load(name); err != nil {
			b.log.printf(logWarning, "%v", err)
		}
	}
}

func (b *boot) findRoot() (blockdev.Device, error) {
	ref := b.line.Root
	if name, ok := strings.CutPrefix(ref.Value, "mapper/"); ok && ref.Key == "/dev" {
		// What it will be once it is open.
		for _, l := range b.line.LUKS {
			if l.Name == name {
				ref = blockdev.Ref{Key: "UUID", Value: l.UUID}
			}
		}
	}
	if ref.Key == "" {
		_, _, _ = b.devices.find(ref, nil, 3*time.Second) // only so that there is something to list
		all, err := b.devices.list(true)
		return blockdev.Device{}, &Failure{Got: "the kernel line does not say where the root partition is",
			Want: "root=PARTUUID=…", Seen: table(all), Err: err}
	}
	found, _, err := b.devices.find(ref, nil, b.line.Wait)
	if err != nil {
		return blockdev.Device{}, err
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) > 1 {
		return found[0], &Failure{Got: "several partitions have the name of the root partition",
			Want: ref.String(), Seen: table(found),
			Do: []string{"one disk is a copy of another: take one of them out"}}
	}
	all, err := b.devices.list(true)
	return blockdev.Device{}, &Failure{Got: "the root partition is not there", Err: err,
		Want: fmt.Sprintf("%s, waited %v for it", ref, b.line.Wait),
		Seen: table(all),
		Do: []string{
			"see that the disk is plugged in, and that the firmware does not hide it (RAID mode)",
			"a disk that needs longer: write rootwait=60 on the kernel line",
			"for a shell press a key: blk lists disks, exit tries again",
		}}
}

// rootType is the file system of the root partition: what its superblock says,
// else what the kernel line does.
func (b *boot) rootType(node string) string {
	found := contentOf(node).Type
	if _, ok := rootTypes[found]; ok {
		return found
	}
	return cmp.Or(b.line.RootType, "ext4")
}

func (b *boot) mountDisk(node, kind string) error {
	flags := rootmount.NoAtime
	if b.line.ReadOnly {
		flags |= rootmount.ReadOnly
	}
	err := rootmount.Apply([]rootmount.Step{
		{Op: rootmount.Mkdir, Target: rootmount.Disk, Mode: 0o755},
		{Op: rootmount.Mount, Type: kind, Source: node, Target: rootmount.Disk, Flags: flags, Data: rootTypes[kind]},
	})
	if err == nil {
		return nil
	}
	seen, _ := b.devices.list(true)
	says, check := "EXT4-fs", "e2fsck -f"
	if kind == "btrfs" {
		says, check = "BTRFS", "btrfs check"
	}
	return &Failure{Got: "the root partition cannot be mounted", Want: "the file system " + kind + " on " + node,
		Seen: append(b.log.kernelSays(says), table(seen)...), Err: err,
		Do: []string{"check it from another machine, or from a rescue system: " + check}}
}

// findSystem decides which system to start and sees that the disk has it.
func (b *boot) findSystem() error {
	b.system = b.line.System
	if b.system == "" {
		var err error
		if b.system, err = profileSystem(rootmount.Disk); err != nil {
			return &Failure{Got: "neither the kernel line nor the disk names a system", Want: "reprise.system=/nix/store/…", Err: err,
				Seen: generations(rootmount.Disk)}
		}
	}
	if !isStorePath(b.system) {
		return &Failure{Got: fmt.Sprintf("%q is not a store path", b.system), Want: "reprise.system=/nix/store/<32 characters>-<name>",
			Seen: generations(rootmount.Disk)}
	}
	_, err := os.Lstat(filepath.Join(rootmount.Disk, b.system, rootmount.RootImage))
	if err == nil {
		return nil
	}
	return &Failure{Got: "the disk does not have the system", Want: b.system, Err: err, Seen: generations(rootmount.Disk),
		Do: []string{"boot one of the generations above: reprise.system= on the kernel line names it"}}
}

// profileSystem returns the store path that the disk's own profile points to.
func profileSystem(disk string) (string, error) {
	profiles := filepath.Join(disk, "nix/var/nix/profiles")
	link, err := os.Readlink(filepath.Join(profiles, "system"))
	if err != nil {
		return "", err
	}
	if filepath.Base(link) == link { // "system-3-link"
		return os.Readlink(filepath.Join(profiles, link))
	}
	return link, nil
}

// generations lists the systems that the disk has.
func generations(disk string) []string {
	links, _ := filepath.Glob(filepath.Join(disk, "nix/var/nix/profiles/system-*-link"))
	var lines []string
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil {
			lines = append(lines, fmt.Sprintf("%s → %s", filepath.Base(l), to))
		}
	}
	if len(lines) == 0 {
		return []string{"no generation on the disk"}
	}
	return lines
}

func (b *boot) runActivation() error {
	if b.programs.Activate == nil || b.line.ReadOnly && b.line.Mode != ModeLive {
		return nil
	}
	file := filepath.Join(rootmount.Disk, b.system, "activation.json")
	data, err := readBounded(file, maxActivation)
	if err == nil {
		err = b.programs.Activate(rootmount.Disk, data)
	}
	if err == nil && b.line.Mode == ModeLive {
		err = b.openSession(data)
	}
	if err != nil {
		return &Failure{Got: "the system's state cannot be prepared", Want: b.system + "/activation.json", Err: err}
	}
	return nil
}

func readBounded(file string, most int64) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%q: want a file of at most %d bytes, have %v with %d", file, most, info.Mode().Type(), info.Size())
	}
	return os.ReadFile(file)
}

// compose puts the root file system together at target and returns the
// programs that may be started there, best first.
func (b *boot) compose() ([]string, error) {
	broken := func(err error, kernel string) error {
		return &Failure{Got: "the system's root image cannot be used", Want: filepath.Join(b.system, rootmount.RootImage),
			Err: err, Seen: b.log.kernelSays(kernel)}
	}
	if err := rootmount.Apply(rootmount.View(rootmount.Disk, b.system, rootmount.Meta, rootmount.Root)); err != nil {
		return nil, broken(err, "erofs")
	}
	facts, err := rootmount.Examine(os.DirFS(rootmount.Root))
	if err != nil {
		return nil, broken(err, "erofs")
	}
	programs := []string{"/usr/lib/systemd/systemd", "/sbin/init"}
	if b.line.Init != "" {
		programs = []string{b.line.Init}
	} else if err := checkProgram(filepath.Join(rootmount.Root, programs[0])); err != nil && !errors.Is(err, errNoProgram) {
		return nil, &Failure{Got: "the system cannot start", Want: programs[0], Err: err, Seen: b.log.kernelSays("overlayfs"),
			Do: []string{"a store path is missing on the disk or damaged: reprise store verify, from another generation"}}
	}
	if err := rootmount.Apply(rootmount.Tree(rootmount.Request{Target: target, View: facts, Medium: b.line.Mode != "", Session: b.line.Mode == ModeLive})); err != nil {
		return nil, fmt.Errorf("put the root file system together: %w", err)
	}
	return programs, nil
}

var errNoProgram = errors.New("the view has no such program")

// checkProgram opens a program of the view and reads its first bytes. A name
// whose store path is missing can be seen, but not opened.
func checkProgram(file string) error {
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return errNoProgram
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var head [4]byte
	if _, err := f.Read(head[:]); err != nil {
		return fmt.Errorf("read %q: %w", file, err)
	}
	return nil
}

// undo takes away what a failed attempt has mounted, so that another may follow.
func undo() {
	letGoOfTarget()
	letGo()
	for _, at := range []string{target, rootmount.Root, rootmount.Meta, carriedStore, rootmount.Disk, rootmount.Medium} {
		for unix.Unmount(at, unix.MNT_DETACH) == nil {
		}
	}
}
