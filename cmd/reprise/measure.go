package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"reprise/hwdetect"
	"reprise/image"
	"reprise/installer"
	"reprise/installer/latency"
	"reprise/installer/measure"
	"reprise/internal/diag"
	"reprise/internal/progress"
)

type measureFlags struct {
	seconds, idle int
	read, output  string
	noLoad        bool
}

func (a *app) measureCommand() *cobra.Command {
	var f measureFlags
	c := &cobra.Command{
		Use:   "measure",
		Short: "measure how late this machine wakes a real-time thread up",
		Long: `Measure the latency of this machine with cyclictest of rt-tests, and say which
quantum it allows. Meanwhile the machine is kept busy: cores hash, threads wake
each other, files are read. Wants root, or real-time priority and locked memory
as group audio has them on a machine that reprise built.

On such a machine as root, and from an installation medium with a file system
REPRISEDATA, the result is kept; measured with another kernel later, both are
shown side by side. Elsewhere --output FILE does that. Ctrl-C ends it, and shows
what was measured before.`,
		Example: "  reprise measure\n  reprise measure --seconds 300 --output studio.measured.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.seconds < 1 || f.seconds > latency.MaxSeconds {
				return misused(cmd, fmt.Sprintf("--seconds is %d", f.seconds), fmt.Sprintf("give a number from 1 to %d", latency.MaxSeconds))
			}
			if cmd.Flags().Changed("idle") && (f.idle < 0 || f.idle > maxIdle) {
				return misused(cmd, fmt.Sprintf("--idle is %d", f.idle), fmt.Sprintf("give microseconds, 0 to %d", maxIdle))
			}
			if f.noLoad && f.read != "" {
				return misused(cmd, "--no-load is given with --read", "leave one of them out")
			}
			if !cmd.Flags().Changed("idle") {
				f.idle = -1
			}
			return a.measure(cmd.Context(), f)
		},
	}
	c.Flags().IntVar(&f.seconds, "seconds", latency.Seconds, "`number` of seconds to measure")
	c.Flags().IntVar(&f.idle, "idle", 0, "let idle states take so many `microseconds` to wake up (default as the machine is set)")
	c.Flags().StringVar(&f.read, "read", "", "read this `file or directory` as load (default the medium's store, else /usr)")
	c.Flags().BoolVar(&f.noLoad, "no-load", false, "keep the machine idle meanwhile: such figures are too good")
	c.Flags().StringVarP(&f.output, "output", "o", "", "keep the result in this `file`, and show it beside what is there")
	return c
}

// maxIdle bounds --idle, in microseconds: as powerManagement.maxIdleLatency.
const maxIdle = 10000

func (a *app) measure(ctx context.Context, f measureFlags) error {
	if err := measure.MayMeasure(); err != nil {
		return &diag.Failure{Code: diag.ExitFailed, Err: err}
	}
	k, err := a.keeper(f.output)
	if err != nil {
		return err
	}
	kept, err := k.read()
	if err != nil {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: k.name, Got: "cannot be read: " + reason(err), Want: "measurements that this program kept", Do: "name another file with --output FILE, or move it away"}}
	}
	program, end, err := a.cyclictest(ctx)
	if err != nil {
		return err
	}
	defer end()
	o := measure.Options{Program: program, Sys: os.DirFS("/sys"), Seconds: f.seconds, NoLoad: f.noLoad, Read: f.read}
	if f.idle >= 0 {
		o.IdleMicros = &f.idle
	}
	if o.Read == "" && !f.noLoad {
		o.Read = "/usr"
		if m, err := mediumOf("", ""); err == nil {
			o.Read, o.ReadName = filepath.Join(m.Dir, mediumStore), "the medium"
		}
	}
	facts, err := hwdetect.Read(os.DirFS("/"), hwdetect.Options{})
	if err != nil {
		return err
	}
	o.About = aboutMachine(facts, time.Now())
	task := a.sink.Start("measure the latency", progress.Items, int64(f.seconds))
	told := 0 // seconds
	o.Watch = func(r latency.Result) {
		task.Add(int64(r.Seconds - told))
		task.Detail(latestOf(&r))
		told = r.Seconds
	}
	r, err := measure.Run(ctx, o)
	task.Done(err)
	a.endProgress()
	if r == nil {
		return err
	}
	if r.Whole() {
		place, keepErr := k.keep(latency.Keep(kept, *r))
		if keepErr != nil {
			err = errors.Join(err, fmt.Errorf("keep the measurement: %w", keepErr))
		}
		if place != "" {
			fmt.Fprintf(a.stderr, "reprise: kept %s\n", place)
		}
	}
	if printErr := a.printMeasured(r, kept); printErr != nil || ctx.Err() == nil {
		return errors.Join(printErr, err)
	}
	return &diag.Failure{Code: diag.ExitInterrupted, Err: fmt.Errorf("stopped after %d of %d seconds; that is what is shown, and it is not kept", r.Seconds, r.Wanted)}
}

func (a *app) printMeasured(r *latency.Result, kept []latency.Result) error {
	if a.json {
		f := fields{"measured": r, "others": latency.Others(r, kept)}
		if v, ok := r.Judge(); ok {
			f["verdict"] = v
		}
		return a.emit("result", f)
	}
	width := 80
	if out, ok := a.stdout.(*os.File); ok {
		if w, _, err := term.GetSize(int(out.Fd())); err == nil && w > 80 {
			width = w
		}
	}
	_, err := io.WriteString(a.stdout, r.Text(kept, width))
	return err
}

// latestOf is what a line of progress says besides.
func latestOf(r *latency.Result) string { return fmt.Sprintf("latest %d us", r.Total().Max) }

// aboutMachine is what is known before anything is measured.
func aboutMachine(f *hwdetect.Facts, when time.Time) latency.Result {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails with a bad pointer alone
	// debugfs is mounted on few machines, and closed to all but root.
	debug, _ := os.ReadFile("/sys/kernel/debug/sched/preempt")
	r := latency.Result{When: when.UTC().Truncate(time.Second), Kernel: latency.Kernel{
		Release:    f.Kernel.Release.Or("not known"),
		Preemption: latency.Preemption(unix.ByteSliceToString(name.Version[:]), hwdetect.IsTrue(f.Kernel.RealTime), f.Kernel.CommandLine.Or(""), string(debug)),
	}}
	c := &f.Chassis
	r.Machine = latency.MachineID(c.Vendor.Or(""), c.Product.Or(""), c.Board.Or(""), c.UUID.Or(""), f.CPU.Model.Or(""))
	if hwdetect.IsTrue(f.Virtual.Guest) {
		r.Guest = f.Virtual.Hypervisor.Or("a hypervisor")
	}
	return r
}

// cyclictest finds the program: this machine's own, that of the medium it was
// started from, or that of the archive.
func (a *app) cyclictest(ctx context.Context) (measure.Program, func(), error) {
	if name, err := exec.LookPath("cyclictest"); err == nil && a.store == "" {
		return measure.Command(name), func() {}, nil
	}
	if m, err := mediumOf("", ""); err == nil && os.Geteuid() == 0 {
		carried, err := readMedium(m.Dir)
		if err != nil {
			return nil, nil, err
		}
		if err := makeScratch(); err != nil {
			return nil, nil, err
		}
		tools, err := installer.OpenTools(strings.TrimSuffix(filepath.Clean(m.Store), "/nix/store"), carried.Tools.Path, measureTools)
		if err != nil {
			return nil, nil, err
		}
		return chrooted(tools), func() { tools.Close() }, nil
	}
	s, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	root, err := s.archiveTools(ctx, toolSet([]string{"rt-tests"}), "rt-tests")
	if err != nil {
		s.store.Close()
		return nil, nil, err
	}
	// In a sandbox a program is root of its own namespace alone, which is not
	// enough for real-time priority. The dynamic linker of the root starts it.
	linker, libraries := filepath.Join(root.Dir(), "lib64/ld-linux-x86-64.so.2"), filepath.Join(root.Dir(), "usr/lib/x86_64-linux-gnu")
	return measure.Command(linker, "--library-path", libraries, filepath.Join(root.Dir(), "usr/bin/cyclictest")), func() {
		root.Close()
		s.store.Close()
	}, nil
}

// mediumStore is the store of a medium, as a file to read.
const mediumStore = "reprise/store.squashfs"

// measureTools is where the tools of a medium are mounted to measure.
const measureTools = "/run/reprise/measure"

// chrooted is cyclictest of a view of packages.
func chrooted(tools image.Tools) measure.Program {
	return func(ctx context.Context, args []string, stdout io.Writer) error {
		return tools.Run(ctx, image.Command{Argv: append([]string{"/usr/bin/cyclictest"}, args...), Env: []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}, Stdout: stdout})
	}
}
