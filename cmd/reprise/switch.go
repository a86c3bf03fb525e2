package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/liveroot"
	"reprise/internal/recipe"
	"reprise/internal/rootmount"
	"reprise/store"
	"reprise/store/generation"
	"reprise/store/storepath"
)

// changeLock keeps two changes of a machine apart.
const changeLock = "/run/reprise/change"

// changeFlags are those of the verbs that change the machine.
type changeFlags struct {
	lock   string
	frozen bool

	now          bool // activate at once
	last         bool // make it the default
	restartAudio bool
}

func (a *app) changeCommands() []*cobra.Command {
	verb := func(use, short, long, example string, f changeFlags) *cobra.Command {
		c := &cobra.Command{
			Use: use + " [FILE]", Short: short, Long: long, Example: example,
			Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				file := machineConfiguration
				if len(args) > 0 {
					file = args[0]
				}
				return a.change(cmd.Context(), file, f)
			},
		}
		c.Flags().StringVar(&f.lock, "lock", "", "lock `file` to use (default reprise.lock beside FILE)")
		c.Flags().BoolVar(&f.frozen, "locked", false, "refuse when the lock does not serve the configuration")
		if f.now {
			c.Flags().BoolVar(&f.restartAudio, "restart-audio", false, "restart the sound server and what plays, too, where they changed")
		}
		return c
	}
	const before = `Build the configuration (default ` + machineConfiguration + `) and `
	back := &cobra.Command{
		Use: "rollback [N]", Short: "go back to the previous generation, or to generation N",
		Long: `Make the generation before the default one, or generation N, the running one and
the default. Needs no build, no network and no room on any disk. What a running
machine cannot exchange, its kernel, waits for a restart, and is told.`,
		Example: "  sudo reprise rollback\n  sudo reprise rollback 3",
		Args:    cobra.MaximumNArgs(1),
	}
	audio := back.Flags().Bool("restart-audio", false, "restart the sound server and what plays, too, where they changed")
	back.RunE = func(cmd *cobra.Command, args []string) error {
		n := 0
		if len(args) > 0 {
			var err error
			if n, err = strconv.Atoi(args[0]); err != nil || n < 1 {
				return misused(cmd, fmt.Sprintf("%q is no number of a generation", args[0]), "see reprise generations")
			}
		}
		return a.rollback(cmd.Context(), n, *audio)
	}
	return []*cobra.Command{
		verb("switch", "change this machine to its configuration, now and from now on",
			before+`make the machine it: a new
generation, active at once and the default from the next start. Units that
changed are restarted, the sound server and what plays are not.`,
			"  sudo reprise switch", changeFlags{now: true, last: true}),
		verb("test", "try the configuration until the next start",
			before+`make it active at once. The
next start knows nothing of it.`,
			"  sudo reprise test", changeFlags{now: true}),
		verb("boot", "change this machine to its configuration from the next start",
			before+`make it the default from the
next start: a new generation. Nothing changes now.`,
			"  sudo reprise boot", changeFlags{last: true}),
		back,
	}
}

// onMachine says why this machine cannot be changed.
func onMachine() error {
	if _, err := liveroot.Current(); errors.Is(err, fs.ErrNotExist) {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Got: "this machine was not started by reprise", Want: "a machine that reprise made", Do: "run it there; reprise build makes an image of a configuration"}}
	}
	if os.Geteuid() != 0 {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Got: "only root may change the machine", Do: "run it with sudo"}}
	}
	if _, err := os.Lstat(rootmount.Medium); err == nil {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Got: "this is a session from a medium, whose system cannot be changed", Do: "run reprise install to have it on a disk"}}
	}
	return nil
}

// change builds the configuration at file and makes it the machine's.
func (a *app) change(ctx context.Context, file string, f changeFlags) error {
	if err := onMachine(); err != nil {
		return err
	}
	unlock, err := store.LockFile(ctx, changeLock)
	if err != nil {
		return err
	}
	defer unlock()
	var m *bootMenu
	if f.last {
		// Before anything is fetched or built for it.
		if m, err = openBootMenu(); err != nil {
			return err
		}
		defer m.close()
	}
	system, timeout, err := a.buildSystem(ctx, file, f)
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, rootmount.Disk)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.TempRoot(ctx, system); err != nil {
		return err
	}
	told := fields{"system": system}
	if f.last {
		p, err := generation.Of(s, machineProfile)
		if err != nil {
			return err
		}
		g, err := p.Set(ctx, system)
		if err != nil {
			return err
		}
		told["generation"] = g.Number
		if err := m.offer(ctx, a.sink, p, g.Number, timeout); err != nil {
			return err
		}
	}
	var done *activated
	if f.now {
		if done, err = a.activateNow(ctx, system, f.restartAudio); err != nil {
			return err
		}
	}
	return a.tellChange(told, done, f.last)
}

// rollback makes generation n, or the one before the default, the running one
// and the default.
func (a *app) rollback(ctx context.Context, n int, restartAudio bool) error {
	if err := onMachine(); err != nil {
		return err
	}
	unlock, err := store.LockFile(ctx, changeLock)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := openBootMenu()
	if err != nil {
		return err
	}
	defer m.close()
	s, err := store.Open(ctx, rootmount.Disk)
	if err != nil {
		return err
	}
	defer s.Close()
	p, err := generation.Of(s, machineProfile)
	if err != nil {
		return err
	}
	if n == 0 {
		if n, err = m.before(p); err != nil {
			return err
		}
	}
	if err := m.setDefault(ctx, a.sink, n); err != nil {
		return err
	}
	g, err := p.Switch(ctx, n)
	if err != nil {
		return err
	}
	done, err := a.activateNow(ctx, g.Path, restartAudio)
	if err != nil {
		return err
	}
	return a.tellChange(fields{"system": g.Path, "generation": n}, done, true)
}

// buildSystem makes the system of a configuration valid in the machine's own
// store.
func (a *app) buildSystem(ctx context.Context, file string, f changeFlags) (system storepath.Path, timeout int, err error) {
	cfg, err := config.Evaluate(ctx, file, unhurried)
	if err != nil {
		return "", 0, err
	}
	if len(cfg.WaysIn()) == 0 {
		return "", 0, noWayIn(cfg, file)
	}
	s, err := a.open(ctx)
	if err != nil {
		return "", 0, err
	}
	defer s.store.Close()
	lockFile := lockPath(file, f.lock, filepath.Join(filepath.Dir(file), lockName))
	d, err := s.made(ctx, making{cfg: cfg, profile: file, lockFile: lockFile, sets: recipe.Sets(cfg), unpack: []string{recipe.SystemSet},
		keepKey: func() error { return nil }}, buildFlags{frozen: f.frozen})
	if err != nil {
		return "", 0, err
	}
	return d.system, cfg.Boot.Loader.Timeout, nil
}

// tellChange says what a change came to.
func (a *app) tellChange(told fields, done *activated, last bool) error {
	a.endProgress()
	if done != nil {
		told["units"], told["waits"], told["failed"] = done.plan.Units, done.waits, done.failed
	}
	if a.json {
		if err := a.emit("result", told); err != nil {
			return err
		}
	} else {
		if n, ok := told["generation"]; ok {
			fmt.Fprintf(a.stdout, "generation %d is the default\n", n)
		}
		if done != nil {
			done.tell(a.stdout)
		}
		if done == nil {
			fmt.Fprintln(a.stdout, "nothing changes before the next start")
		} else if !last {
			fmt.Fprintln(a.stdout, "the next start knows nothing of this")
		}
	}
	if done != nil && len(done.failed) > 0 {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Got: fmt.Sprintf("%d units did not do what was asked of them", len(done.failed)),
			Do: "see what is said above; reprise rollback goes back"}}
	}
	return nil
}
