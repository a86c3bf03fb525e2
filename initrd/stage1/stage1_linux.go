// Package stage1 is the program that runs first in the initramfs: it finds the
// disk, puts the root file system together and starts the system's own init.
//
//	kernel ─▶ /init: devtmpfs, proc, sysfs, /run ─▶ modules for disks ─▶ root partition
//	       ─▶ passphrase, where it is encrypted ─▶ ext4 or btrfs ─▶ root.erofs + overlay = view ─▶ activation ─▶ tmpfs / with its mounts ─▶ systemd
//
// Started from an installation medium (reprise.medium= on the kernel line), it
// mounts that and its store so that the rest is as on a disk, and does what
// reprise.mode= says: the installer, a system with its state in memory, a check
// of the medium, or a shell.
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
	"context"
	"io"
	"os"
	"path/filepath"

	"reprise/initrd/kmod"
	"reprise/initrd/rescue"
)

// Activate applies activation.json to the mounted root partition before the
// system starts: disk is where the partition is mounted, data the file's bytes.
type Activate func(disk string, data []byte) error

// Programs are what stage 1 leaves to others. All but Activate may be nil:
// then a medium can be tried, checked and looked at, but not installed from.
type Programs struct {
	Activate Activate
	// Session is called after Activate, with the same arguments, for a system
	// that is tried from a medium: it lets the person before the machine in, and
	// returns the user who is logged in on the consoles; "" for nobody.
	Session func(disk string, data []byte) (user string, err error)
	// Install is the installer for a person: it has a process of its own on
	// each console, with the console as its terminal and standard streams. It
	// returns what the machine does next.
	Install func(ctx context.Context, m Medium) (Next, error)
	// Unattended installs without a person, once, before any console asks. What
	// it writes to out stands on every console. found is false when there are no
	// answers that tell it what to do, and then nothing was done. ErrBegun says
	// that there is no use in looking again.
	Unattended func(ctx context.Context, m Medium, out io.Writer) (found bool, next Next, err error)
}

// marker is in every initramfs and never on a running machine's own root.
const marker = "/etc/initrd-release"

// The names under which stage 1 starts itself: as a rescue shell, as the
// installer for a person and for nobody, and to open an encrypted disk.
const (
	shellName      = "reprise-rescue"
	installName    = "reprise-installer"
	unattendedName = "reprise-unattended"
	networkName    = "reprise-network" // brings wired links up, see package network
	unlockName     = "reprise-unlock"  // opens an encrypted device
)

// Init is the first call of main. It returns at once, having changed nothing,
// unless this process is /init of our initramfs (process 1), the modprobe that
// the kernel calls there, the rescue shell, the installer or what opens an
// encrypted disk; those it becomes, and does not return.
func Init(p Programs) {
	name := filepath.Base(os.Args[0])
	switch name {
	case "init", "modprobe":
	case shellName:
		os.Exit(rescue.Main(os.Args[1:]))
	case unlockName:
		os.Exit(unlockMain(os.Args[1:]))
	case networkName:
		os.Exit(networkMain())
	case installName, unattendedName:
		os.Exit(p.installer(name, os.Args[1:]))
	default:
		return
	}
	if _, err := os.Lstat(marker); err != nil {
		return
	}
	switch {
	case name == "modprobe":
		os.Exit(modprobe())
	case os.Getpid() == 1:
		start(p)
	}
}

func modprobe() int {
	dir, err := kmod.Dir("/")
	if err != nil {
		return 1
	}
	return kmod.Modprobe(dir, kmod.ReadRefused(), os.Args[1:], os.Stderr)
}
