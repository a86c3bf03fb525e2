package stage1

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// keymapFile is the console's key map; see package build. It is not there where
// that is the kernel's own.
const keymapFile = "/etc/reprise/keymap"

// kdskbent is KDSKBENT: one entry of the key map.
// Source: include/uapi/linux/kd.h of Linux 6.12.
const kdskbent = 0x4b47

// loadKeymap gives the virtual terminals the machine's key map. Without a screen
// there are none, and nothing to do.
func (b *boot) loadKeymap() {
	data, err := readBounded(keymapFile, 1<<20)
	if err != nil {
		return
	}
	entries, err := parseKeymap(data)
	if err != nil {
		b.log.printf(logWarning, "%s: %v", keymapFile, err)
		return
	}
	f, err := os.OpenFile("/dev/tty1", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	for _, e := range entries {
		// A key that the kernel does not have is no loss.
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, f.Fd(), kdskbent, uintptr(unsafe.Pointer(&e)))
	}
}

// keymapText says what the keyboard sends, to a person whose passphrase is wrong.
func (b *boot) keymapText() string {
	if _, err := os.Stat(keymapFile); err == nil {
		return "it has the key map of the configuration"
	}
	return "it has the key map \"us\" here"
}
