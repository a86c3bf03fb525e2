package blockdev

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// probeSize is how much of a device's start is looked at: the last superblock
// that Probe knows is btrfs's, at 64 KiB.
const probeSize = 68 << 10 // bytes

// Probe says what file system a device holds, by its superblock. It knows
// those that a person may meet when the root is missing; what it does not know
// is an empty Content.
func Probe(d io.ReaderAt) Content {
	data := make([]byte, probeSize)
	n, err := d.ReadAt(data, 0)
	if err != nil && err != io.EOF {
		return Content{}
	}
	data = data[:n]
	for _, f := range formats {
		if f.at+len(f.magic) <= len(data) && string(data[f.at:f.at+len(f.magic)]) == f.magic {
			if c := f.read(data); c.Type != "" {
				return c
			}
		}
	}
	return Content{}
}

// A format is known by its magic bytes at a place.
type format struct {
	magic string
	at    int
	read  func(data []byte) Content
}

var formats = []format{
	// Source: Documentation/filesystems/ext4, "The Super Block".
	{"\x53\xef", 1024 + 0x38, func(b []byte) Content {
		return Content{ext(b[1024:]), text(b, 1024+0x78, 16), uuid(b, 1024+0x68)}
	}},
	// Source: fs/erofs/erofs_fs.h, struct erofs_super_block.
	{"\xe2\xe1\xf5\xe0", 1024, func(b []byte) Content {
		return Content{"erofs", text(b, 1024+64, 16), uuid(b, 1024+48)}
	}},
	// Source: Microsoft fatgen103. Boot signature 0x29 says that label and
	// serial number are there.
	{"FAT32   ", 82, func(b []byte) Content { return Content{"vfat", text(b, 71, 11), serial(b, 67)} }},
	{"FAT16   ", 54, func(b []byte) Content { return Content{"vfat", text(b, 43, 11), serial(b, 39)} }},
	{"FAT12   ", 54, func(b []byte) Content { return Content{"vfat", text(b, 43, 11), serial(b, 39)} }},
	{"NTFS    ", 3, func([]byte) Content { return Content{Type: "ntfs"} }},
	{"EXFAT   ", 3, func([]byte) Content { return Content{Type: "exfat"} }},
	// The GPT of a medium that also starts as a disk tells it from others with
	// the same label, on a CD too.
	{"CD001", 32769, func(b []byte) Content {
		c := Content{Type: "iso9660", Label: text(b, 32808, 32)}
		if string(b[512:520]) == "EFI PART" {
			c.UUID = guid(b[512+56 : 512+72])
		}
		return c
	}},
	{"hsqs", 0, func([]byte) Content { return Content{Type: "squashfs"} }},
	{"XFSB", 0, func(b []byte) Content { return Content{"xfs", text(b, 108, 12), uuid(b, 32)} }},
	{"_BHRfS_M", 65536 + 64, func(b []byte) Content {
		return Content{"btrfs", text(b, 65536+0x12b, 256), uuid(b, 65536+32)}
	}},
	{"LUKS\xba\xbe", 0, func(b []byte) Content { return Content{Type: "crypto_LUKS", UUID: text(b, 168, 40)} }},
	{"SWAPSPACE2", 4086, func(b []byte) Content { return Content{"swap", text(b, 1052, 16), uuid(b, 1036)} }},
	{"LABELONE", 512, func([]byte) Content { return Content{Type: "LVM2_member"} }},
}

// ext tells ext2, ext3 and ext4 apart by their features: a journal, extents.
func ext(super []byte) string {
	if len(super) < 0x68 {
		return ""
	}
	le := binary.LittleEndian
	switch {
	case le.Uint32(super[0x60:])&0x40 != 0:
		return "ext4"
	case le.Uint32(super[0x5c:])&0x4 != 0:
		return "ext3"
	}
	return "ext2"
}

func text(b []byte, at, length int) string {
	if at+length > len(b) {
		return ""
	}
	s, _, _ := bytes.Cut(b[at:at+length], []byte{0})
	return strings.TrimSpace(printable(strings.ToValidUTF8(string(s), "?")))
}

func uuid(b []byte, at int) string {
	if at+16 > len(b) {
		return ""
	}
	u := b[at : at+16]
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

func serial(b []byte, at int) string {
	if at+4 > len(b) {
		return ""
	}
	return fmt.Sprintf("%02X%02X-%02X%02X", b[at+3], b[at+2], b[at+1], b[at])
}
