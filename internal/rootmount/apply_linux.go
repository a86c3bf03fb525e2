package rootmount

import (
	"errors"
	"fmt"
	"os"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"
)

// A StepError is a step that could not be done.
type StepError struct {
	Step Step
	Err  error
}

func (e *StepError) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }
func (e *StepError) Unwrap() error { return e.Err }

// Apply does the steps in order and stops at the first that cannot be done,
// with a *StepError. Directories and symlinks that are there are left as they
// are; mounts are made anew, one over the other.
func Apply(steps []Step) error {
	old := unix.Umask(0)
	defer unix.Umask(old)
	for _, s := range steps {
		if err := s.apply(); err != nil {
			return &StepError{s, err}
		}
	}
	return nil
}

var systemFlags = map[Flag]uintptr{
	ReadOnly: unix.MS_RDONLY, NoSUID: unix.MS_NOSUID, NoDev: unix.MS_NODEV,
	NoExec: unix.MS_NOEXEC, NoAtime: unix.MS_NOATIME,
}

func (f Flag) system() uintptr {
	var flags uintptr
	for flag, bits := range systemFlags {
		if f&flag != 0 {
			flags |= bits
		}
	}
	return flags
}

func (s Step) apply() error {
	switch s.Op {
	case Mkdir:
		return os.MkdirAll(s.Target, s.Mode)
	case Symlink:
		err := os.Symlink(s.Source, s.Target)
		if errors.Is(err, os.ErrExist) {
			return nil
		}
		return err
	case Mount:
		return bare(mount.Mount(s.Source, s.Target, s.Type, s.Data, s.Flags.system()))
	case Bind:
		return bare(mount.Mount(s.Source, s.Target, "", "", unix.MS_BIND))
	case Move:
		return mount.MoveMount(s.Source, s.Target)
	case Restrict:
		return bare(mount.Mount("", s.Target, "", "", unix.MS_REMOUNT|unix.MS_BIND|s.Flags.system()))
	case Freeze:
		return bare(mount.Mount("", s.Target, "", "", unix.MS_REMOUNT|unix.MS_RDONLY))
	}
	return fmt.Errorf("step %q is not known", s.Op)
}

// bare takes the kernel's own word out of an error: the step says the rest.
func bare(_ *mount.MountPoint, err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
