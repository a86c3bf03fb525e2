package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sampling is the time between two looks at the memory of a run. A look takes
// some 100 µs a process, so a run is hardly slower for it; a peak between two
// looks is missed.
const sampling = 50 * time.Millisecond

// watchMemory looks at a process and all below it until done is closed, and
// sends the largest sum of their own memory, in bytes: anonymous pages and
// shared memory, without the files that they have mapped, which processes
// share.
func watchMemory(pid int, done <-chan struct{}) <-chan int64 {
	peak := make(chan int64, 1)
	go func() {
		var most int64
		tick := time.NewTicker(sampling)
		defer tick.Stop()
		for {
			select {
			case <-done:
				peak <- most
				return
			case <-tick.C:
				most = max(most, treeMemory(pid))
			}
		}
	}()
	return peak
}

// treeMemory sums the memory of a process and its descendants. Processes that
// end meanwhile count as far as they could be read.
func treeMemory(pid int) int64 {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return 0
	}
	sum := ownMemory(string(status))
	threads, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		return sum
	}
	for _, t := range threads {
		children, err := os.ReadFile(filepath.Join(dir, "task", t.Name(), "children"))
		if err != nil {
			continue
		}
		for _, child := range strings.Fields(string(children)) {
			if pid, err := strconv.Atoi(child); err == nil {
				sum += treeMemory(pid)
			}
		}
	}
	return sum
}

// ownMemory is RssAnon and RssShmem of a /proc/PID/status, in bytes. See
// proc_pid_status(5).
func ownMemory(status string) (sum int64) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if name != "RssAnon" && name != "RssShmem" {
			continue
		}
		var kib int64
		if n, err := fmt.Sscanf(value, "%d kB", &kib); n == 1 && err == nil {
			sum += kib << 10
		}
	}
	return sum
}
