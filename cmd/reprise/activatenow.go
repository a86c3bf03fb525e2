package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"reprise/internal/builder"
	"reprise/internal/compose"
	"reprise/internal/liveroot"
	"reprise/internal/progress"
	"reprise/internal/rootmount"
	"reprise/internal/systemd"
	"reprise/internal/unitdiff"
	"reprise/store"
	"reprise/store/storepath"
)

// activated is what making another system active came to.
type activated struct {
	plan   *unitdiff.Plan
	waits  []string // what counts from the next start, sentences
	failed []string // units that did not do what was asked of them, with why
}

// Time limits of the jobs of one change.
var jobsWait = systemd.Wait{Jobs: 2 * time.Minute, Settle: 2 * time.Second}

// activateNow gives the running machine the /usr and /etc of a system, and its
// units what changed for them.
func (a *app) activateNow(ctx context.Context, system storepath.Path, restartAudio bool) (done *activated, err error) {
	task := a.sink.Start("activate", progress.Items, 0)
	defer func() { task.Done(err) }()
	now, err := liveroot.Current()
	if err != nil {
		return nil, err
	}
	done = &activated{plan: &unitdiff.Plan{}}
	if done.waits, err = waiting(system); err != nil || now == string(system) {
		return done, err
	}
	old, closeOld, err := openView(storepath.Path(now))
	if err != nil {
		return nil, err
	}
	defer closeOld()
	next, closeNext, err := openView(system)
	if err != nil {
		return nil, err
	}
	defer closeNext()
	m, err := systemd.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { m.Close() }()
	units, err := m.Units(ctx)
	if err != nil {
		return nil, err
	}
	if done.plan, err = unitdiff.Make(old, next, units, unitdiff.Options{RestartAudio: restartAudio}); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(rootmount.Disk, string(system), "activation.json"))
	if err != nil {
		return nil, err
	}
	if err := keepRunning(); err != nil {
		return nil, err
	}
	// From here on what was begun is brought to its end.
	ctx = context.WithoutCancel(ctx)
	if err := done.run(ctx, m, done.plan.Before()); err != nil {
		return nil, err
	}
	if err := activate(rootmount.Disk, data); err != nil {
		return nil, err
	}
	if err := liveroot.Attach(string(system)); err != nil {
		return nil, err
	}
	return done, done.follow(ctx, m)
}

// keepRunning keeps what was booted and what runs from the collector, as NixOS
// does it: by links in gcroots to links that tell it.
func keepRunning() error {
	for _, link := range []string{liveroot.Booted, liveroot.Now} {
		if err := store.ReplaceLink(link, filepath.Join(rootmount.Disk, "nix/var/nix/gcroots", filepath.Base(link))); err != nil {
			return err
		}
	}
	return nil
}

// follow lets the manager and its units follow the new view.
func (d *activated) follow(ctx context.Context, m *systemd.Manager) error {
	switch d.plan.Manager {
	case unitdiff.ManagerReload:
		if err := m.Reload(ctx); err != nil {
			return err
		}
	case unitdiff.ManagerReexec:
		if err := m.Reexecute(ctx); err != nil {
			return err
		}
	}
	if len(d.plan.Tmpfiles) > 0 {
		out, err := exec.CommandContext(ctx, "systemd-tmpfiles", "--create").CombinedOutput()
		if err != nil {
			d.failed = append(d.failed, fmt.Sprintf("systemd-tmpfiles --create: %v: %s", err, strings.TrimSpace(string(out))))
		}
	}
	if err := d.run(ctx, m, d.plan.After()); err != nil {
		return err
	}
	if !d.plan.UserManagers {
		return nil
	}
	people, err := m.People(ctx)
	if err != nil {
		return err
	}
	// The unit of a person's manager passes a reload on to it.
	jobs := make([]unitdiff.Job, len(people))
	for i, uid := range people {
		jobs[i] = unitdiff.Job{Do: unitdiff.Reload, Unit: fmt.Sprintf("user@%d.service", uid)}
	}
	for _, u := range d.plan.User {
		if u.Action != unitdiff.Leave {
			d.waits = append(d.waits, fmt.Sprintf("%s of people who are logged in: %s; it counts from their next log-in", u.Unit, u.Sentence()))
		}
	}
	return d.run(ctx, m, jobs)
}

func (d *activated) run(ctx context.Context, m *systemd.Manager, jobs []unitdiff.Job) error {
	results, err := m.Run(ctx, jobs, jobsWait)
	for _, r := range results {
		if !r.OK() {
			d.failed = append(d.failed, strings.Join(append([]string{r.String()}, r.Log...), "\n    "))
		}
	}
	return err
}

// tell prints what was done for a person.
func (d *activated) tell(out io.Writer) {
	for _, u := range d.plan.Units {
		fmt.Fprintf(out, "%-8s %s: %s\n", u.Action, u.Unit, u.Sentence())
	}
	for _, n := range slices.Concat(d.plan.Notes, d.waits) {
		fmt.Fprintln(out, n)
	}
	for _, f := range d.failed {
		fmt.Fprintf(out, "failed: %s\n", f)
	}
}

// openView opens the view of a system of this machine.
func openView(system storepath.Path) (*compose.View, func(), error) {
	image, err := os.Open(filepath.Join(rootmount.Disk, string(system), rootmount.RootImage))
	if err != nil {
		return nil, nil, err
	}
	v, err := compose.OpenView(image, os.DirFS(filepath.Join(rootmount.Disk, "nix/store")))
	if err != nil {
		image.Close()
		return nil, nil, err
	}
	return v, func() { image.Close() }, nil
}

// waiting says what of a system counts from the next start on: what was booted
// cannot be exchanged while it runs.
func waiting(system storepath.Path) ([]string, error) {
	booted, err := os.Readlink(liveroot.Booted)
	if err != nil {
		return nil, err
	}
	if booted == string(system) {
		return nil, nil
	}
	var waits []string
	for _, name := range []string{"kernel", "initrd"} {
		was, err1 := os.Readlink(filepath.Join(rootmount.Disk, booted, name))
		is, err2 := os.Readlink(filepath.Join(rootmount.Disk, string(system), name))
		if err2 != nil {
			return nil, err2
		}
		if err1 != nil || was != is {
			waits = append(waits, fmt.Sprintf("the %s is another one: it counts from the next start", name))
		}
	}
	was, err := kernelLine(booted)
	if err != nil {
		return nil, err
	}
	is, err := kernelLine(string(system))
	if err != nil {
		return nil, err
	}
	if !slices.Equal(was, is) {
		waits = append(waits, "the kernel line is another one: it counts from the next start")
	}
	return waits, nil
}

func kernelLine(system string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(rootmount.Disk, system, "boot.json"))
	if err != nil {
		return nil, err
	}
	var boot builder.Boot
	err = json.Unmarshal(text, &boot)
	return boot.Params, err
}
