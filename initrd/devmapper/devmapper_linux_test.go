package devmapper

import (
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"
)

// The kernel has its own opinion of how long the header is: the size is in the
// number of the request. Source: include/uapi/linux/dm-ioctl.h of Linux 6.12.
func TestHeader(t *testing.T) {
	var h header
	if headerSize != 312 || unsafe.Offsetof(h.dev) != 40 || unsafe.Offsetof(h.name) != 48 || unsafe.Offsetof(h.uuid) != 176 {
		t.Errorf("the header has %d bytes, dev at %d, name at %d, uuid at %d", headerSize, unsafe.Offsetof(h.dev), unsafe.Offsetof(h.name), unsafe.Offsetof(h.uuid))
	}
	spec := targetSpec(2048, "crypt")
	if len(spec) != specSize || binary.NativeEndian.Uint64(spec) != 0 || binary.NativeEndian.Uint64(spec[8:]) != 2048 || string(spec[24:30]) != "crypt\x00" {
		t.Errorf("target %q", spec)
	}
}

// Names and devices that are not good are refused before the kernel is asked.
func TestRefused(t *testing.T) {
	for _, c := range []Crypt{
		{Device: "/dev/null", Size: 4096},
		{Name: "a/b", Device: "/dev/null", Size: 4096},
		{Name: "..", Device: "/dev/null", Size: 4096},
		{Name: "control", Device: "/dev/null", Size: 4096},
		{Name: "a b", Device: "/dev/null", Size: 4096},
		{Name: strings.Repeat("a", 128), Device: "/dev/null", Size: 4096},
		{Name: "root", Device: "/dev/null"},
		{Name: "root", Device: "/dev/null", Size: 511},
		{Name: "root", Device: "/dev/null", Size: 4096}, // no block device
		{Name: "root", Device: "/no/such/device", Size: 4096},
	} {
		if node, err := c.Open(); err == nil {
			t.Errorf("%+v becomes %q", c, node)
		}
	}
}

func TestLUKSName(t *testing.T) {
	const want = "CRYPT-LUKS2-6e1dba682f6f4bb2a4ced2a1d6a3e8a4-root"
	if got := LUKSName("6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4", "root"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A table that is not dm-crypt's own is an error, never a size.
func TestRoomOf(t *testing.T) {
	for _, line := range []string{"", "aes-xts-plain64 00 0 8:1", "aes-xts-plain64 00 0 8:1 x", "aes-xts-plain64 00 0 ../../x 0", "aes-xts-plain64 00 0 .. 0"} {
		if room, err := roomOf([]byte(line)); err == nil {
			t.Errorf("%q has room for %d sectors", line, room)
		}
	}
}
