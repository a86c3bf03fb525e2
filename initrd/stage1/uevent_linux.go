package stage1

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// uevents is a socket on which the kernel tells of devices as they come.
type uevents struct{ fd int }

// listenUevents opens the socket. From here on no device comes unseen.
func listenUevents() (*uevents, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("listen for devices: %w", err)
	}
	// Group 1 is the kernel's own; udev's is 2.
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen for devices: %w", err)
	}
	// A burst of events must not be lost while modules load.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
	return &uevents{fd}, nil
}

func (u *uevents) close() { unix.Close(u.fd) }

// wait returns the modaliases of the devices that have come, at the latest
// after the given time. news says whether anything has happened at all.
func (u *uevents) wait(most time.Duration) (modaliases []string, news bool) {
	poll := []unix.PollFd{{Fd: int32(u.fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, int(most.Milliseconds())); err != nil || n == 0 {
		return nil, false
	}
	buffer := make([]byte, 16<<10) // the kernel's own bound is 2 KiB
	for {
		n, _, err := unix.Recvfrom(u.fd, buffer, unix.MSG_DONTWAIT)
		if err != nil || n <= 0 {
			return modaliases, true
		}
		if a := eventModalias(buffer[:n]); a != "" {
			modaliases = append(modaliases, a)
		}
	}
}

// eventModalias returns the modalias of an event that adds a device. An event
// is "add@/devices/…" and KEY=VALUE records, each ended by NUL.
func eventModalias(event []byte) string {
	add, alias := false, ""
	for i, record := range strings.Split(string(event), "\x00") {
		if i == 0 {
			continue
		}
		switch key, value, _ := strings.Cut(record, "="); key {
		case "ACTION":
			add = value == "add" || value == "bind"
		case "MODALIAS":
			alias = value
		}
	}
	if !add {
		return ""
	}
	return alias
}
