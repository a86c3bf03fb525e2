package answers

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/config"
	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// A Box is what tells one machine from another.
type Box struct {
	MACs       []string // of its network cards: "52:54:00:12:34:56"
	Serial     string   // of the machine, from its firmware
	DiskSerial string   // of the disk that is installed to
}

// places of a pattern: %d and %02d count machines, the others are words.
var patternPlace = regexp.MustCompile(`%(0[1-9])?d|\{[^{}]*\}`)

// patternWords are what stands in braces.
var patternWords = []string{"mac", "serial", "disk"}

// HostName fills the pattern of the host name in for one machine:
//
//	%d  %02d    the place of the machine in Machines, from 1, which lists the
//	            MAC address or the serial number of each
//	{mac}       the last six digits of its first MAC address
//	{serial}    the serial number of the machine
//	{disk}      the serial number of its disk
//
// A host name without any of these is itself.
func (a Answers) HostName(b Box) (string, *diag.Problem) {
	var failed *diag.Problem
	name := patternPlace.ReplaceAllStringFunc(a.Host, func(place string) string {
		value, p := a.fill(place, b)
		if p != nil && failed == nil {
			failed = p
		}
		return value
	})
	if failed == nil {
		if failed = config.CheckText("networking.hostName", name); failed != nil {
			failed.Got = fmt.Sprintf("is %s, and on this machine %s", program.Shorten(a.Host), program.Shorten(name))
		}
	}
	if failed != nil {
		failed.Field = "host"
		return "", failed
	}
	return name, nil
}

func (a Answers) fill(place string, b Box) (string, *diag.Problem) {
	missing := func(what string) (string, *diag.Problem) {
		return "", &diag.Problem{Got: "is " + program.Shorten(a.Host) + ", and this machine has no " + what, Want: "something that the machine has", Do: "choose another pattern"}
	}
	if place[0] == '%' {
		at := slices.IndexFunc(a.Machines, b.is)
		if at < 0 {
			return "", &diag.Problem{Got: fmt.Sprintf("is %s, and this machine is not in machines: its MAC addresses are %q and its serial number is %q", program.Shorten(a.Host), b.MACs, b.Serial),
				Want: "each machine in the list", Do: "add one of these to machines"}
		}
		return fmt.Sprintf(place, at+1), nil
	}
	switch place {
	case "{mac}":
		if len(b.MACs) == 0 {
			return missing("network card")
		}
		digits := hexDigits(b.MACs[0])
		return digits[max(0, len(digits)-6):], nil
	case "{serial}":
		if label(b.Serial) == "" {
			return missing("serial number")
		}
		return label(b.Serial), nil
	case "{disk}":
		if label(b.DiskSerial) == "" {
			return missing("serial number on its disk")
		}
		return label(b.DiskSerial), nil
	}
	return "", unknownPlace(a.Host, place)
}

// is reports whether an element of Machines means b.
func (b Box) is(machine string) bool {
	return machine == b.Serial && b.Serial != "" ||
		slices.ContainsFunc(b.MACs, func(mac string) bool { return hexDigits(mac) == hexDigits(machine) && isMAC.MatchString(machine) })
}

var isMAC = regexp.MustCompile(`^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$`)

func hexDigits(mac string) string {
	return strings.ToLower(strings.NewReplacer(":", "", "-", "").Replace(mac))
}

// label makes letters of a serial number that a host name can have.
func label(serial string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z':
			return r
		case r >= 'A' && r <= 'Z':
			return r | 0x20
		}
		return '-'
	}, serial), "-")
}

func unknownPlace(host, place string) *diag.Problem {
	p := &diag.Problem{Got: fmt.Sprintf("is %s: %s is no place of a pattern", program.Shorten(host), place), Want: "%d, %02d, {mac}, {serial} or {disk}", Do: "write {mac}"}
	if near := diag.Nearest(strings.Trim(place, "{}"), patternWords); len(near) > 0 {
		p.Do = "write {" + near[0] + "}"
	}
	return p
}

// host checks the pattern with stand-ins for what a machine has.
func (c *checker) host(a Answers) {
	if a.Host == "" {
		c.fail("host", "is not answered", "the name of the machine, or a pattern", `write "host": "studio", or "host": "rig-%02d" for many`)
		return
	}
	counted := false
	stand := patternPlace.ReplaceAllStringFunc(a.Host, func(place string) string {
		switch {
		case place[0] == '%':
			counted = true
			return fmt.Sprintf(place, max(1, len(a.Machines)))
		case !slices.Contains(patternWords, strings.Trim(place, "{}")):
			p := unknownPlace(a.Host, place)
			c.fail("host", p.Got, p.Want, p.Do)
		}
		return "0"
	})
	if p := config.CheckText("networking.hostName", stand); p != nil {
		if stand == a.Host {
			c.fail("host", p.Got, p.Want, p.Do)
		} else {
			c.fail("host", "is "+program.Shorten(a.Host), "a host name, with places such as %02d and {mac}", "write rig-%02d")
		}
	}
	switch {
	case counted && len(a.Machines) == 0:
		c.fail("machines", "is not answered, and host counts machines", "the MAC address or serial number of each machine, in the order of their numbers", `write "machines": ["52:54:00:12:34:56", …], or use {mac} in host`)
	case !counted && len(a.Machines) > 0:
		c.fail("machines", "lists machines, and host does not count them", "a pattern with %d or %02d in host", `write "host": `+strconv.Quote(a.Host+"-%02d"))
	}
	seen := map[string]int{}
	for i, m := range a.Machines {
		at := program.Join("machines", i)
		key := m
		if isMAC.MatchString(m) {
			key = hexDigits(m)
		}
		if strings.TrimSpace(m) != m || m == "" {
			c.fail(at, "is "+program.Shorten(m), "a MAC address or a serial number", "write it without spaces around it")
		} else if first, twice := seen[key]; twice {
			c.fail(at, fmt.Sprintf("is %s, as machines[%d]", program.Shorten(m), first), "each machine once", "remove one of them")
		}
		seen[key] = i
	}
}
