package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"reprise/hwdetect/advice"
	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/latency"
	"reprise/installer/measure"
	"reprise/installer/plan"
)

// A measuring is what an installation knows of the latency of the machine.
type measuring struct {
	result *latency.Result  // nil when nothing was measured
	kept   []latency.Result // what was measured before, of other kernels
	failed error            // why nothing was measured; nil when nobody has tried
	when   time.Time        // of the last try
}

// measureStep is the name of the measurement on serial lines. It is no step of
// a plan: nothing is written.
const measureStep plan.Name = "measure"

// measure measures for so many seconds with the programs of the medium. What
// was measured stays when ctx ends before that.
func (i *installation) measure(ctx context.Context, seconds int, profile string, watch func(latency.Result)) (*latency.Result, []latency.Result, error) {
	now := time.Now()
	r, err := i.tryMeasure(ctx, now, seconds, profile, watch)
	switch {
	case r != nil:
		i.measured.result, i.measured.failed, i.measured.when = r, nil, now
		if ctx.Err() == nil && err == nil {
			k := mediumKeeper(i.medium.Disk)
			kept, readErr := k.read()
			i.measured.kept = kept
			if readErr == nil { // else a result of before would be lost
				_, readErr = k.keep(latency.Keep(kept, *r))
			}
			if readErr != nil {
				i.sink.Note("The measurement is not kept: %v", readErr)
			}
		}
	case ctx.Err() == nil:
		i.measured = measuring{failed: err, when: now}
	}
	if log, logErr := openLog(installLog); logErr == nil {
		fmt.Fprintf(log, "%s\n", strings.Join(i.measuredComment(), "\n"))
		log.Close()
	}
	return r, i.measured.kept, err
}

// measureAsked measures when answers ask for it. A machine that cannot be
// measured is installed all the same.
func (i *installation) measureAsked(ctx context.Context, a answers.Answers, out io.Writer) {
	if a.Measure == 0 {
		return
	}
	report := installer.Lines(out)
	report(measureStep, installer.Started)
	if _, _, err := i.measure(ctx, int(a.Measure), a.Profile, nil); err != nil {
		report(measureStep, installer.Failed)
		fmt.Fprintf(out, "reprise: %v\n", err)
		return
	}
	for _, line := range i.measured.result.Words() {
		fmt.Fprintf(out, "reprise: %s\n", line)
	}
	report(measureStep, installer.Done)
}

func (i *installation) tryMeasure(ctx context.Context, now time.Time, seconds int, profile string, watch func(latency.Result)) (*latency.Result, error) {
	if err := measure.MayMeasure(); err != nil {
		return nil, err
	}
	if i.facts.Load() == nil {
		return nil, errors.New("the machine was not looked at")
	}
	if err := i.openTools(); err != nil {
		return nil, err
	}
	o := measure.Options{
		Program: chrooted(i.tools), Sys: os.DirFS("/sys"), Seconds: seconds, Watch: watch,
		Read: filepath.Join(i.medium.Dir, mediumStore), ReadName: "the medium", About: aboutMachine(i.facts.Load(), now),
	}
	if s := i.carried.System(profile); s != nil {
		advised, err := i.advise(ctx, s)
		if err != nil {
			return nil, err
		}
		o.IdleMicros = idleMicros(advised)
	}
	return measure.Run(ctx, o)
}

// idleMicros is what the machine's configuration will allow idle states to
// take; nil when it says nothing.
func idleMicros(a advice.Advice) *int {
	for _, s := range a.Settings {
		if micros, ok := s.Value.(int); ok && s.Option == "powerManagement.maxIdleLatency" && !s.Offered {
			return &micros
		}
	}
	return nil
}

// openTools mounts the medium's programs, once.
func (i *installation) openTools() (err error) {
	if i.tools == nil {
		// The store of the medium is nix/store of a directory, as on a disk.
		disk := strings.TrimSuffix(filepath.Clean(i.medium.Store), "/nix/store")
		i.tools, err = installer.OpenTools(disk, i.carried.Tools.Path, toolsDir)
	}
	return err
}

// measuredComment is what the configuration says of it; nothing when nobody
// has measured.
func (i *installation) measuredComment() []string {
	switch m := &i.measured; {
	case m.result != nil:
		return latency.Comment(m.result, m.kept)
	case m.failed != nil:
		return latency.CommentFailed(m.when, m.failed.Error())
	}
	return nil
}

// addMeasured adds the measurement to the files of /etc/reprise: reprise
// measure shows it beside those of the installed machine.
func (i *installation) addMeasured(files map[string][]byte) error {
	if i.measured.result == nil || !i.measured.result.Whole() {
		return nil
	}
	data, err := latency.Encode(latency.Keep(latency.Others(i.measured.result, i.measured.kept), *i.measured.result))
	files[latency.FileName] = data
	return err
}
