package stage1

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"reprise/initrd/blockdev"
	"reprise/initrd/kmod"
	"reprise/initrd/loopdev"
	"reprise/internal/bootmenu"
	"reprise/internal/rootmount"
)

// Files of an installation medium.
const (
	storeImage  = "reprise/store.squashfs"
	description = "reprise/medium.json"
	checksums   = "reprise/SHA256SUMS"
)

// carriedStore is where the store of the medium is mounted.
const carriedStore = rootmount.Disk + "/nix/store"

const (
	isoBlock       = 2048     // bytes
	maxDescription = 64 << 20 // bytes
)

// mediumFileSystems are the modules that a medium is read with.
var mediumFileSystems = []string{"isofs", "squashfs", "loop", "erofs", "overlay"}

// errMounted is no failure: a person wants a shell with the medium.
var errMounted = errors.New("rescue: the medium is mounted at " + rootmount.Medium + ", its store at " + carriedStore + "; exit mounts them anew, reboot restarts")

// fromMedium does what the medium was started for. It returns only with an
// error.
func (b *boot) fromMedium() error {
	debug.SetGCPercent(100) // an installer is a long life
	b.forgetCarried()
	for _, name := range mediumFileSystems {
		go func() {
			if err := b.devices.loader.Load(name); err != nil && !errors.Is(err, kmod.ErrUnknown) {
				b.log.printf(logWarning, "%v", err)
			}
		}()
	}
	if err := b.enoughMemory(); err != nil {
		return err
	}
	device, err := b.findMedium()
	if err != nil {
		return err
	}
	b.mark("medium found")
	if b.line.Mode == ModeLive {
		return b.startFrom(func() error {
			err := b.mountMedium(device)
			if err == nil {
				err = b.mountCarried(device)
			}
			if err == nil {
				err = b.chooseCarried()
			}
			return err
		})
	}
	if err := b.mountMedium(device); err != nil {
		return err
	}
	b.mark("medium mounted")
	if b.line.Mode == ModeCheck {
		return b.checkMedium(device)
	}
	if err := b.mountCarried(device); err != nil {
		return err
	}
	b.mark("store mounted")
	b.carried = newCarriedDrivers()
	if b.line.Mode == ModeRescue {
		b.carried.want()
		return errMounted
	}
	return b.install(device)
}

// enoughMemory says what is missing before the machine runs out of it.
func (b *boot) enoughMemory() error {
	if b.line.Mode == ModeCheck || b.line.Mode == ModeRescue {
		return nil
	}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil
	}
	total, ok := memTotal(data)
	if !ok || total >= bootmenu.LeastMemory {
		return nil
	}
	what := "installing"
	if b.line.Mode == ModeLive {
		what = "a session without installing"
	}
	return &Failure{Medium: true, Got: "this machine has too little memory",
		Want: fmt.Sprintf("1 GiB for %s", what),
		Seen: []string{fmt.Sprintf("%d MiB that the kernel can use", total>>20)},
		Do: []string{
			"put in more memory, or give the virtual machine more",
			"write the disk image of another machine's build to this one's disk: reprise build X -o X.img",
		}}
}

// memTotal reads the first line of /proc/meminfo, "MemTotal: 480128 kB".
func memTotal(meminfo []byte) (size int64, ok bool) {
	line, _, _ := bytes.Cut(meminfo, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) != 3 || string(fields[0]) != "MemTotal:" {
		return 0, false
	}
	n, err := strconv.ParseInt(string(fields[1]), 10, 52)
	return n << 10, err == nil
}

// secondMedium is how long to look for another medium where the kernel line
// does not say which one is meant.
const secondMedium = time.Second

func (b *boot) findMedium() (blockdev.Device, error) {
	ref, id := b.line.Medium, b.line.MediumID
	keep := func(d blockdev.Device) bool { return isMedium(d) && (id == "" || d.UUID == id) }
	if !ref.Contents() {
		keep = nil // somebody knows what it is
	}
	// A medium can be anywhere, and a keyboard is wanted soon.
	b.devices.extend(everything)
	found, all, err := b.devices.find(ref, keep, b.line.Wait)
	if err != nil {
		return blockdev.Device{}, err
	}
	if len(found) > 0 && id == "" {
		if found, err = b.devices.again(ref, keep, secondMedium); err != nil {
			return blockdev.Device{}, err
		}
	}
	found = media(found)
	switch {
	case len(found) == 0:
		return blockdev.Device{}, b.noMedium(all)
	case len(found) == 1:
		return found[0], nil
	case id != "": // copies of one another
		b.log.printf(logInfo, "%d media are the same; /dev/%s is used", len(found), found[0].Name)
		return found[0], nil
	}
	f := &Failure{Medium: true, Got: "there are several, and which one this machine was started from is not known",
		Want: "one medium with the volume id of " + ref.String(), Seen: table(found),
		Do: []string{"take all but one out; for a shell press a key, and exit tries again"}}
	for _, d := range found {
		f.Do = append(f.Do, "or write on the kernel line: reprise.medium=/dev/"+d.Name)
	}
	return blockdev.Device{}, f
}

func isMedium(d blockdev.Device) bool { return d.Type == "iso9660" }

func (b *boot) noMedium(seen []blockdev.Device) *Failure {
	f := &Failure{Medium: true, Got: "it is not there",
		Want: fmt.Sprintf("a disk, partition or CD with the volume id of %s, waited %v for it", b.line.Medium, b.line.Wait)}
	if all, err := b.devices.list(true); err == nil {
		seen = all
	}
	f.Seen = table(seen)
	if others := media(kept(b.line.Medium.Find(seen), isMedium)); len(others) > 0 {
		f.Got = "another one is there"
		f.Want = fmt.Sprintf("the medium %s, as the boot loader that started this machine", b.line.MediumID)
		for _, d := range others {
			f.Do = append(f.Do, fmt.Sprintf("take out the one at /dev/%s, it is %s", d.Name, d.UUID))
		}
	}
	f.Do = append(f.Do,
		"plug the stick into another port, without a hub between, or put the CD in",
		"a medium that needs longer: write rootwait=60 on the kernel line",
		"for a shell press a key: blk lists disks, exit tries again")
	return f
}

// media takes out what is one medium seen twice: a partition that begins where
// its disk does.
func media(found []blockdev.Device) []blockdev.Device {
	whole := map[string]bool{}
	for _, d := range found {
		if d.Disk == "" {
			whole[d.Name] = true
		}
	}
	var media []blockdev.Device
	for _, d := range found {
		if d.Disk == "" || !whole[d.Disk] {
			media = append(media, d)
		}
	}
	return media
}

func (b *boot) mountMedium(d blockdev.Device) error {
	b.await("isofs")
	err := rootmount.Apply([]rootmount.Step{
		{Op: rootmount.Mkdir, Target: rootmount.Medium, Mode: 0o755},
		{Op: rootmount.Mount, Type: "iso9660", Source: "/dev/" + d.Name, Target: rootmount.Medium,
			Flags: rootmount.ReadOnly | rootmount.NoSUID | rootmount.NoDev | rootmount.NoExec},
	})
	if err != nil {
		return &Failure{Medium: true, Got: "it cannot be mounted", Want: "an ISO 9660 file system on /dev/" + d.Name, Err: err,
			Seen: append(b.log.kernelSays("ISOFS"), b.log.kernelSays("I/O error")...), Do: writeAnew}
	}
	return nil
}

var writeAnew = []string{
	"write the image to the stick again, or to another one: reprise flash compares what it wrote",
	"the boot menu's check tells whether the whole medium can be read",
}

// mountCarried mounts the store of the medium where the disk's store would be.
func (b *boot) mountCarried(d blockdev.Device) error {
	b.await("squashfs", "loop")
	broken := func(err error) error {
		return &Failure{Medium: true, Got: "its store cannot be mounted", Want: storeImage, Err: err,
			Seen: append(b.log.kernelSays("SQUASHFS"), b.log.kernelSays("I/O error")...), Do: writeAnew}
	}
	err := rootmount.Apply([]rootmount.Step{
		{Op: rootmount.Mkdir, Target: rootmount.Disk, Mode: 0o755},
		// What stands for the disk: its state is in memory.
		{Op: rootmount.Mount, Type: "tmpfs", Source: "tmpfs", Target: rootmount.Disk, Flags: rootmount.NoAtime, Data: "mode=0755"},
		{Op: rootmount.Mkdir, Target: carriedStore, Mode: 0o755},
	})
	if err != nil {
		return broken(err)
	}
	loop, err := b.attachStore(d)
	if err != nil {
		return broken(err)
	}
	defer loop.Close() // the mount holds it from here on
	err = rootmount.Apply([]rootmount.Step{{Op: rootmount.Mount, Type: "squashfs", Source: loop.Name(), Target: carriedStore,
		Flags: rootmount.ReadOnly | rootmount.NoSUID | rootmount.NoDev}})
	if err != nil {
		return broken(err)
	}
	return nil
}

// attachStore makes a device of the store image: straight on the medium, where
// the kernel need not keep its blocks twice, else on the file.
func (b *boot) attachStore(d blockdev.Device) (*loopdev.Device, error) {
	image, err := os.Open(filepath.Join(rootmount.Medium, storeImage))
	if err != nil {
		return nil, err
	}
	defer image.Close()
	place, err := loopdev.Place(image, isoBlock)
	if err == nil {
		var device *os.File
		if device, err = os.Open("/dev/" + d.Name); err == nil {
			defer device.Close()
			var loop *loopdev.Device
			loop, err = loopdev.Attach(device, loopdev.Options{Range: place, ReadOnly: true, Block: blockOf(d), Direct: true})
			if err == nil {
				b.log.printf(logInfo, "store image at byte %d of /dev/%s, direct: %v", place.Offset, d.Name, loop.Direct)
				return loop, nil
			}
		}
	}
	b.log.printf(logInfo, "store image through its file: %v", err)
	return loopdev.Attach(image, loopdev.Options{ReadOnly: true})
}

// blockOf returns the logical block size of the disk that d is or is on.
func blockOf(d blockdev.Device) uint32 {
	disk := d.Name
	if d.Disk != "" {
		disk = d.Disk
	}
	data, err := os.ReadFile(filepath.Join("/sys/class/block", strings.ReplaceAll(disk, "/", "!"), "queue/logical_block_size"))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// chooseCarried decides which of the carried systems is started, where the
// kernel line does not say it: the first.
func (b *boot) chooseCarried() error {
	if b.line.System != "" {
		return nil
	}
	data, err := readBounded(filepath.Join(rootmount.Medium, description), maxDescription)
	var m struct {
		Systems []struct {
			Path string `json:"path"`
		} `json:"systems"`
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err == nil && len(m.Systems) == 0 {
		err = errors.New("it lists no system")
	}
	if err != nil {
		return &Failure{Medium: true, Got: "what it carries cannot be read", Want: description, Err: err, Do: writeAnew}
	}
	profiles := filepath.Join(rootmount.Disk, "nix/var/nix/profiles")
	if err := os.MkdirAll(profiles, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(m.Systems[0].Path, filepath.Join(profiles, "system-1-link")); err != nil {
		return err
	}
	return os.Symlink("system-1-link", filepath.Join(profiles, "system"))
}

// quitMedium ends the machine's use of the medium, so that it can be taken out,
// and ejects it from drive; nil leaves it there.
func quitMedium(how Next, s screens, drive *drive) {
	s.drain()
	undo()
	if drive != nil {
		drive.eject()
	}
	unix.Sync()
	command := unix.LINUX_REBOOT_CMD_RESTART
	if how == PowerOff {
		command = unix.LINUX_REBOOT_CMD_POWER_OFF
	}
	_ = unix.Reboot(command)
	select {} // the firmware takes its time
}
