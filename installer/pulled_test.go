package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/installer/plan"
	"reprise/internal/progress"
)

// TestStickPulledOut takes the medium away during the copy, and puts it back:
// the message says so, and the rerun copies what lacks.
func TestStickPulledOut(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	for _, part := range []int64{0, 1, 2} {
		target := w.target(t, p)
		pull := sync.OnceFunc(func() {
			if err := os.Rename(w.source.Store, w.source.Store+"-pulled"); err != nil {
				t.Error(err)
			}
		})
		job := w.job(p, target)
		sink := &stopping{Sink: progress.Discard, stop: pull}
		sink.left.Store(p.Copy.Bytes * part / 3)
		job.Sink = sink
		_, err := job.Run(t.Context())
		var step *StepError
		if !errors.As(err, &step) || step.Step != plan.CopyStore || !strings.Contains(step.Do, "was it pulled out?") {
			t.Errorf("after %d of 3 parts: %v", part, err)
		}
		if target.mounted {
			t.Errorf("after %d of 3 parts: the root is mounted still", part)
		}
		if err := os.Rename(w.source.Store+"-pulled", w.source.Store); err != nil {
			t.Fatal(err)
		}
		var kept []plan.Name
		job = w.job(p, target)
		job.Report = func(name plan.Name, s Status) {
			if s == Kept {
				kept = append(kept, name)
			}
		}
		if _, err := job.Run(t.Context()); err != nil {
			t.Fatalf("put back after %d of 3 parts: %v", part, err)
		}
		if len(kept) != 2 { // the partitions and the file systems
			t.Errorf("put back after %d of 3 parts, kept %v", part, kept)
		}
		check(t, w, target)
	}
}

// TestExplain says of each cause whose fault it is: the medium's, the disk's,
// or that of what uses it.
func TestExplain(t *testing.T) {
	r := &run{Job: &Job{Plan: &plan.Plan{Disk: plan.Device{Path: "/dev/sda", Model: "SSD 980", Serial: "S1", SizeBytes: 9 << 30}, Root: plan.RootFS{Bytes: 8 << 30}}, Source: Source{Root: "/medium", Store: "/medium-store/nix/store"}}}
	device := filepath.Join(t.TempDir(), "sdb")
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(path string, err error) error { return &fs.PathError{Op: "read", Path: path, Err: err} }
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"a pulled stick, in its store":  {at("/medium-store/nix/store/x/y", unix.EIO), "was it pulled out?"},
		"a pulled stick, its directory": {at("/medium-store/nix/store", unix.ENODEV), "was it pulled out?"},
		"a pulled stick, its files":     {at("/medium/reprise/x.lock", unix.EIO), "was it pulled out?"},
		"a disk that fails":             {at("/run/target/nix/store/x", unix.EIO), "the disk fails: /dev/sda (SSD 980, S1, 9.0 GiB). Look at its cable and at smartctl -a /dev/sda"},
		"a disk that fails, by fsync":   {at("/dev/sda3", unix.EIO), "the disk fails"},
		"a file system gone read-only":  {at("/run/target/nix", unix.EROFS), "the disk fails"},
		"a disk that fails a program":   {errors.New("/usr/sbin/mke2fs: exit status 1: mke2fs: Input/output error while writing out"), "the disk fails: /dev/sda (SSD 980"},
		"a disk that was pulled out":    {fmt.Errorf("bring the copy to stable storage: %w", unix.ENODEV), "the disk fails"},
		"a full disk":                   {at("/run/target/nix/store/x", unix.ENOSPC), "the disk is full at 8.0 GiB"},
		"a busy disk":                   {at("/dev/sda", unix.EBUSY), "something uses the disk"},
		"a damaged medium":              {&damagedMedium{errors.New("x")}, "write the image to the stick again and compare"},
		"a medium that cannot be read":  {&damagedMedium{errors.Join(at("store.squashfs", unix.EIO))}, "was it pulled out? If not, write the image"},
		"another disk":                  {&changedDisk{}, "nothing was written"},
		"a person":                      {context.Canceled, "goes on where it was"},
		"a neighbour of the medium":     {at("/medium-store/nix/store2", unix.EIO), "the disk fails"},
	} {
		var step *StepError
		if err := r.explain(plan.CopyStore, test.err); !errors.As(err, &step) || !strings.Contains(step.Do, test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		} else if last := LastLine(nil, "", err); !strings.Contains(last, step.Do) || strings.Count(last, "\n") != 1 {
			t.Errorf("%s: the last line is %q, want one with what to do", name, last)
		}
	}
	r.Source.Device = device
	var step *StepError
	if err := r.explain(plan.CopyStore, at("/medium/x", unix.EIO)); !errors.As(err, &step) || !strings.Contains(step.Do, "was it pulled out?") {
		t.Errorf("a medium that is there, and is not read: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { os.Remove(device) })
	if err := r.explain(plan.CopyStore, at("/medium/x", unix.EIO)); !errors.As(err, &step) || !strings.HasPrefix(step.Do, "the medium was pulled out") {
		t.Errorf("a medium whose node goes a moment after it: %v", err)
	}
	for name, test := range map[string]error{
		"in its store":   at("/medium-store/nix/store/x/y", unix.EIO),
		"in the check":   &damagedMedium{at("store.squashfs", unix.EIO)},
		"in a program":   fmt.Errorf("/usr/sbin/mke2fs: %w", unix.EIO),
		"in its own way": errors.New("signal: bus error"),
	} {
		var step *StepError
		if err := r.explain(plan.CopyStore, test); !errors.As(err, &step) || !strings.HasPrefix(step.Do, "the medium was pulled out: put it back") {
			t.Errorf("a medium that is gone, %s: %v", name, err)
		}
	}
}
