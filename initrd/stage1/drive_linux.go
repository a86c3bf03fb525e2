package stage1

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A drive is what the medium is in: a stick, a card in its reader, or a drive
// for CDs.
type drive struct {
	sys      fs.FS  // /sys
	name     string // "sdb", "sr0"
	sequence string // of the medium: its diskseq, see gone
	// status is what a drive for CDs says of its disc.
	status func() (int, error)
}

// Requests to a drive for CDs, and its answers.
// Source: the kernel's include/uapi/linux/cdrom.h.
const (
	cdromEject       = 0x5309
	cdromDriveStatus = 0x5326
	cdromLockDoor    = 0x5329
	cdslCurrent      = 1<<31 - 1 // the disc that is in
	cdsNoDisc        = 1
)

func newDrive(sys fs.FS, node string) *drive {
	d := &drive{sys: sys, name: strings.ReplaceAll(strings.TrimPrefix(node, "/dev/"), "/", "!")}
	d.sequence = d.attribute("diskseq")
	d.status = func() (status int, err error) {
		err = d.ask(func(fd int) (err error) {
			status, err = ioctl(fd, cdromDriveStatus, cdslCurrent)
			return err
		})
		return status, err
	}
	return d
}

// optical says whether it takes CDs: peripheral type 5 of SCSI, which ATAPI
// drives say, too.
func (d *drive) optical() bool { return d.attribute("device/type") == "5" }

// attribute reads a file of the device below /sys; "" when there is none.
func (d *drive) attribute(name string) string {
	data, err := fs.ReadFile(d.sys, path.Join("class/block", d.name, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// gone says whether the medium is out. A tray that is open says nothing: some
// machines draw it in when they restart.
func (d *drive) gone() bool {
	size := d.attribute("size")
	switch {
	case size == "":
		return true
	case d.optical():
		status, err := d.status()
		return err == nil && status == cdsNoDisc
	}
	// Another medium in the same place has another number:
	// Documentation/ABI/stable/sysfs-block, diskseq.
	return size == "0" || d.attribute("diskseq") != d.sequence
}

// wait returns once the medium has been out for a few looks: a stick may fall
// off its bus for a moment, and come back.
func (d *drive) wait(every time.Duration) {
	const looks = 4
	for out := 0; out < looks; time.Sleep(every) {
		if out++; !d.gone() {
			out = 0
		}
	}
}

// eject opens the tray of a drive for CDs. A drive that does not, leaves the
// disc to the person.
func (d *drive) eject() {
	if !d.optical() {
		return
	}
	_ = d.ask(func(fd int) error {
		_, _ = ioctl(fd, cdromLockDoor, 0)
		_, err := ioctl(fd, cdromEject, 0)
		return err
	})
}

// ask opens the drive, whether there is a disc or not.
func (d *drive) ask(do func(fd int) error) error {
	f, err := os.OpenFile("/dev/"+strings.ReplaceAll(d.name, "!", "/"), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(int(f.Fd()))
}

// ioctl returns what the request does: drives answer in the result itself.
func ioctl(fd int, request, argument uintptr) (int, error) {
	result, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, argument)
	if errno != 0 {
		return 0, errno
	}
	return int(result), nil
}
