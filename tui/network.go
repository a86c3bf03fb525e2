package tui

import (
	"net/netip"
	"strings"
)

// networkText also says what the links are now: a cable that is in the wrong
// socket shows here.
func networkText(s *Session, width int) string {
	text := wrap("Nothing is fetched now: all that is installed is on the medium. This is for the installed system. Automatic is right nearly everywhere.", width)
	if len(s.links) == 0 {
		return text
	}
	text += "\nThe wired network of this machine now:\n"
	for _, l := range s.links {
		text += hang("  ", ascii(l), width)
	}
	return text
}

func networkFields(s *Session) []field {
	said := &s.Said
	list := []field{{id: "network", kind: choice, label: "Network", value: &said.Network, options: []option{
		{value: netProfile, label: "Automatic", detail: []string{"as the profile says: by cable, the router gives an address (DHCP)"}},
		{value: netFixed, label: "A fixed address", detail: []string{"for a network without a router, such as boxes and a mixer on a stage"}},
	}}}
	if said.Network != netFixed {
		return list
	}
	faces := field{id: "interface", kind: choice, label: "Interface", value: &said.Interface}
	if s.Facts != nil {
		for _, n := range s.Facts.Network {
			if n.Kind != "ethernet" {
				continue
			}
			label := n.Name + ", " + n.Address.Or("address not known")
			if on, ok := n.Carrier.Get(); ok {
				label += map[bool]string{true: ", a cable is in", false: ", no cable"}[on]
			}
			faces.options = append(faces.options, option{value: n.Name, label: label})
		}
	}
	if len(faces.options) == 0 {
		faces.kind, faces.help = text, "No Ethernet interface was found. Its name, such as enp3s0."
		if s.Facts == nil {
			faces.help = "This machine is still being looked at. The name of the interface, such as enp3s0."
		}
	}
	faces.check = func() string {
		return checkOption("networking.interfaces", said.Interface)
	}
	return append(list, faces,
		field{id: "address", kind: text, label: "Address", help: "Of this machine, with the size of the network: 192.168.7.2/24", value: &said.Address,
			check: func() string {
				return checkOption("networking.interfaces.<name>.addresses", strings.TrimSpace(said.Address))
			}},
		field{id: "gateway", kind: text, label: "Gateway", help: "The address of the router. May be empty.", value: &said.Gateway, check: func() string { return gatewayComplaint(said.Address, said.Gateway) }},
		field{id: "nameServers", kind: text, label: "Name servers", help: "Often the router again. Several with spaces between; may be empty.", value: &said.NameServers, check: func() string {
			for _, n := range strings.FieldsFunc(said.NameServers, func(r rune) bool { return r == ' ' || r == ',' }) {
				if c := checkOption("networking.nameservers", n); c != "" {
					return c
				}
			}
			return ""
		}})
}

func gatewayComplaint(address, gateway string) string {
	gateway = strings.TrimSpace(gateway)
	if gateway == "" {
		return ""
	}
	if c := checkOption("networking.defaultGateway", gateway); c != "" {
		return c
	}
	prefix, err := netip.ParsePrefix(strings.TrimSpace(address))
	if at, bad := netip.ParseAddr(gateway); err == nil && bad == nil && !prefix.Contains(at) {
		return "is not in " + prefix.Masked().String()
	}
	return ""
}
