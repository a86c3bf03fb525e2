package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

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

// Reason is the cause on one line.
func (e *StepError) Reason() string { return strings.Join(strings.Fields(e.Err.Error()), " ") }

// changedDisk says that the disk is not the one that was planned for.
type changedDisk struct {
	want plan.Device
	now  plan.Disk
}

func (e *changedDisk) Error() string {
	want := plan.Disk{Path: e.want.Path, Model: e.want.Model, Serial: e.want.Serial, SizeBytes: e.want.SizeBytes}
	return fmt.Sprintf("another disk is there: the plan is for %s, and now it is %s", want.Name(), e.now.Name())
}

// otherMachine says that the disk starts a machine that this plan did not make.
type otherMachine struct{ host, disk string }

func (e *otherMachine) Error() string {
	return fmt.Sprintf("%s has a finished installation, %q, that other answers have made: nothing was written", e.disk, e.host)
}

// damagedMedium says that the medium does not have what its list says.
type damagedMedium struct{ err error }

func (e *damagedMedium) Error() string { return "the medium is damaged: " + e.err.Error() }
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
	case errors.As(err, &damaged):
		e.Do = "write the image to the stick again and compare its checksum; then start again: it goes on where it was"
	case onMedium && (errors.Is(err, unix.EIO) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) || errors.Is(err, fs.ErrNotExist)):
		e.Do = "the medium cannot be read: was it pulled out? Put it back, start from it again, and the installation goes on where it was"
	case errors.Is(err, unix.ENOSPC):
		e.Do = fmt.Sprintf("the disk is full at %s: choose a larger one, or a smaller profile", humanize.IBytes(uint64(r.Plan.Root.Bytes)))
	case errors.Is(err, unix.EIO), errors.Is(err, unix.EROFS):
		e.Do = "the disk fails: look at its cable and at smartctl -a " + r.Plan.Disk.Path + "; start again, and choose another disk if it happens again"
	case errors.Is(err, unix.EBUSY):
		e.Do = "something uses the disk: unmount it, or restart the machine from the medium"
	default:
		e.Do = "start the installation again: it goes on where it was"
	}
	return e
}

func below(path, dir string) bool {
	return dir != "" && (path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/"))
}
