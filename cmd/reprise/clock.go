package main

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machineClock is what the machine's clock shows: that of the hardware where
// it is behind now, which is the system's. A machine whose battery is empty
// starts with the former, whatever a network said since.
func machineClock(root fs.FS, now time.Time) time.Time {
	data, err := fs.ReadFile(root, "sys/class/rtc/rtc0/since_epoch")
	if err != nil {
		return now
	}
	seconds, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if hardware := time.Unix(seconds, 0); err == nil && hardware.Before(now) {
		return hardware
	}
	return now
}

// wakeClock sets the clock of the system to the date of the medium when it
// shows an earlier one: certificates are not valid then. The hardware's is left
// alone until an installation begins. It says what it did; "" when nothing.
func (i *installation) wakeClock(now time.Time, set func(time.Time) error) string {
	var newest time.Time
	for n := range i.carried.Systems {
		date, err := i.newest(&i.carried.Systems[n])
		if err == nil && date.After(newest) {
			newest = date
		}
	}
	if !now.Before(newest) {
		return ""
	}
	if err := set(newest); err != nil {
		return fmt.Sprintf("the clock shows %s, and cannot be set: %v", now.UTC().Format(time.DateOnly), err)
	}
	return fmt.Sprintf("the clock showed %s; it is set to %s, when the packages of the medium were made", now.UTC().Format(time.DateOnly), newest.UTC().Format(time.DateOnly))
}

// setClock sets the clock of the system.
func setClock(now time.Time) error {
	spec := unix.NsecToTimespec(now.UnixNano())
	return unix.ClockSettime(unix.CLOCK_REALTIME, &spec)
}
