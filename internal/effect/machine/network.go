package machine

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"reprise/internal/config"
)

// network writes what systemd-networkd, resolved and timesyncd read.
func network(cfg *config.Config, p *etcSpec, text func(name, content string)) {
	n := cfg.Networking
	p.Links["etc/resolv.conf"] = "../run/systemd/resolve/stub-resolv.conf"
	for _, name := range slices.Sorted(maps.Keys(n.Interfaces)) {
		i := n.Interfaces[name]
		var b strings.Builder
		if i.PermanentMACAddress != "" {
			fmt.Fprintf(&b, "[Match]\nPermanentMACAddress=%s\n\n[Network]\n", i.PermanentMACAddress)
		} else {
			fmt.Fprintf(&b, "[Match]\nName=%s\n\n[Network]\n", name)
		}
		if i.UseDHCP {
			b.WriteString("DHCP=yes\n")
		}
		for _, a := range i.Addresses {
			fmt.Fprintf(&b, "Address=%s\n", a)
		}
		if n.DefaultGateway != "" && len(i.Addresses) > 0 && reaches(i.Addresses, n.DefaultGateway) {
			fmt.Fprintf(&b, "Gateway=%s\n", n.DefaultGateway)
		}
		text("systemd/network/30-"+name+".network", b.String())
	}
	if n.UseDHCP {
		// Kind=!* leaves virtual interfaces, such as bridges, to those who made
		// them. Not required: a cable that is not there must not hold the boot.
		text("systemd/network/80-dhcp.network", "[Match]\nType=ether\nKind=!*\n\n[Link]\nRequiredForOnline=no\n\n[Network]\nDHCP=yes\n")
	}
	if len(n.Nameservers) > 0 || n.Domain != "" {
		var b strings.Builder
		b.WriteString("[Resolve]\n")
		if len(n.Nameservers) > 0 {
			b.WriteString("DNS=" + strings.Join(n.Nameservers, " ") + "\n")
		}
		if n.Domain != "" {
			b.WriteString("Domains=" + n.Domain + "\n")
		}
		text("systemd/resolved.conf.d/reprise.conf", b.String())
	}
	if len(n.TimeServers) > 0 {
		text("systemd/timesyncd.conf.d/reprise.conf", "[Time]\nNTP="+strings.Join(n.TimeServers, " ")+"\n")
	}
}

// reaches reports whether a gateway lies in the network of one of the
// addresses; a link-local one lies on every link.
func reaches(addresses []string, gateway string) bool {
	g, err := netip.ParseAddr(gateway)
	return err == nil && slices.ContainsFunc(addresses, func(a string) bool {
		p, err := netip.ParsePrefix(a)
		return err == nil && (p.Contains(g) || g.IsLinkLocalUnicast())
	})
}
