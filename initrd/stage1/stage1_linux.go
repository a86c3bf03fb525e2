// Package stage1 is the program that runs first in the initramfs: it finds the
// disk, puts the root file system together and starts the system's own init.
//
//	kernel ─▶ /init: devtmpfs, proc, sysfs, /run ─▶ modules for disks ─▶ root partition
//	       ─▶ ext4 ─▶ root.erofs + overlay = view ─▶ activation ─▶ tmpfs / with its mounts ─▶ systemd
//
// When a step cannot be done, it says on every console what was wanted and
// what was seen, and waits for somebody to press a key, which gives a shell.
// Nobody there: after a while the machine reboots, so that the boot loader can
// count and take an older generation.
//
// There is no fsck here. Mounting replays ext4's journal, which is all that a
// power cut needs; a file system that finds itself damaged goes read-only
// (errors=remount-ro), and e2fsck is a program of the system.
//
// u-root's pkg/mount and pkg/core serve here and in the packages below. Its
// pkg/libinit (mounts more than systemd wants to find, modules by kmodule),
// pkg/cmdline (keeps one global line, panics on a lone quote) and SwitchRoot
// (empty environment, old root deleted before it is known that init starts)
// do not.
package stage1

import (
	"os"
	"path/filepath"

	"reprise/initrd/kmod"
	"reprise/initrd/rescue"
)

// Activate applies activation.json to the mounted root partition before the
// system starts: disk is where the partition is mounted, data the file's bytes.
type Activate func(disk string, data []byte) error

// marker is in every initramfs and never on a running machine's own root.
const marker = "/etc/initrd-release"

// shellName is the name under which stage 1 starts itself as a rescue shell.
const shellName = "reprise-rescue"

// Init is the first call of main. It returns at once, having changed nothing,
// unless this process is /init of our initramfs (process 1), the modprobe that
// the kernel calls there, or the rescue shell; those it becomes, and does not
// return.
func Init(activate Activate) {
	name := filepath.Base(os.Args[0])
	if name != "init" && name != "modprobe" && name != shellName {
		return
	}
	if name == shellName {
		os.Exit(rescue.Main(os.Args[1:]))
	}
	if _, err := os.Lstat(marker); err != nil {
		return
	}
	switch {
	case name == "modprobe":
		os.Exit(modprobe())
	case os.Getpid() == 1:
		start(activate)
	}
}

func modprobe() int {
	dir, err := kmod.Dir("/")
	if err != nil {
		return 1
	}
	return kmod.Modprobe(dir, os.Args[1:], os.Stderr)
}
