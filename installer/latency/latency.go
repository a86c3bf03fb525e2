// Package latency says how late a machine comes: what cyclictest measured, in
// figures, in pictures of text, and in words that a musician can use. It is
// pure: values in, values and text out. Package measure runs the program.
//
// Words. A wake-up is one moment at which a real-time thread had asked to run;
// how late it came, in whole microseconds, is its latency. An overrun is one
// that came [Bound] microseconds late or later. A quantum is how many frames
// are worked on at a time; a period is how long they sound.
//
// Invariants:
//   - Counts and overruns of a core add up to its wake-ups, and parts of a
//     measurement add up to the whole: nothing is estimated but the average.
//   - A percentile among the overruns is not known; it is never a number.
//   - Text has no colours and is ASCII.
//
// What it leaves out: all of the way of the sound but the wake-up. What the
// driver, the USB controller and the plugins take, nobody has measured here.
package latency

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How it is measured: at the priority that interrupts of sound cards get, above
// PipeWire's data loop (88; PipeWire 1.4.2, module-rt), and more often than any
// quantum wakes up.
const (
	Priority = 90  // SCHED_FIFO
	Interval = 200 // microseconds between wake-ups of one core
	Bound    = 400 // microseconds that are told apart one by one

	// Seconds is how long is measured when nobody says otherwise.
	Seconds    = 30
	MaxSeconds = 3600
)

// A Result is one measurement, or what there is of it so far.
type Result struct {
	When    time.Time `json:"when"`    // when it began
	Machine string    `json:"machine"` // tells machines apart; see MachineID
	Kernel  Kernel    `json:"kernel"`
	// Guest is the hypervisor, or "a hypervisor"; "" on a machine of its own.
	Guest   string `json:"guest,omitempty"`
	Seconds int    `json:"seconds"` // that were measured
	Wanted  int    `json:"wanted"`  // seconds that were asked for
	// IdleMicros is what idle states might take to wake up from while it was
	// measured; nil: as the machine is set.
	IdleMicros *int   `json:"idleMicros,omitempty"`
	Load       Load   `json:"load"`
	Cores      []Core `json:"cores"` // by CPU
}

// A Load is the work that was done beside, at normal priority.
type Load struct {
	Workers     int   `json:"workers"` // that hashed, one a core
	HashedBytes int64 `json:"hashedBytes"`
	Wakes       int64 `json:"wakes"` // of threads that woke each other
	// ReadBytes were read from the files below ReadFrom; "": nothing was read.
	ReadFrom  string `json:"readFrom,omitempty"`
	ReadBytes int64  `json:"readBytes"`
}

// A Core is what one CPU, as the kernel counts them, was measured to do.
type Core struct {
	CPU      int  `json:"cpu"`
	Isolated bool `json:"isolated,omitempty"` // from other work, by the kernel line
	// Counts are wake-ups by how late they came: Counts[7] were 7 microseconds
	// late. It ends with the last that is not 0 and has Bound entries at most.
	Counts   []int64 `json:"counts"`
	Overruns int64   `json:"overruns"`
	// Min and Max are in microseconds; both 0 without a wake-up.
	Min int `json:"min"`
	Max int `json:"max"`
	// Average is in microseconds, overruns included.
	Average float64 `json:"average"`
}

// Wakeups is how many wake-ups there were.
func (c Core) Wakeups() int64 {
	n := c.Overruns
	for _, count := range c.Counts {
		n += count
	}
	return n
}

// Percentile is the least number of microseconds within which p percent of all
// wake-ups came. ok is false when that is among the overruns, or when there was
// no wake-up.
func (c Core) Percentile(p float64) (micros int, ok bool) {
	all := c.Wakeups()
	if all == 0 {
		return 0, false
	}
	// How many may come later is rounded down: of few wake-ups none may.
	within := all - int64(float64(all)*(100-p)/100+1e-6)
	var sum int64
	for micros, count := range c.Counts {
		if sum += count; sum >= within && sum > 0 {
			return micros, true
		}
	}
	return 0, false
}

// join adds another part of the measurement of a core, or another core.
func (c Core) join(o Core) Core {
	n, m := c.Wakeups(), o.Wakeups()
	if n == 0 || m == 0 {
		if n == 0 {
			c.Counts, c.Overruns, c.Min, c.Max, c.Average = slices.Clone(o.Counts), o.Overruns, o.Min, o.Max, o.Average
		}
		return c
	}
	counts := make([]int64, max(len(c.Counts), len(o.Counts)))
	copy(counts, c.Counts)
	for i, count := range o.Counts {
		counts[i] += count
	}
	c.Average = (c.Average*float64(n) + o.Average*float64(m)) / float64(n+m)
	c.Counts, c.Overruns = counts, c.Overruns+o.Overruns
	c.Min, c.Max = min(c.Min, o.Min), max(c.Max, o.Max)
	return c
}

// Join adds further wake-ups of the same cores, or of others.
func Join(a, b []Core) []Core {
	joined := slices.Clone(a)
	for _, core := range b {
		i := slices.IndexFunc(joined, func(c Core) bool { return c.CPU == core.CPU })
		if i < 0 {
			joined = append(joined, core)
			continue
		}
		joined[i] = joined[i].join(core)
	}
	slices.SortFunc(joined, func(x, y Core) int { return x.CPU - y.CPU })
	return joined
}

// Total is all cores together. Its CPU is -1.
func (r *Result) Total() Core {
	total := Core{CPU: -1}
	for _, c := range r.Cores {
		total = total.join(c)
	}
	return total
}

// Whole says that all that was asked for was measured.
func (r *Result) Whole() bool { return r.Seconds >= r.Wanted }

// A Kernel is what was measured.
type Kernel struct {
	Release    string `json:"release"` // "6.12.117+deb13-rt-amd64"
	Preemption string `json:"preemption"`
}

// Preemption names how a kernel lets itself be interrupted: from the version of
// uname, from /sys/kernel/realtime, from the kernel line, and from the
// debugger's sched/preempt, "" where that cannot be read.
func Preemption(version string, realtime bool, line, debug string) string {
	words := strings.Fields(version)
	if realtime || slices.Contains(words, "PREEMPT_RT") {
		return "PREEMPT_RT"
	}
	model := "no preemption"
	if slices.Contains(words, "PREEMPT") {
		model = "PREEMPT"
	}
	if slices.Contains(words, "PREEMPT_DYNAMIC") || slices.Contains(words, "PREEMPT_LAZY") {
		model = "PREEMPT_DYNAMIC, preempt="
		now := ""
		for word := range strings.FieldsSeq(line) {
			if value, ok := strings.CutPrefix(word, "preempt="); ok {
				now = value
			}
		}
		if _, rest, ok := strings.Cut(debug, "("); ok { // "none (voluntary) full"
			now, _, _ = strings.Cut(rest, ")")
		}
		if now == "" {
			model = "PREEMPT_DYNAMIC at its default"
		}
		model += now
	}
	if slices.Contains(strings.Fields(line), "threadirqs") {
		model += ", threadirqs"
	}
	return printable(model)
}

// printable replaces what does not belong into a line of ASCII.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func (k Kernel) String() string { return fmt.Sprintf("%s, %s", k.Release, k.Preemption) }
