package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reprise/initrd/stage1"
	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

// perform carries a job out and keeps a log of it, which an installed machine
// then has; see installer.LogFile.
func (i *installation) perform(ctx context.Context, job *installer.Job, sink progress.Sink, report func(plan.Name, installer.Status)) (*installer.Result, error) {
	unlock, err := holdInstallation(stage1.InstallLock)
	if err != nil {
		return nil, err
	}
	defer unlock()
	log, err := openLog(job.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	fmt.Fprintf(log, "install %s as %s on %s, plan %s\n", job.Plan.System, job.Plan.Host, job.Plan.Disk.Path, job.Plan.ID)
	for _, note := range job.Plan.Notes {
		fmt.Fprintf(log, "%s\n", note)
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

// holdInstallation lets one process of this machine install at a time: every
// console has an installer.
func holdInstallation(file string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.New("another console of this machine is installing: look there, or wait until it has ended")
		}
		return nil, err
	}
	return func() { f.Close() }, nil
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
