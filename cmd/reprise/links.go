package main

import (
	"errors"
	"io/fs"
	"net"
	"os"

	"reprise/hwdetect"
	"reprise/initrd/network"
)

// links says what the wired links of this machine are now, a line each. None:
// it is too early to say.
func (i *installation) links() []string {
	if i.medium.Console != "" {
		return mediumLinks(network.File)
	}
	return sessionLinks(i.facts.Load(), interfaceNow)
}

// mediumLinks are those that the medium brings up itself: package network.
func mediumLinks(file string) []string {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil // drivers come first
	}
	state, err := network.Read(file)
	if err != nil {
		return []string{err.Error()}
	}
	return state.Lines()
}

// An interfaceState is what the kernel says of one interface.
type interfaceState struct {
	up, cable bool
	address   string // "192.168.7.20/24"; "" without one
}

// sessionLinks are those of a session, whose own services bring them up.
func sessionLinks(f *hwdetect.Facts, now func(name string) (interfaceState, bool)) []string {
	if f == nil {
		return nil
	}
	var lines []string
	for _, n := range f.Network {
		if n.Kind != "ethernet" {
			continue
		}
		s, ok := now(n.Name)
		if !ok {
			continue // taken out since
		}
		line := n.Name
		if address, ok := n.Address.Get(); ok {
			line += " (" + address + ")"
		}
		switch {
		case s.address != "":
			line += ": address " + s.address
		case s.cable:
			line += ": a cable is in, no address yet"
		case s.up:
			line += ": no cable is in"
		default:
			line += ": not in use"
		}
		lines = append(lines, line)
	}
	return lines
}

// interfaceNow asks the kernel.
func interfaceNow(name string) (s interfaceState, ok bool) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return s, false
	}
	s.up, s.cable = i.Flags&net.FlagUp != 0, i.Flags&net.FlagRunning != 0
	addresses, _ := i.Addrs() // none is an answer
	for _, a := range addresses {
		if p, ok := a.(*net.IPNet); ok && p.IP.IsGlobalUnicast() && (s.address == "" || p.IP.To4() != nil) {
			s.address = p.String()
		}
	}
	return s, true
}
