package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"reprise/initrd/stage1"
	"reprise/installer"
	"reprise/installer/latency"
	"reprise/installer/plan"
	"reprise/internal/bootmenu"
	"reprise/internal/progress"
	"reprise/internal/recipe"
	"reprise/tui"
)

// guidedInstall is the installer for a person: stage 1 gives it a console of
// its own as terminal and standard streams.
func guidedInstall(ctx context.Context, m stage1.Medium) (stage1.Next, error) {
	plain := slices.Contains(strings.Fields(m.Line), bootmenu.AccessibleParam)
	end, err := guide(ctx, m, plain, tui.Reboot, tui.PowerOff, tui.Shell)
	if err != nil {
		return "", err
	}
	return map[tui.End]stage1.Next{tui.Reboot: stage1.Reboot, tui.PowerOff: stage1.PowerOff, tui.Shell: stage1.Shell}[end], nil
}

// guide asks a person and installs. The machine is looked at behind the first
// screen.
func guide(ctx context.Context, m stage1.Medium, plain bool, ends ...tui.End) (tui.End, error) {
	if err := makeScratch(); err != nil {
		return "", err
	}
	carried, err := readMedium(m.Dir)
	if err != nil {
		return "", err
	}
	i := &installation{medium: m, carried: carried, sink: progress.Discard}
	defer i.close()
	o := tui.Options{Medium: carried, Ends: ends, Log: installLog, Accessible: plain, Actions: i.actions(), Links: i.links}
	if m.Console != "" { // else this is a session, which has a time service and finds no answers
		i.wakeClock(time.Now(), setClock)         // the plan says it
		o.Begun = func() { _ = begin(begunFile) } // in memory: there is room for no bytes
	}
	if line := ownEditor(os.Getenv); line != "" {
		o.Editor, o.Actions.Edit = filepath.Base(strings.Fields(line)[0]), editWith(line)
	}
	if onScreen(m.Console) {
		o.Keyboard = func() bool { return hasKeyboard(os.DirFS("/")) }
		o.Actions.Keyboard = i.pressKeys
	}
	if !i.carries("locales") {
		o.Locales = []string{"C.UTF-8"}
	}
	if !i.carries("console-data") {
		o.KeyMaps = []string{"us"}
	}
	return tui.Run(ctx, os.Stdin, os.Stdout, os.Environ(), o)
}

// carries says whether a system of the medium has the package.
func (i *installation) carries(pkg string) bool {
	for _, s := range i.carried.Systems {
		l, err := i.lock(&s)
		if err != nil {
			continue // told when it is planned with
		}
		for _, p := range l.In(recipe.SystemSet) {
			if p.Name == pkg {
				return true
			}
		}
	}
	return false
}

// people are the users of the carried systems with numbers of people, by
// system: names to propose.
func (i *installation) people(ctx context.Context) map[string][]string {
	all := map[string][]string{}
	for _, s := range i.carried.Systems {
		cfg, err := i.evaluated(ctx, &s)
		if err != nil {
			continue // told when it is planned with
		}
		for name, u := range cfg.Users.Users {
			if u.UID >= 1000 && u.UID < 60000 { // Debian's numbers of people: adduser.conf
				all[s.Name] = append(all[s.Name], name)
			}
		}
		slices.Sort(all[s.Name])
	}
	return all
}

// actions are what the screens ask of this machine.
func (i *installation) actions() tui.Actions {
	var users map[string][]string
	return tui.Actions{
		Look: func(ctx context.Context) (tui.Looked, error) {
			disks, err := i.disksNow(ctx)
			if len(users) == 0 {
				users = i.people(ctx)
			}
			return tui.Looked{Facts: i.facts.Load(), Disks: disks, Users: users}, err
		},
		Plan: i.plan,
		Files: func(ctx context.Context, p *plan.Plan) (map[string][]byte, error) {
			files, err := i.configuration(ctx, p)
			if err != nil {
				return nil, err
			}
			return files, judge(ctx, files)
		},
		CheckFiles: judge,
		Run:        i.carryOutOrder,
		Hash: func(password string) (string, error) {
			hash, err := bcrypt.GenerateFromPassword([]byte(password), passwordCost)
			return string(hash), err
		},
		Keys: i.publicKeys,
		Measure: func(ctx context.Context, profile string, watch func(latency.Result)) (tui.Measured, error) {
			r, kept, err := i.measure(ctx, latency.Seconds, profile, watch)
			return tui.Measured{Result: r, Kept: kept}, err
		},
		Report: i.keepReport,
	}
}

// passwordCost is the work of a guess at a password, as a power of two: a
// quarter of a second on a machine of 2020.
const passwordCost = 12

// carryOutOrder installs what a person has agreed to.
func (i *installation) carryOutOrder(ctx context.Context, o tui.Order, sink progress.Sink, report func(plan.Name, installer.Status)) (*installer.Result, error) {
	job, err := i.job(ctx, o.Plan, o.Files, o.Passphrase)
	if err != nil {
		return nil, err
	}
	job.Replace = true // the disk's serial number was typed
	return i.perform(ctx, job, sink, report)
}
