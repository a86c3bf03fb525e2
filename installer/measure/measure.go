// Package measure has cyclictest measure how late this machine comes, while
// it works. What that means says package latency.
//
// cyclictest prints at its end alone, so it is run in slices of two seconds
// whose histograms add up: exactly, for a histogram is a count. That is what a
// screen shows meanwhile, and what is left when somebody stops it.
//
// Latency without load means little. The load is ours and at normal priority:
// on each core something hashes and copies memory, threads wake each other
// through pipes, and one reads files and has the kernel forget them again. It
// is no sound, and no desktop; it keeps caches, scheduler and disk busy.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/installer/latency"
)

// slice is how many seconds cyclictest runs at a time.
const slice = 2

// patience is what a slice may take longer than it says before it is given up:
// a busy virtual machine stands still for seconds.
const patience = 60 * time.Second

// A Program runs cyclictest of rt-tests with arguments and writes to stdout what
// it writes there. /proc/self/fd/1 has to be that, too.
type Program func(ctx context.Context, args []string, stdout io.Writer) error

// Options are a measurement to be made.
type Options struct {
	Program Program
	Sys     fs.FS // of the machine, /sys
	Seconds int   // 1 to latency.MaxSeconds
	// IdleMicros is what idle states may take to wake up from meanwhile. nil:
	// as the machine is set.
	IdleMicros *int
	// Read is a file or a directory to read as load; "": nothing is read.
	// ReadName is what people call it; "": Read.
	Read, ReadName string
	// NoLoad leaves the load out.
	NoLoad bool
	// About is what is known of machine and kernel before: when, which.
	About latency.Result
	// Watch is told what there is after each slice. nil: nobody.
	Watch func(latency.Result)
}

// Run measures. With an error it still returns what was measured before, if
// that is a slice or more: when ctx ends, the rest is left out.
func Run(ctx context.Context, o Options) (*latency.Result, error) {
	if o.Seconds < 1 || o.Seconds > latency.MaxSeconds {
		return nil, fmt.Errorf("measure for %d seconds: want 1 to %d", o.Seconds, latency.MaxSeconds)
	}
	online, isolated, err := cores(o.Sys)
	if err != nil {
		return nil, fmt.Errorf("measure the latency: %w", err)
	}
	r := o.About
	r.Wanted, r.Seconds, r.IdleMicros, r.Cores = o.Seconds, 0, o.IdleMicros, nil
	work := startLoad(o)
	defer work.stop()
	for r.Seconds < o.Seconds {
		n := min(slice, o.Seconds-r.Seconds)
		part, err := o.slice(ctx, online, n)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return begun(r), fmt.Errorf("measure the latency: %w", err)
		}
		for i := range part {
			part[i].Isolated = slices.Contains(isolated, part[i].CPU)
		}
		r.Cores, r.Seconds, r.Load = latency.Join(r.Cores, part), r.Seconds+n, work.done()
		if o.Watch != nil {
			o.Watch(r)
		}
	}
	return &r, nil
}

// begun is what there is when a measurement ends early; nil for nothing.
func begun(r latency.Result) *latency.Result {
	if r.Seconds == 0 {
		return nil
	}
	return &r
}

// Arguments are those of cyclictest.
func Arguments(cpus []int, seconds int, idleMicros *int) []string {
	list := make([]string, len(cpus))
	for i, n := range cpus {
		list[i] = strconv.Itoa(n)
	}
	args := []string{
		"--mlockall", "--policy=fifo", "--priority=" + strconv.Itoa(latency.Priority), "--interval=" + strconv.Itoa(latency.Interval),
		"--histogram=" + strconv.Itoa(latency.Bound), "--histfile=/dev/null", "--duration=" + strconv.Itoa(seconds), "--quiet",
		"--affinity=" + strings.Join(list, ","), "--threads=" + strconv.Itoa(len(cpus)), "--json=/proc/self/fd/1",
	}
	if idleMicros == nil {
		return append(args, "--default-system")
	}
	return append(args, "--latency="+strconv.Itoa(*idleMicros))
}

func (o Options) slice(ctx context.Context, cpus []int, seconds int) ([]latency.Core, error) {
	inTime, stop := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+patience)
	defer stop()
	var out bytes.Buffer
	if err := o.Program(inTime, Arguments(cpus, seconds, o.IdleMicros), &out); err != nil {
		if inTime.Err() != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("cyclictest has not ended in %s", time.Duration(seconds)*time.Second+patience)
		}
		return nil, err
	}
	part, err := latency.Parse(out.Bytes())
	if err != nil {
		return nil, err
	}
	for _, c := range part {
		if !slices.Contains(cpus, c.CPU) {
			return nil, fmt.Errorf("cyclictest measured core %d, which it was not asked for", c.CPU)
		}
	}
	if len(part) != len(cpus) {
		return nil, fmt.Errorf("cyclictest measured %d cores of %d", len(part), len(cpus))
	}
	return part, nil
}

// cores lists the CPUs that run, and those that are kept from other work.
func cores(sys fs.FS) (online, isolated []int, err error) {
	read := func(name string) ([]int, error) {
		data, err := fs.ReadFile(sys, "devices/system/cpu/"+name)
		if err != nil {
			return nil, err
		}
		list, err := cpuList(strings.TrimSpace(string(data)))
		if err != nil {
			return nil, fmt.Errorf("%s CPUs: %w", name, err)
		}
		return list, nil
	}
	if online, err = read("online"); err != nil {
		return nil, nil, err
	}
	if len(online) == 0 {
		return nil, nil, errors.New("no CPU is online")
	}
	if isolated, err = read("isolated"); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return online, isolated, err
}

// maxCPU bounds the number of a CPU. Source: Linux 6.12, NR_CPUS of x86.
const maxCPU = 8192

// cpuList reads "0-3,8". Source: Linux 6.12 lib/bitmap-str.c, bitmap_parselist;
// what the kernel prints has no strides.
func cpuList(text string) ([]int, error) {
	var list []int
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || first < 0 || last < first || last > maxCPU || len(list) > 0 && first <= list[len(list)-1] {
			return nil, fmt.Errorf("%q is no list of CPUs", text)
		}
		for n := first; n <= last; n++ {
			list = append(list, n)
		}
	}
	return list, nil
}
