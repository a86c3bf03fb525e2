package rescue

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// ip shows network interfaces and their addresses, and switches one on or off:
// "ip", "ip link set NAME up", "ip link set NAME down".
func ip(c call) error {
	if len(c.args) == 4 && c.args[0] == "link" && c.args[1] == "set" {
		return setLink(c.args[2], c.args[3])
	}
	if len(c.args) > 1 {
		return usage("ip [addr|link], ip link set NAME up|down")
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		fmt.Fprintf(c.Stdout, "%d: %s  %s  mtu %d  %s\n", i.Index, i.Name, i.Flags, i.MTU, i.HardwareAddr)
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			fmt.Fprintf(c.Stdout, "    %s\n", a)
		}
	}
	return nil
}

func setLink(name, state string) error {
	if state != "up" && state != "down" {
		return fmt.Errorf("%q is neither up nor down", state)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("interface %q: %w", name, err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); err != nil {
		return fmt.Errorf("interface %q: %w", name, err)
	}
	flags := request.Uint16() &^ unix.IFF_UP
	if state == "up" {
		flags |= unix.IFF_UP
	}
	request.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("interface %q: %w", name, err)
	}
	return nil
}
