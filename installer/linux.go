package installer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/image/layout"
	"reprise/installer/plan"
)

// Linux is the machine that runs this program.
type Linux struct {
	plan  *plan.Plan
	dir   string
	tools image.Tools
	disks func(context.Context) ([]plan.Disk, error)
}

var _ Target = (*Linux)(nil)

// NewLinux returns the machine for a plan. dir is where the root file system
// gets mounted; tools has the programs; disks lists what disks there are now.
func NewLinux(p *plan.Plan, dir string, tools image.Tools, disks func(context.Context) ([]plan.Disk, error)) *Linux {
	return &Linux{p, dir, tools, disks}
}

// patience is how long devices get to appear and to be let go.
const patience = 15 * time.Second

// Look finds the disk again. Its own mount of an earlier run that was killed is
// no use of others'.
func (l *Linux) Look(ctx context.Context, path string) (plan.Disk, error) {
	disks, err := l.disks(ctx)
	if err != nil {
		return plan.Disk{}, err
	}
	at := slices.IndexFunc(disks, func(d plan.Disk) bool { return d.Path == path })
	if at < 0 {
		return plan.Disk{}, &fs.PathError{Op: "look for", Path: path, Err: fs.ErrNotExist}
	}
	d := disks[at]
	d.Uses = slices.DeleteFunc(slices.Clone(d.Uses), func(u plan.Use) bool {
		return u.Kind == plan.UseMount && u.By == l.dir || l.plan.LUKS != nil && u.Kind == plan.UseHolder && filepath.Base(u.By) == l.plan.LUKS.Name
	})
	return d, nil
}

// Open refuses whatever the plan does not name, and what is no block device.
func (l *Linux) Open(ctx context.Context, path string, exclusive bool) (Device, error) {
	if !slices.Contains(l.plan.Devices(), path) {
		return nil, fmt.Errorf("%q is not in the plan", path)
	}
	flags := os.O_RDWR
	if exclusive {
		flags |= unix.O_EXCL
	}
	var f *os.File
	err := persist(ctx, func() (err error) {
		f, err = os.OpenFile(path, flags, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.Mode().Type() != fs.ModeDevice {
		f.Close()
		return nil, fmt.Errorf("%q is no block device", path)
	}
	return f, nil
}

// persist does what may be refused for a moment because somebody looks at the
// device, as udev does after each change.
func persist(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := do()
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Partitions asks the kernel to read the table, and waits until each partition
// lies where the plan has it. A kernel that does not read GPTs is told where
// the partitions are.
func (l *Linux) Partitions(ctx context.Context, p *plan.Plan) error {
	f, err := os.OpenFile(p.Disk.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	err = persist(ctx, func() error {
		_, err := unix.IoctlRetInt(int(f.Fd()), unix.BLKRRPART)
		return err
	})
	if err != nil {
		return &fs.PathError{Op: "let the kernel read the partition table of", Path: p.Disk.Path, Err: err}
	}
	if _, err := os.Stat(filepath.Join(sysBlock, blockName(p.Table.Root.Path))); errors.Is(err, fs.ErrNotExist) {
		if err := addPartitions(f, p.Table.Partitions()); err != nil {
			return &fs.PathError{Op: "tell the kernel of the partitions of", Path: p.Disk.Path, Err: err}
		}
	}
	deadline := time.Now().Add(patience)
	for _, part := range p.Table.Partitions() {
		for {
			err := inPlace(part)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("the partition did not appear: %w", err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

const sysBlock = "/sys/class/block"

// blockName is the name below sysBlock: the kernel writes '!' for '/'.
func blockName(path string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path, "/dev/"), "/", "!")
}

// addPartitions makes the kernel's partitions of a disk one by one. Those that
// it has are left as they are; inPlace judges them.
func addPartitions(disk *os.File, parts []plan.Planned) error {
	for _, p := range parts {
		partition := unix.BlkpgPartition{Start: p.Offset(), Length: p.Bytes(), Pno: int32(p.Number)}
		arg := unix.BlkpgIoctlArg{Op: unix.BLKPG_ADD_PARTITION, Datalen: int32(unsafe.Sizeof(partition)), Data: (*byte)(unsafe.Pointer(&partition))}
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg)))
		if errno != 0 && errno != unix.EBUSY {
			return errno
		}
	}
	return nil
}

// inPlace says whether the kernel has the partition as planned, with its node.
func inPlace(part plan.Planned) error {
	info, err := os.Stat(part.Path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeDevice {
		return fmt.Errorf("%q is no block device", part.Path)
	}
	for _, f := range []struct {
		file string
		want int64
	}{{"start", part.FirstLBA}, {"size", part.Bytes() / layout.Sector}} {
		data, err := os.ReadFile(filepath.Join(sysBlock, blockName(part.Path), f.file))
		if err != nil {
			return err
		}
		if got := string(bytes.TrimSpace(data)); got != fmt.Sprint(f.want) {
			return fmt.Errorf("%s of %s is %s, want %d", f.file, part.Path, got, f.want)
		}
	}
	return nil
}

// Place is the node itself.
func (l *Linux) Place(path string) (string, int64) { return path, 0 }

// dmEnvironment lets cryptsetup make nodes itself where there is no udev.
var dmEnvironment = append(slices.Clone(toolEnvironment), "DM_DISABLE_UDEV=1")

// ciphers are the modules that LUKS2 is made and opened with.
var ciphers = []string{"dm_crypt", "crypto-xts", "crypto-aes", "algif_skcipher"}

// Ciphers loads them. The kernel would ask for them one by one, through
// programs that wait for each other, and gives up after a minute: that is too
// short for a slow machine. What cannot be loaded, cryptsetup will tell.
func (l *Linux) Ciphers(ctx context.Context) {
	_ = exec.CommandContext(ctx, "/sbin/modprobe", append([]string{"-q", "-a"}, ciphers...)...).Run()
}

// Map opens the encrypted root, unless an earlier run has.
func (l *Linux) Map(ctx context.Context, p *plan.Plan, passphrase []byte) error {
	if _, err := os.Stat(p.LUKS.Path); err == nil {
		return nil
	}
	l.Ciphers(ctx) // after a restart
	part := p.Table.Root.Path
	err := l.tools.Run(ctx, image.Command{
		Argv: []string{"/usr/sbin/cryptsetup", "open", "--type", "luks2", "--key-file=-", part, p.LUKS.Name},
		Env:  dmEnvironment, Stdin: bytes.NewReader(passphrase), Binds: []image.Bind{{Source: part, Target: part, Writable: true}},
	})
	// Source: cryptsetup(8), "RETURN VALUES".
	const noPermission = 2
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == noPermission {
		return fmt.Errorf("%w: %w", ErrPassphrase, err)
	}
	return err
}

// Unmap closes it again.
func (l *Linux) Unmap(ctx context.Context, p *plan.Plan) error {
	if _, err := os.Stat(p.LUKS.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return l.tools.Run(ctx, image.Command{Argv: []string{"/usr/sbin/cryptsetup", "close", p.LUKS.Name}, Env: dmEnvironment})
}

// Mount mounts the root file system at the directory of NewLinux.
func (l *Linux) Mount(ctx context.Context, root plan.RootFS) (string, error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return "", err
	}
	// What a run that was killed has left there may be another disk's.
	if err := l.Unmount(ctx, root); err != nil {
		return "", err
	}
	options := ""
	if root.Type == "ext4" {
		options = "errors=remount-ro"
	}
	err := persist(ctx, func() error { return unix.Mount(root.Path, l.dir, root.Type, unix.MS_NOATIME, options) })
	if err != nil {
		return "", &fs.PathError{Op: "mount", Path: root.Path, Err: err}
	}
	return l.dir, nil
}

// Unmount waits for programs that look at files, a short while.
func (l *Linux) Unmount(ctx context.Context, _ plan.RootFS) error {
	err := persist(ctx, func() error { return unix.Unmount(l.dir, 0) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // it is not mounted
		return nil
	}
	if err != nil {
		return &fs.PathError{Op: "unmount", Path: l.dir, Err: err}
	}
	return nil
}

// Tools are those of NewLinux.
func (l *Linux) Tools() image.Tools { return l.tools }

// SetClock sets the system's clock where it is behind, and the hardware's, in
// UTC: the installed machine starts with that one.
func (l *Linux) SetClock(_ context.Context, p *plan.Plan) error {
	if time.Now().Before(p.Date) {
		now := unix.NsecToTimespec(p.Date.UnixNano())
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
			return err
		}
	}
	f, err := os.OpenFile("/dev/rtc0", os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a machine may have none
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetRTCTime(int(f.Fd()), rtcTime(time.Now())); err != nil {
		return &fs.PathError{Op: "set the time of", Path: f.Name(), Err: err}
	}
	return nil
}

// rtcTime is a moment as rtc(4) counts: months from 0, years from 1900.
func rtcTime(now time.Time) *unix.RTCTime {
	now = now.UTC()
	return &unix.RTCTime{Sec: int32(now.Second()), Min: int32(now.Minute()), Hour: int32(now.Hour()), Mday: int32(now.Day()), Mon: int32(now.Month()) - 1, Year: int32(now.Year()) - 1900}
}
