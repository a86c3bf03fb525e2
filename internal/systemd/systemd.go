// Package systemd asks the system manager of this machine, PID 1, which units
// there are, and to read units again, to start, stop, restart and reload them,
// and what became of that.
//
// It talks to the manager itself, over the socket that the manager has for root,
// and so needs no message bus: a switch may reload that, and a machine in
// trouble may not have it. What is done to which unit is decided by package
// unitdiff.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"reprise/internal/unitdiff"
)

// systemSocket is where PID 1 listens for root; bus-setup.c of systemd v257.
const systemSocket = "/run/systemd/private"

// bus is what is asked of a connection; *dbus.Conn is one.
type bus interface {
	ListUnitsContext(ctx context.Context) ([]dbus.UnitStatus, error)
	GetUnitPropertyContext(ctx context.Context, unit, property string) (*dbus.Property, error)
	GetManagerProperty(property string) (string, error)
	ReloadContext(ctx context.Context) error
	ResetFailedUnitContext(ctx context.Context, name string) error
	StartUnitContext(ctx context.Context, name, mode string, done chan<- string) (int, error)
	StopUnitContext(ctx context.Context, name, mode string, done chan<- string) (int, error)
	RestartUnitContext(ctx context.Context, name, mode string, done chan<- string) (int, error)
	ReloadUnitContext(ctx context.Context, name, mode string, done chan<- string) (int, error)
	Close()
}

// A Manager is a connection to a system or user manager. It is for one
// goroutine at a time.
type Manager struct {
	bus     bus
	dial    func(ctx context.Context) (bus, error)
	reexec  func(ctx context.Context) error // asks for it; the answer never comes
	journal func(ctx context.Context, unit string, since time.Time) ([]string, error)
	pause   time.Duration // between two attempts to reach the manager again
}

// Open connects to PID 1; only root may. The connection outlives ctx.
func Open(ctx context.Context) (*Manager, error) {
	m, err := open(ctx, systemSocket, journal)
	if err != nil {
		return nil, fmt.Errorf("reach the system manager: %w", err)
	}
	return m, nil
}

func open(ctx context.Context, socket string, journal func(context.Context, string, time.Time) ([]string, error)) (*Manager, error) {
	m := &Manager{journal: journal, pause: time.Second / 5}
	m.dial = func(ctx context.Context) (bus, error) {
		c, err := dbus.NewConnection(func() (*godbus.Conn, error) { return connect(context.WithoutCancel(ctx), socket) })
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	m.reexec = func(ctx context.Context) error {
		c, err := connect(ctx, socket)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1").CallWithContext(ctx, "org.freedesktop.systemd1.Manager.Reexecute", 0).Err
	}
	var err error
	if m.bus, err = m.dial(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// connect opens a connection without a bus in between: nobody says Hello.
func connect(ctx context.Context, socket string) (*godbus.Conn, error) {
	if _, err := os.Stat(socket); err != nil {
		return nil, err
	}
	c, err := godbus.Dial("unix:path="+socket, godbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := c.Auth([]godbus.Auth{godbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the connection.
func (m *Manager) Close() {
	m.bus.Close()
}

// withFiles are the kinds of units that have a file in a view.
var withFiles = []string{".automount", ".mount", ".path", ".service", ".slice", ".socket", ".swap", ".target", ".timer"}

// Units lists the units that the manager has loaded, as unitdiff.Make wants
// them, sorted by name.
func (m *Manager) Units(ctx context.Context) ([]unitdiff.Unit, error) {
	list, err := m.bus.ListUnitsContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	units := make([]unitdiff.Unit, 0, len(list))
	for _, s := range list {
		u := unitdiff.Unit{Name: s.Name, Active: s.ActiveState, Sub: s.SubState, Job: s.JobType}
		// A unit that is named by others and has no file is loaded, too.
		if s.LoadState != "not-found" && slices.Contains(withFiles, path.Ext(s.Name)) {
			if u.Fragment, err = m.text(ctx, s.Name, "FragmentPath"); err != nil {
				return nil, err
			}
		}
		units = append(units, u)
	}
	slices.SortFunc(units, func(a, b unitdiff.Unit) int { return strings.Compare(a.Name, b.Name) })
	return units, nil
}

// text reads a property of a unit that is a string. A unit that is gone by now
// has none.
func (m *Manager) text(ctx context.Context, unit, property string) (string, error) {
	p, err := m.bus.GetUnitPropertyContext(ctx, unit, property)
	var answer godbus.Error
	if errors.As(err, &answer) && (answer.Name == "org.freedesktop.systemd1.NoSuchUnit" || answer.Name == "org.freedesktop.DBus.Error.UnknownObject") {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask for %s of %q: %w", property, unit, err)
	}
	s, ok := p.Value.Value().(string)
	if !ok {
		return "", fmt.Errorf("ask for %s of %q: the answer is %s, no string", property, unit, p.Value)
	}
	return s, nil
}

// State is what the manager says of the whole machine: "running", "degraded"
// when a unit has failed, "starting", "stopping", "maintenance" …
func (m *Manager) State() (string, error) {
	s, err := m.bus.GetManagerProperty("SystemState")
	if err != nil {
		return "", fmt.Errorf("ask for the state of the system: %w", err)
	}
	if plain, err := strconv.Unquote(s); err == nil {
		s = plain
	}
	return s, nil
}

// Failed lists the units that have failed, sorted.
func (m *Manager) Failed(ctx context.Context) ([]string, error) {
	list, err := m.bus.ListUnitsContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var names []string
	for _, s := range list {
		if s.ActiveState == "failed" {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// People lists who has a manager of their own now, by user id.
func (m *Manager) People(ctx context.Context) ([]int, error) {
	list, err := m.bus.ListUnitsContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var uids []int
	for _, s := range list {
		rest, ok := strings.CutPrefix(strings.TrimSuffix(s.Name, ".service"), "user@")
		if uid, err := strconv.Atoi(rest); ok && err == nil && s.ActiveState == "active" {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids, nil
}

// Reload makes the manager read its units and generators again, and waits
// until it has.
func (m *Manager) Reload(ctx context.Context) error {
	if err := m.bus.ReloadContext(ctx); err != nil {
		return fmt.Errorf("read units again: %w", err)
	}
	return nil
}

// Reexecute makes the manager start its own program anew, which reads units
// again, and waits until it answers. Services go on meanwhile.
func (m *Manager) Reexecute(ctx context.Context) error {
	// The manager hangs up in place of an answer; any other end of the call is
	// told by whether it can be reached afterwards.
	asked := m.reexec(ctx)
	var refused godbus.Error
	if errors.As(asked, &refused) {
		return fmt.Errorf("start the manager anew: %w", asked)
	}
	m.bus.Close()
	for {
		b, err := m.dial(ctx)
		if err == nil {
			if _, err = b.GetManagerProperty("Version"); err == nil {
				m.bus = b
				return nil
			}
			b.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("reach the manager after its new start: %w", errors.Join(ctx.Err(), err))
		case <-time.After(m.pause):
		}
	}
}
