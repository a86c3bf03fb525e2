package stage1

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// letGoOfTarget unmounts what an installer that was killed has left mounted, the
// disk that it installed to among it.
func letGoOfTarget() {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	for _, at := range slices.Backward(mountedBelow(string(data), InstallDir)) {
		if unix.Unmount(at, 0) != nil { // with all that is to be written
			_ = unix.Unmount(at, unix.MNT_DETACH)
		}
	}
}

// mountedBelow lists mount points below dir, in the order in which they were
// mounted, from proc_pid_mountinfo(5).
func mountedBelow(mountinfo, dir string) []string {
	var at []string
	for line := range strings.Lines(mountinfo) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			at = append(at, fields[4])
		}
	}
	return at
}
