package network

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/u-root/u-root/pkg/dhclient"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"reprise/internal/atomicfile"
)

// Times of DHCP. RFC 2131, 4.1 asks for a first wait of four seconds that
// doubles; most servers answer within milliseconds, some switches let nothing
// through for half a minute after a cable came in.
const (
	firstWait   = 3 * time.Second
	tries       = 4
	leastPause  = 2 * time.Second
	mostPause   = 30 * time.Second
	shortestUse = time.Minute    // before a lease is renewed
	longestUse  = 24 * time.Hour // and at the latest
)

// A manager keeps the links up and their state in a file.
type manager struct {
	file string
	say  func(format string, args ...any)

	mu    sync.Mutex
	state State
	links map[int]*wire // by the kernel's number
}

// A wire is a link that is being looked after.
type wire struct {
	link    netlink.Link
	cable   chan bool // the last thing that was heard of it
	looking *session
}

// Run brings every wired link up and keeps it so until ctx ends; its state
// stands in file. say gets a line for every change.
func Run(ctx context.Context, file string, say func(format string, args ...any)) error {
	m := &manager{file: file, say: say, state: State{Version: Version}, links: map[int]*wire{}}
	updates := make(chan netlink.LinkUpdate, 64)
	done := make(chan struct{})
	defer close(done)
	broken := make(chan error, 1)
	err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{
		ListExisting:  true,
		ErrorCallback: func(err error) { sendLast(broken, err) },
	})
	if err != nil {
		return fmt.Errorf("listen for network links: %w", err)
	}
	if err := m.write(); err != nil {
		return err
	}
	defer m.stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-broken:
			return fmt.Errorf("listen for network links: %w", err)
		case u, ok := <-updates:
			if !ok {
				return fmt.Errorf("listen for network links: the kernel has hung up")
			}
			m.heard(ctx, u)
		}
	}
}

// sendLast puts v into a channel of one place, over what is there.
func sendLast[T any](c chan T, v T) {
	for {
		select {
		case c <- v:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}

// heard takes news of a link.
func (m *manager) heard(ctx context.Context, u netlink.LinkUpdate) {
	a := u.Attrs()
	w := m.links[a.Index]
	if u.Header.Type == unix.RTM_DELLINK {
		if w != nil {
			m.forget(a.Index, w)
		}
		return
	}
	if w == nil {
		if !wired(os.DirFS("/sys"), a.Name) {
			return
		}
		w = &wire{link: u.Link, cable: make(chan bool, 1)}
		w.looking = begin(ctx, func(ctx context.Context) { m.keep(ctx, w) })
		m.links[a.Index] = w
	}
	sendLast(w.cable, a.RawFlags&unix.IFF_LOWER_UP != 0)
}

func (m *manager) forget(index int, w *wire) {
	w.looking.end()
	delete(m.links, index)
	m.mu.Lock()
	defer m.mu.Unlock()
	name := w.link.Attrs().Name
	m.state.Links = slices.DeleteFunc(m.state.Links, func(l Link) bool { return l.Name == name })
	m.say("%s is gone", name)
	m.store()
}

func (m *manager) stop() {
	for _, w := range m.links {
		w.looking.end()
	}
}

// keep looks after one link: it asks for an address whenever a cable comes in.
func (m *manager) keep(ctx context.Context, w *wire) {
	a := w.link.Attrs()
	l := Link{Name: a.Name, MAC: a.HardwareAddr.String(), Status: NoCable, NameServers: []string{}}
	m.set(l)
	if err := netlink.LinkSetUp(w.link); err != nil {
		l.Status, l.Problem = Broken, err.Error()
		m.set(l)
		return
	}
	var asking *session
	defer func() { asking.end() }()
	for {
		select {
		case <-ctx.Done():
			return
		case in := <-w.cable:
			switch {
			case in && asking == nil:
				asking = begin(ctx, func(ctx context.Context) { m.lease(ctx, w.link, l) })
			case !in && asking != nil:
				asking.end()
				asking = nil
				m.set(l)
			}
		}
	}
}

// A session is work that goes on until it is ended.
type session struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func begin(ctx context.Context, work func(context.Context)) *session {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{cancel, make(chan struct{})}
	go func() {
		defer close(s.done)
		work(ctx)
	}()
	return s
}

// end waits until the work has ended. A nil session has.
func (s *session) end() {
	if s != nil {
		s.cancel()
		<-s.done
	}
}

// lease asks for an address and keeps it, until ctx ends.
func (m *manager) lease(ctx context.Context, link netlink.Link, l Link) {
	l.Status = Asking
	m.set(l)
	pause := leastPause
	for ctx.Err() == nil {
		ack, err := request(ctx, l)
		if err == nil {
			err = m.configure(link, &l, ack)
		}
		if ctx.Err() != nil {
			return
		}
		wait := pause
		if err == nil {
			pause = leastPause
			wait = min(max(ack.IPAddressLeaseTime(longestUse)/2, shortestUse), longestUse)
		} else {
			if l.Status != Up { // an address that was good goes on being used
				l.Status, l.Problem = Silent, err.Error()
				m.set(l)
			}
			pause = min(2*pause, mostPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// request asks on a link for an address; l has the one that it wants again.
func request(ctx context.Context, l Link) (*dhcpv4.DHCPv4, error) {
	client, err := nclient4.New(l.Name, nclient4.WithTimeout(firstWait), nclient4.WithRetry(tries))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	modifiers := []dhcpv4.Modifier{
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("reprise")),
		dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName,
			dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionClasslessStaticRoute),
	}
	if ip, _, err := net.ParseCIDR(l.Address); err == nil {
		modifiers = append(modifiers, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(ip)))
	}
	lease, err := client.Request(ctx, modifiers...)
	if err != nil {
		return nil, err
	}
	return lease.ACK, nil
}

// configure gives the link what was leased to it.
func (m *manager) configure(link netlink.Link, l *Link, ack *dhcpv4.DHCPv4) error {
	m.mu.Lock() // resolv.conf is one
	defer m.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(dhclient.ResolvConfPath), 0o755); err != nil {
		return err
	}
	packet := dhclient.NewPacket4(link, ack)
	if err := packet.Configure(); err != nil {
		return err
	}
	l.Status, l.Problem, l.Address, l.Gateway, l.NameServers = Up, "", packet.Lease().String(), "", []string{}
	if routers := ack.Router(); len(routers) > 0 {
		l.Gateway = routers[0].String()
	}
	for _, ip := range ack.DNS() {
		l.NameServers = append(l.NameServers, ip.String())
	}
	if m.state.First == "" {
		m.state.First = l.Name
	}
	m.replace(*l)
	return m.resolver()
}

// resolver writes the name servers of all links into resolv.conf, those of the
// first one first.
func (m *manager) resolver() error {
	var servers []net.IP
	add := func(l Link) {
		for _, s := range l.NameServers {
			if ip := net.ParseIP(s); l.Status == Up && ip != nil && !slices.ContainsFunc(servers, ip.Equal) {
				servers = append(servers, ip)
			}
		}
	}
	first, _ := m.state.Online()
	add(first)
	for _, l := range m.state.Links {
		add(l)
	}
	return dhclient.WriteDNSSettings(servers, nil, "", dhclient.ResolvConfPath)
}

func (m *manager) set(l Link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.replace(l)
}

// replace puts l into the state, and tells when it is news.
func (m *manager) replace(l Link) {
	i, there := slices.BinarySearchFunc(m.state.Links, l, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	if there {
		if m.state.Links[i].String() != l.String() {
			m.say("%s", l)
		}
		m.state.Links[i] = l
	} else {
		m.say("%s", l)
		m.state.Links = slices.Insert(m.state.Links, i, l)
	}
	m.store()
}

// store writes the state; that it cannot be written is said and no more.
func (m *manager) store() {
	if err := m.write(); err != nil {
		m.say("state of the network: %v", err)
	}
}

func (m *manager) write() error {
	data, err := json.Marshal(m.state)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(m.file), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteBytes(m.file, 0o644, data)
}
