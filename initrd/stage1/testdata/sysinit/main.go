// Command sysinit stands in for systemd in the boot tests: it says on the
// console what stage 1 handed over, and turns the machine off.
package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	fmt.Printf("sysinit: reached pid %d at %.3f s\n", os.Getpid(), float64(ts.Nano())/1e9)
	show := func(what, file string) {
		data, err := os.ReadFile(file)
		if err != nil {
			data = []byte(err.Error())
		}
		for line := range strings.Lines(string(data)) {
			fmt.Printf("sysinit: %s: %s\n", what, strings.TrimSpace(line))
		}
	}
	show("etc", "/etc/hello")
	show("mount", "/proc/self/mountinfo")
	show("modules", "/proc/modules")
	for _, file := range []string{"/x", "/etc/x", "/usr/x", "/nix/store/x", "/.reprise/meta/x"} {
		fmt.Printf("sysinit: write %s: %v\n", file, os.WriteFile(file, nil, 0o644))
	}
	for _, file := range []string{"/var/x", "/run/x", "/home/x", "/root/x"} {
		fmt.Printf("sysinit: write %s: %v\n", file, os.WriteFile(file, nil, 0o644))
	}
	entries, _ := os.ReadDir("/")
	for _, e := range entries {
		info, _ := e.Info()
		target, _ := os.Readlink("/" + e.Name())
		fmt.Printf("sysinit: / %v %s %s\n", info.Mode(), e.Name(), target)
	}
	for _, name := range []string{"/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "/proc/self/fd/3", "/run/reprise/booted-system", "/run/systemd/system.control/efi.mount"} {
		target, err := os.Readlink(name)
		fmt.Printf("sysinit: link %s %s %v\n", name, target, err)
	}
	fmt.Println("sysinit: done")
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
