package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"reprise/internal/unitdiff"
)

// fake answers as a manager does whose units are list. What a real one does is
// asked in guests.
type fake struct {
	list    []dbus.UnitStatus
	files   map[string]string // unit → FragmentPath
	results map[string]string // unit → result of its job; "" for a job that does not end
	refuse  map[string]error
	state   string
	err     error
	log     []string
	closed  bool
}

func (f *fake) ListUnitsContext(context.Context) ([]dbus.UnitStatus, error) { return f.list, f.err }

func (f *fake) GetUnitPropertyContext(_ context.Context, unit, property string) (*dbus.Property, error) {
	if err := f.refuse[unit]; err != nil {
		return nil, err
	}
	return &dbus.Property{Name: property, Value: godbus.MakeVariant(f.files[unit])}, nil
}

func (f *fake) GetManagerProperty(property string) (string, error) {
	return godbus.MakeVariant(f.state).String(), f.err
}

func (f *fake) ReloadContext(context.Context) error {
	f.log = append(f.log, "reload manager")
	return f.err
}

func (f *fake) ResetFailedUnitContext(_ context.Context, name string) error {
	return godbus.Error{Name: "org.freedesktop.systemd1.NoSuchUnit", Body: []any{"Unit " + name + " not loaded."}}
}

func (f *fake) job(verb, name, mode string, done chan<- string) (int, error) {
	f.log = append(f.log, verb+" "+name+" "+mode)
	if err := f.refuse[name]; err != nil {
		return 0, err
	}
	if r := f.results[name]; r != "" {
		done <- r
	}
	return 1, nil
}

func (f *fake) StartUnitContext(_ context.Context, name, mode string, done chan<- string) (int, error) {
	return f.job("start", name, mode, done)
}

func (f *fake) StopUnitContext(_ context.Context, name, mode string, done chan<- string) (int, error) {
	return f.job("stop", name, mode, done)
}

func (f *fake) RestartUnitContext(_ context.Context, name, mode string, done chan<- string) (int, error) {
	return f.job("restart", name, mode, done)
}

func (f *fake) ReloadUnitContext(_ context.Context, name, mode string, done chan<- string) (int, error) {
	return f.job("reload", name, mode, done)
}

func (f *fake) Close() { f.closed = true }

func manager(f *fake) *Manager {
	return &Manager{bus: f, pause: time.Millisecond, journal: func(_ context.Context, unit string, _ time.Time) ([]string, error) {
		if unit == "mute.service" {
			return nil, errors.New("no journal")
		}
		return []string{unit + " said so"}, nil
	}}
}

func TestUnits(t *testing.T) {
	f := &fake{
		list: []dbus.UnitStatus{
			{Name: "ssh.service", LoadState: "loaded", ActiveState: "active", SubState: "running", JobType: "restart"},
			{Name: "dev-sda.device", LoadState: "loaded", ActiveState: "active", SubState: "plugged"},
			{Name: "gone.service", LoadState: "not-found", ActiveState: "inactive", SubState: "dead"},
			{Name: "away.service", LoadState: "loaded", ActiveState: "inactive", SubState: "dead"},
			{Name: "-.slice", LoadState: "loaded", ActiveState: "active", SubState: "active"},
			{Name: "user@1000.service", LoadState: "loaded", ActiveState: "active", SubState: "running"},
			{Name: "user@7.service", LoadState: "loaded", ActiveState: "failed", SubState: "failed"},
		},
		files: map[string]string{"ssh.service": "/usr/lib/systemd/system/ssh.service", "dev-sda.device": "never asked for", "gone.service": "never asked for"},
		refuse: map[string]error{
			"away.service": godbus.Error{Name: "org.freedesktop.systemd1.NoSuchUnit"},
		},
		state: "degraded",
	}
	m := manager(f)
	units, err := m.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []unitdiff.Unit{
		{Name: "-.slice", Active: "active", Sub: "active"},
		{Name: "away.service", Active: "inactive", Sub: "dead"},
		{Name: "dev-sda.device", Active: "active", Sub: "plugged"},
		{Name: "gone.service", Active: "inactive", Sub: "dead"},
		{Name: "ssh.service", Active: "active", Sub: "running", Fragment: "/usr/lib/systemd/system/ssh.service", Job: "restart"},
		{Name: "user@1000.service", Active: "active", Sub: "running"},
		{Name: "user@7.service", Active: "failed", Sub: "failed"},
	}
	if diff := cmp.Diff(want, units); diff != "" {
		t.Errorf("Units (-want +got):\n%s", diff)
	}
	if got, err := m.Failed(t.Context()); err != nil || !slices.Equal(got, []string{"user@7.service"}) {
		t.Errorf("Failed = %q, %v", got, err)
	}
	if got, err := m.People(t.Context()); err != nil || !slices.Equal(got, []int{1000}) {
		t.Errorf("People = %v, %v", got, err)
	}
	if got, err := m.State(); err != nil || got != "degraded" {
		t.Errorf("State = %q, %v", got, err)
	}
	f.refuse["ssh.service"] = errors.New("hung up")
	if _, err := m.Units(t.Context()); err == nil || !strings.Contains(err.Error(), `"ssh.service"`) {
		t.Errorf("a connection that ends: %v", err)
	}
	f.err = errors.New("hung up")
	for name, ask := range map[string]func() error{
		"Units":  func() error { _, err := m.Units(t.Context()); return err },
		"Failed": func() error { _, err := m.Failed(t.Context()); return err },
		"People": func() error { _, err := m.People(t.Context()); return err },
		"State":  func() error { _, err := m.State(); return err },
		"Reload": func() error { return m.Reload(t.Context()) },
	} {
		if err := ask(); !errors.Is(err, f.err) {
			t.Errorf("%s with a connection that ends: %v", name, err)
		}
	}
}

func TestRun(t *testing.T) {
	f := &fake{
		list: []dbus.UnitStatus{
			{Name: "good.service", ActiveState: "active", SubState: "running"},
			{Name: "dies.service", ActiveState: "activating", SubState: "auto-restart"},
			{Name: "stopped.service", ActiveState: "failed", SubState: "failed"},
		},
		results: map[string]string{"good.service": "done", "dies.service": "done", "stopped.service": "done", "bad.service": "failed", "mute.service": "timeout", "idle.service": "skipped"},
		refuse:  map[string]error{"no.service": godbus.Error{Name: "org.freedesktop.systemd1.NoSuchUnit", Body: []any{"Unit no.service not found."}}},
	}
	jobs := []unitdiff.Job{
		{Do: unitdiff.Stop, Unit: "stopped.service"}, {Do: unitdiff.Restart, Unit: "good.service"}, {Do: unitdiff.Start, Unit: "dies.service"},
		{Do: unitdiff.Start, Unit: "bad.service"}, {Do: unitdiff.Start, Unit: "mute.service"}, {Do: unitdiff.Reload, Unit: "idle.service"},
		{Do: unitdiff.Start, Unit: "no.service"}, {Do: unitdiff.Start, Unit: "slow.service"},
	}
	results, err := manager(f).Run(t.Context(), jobs, Wait{Jobs: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%v %s %q", r.OK(), r, r.Log))
	}
	want := []string{
		`true stop stopped.service: done []`,
		`true restart good.service: done []`,
		`false start dies.service: failing ["dies.service said so"]`,
		`false start bad.service: failed ["bad.service said so"]`,
		`false start mute.service: timeout ["the journal cannot be read: no journal"]`,
		`true reload idle.service: skipped []`,
		`false start no.service: refused: Unit no.service not found. ["no.service said so"]`,
		`false start slow.service: ongoing ["slow.service said so"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"stop stopped.service replace", "restart good.service replace", "start dies.service replace", "start bad.service replace",
		"start mute.service replace", "reload idle.service replace", "start no.service replace", "start slow.service replace"}, f.log); diff != "" {
		t.Errorf("what the manager was asked (-want +got):\n%s", diff)
	}

	if results, err := manager(f).Run(t.Context(), nil, Wait{Settle: time.Hour}); err != nil || results != nil {
		t.Errorf("no jobs: %v, %v", results, err)
	}
	if _, err := manager(f).Run(t.Context(), []unitdiff.Job{{Do: unitdiff.Leave, Unit: "a.service"}}, Wait{}); err == nil {
		t.Error("a job that is none: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err = manager(f).Run(ctx, []unitdiff.Job{{Do: unitdiff.Start, Unit: "good.service"}, {Do: unitdiff.Start, Unit: "slow.service"}}, Wait{Jobs: time.Hour})
	if !errors.Is(err, context.Canceled) || len(results) != 2 || results[1].State != Ongoing {
		t.Errorf("interrupted: %v, %v", results, err)
	}
	f.refuse["no.service"] = errors.New("hung up")
	if _, err := manager(f).Run(t.Context(), jobs, Wait{Jobs: time.Hour}); !errors.Is(err, f.refuse["no.service"]) {
		t.Errorf("a connection that ends: %v", err)
	}
}

func TestReexecute(t *testing.T) {
	old, failing, fresh := &fake{}, &fake{err: errors.New("not yet")}, &fake{state: "257"}
	m := manager(old)
	m.reexec = func(context.Context) error { return errors.New("EOF") } // what the caller of a real one sees
	tries := 0
	m.dial = func(context.Context) (bus, error) {
		switch tries++; tries {
		case 1:
			return nil, errors.New("connection refused")
		case 2:
			return failing, nil
		}
		return fresh, nil
	}
	if err := m.Reexecute(t.Context()); err != nil || m.bus != bus(fresh) || !old.closed || !failing.closed || fresh.closed {
		t.Errorf("Reexecute: %v, old closed %v, one that does not answer closed %v, new closed %v", err, old.closed, failing.closed, fresh.closed)
	}
	m.reexec = func(context.Context) error { return godbus.Error{Name: "org.freedesktop.DBus.Error.AccessDenied"} }
	if err := m.Reexecute(t.Context()); err == nil || fresh.closed {
		t.Errorf("refused: %v, connection closed %v", err, fresh.closed)
	}
	m.reexec = func(context.Context) error { return nil }
	m.dial = func(context.Context) (bus, error) { return nil, errors.New("connection refused") }
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := m.Reexecute(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a manager that does not come back: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	if _, err := open(t.Context(), filepath.Join(t.TempDir(), "private"), journal); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
}

func TestLines(t *testing.T) {
	got := lines("plain\n\n\x1b[31mred\x07 text\u009b\nwith\ttab\nlast")
	if diff := cmp.Diff([]string{"plain", "[31mred text", "with\ttab", "last"}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
