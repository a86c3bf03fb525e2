// Package devmapper makes block devices of the kernel's device mapper: those
// of package luks, encrypted by dm-crypt. It speaks to /dev/mapper/control
// itself; there is no udev to wait for.
//
// A device appears whole or not at all: when a step fails, what was made is
// taken away again.
package devmapper

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Dir is where devices get their names.
const Dir = "/dev/mapper"

// A Crypt is a device that encrypts another.
type Crypt struct {
	Name   string // below Dir, at most 127 bytes
	UUID   string // what other programs know it by; see LUKSName
	Device string // the node that is encrypted
	// Size of the data and its place on Device, bytes. Sizes of 0 mean all to
	// the end of Device.
	Offset, Size int64
	Cipher       string // "aes-xts-plain64"
	Key          []byte // not kept
	FirstIV      uint64
	SectorSize   int  // bytes
	Discards     bool // tell Device what is not in use
	ReadOnly     bool
}

// LUKSName is the UUID that cryptsetup gives to devices of its own.
func LUKSName(uuid, name string) string {
	return "CRYPT-LUKS2-" + strings.ReplaceAll(uuid, "-", "") + "-" + name
}

// Open makes the device and returns its node, Dir/Name. /dev has to be a devtmpfs.
func (c *Crypt) Open() (node string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("map %q of %q: %w", c.Name, c.Device, err)
		}
	}()
	if c.Name == "" || c.Name == "control" || strings.ContainsAny(c.Name, "/\x00 ") || c.Name[0] == '.' || len(c.Name) > 127 || len(c.UUID) > 128 {
		return "", errors.New("the name is not good")
	}
	size := c.Size
	if size == 0 {
		whole, err := deviceSize(c.Device)
		if err != nil {
			return "", err
		}
		size = whole - c.Offset
	}
	if size -= size % int64(max(c.SectorSize, sector)); size <= 0 {
		return "", errors.New("there is no room for data on it")
	}
	table, err := c.table()
	if err != nil {
		return "", err
	}
	defer clear(table)
	control, err := os.OpenFile(filepath.Join(Dir, "control"), os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer control.Close()
	flags := uint32(0)
	if c.ReadOnly {
		flags = flagReadOnly
	}
	if _, err := request(control, create, c.Name, c.UUID, flags, nil); err != nil {
		return "", fmt.Errorf("create: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = request(control, remove, c.Name, "", 0, nil)
		}
	}()
	target := append(targetSpec(size/sector, "crypt"), table...)
	defer clear(target)
	if _, err := request(control, load, c.Name, "", flags|flagSecure, target); err != nil {
		return "", fmt.Errorf("load the table: %w", err)
	}
	made, err := request(control, resume, c.Name, "", 0, nil)
	if err != nil {
		return "", fmt.Errorf("resume: %w", err)
	}
	node = filepath.Join(Dir, c.Name)
	kernel := fmt.Sprintf("dm-%d", unix.Minor(made.dev))
	if _, err := os.Stat("/dev/" + kernel); err != nil {
		return "", err
	}
	_ = os.Remove(node) // a link that a device of before has left
	return node, os.Symlink("../"+kernel, node)
}

// Remove takes a device away that nobody uses.
func Remove(name string) error {
	control, err := os.OpenFile(filepath.Join(Dir, "control"), os.O_RDWR, 0)
	if err == nil {
		defer control.Close()
		_, err = request(control, remove, name, "", 0, nil)
	}
	if err != nil {
		return fmt.Errorf("remove the mapped device %q: %w", name, err)
	}
	_ = os.Remove(filepath.Join(Dir, name))
	return nil
}

// table is the line that dm-crypt takes, with a zero byte at its end.
// Source: Documentation/admin-guide/device-mapper/dm-crypt.rst of Linux 6.12.
func (c *Crypt) table() ([]byte, error) {
	var stat unix.Stat_t
	if err := unix.Stat(c.Device, &stat); err != nil {
		return nil, &os.PathError{Op: "stat", Path: c.Device, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFBLK {
		return nil, errors.New("it is no block device")
	}
	var options []string
	if c.Discards {
		options = append(options, "allow_discards")
	}
	if c.SectorSize > sector {
		options = append(options, fmt.Sprintf("sector_size:%d", c.SectorSize))
	}
	rest := fmt.Sprintf(" %d %d:%d %d", c.FirstIV, unix.Major(stat.Rdev), unix.Minor(stat.Rdev), c.Offset/sector)
	if len(options) > 0 {
		rest += fmt.Sprintf(" %d %s", len(options), strings.Join(options, " "))
	}
	line := make([]byte, 0, len(c.Cipher)+1+2*len(c.Key)+len(rest)+1)
	line = append(append(line, c.Cipher...), ' ')
	line = hex.AppendEncode(line, c.Key)
	return append(append(line, rest...), 0), nil
}

func deviceSize(node string) (int64, error) {
	f, err := os.Open(node)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Seek(0, 2)
}

const sector = 512 // what the device mapper counts in

// Commands of the device mapper.
// Source: include/uapi/linux/dm-ioctl.h of Linux 6.12.
const (
	create = 3
	remove = 4
	resume = 6 // DM_DEV_SUSPEND without the flag to suspend
	load   = 9
	status = 12 // of the table

	flagReadOnly = 1 << 0
	flagTable    = 1 << 4  // status: the table itself
	flagSecure   = 1 << 15 // the kernel overwrites its copy of the request
)

// header is struct dm_ioctl.
type header struct {
	version            [3]uint32
	dataSize, dataFrom uint32
	targets            uint32
	opened             int32
	flags              uint32
	event              uint32
	_                  uint32
	dev                uint64
	name               [128]byte
	uuid               [129]byte
	_                  [7]byte
}

// specSize is the size of struct dm_target_spec.
const specSize = 40

// targetSpec is the head of a table with one target, which begins at 0.
func targetSpec(sectors int64, kind string) []byte {
	spec := make([]byte, specSize)
	binary.NativeEndian.PutUint64(spec[8:], uint64(sectors))
	copy(spec[24:40], kind)
	return spec
}

const headerSize = int(unsafe.Sizeof(header{}))

// request asks the device mapper for something, with a table or without.
func request(control *os.File, command uintptr, name, uuid string, flags uint32, table []byte) (header, error) {
	buffer := make([]byte, headerSize+(len(table)+7)/8*8+headerSize)
	defer clear(buffer)
	return exchange(control, command, name, uuid, flags, table, buffer)
}

// exchange is request with room for an answer in buffer, where that begins at
// the header's dataFrom. Whoever calls it clears buffer.
func exchange(control *os.File, command uintptr, name, uuid string, flags uint32, table, buffer []byte) (header, error) {
	const size = unsafe.Sizeof(header{})
	h := (*header)(unsafe.Pointer(&buffer[0]))
	h.version = [3]uint32{4, 0, 0}
	h.dataSize, h.dataFrom, h.flags = uint32(len(buffer)), uint32(size), flags
	if table != nil {
		h.targets = 1
	}
	copy(h.name[:len(h.name)-1], name)
	copy(h.uuid[:len(h.uuid)-1], uuid)
	copy(buffer[size:], table)
	const write, read, typ = 1, 2, 0xfd
	op := uintptr(write|read)<<30 | size<<16 | typ<<8 | command
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), op, uintptr(unsafe.Pointer(h)))
		switch errno {
		case 0:
			return *h, nil
		case unix.EINTR:
			continue
		}
		return header{}, errno
	}
}
