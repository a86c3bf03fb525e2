package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"reprise/initrd/stage1"
	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/bootmenu"
	"reprise/internal/config"
	"reprise/internal/progress"
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
	o := tui.Options{Medium: carried, Ends: ends, Log: installLog, Accessible: plain, Actions: i.actions()}
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
		for _, p := range l.Packages {
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
		source := s.Configuration
		if s.Files != "" {
			source = filepath.Join(i.medium.Dir, s.Files, s.Configuration)
		}
		cfg, err := config.Evaluate(ctx, source, config.EvalOptions{})
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
			if users == nil {
				users = i.people(ctx)
			}
			return tui.Looked{Facts: i.facts, Disks: disks, Users: users}, err
		},
		Plan: func(_ context.Context, a answers.Answers) (*plan.Plan, error) { return i.plan(a) },
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
		Report: i.keepReport,
	}
}

// passwordCost is the work of a guess at a password, as a power of two: a
// quarter of a second on a machine of 2020.
const passwordCost = 12

// judge evaluates the configuration of a machine that is not there yet, and
// says which packages it wants that its lock does not have: the installed
// system is made without a network.
func judge(ctx context.Context, files map[string][]byte) error {
	dir, err := os.MkdirTemp("", "reprise-judge-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	file := filepath.Join(dir, installer.ConfigurationFile)
	cfg, err := config.Evaluate(ctx, file, config.EvalOptions{})
	if err == nil {
		lockFile := lockPath(file, "", "")
		l, lockErr := readLock(lockFile)
		if lockErr != nil {
			return lockErr
		}
		err = covers(l, cfg, lockFile)
	}
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), dir+"/", ""))
	}
	return nil
}

// carryOutOrder installs what a person has agreed to, and keeps a log.
func (i *installation) carryOutOrder(ctx context.Context, o tui.Order, sink progress.Sink, report func(plan.Name, installer.Status)) (*installer.Result, error) {
	log, err := openLog(installLog)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	job, err := i.job(o.Plan, o.Files, o.Passphrase)
	if err != nil {
		return nil, err
	}
	sink = both{sink, progress.Plain(log)}
	i.sink = sink
	defer func() { i.sink = progress.Discard }()
	job.Sink = sink
	job.Report = func(name plan.Name, s installer.Status) {
		fmt.Fprintf(log, "step %s: %s\n", name, s)
		report(name, s)
	}
	result, err := job.Run(ctx)
	if err != nil {
		fmt.Fprintf(log, "%v\n", err)
	}
	return result, err
}

// A logFile has the time before each line.
type logFile struct {
	mu   sync.Mutex
	file *os.File
}

func openLog(name string) (*logFile, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &logFile{file: f}, nil
}

func (l *logFile) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := io.WriteString(l.file, time.Now().UTC().Format(time.RFC3339)+" "+string(data))
	return len(data), err
}

func (l *logFile) Close() error { return l.file.Close() }

// both are two sinks that hear the same.
type both [2]progress.Sink

func (b both) Start(name string, unit progress.Unit, total int64) progress.Task {
	return bothTasks{b[0].Start(name, unit, total), b[1].Start(name, unit, total)}
}

func (b both) Note(format string, args ...any) {
	for _, s := range b {
		s.Note(format, args...)
	}
}

type bothTasks [2]progress.Task

func (b bothTasks) Add(n int64)          { b[0].Add(n); b[1].Add(n) }
func (b bothTasks) SetTotal(total int64) { b[0].SetTotal(total); b[1].SetTotal(total) }
func (b bothTasks) Detail(text string)   { b[0].Detail(text); b[1].Detail(text) }
func (b bothTasks) Done(err error)       { b[0].Done(err); b[1].Done(err) }
