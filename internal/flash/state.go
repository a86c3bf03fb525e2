package flash

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// State is what is on a device when writing to it ended early.
type State string

// The states, in their order.
const (
	Untouched  State = "untouched"  // nothing was written
	Unfinished State = "unfinished" // what was there is lost, and nothing starts from it
	Unchecked  State = "unchecked"  // the image is whole on it, its first MiB was not read back
)

// An Error is why writing ended early, and what it left behind.
type Error struct {
	Device string
	State  State
	Gone   bool // the device was unplugged
	Err    error
}

func (e *Error) Unwrap() error { return e.Err }

// Error tells the cause, the state, and what to do.
func (e *Error) Error() string {
	what := e.cause()
	switch e.State {
	case Untouched:
		return what + "\n  state: nothing was written to it\n  do:    mend that and run this again"
	case Unfinished:
		do := "run this again: it starts anew"
		if mismatch := new(Mismatch); errors.As(e.Err, &mismatch) {
			do = "run this again; if it differs once more, use another device: this one is worn out, or smaller than it says"
		}
		if e.Gone {
			do = "plug it in, at another port if it happens again, and run this again"
		}
		return what + "\n  state: it holds part of the image and starts nothing; what was on it before is lost\n  do:    " + do
	}
	return what + "\n  state: the whole image is on it; its first MiB was not compared, the rest was\n  do:    use it, or run this again to be sure"
}

func (e *Error) cause() string {
	switch {
	case e.Gone:
		return fmt.Sprintf("%s is gone: it was unplugged, or lost its connection", e.Device)
	case errors.Is(e.Err, context.Canceled):
		return fmt.Sprintf("%s: interrupted", e.Device)
	case errors.Is(e.Err, unix.ENOSPC):
		return fmt.Sprintf("%s ends before its size says it does: %v", e.Device, e.Err)
	case errors.Is(e.Err, unix.EIO), errors.Is(e.Err, unix.EREMOTEIO), errors.Is(e.Err, io.ErrUnexpectedEOF):
		return fmt.Sprintf("%s fails: %v", e.Device, e.Err)
	case errors.Is(e.Err, unix.EROFS), errors.Is(e.Err, unix.EPERM):
		return fmt.Sprintf("%s lets nobody write to it: %v", e.Device, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Device, e.Err)
}

// A Mismatch is the first place where a device holds other bytes than were
// written to it.
type Mismatch struct {
	Offset    int64 // of the first byte that differs
	Got, Want byte
	Differ    int64 // bytes that differ from Offset to Until
	Until     int64
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("reading back differs at byte %d: %#02x is there, %#02x was written; %d bytes differ up to byte %d", m.Offset, m.Got, m.Want, m.Differ, m.Until)
}
