package stage1

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"
)

// switchRoot makes target the root and becomes the first of the programs that
// starts. It returns only with an error.
//
// The old root is emptied before, because nobody can reach it afterwards: its
// memory would be lost. Our own program lives on in memory, so that a rescue
// shell is there even when no program starts.
func (b *boot) switchRoot(programs []string) error {
	b.record()
	old, err := os.Open("/")
	if err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	defer old.Close()
	for _, at := range []string{"/dev", "/proc", "/sys", "/run"} {
		if err := mount.MoveMount(at, filepath.Join(target, at)); err != nil {
			return fmt.Errorf("switch root: move %s: %w", at, err)
		}
	}
	if err := unix.Chdir(target); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := mount.MoveMount(".", "/"); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("switch root: %w", err)
	}
	b.switched = true
	empty(int(old.Fd()))
	b.mark("switch")
	b.log.printf(logInfo, "stage 1: %s", b.times())
	var errs []error
	for _, program := range programs {
		// The kernel's own environment for process 1. systemd reads its
		// arguments from /proc/cmdline.
		err := unix.Exec(program, []string{program}, []string{"HOME=/", "TERM=linux"})
		errs = append(errs, fmt.Errorf("start %s: %w", program, err))
	}
	return &Failure{Got: "the system's first program cannot be started", Want: b.system, Err: errors.Join(errs...)}
}

// record leaves word of what was booted in /run, for the programs of the
// system: which generation runs is not a guess from the kernel line.
func (b *boot) record() {
	if err := os.MkdirAll("/run/reprise", 0o755); err != nil {
		return
	}
	_ = os.Symlink(b.system, "/run/reprise/booted-system")
}

// empty removes everything below a directory that is on the same file system.
// Errors are left alone: memory that stays in use is no reason not to start.
func empty(dir int) {
	var here unix.Stat_t
	if unix.Fstat(dir, &here) != nil {
		return
	}
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", dir))
	if err != nil {
		return
	}
	names, _ := f.Readdirnames(-1)
	f.Close()
	for _, name := range names {
		child, err := unix.Openat(dir, name, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			_ = unix.Unlinkat(dir, name, 0)
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(child, &st) == nil && st.Dev == here.Dev {
			empty(child)
			_ = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
		}
		unix.Close(child)
	}
}
