package measure

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"reprise/installer/latency"
	"reprise/internal/diag"
)

// lockedBytes is what cyclictest locks, at the least: itself and a stack for
// each core.
const lockedBytes = 64 << 20

// MayMeasure says what stands against a measurement on this machine, before it
// begins: the rights to real-time priority and to locked memory. The limits of
// this process are raised as far as it may.
func MayMeasure() error {
	for _, limit := range []int{unix.RLIMIT_RTPRIO, unix.RLIMIT_MEMLOCK} {
		var l unix.Rlimit
		if unix.Getrlimit(limit, &l) == nil && l.Cur < l.Max {
			l.Cur = l.Max
			_ = unix.Setrlimit(limit, &l) // what it may not, the next lines find out
		}
	}
	root := os.Geteuid() == 0
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l); err == nil && !root && l.Cur < lockedBytes {
		return diag.Problem{Field: "the latency measurement", Got: fmt.Sprintf("may lock %d KiB of memory as this user", l.Cur>>10), Want: "unlimited locked memory, so that nothing of it waits for the disk", Do: rights}
	}
	err := tryPriority()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM) && !root:
		return diag.Problem{Field: "the latency measurement", Got: fmt.Sprintf("may not run at real-time priority %d as this user", latency.Priority), Want: fmt.Sprintf("the right to SCHED_FIFO %d", latency.Priority), Do: rights}
	}
	return diag.Problem{Field: "the latency measurement", Got: "gets no real-time priority, root or not: " + err.Error(), Want: fmt.Sprintf("a kernel that gives SCHED_FIFO %d", latency.Priority),
		Do: "measure on the machine itself: containers and control groups with CONFIG_RT_GROUP_SCHED keep it back"}
}

const rights = "run it as root, or as a user in group audio of a system that reprise built; log in again after joining the group"

// tryPriority runs a thread of this process at the priority of the measurement,
// for a moment.
func tryPriority() error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		result <- unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: latency.Priority}, 0)
	}()
	return <-result
}
