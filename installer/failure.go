package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"reprise/installer/plan"
)

// A StepError is a step that could not be done.
type StepError struct {
	Step   plan.Name
	Device string
	Err    error
	Do     string // what a person can do
	Log    string // where the whole log is; "" when there is none
}

// Error is for a screen.
func (e *StepError) Error() string {
	text := fmt.Sprintf("%s on %s: %v", e.Step, e.Device, e.Err)
	if e.Do != "" {
		text += "\n  do:   " + e.Do
	}
	if e.Log != "" {
		text += "\n  log:  " + e.Log
	}
	return text
}

func (e *StepError) Unwrap() error { return e.Err }

// Reason is the cause, and what to do, on one line.
func (e *StepError) Reason() string {
	text := e.Err.Error()
	if e.Do != "" {
		text += " do: " + e.Do
	}
	return strings.Join(strings.Fields(text), " ")
}

// changedDisk says that the disk is not the one that was planned for.
type changedDisk struct {
	want plan.Device
	now  plan.Disk
}

func (e *changedDisk) Error() string {
	return fmt.Sprintf("another disk is there: the plan is for %s, and now it is %s", nameOf(e.want), e.now.Name())
}

// nameOf tells a disk from others: path, model, serial number, size.
func nameOf(d plan.Device) string {
	return plan.Disk{Path: d.Path, Model: d.Model, Serial: d.Serial, SizeBytes: d.SizeBytes}.Name()
}

// otherMachine says that the disk starts a machine that this plan did not make.
type otherMachine struct{ host, disk string }

func (e *otherMachine) Error() string {
	return fmt.Sprintf("%s has a finished installation, %q, that other answers have made: nothing was written", e.disk, e.host)
}

// damagedMedium says that the medium does not have what its list says.
type damagedMedium struct{ err error }

func (e *damagedMedium) Error() string {
	if unread(e.err) {
		return "the medium cannot be read: " + e.err.Error()
	}
	return "the medium is damaged: " + e.err.Error()
}
func (e *damagedMedium) Unwrap() error { return e.err }

// explain makes a StepError with what to do about the cause.
func (r *run) explain(step plan.Name, err error) error {
	e := &StepError{Step: step, Device: r.Plan.Disk.Path, Err: err, Log: r.Log}
	var path *fs.PathError
	var damaged *damagedMedium
	var changed *changedDisk
	var other *otherMachine
	onMedium := errors.As(err, &path) && (below(path.Path, r.Source.Store) || below(path.Path, r.Source.Root))
	switch {
	case errors.As(err, &changed):
		e.Do = "nothing was written; make the plan anew"
	case errors.As(err, &other):
		e.Do = `take the medium out to go on with that machine; to erase it, write "again": true into the answers`
	case errors.Is(err, context.Canceled):
		e.Do = "start the installation again: it goes on where it was"
	case r.Source.gone(unread(err)):
		e.Do = "the medium was pulled out: put it back, start from it again, and the installation goes on where it was"
	case errors.As(err, &damaged) && unread(err):
		e.Do = "the medium cannot be read: was it pulled out? If not, write the image to the stick again, or to another one; then start again: it goes on where it was"
	case errors.As(err, &damaged):
		e.Do = "write the image to the stick again and compare its checksum; then start again: it goes on where it was"
	case onMedium && (unread(err) || errors.Is(err, fs.ErrNotExist)):
		e.Do = "the medium cannot be read: was it pulled out? Put it back, start from it again, and the installation goes on where it was"
	case errors.Is(err, unix.ENOSPC):
		e.Do = fmt.Sprintf("the disk is full at %s: choose a larger one, or a smaller profile", humanize.IBytes(uint64(r.Plan.Root.Bytes)))
	case unread(err), errors.Is(err, unix.EROFS), strings.Contains(err.Error(), programEIO):
		e.Do = "the disk fails: " + nameOf(r.Plan.Disk) + ". Look at its cable and at smartctl -a " + r.Plan.Disk.Path + "; start again, and choose another disk if it happens again"
	case errors.Is(err, unix.EBUSY):
		e.Do = "something uses the disk: unmount it, or restart the machine from the medium"
	default:
		e.Do = "start the installation again: it goes on where it was"
	}
	return e
}

// unread says whether a device did not give what it has, or is gone.
func unread(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV)
}

// programEIO is EIO in the words of a program, which are all that is known of its
// error. Source: glibc's strerror.
const programEIO = "Input/output error"

// goneLimit is how long after its first error a device may keep its node.
const goneLimit = time.Second

// gone says whether the medium's device is there no more. What of it the kernel
// has in memory can be read still, and what cannot shows up as all kinds of
// errors of whoever wanted it. Where soon is set it may be about to go.
func (s Source) gone(soon bool) bool {
	if s.Device == "" {
		return false
	}
	for deadline := time.Now().Add(goneLimit); ; time.Sleep(goneLimit / 20) {
		if _, err := os.Lstat(s.Device); err != nil {
			return errors.Is(err, fs.ErrNotExist)
		}
		if !soon || time.Now().After(deadline) {
			return false
		}
	}
}

func below(path, dir string) bool {
	return dir != "" && (path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/"))
}
