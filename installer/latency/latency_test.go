package latency

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// core makes a core out of microseconds and how often, in pairs; those of
// Bound and more are overruns.
func core(cpu int, pairs ...int64) Core {
	c := Core{CPU: cpu}
	var sum, n int64
	for i := 0; i < len(pairs); i += 2 {
		micros, count := int(pairs[i]), pairs[i+1]
		if n == 0 {
			c.Min = micros
		}
		c.Max = micros
		sum, n = sum+int64(micros)*count, n+count
		if micros >= Bound {
			c.Overruns += count
			continue
		}
		for len(c.Counts) <= micros {
			c.Counts = append(c.Counts, 0)
		}
		c.Counts[micros] = count
	}
	if n > 0 {
		c.Average = float64(sum) / float64(n)
	}
	return c
}

// realtime and stock are two kernels of one machine.
func realtime() *Result {
	idle := 50
	isolated := core(3, 1, 100000, 2, 49990, 6, 10)
	isolated.Isolated = true
	return &Result{
		When: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC), Machine: "m",
		Kernel:  Kernel{"6.12.117+deb13-rt-amd64", "PREEMPT_RT"},
		Seconds: 30, Wanted: 30, IdleMicros: &idle,
		Load:  Load{Workers: 4, HashedBytes: 50 << 30, Wakes: 5_123_456, ReadFrom: "the medium", ReadBytes: 3 << 30},
		Cores: []Core{core(0, 1, 60000, 2, 80000, 3, 9900, 9, 90, 31, 10), core(1, 1, 70000, 2, 79000, 4, 999, 48, 1), core(2, 1, 75000, 2, 74999, 27, 1), isolated},
	}
}

func stock() Result {
	return Result{
		When: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), Machine: "m",
		Kernel:  Kernel{"6.12.117+deb13-amd64", "PREEMPT_DYNAMIC, preempt=full, threadirqs"},
		Seconds: 30, Wanted: 30, Load: Load{Workers: 4},
		Cores: []Core{core(0, 2, 140000, 20, 9000, 180, 900, 390, 90, 640, 10), core(1, 2, 140000, 20, 9990, 120, 10)},
	}
}

func guest() *Result {
	r := stock()
	r.Guest, r.Seconds = "qemu", 8
	r.Cores = []Core{core(0, 30, 20000, 300, 10000, 9000, 10000)}
	return &r
}

func TestText(t *testing.T) {
	for name, text := range map[string]string{
		"realtime.txt": realtime().Text([]Result{stock()}, 80),
		"guest.txt":    guest().Text(nil, 120),
		"comment.txt":  strings.Join(Comment(realtime(), []Result{stock()}), "\n") + "\n",
		"spoken.txt":   strings.Join(append(realtime().Sentences(), guest().Sentences()...), "\n") + "\n",
		"large.txt":    realtime().Histogram(120, 30),
		"failed.txt":   strings.Join(CommentFailed(realtime().When, "cyclictest: exit status 1:\n\nUnable to change scheduling policy!\nProbably missing capabilities, either run as root or increase RLIMIT_RTPRIO limits."), "\n") + "\n",
	} {
		golden(t, name, text)
		width := 80
		if name == "large.txt" || name == "guest.txt" || name == "spoken.txt" {
			width = 120
		}
		for _, l := range strings.Split(text, "\n") {
			if len(l) > width || strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s: %q is no line of %d columns of ASCII", name, l, width)
			}
		}
	}
}

// TestCommentFits holds that a comment fits behind "// ", whatever the machine
// says of itself.
func TestCommentFits(t *testing.T) {
	r := realtime()
	r.Kernel.Release, r.Guest = strings.Repeat("6.12-\"*/'\n// ", 20), "a\x1b[31m\nguest ünknown"
	other := stock()
	other.Kernel.Release += strings.Repeat("x", 300)
	for range 200 {
		r.Cores = append(r.Cores, core(len(r.Cores), 1, 1))
	}
	for _, l := range Comment(r, []Result{other}) {
		if strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("line %q", l)
		}
	}
}

func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		core  Core
		p     float64
		want  int
		known bool
	}{
		{Core{}, 50, 0, false},
		{core(0, 7, 1), 99.99, 7, true},
		{core(0, 7, 1), 0, 7, true},
		{core(0, 1, 99, 50, 1), 99, 1, true},
		{core(0, 1, 98, 50, 2), 99, 50, true},
		{core(0, 1, 9999, 50, 1), 99.99, 1, true},
		{core(0, 1, 9998, 50, 2), 99.99, 50, true},
		{core(0, 1, 9999, 50, 1), 100, 50, true},
		{core(0, 1, 99, 50, 1), 99.99, 50, true},
		{core(0, 1, 99, 4000, 1), 99, 1, true},
		{core(0, 1, 99, 4000, 1), 99.99, 0, false},
		{core(0, 4000, 1), 50, 0, false},
		{core(0, 0, 5), 99, 0, true},
	} {
		got, known := c.core.Percentile(c.p)
		if got != c.want || known != c.known {
			t.Errorf("%v %% of %v: %d, %v; want %d, %v", c.p, c.core, got, known, c.want, c.known)
		}
	}
}

func TestJoin(t *testing.T) {
	a, b := []Core{core(2, 1, 10), core(0, 5, 3, 500, 1)}, []Core{core(0, 1, 1, 7, 3), core(1, 2, 2), core(2)}
	got := Join(a, b)
	want := []Core{core(0, 1, 1, 5, 3, 7, 3, 500, 1), core(1, 2, 2), core(2, 1, 10)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a[0].CPU != 2 || len(a[1].Counts) != 6 {
		t.Error("Join changed what it was given")
	}
	r := Result{Cores: got}
	if n := r.Total().Wakeups(); n != 20 {
		t.Errorf("%d wake-ups", n)
	}
	if total := r.Total(); total.Max != 500 || total.Min != 1 || math.Abs(total.Average-(551.0/20)) > 1e-9 {
		t.Errorf("total %+v", total)
	}
}

func TestVerdict(t *testing.T) {
	alone := core(1, 1, 100000, 9, 1)
	alone.Isolated = true
	for _, c := range []struct {
		name  string
		cores []Core
		want  Verdict
		ok    bool
	}{
		{"nothing", nil, Verdict{}, false},
		{"no wake-up", []Core{{CPU: 0}}, Verdict{}, false},
		{"very good", []Core{core(0, 1, 100000, 9, 1)}, Verdict{Quantum: 32, Mostly: 32, Latest: 9, Usual: 1}, true},
		{"one late", []Core{core(0, 1, 100000, 30, 90, 390, 1)}, Verdict{Quantum: 128, Mostly: 32, Latest: 390, Usual: 30}, true},
		{"late", []Core{core(0, 1, 10000, 300, 90, 4000, 1)}, Verdict{Quantum: 1024, Mostly: 256, Latest: 4000, Usual: 300}, true},
		{"too late", []Core{core(0, 1, 10000, 300, 90, 9000, 1)}, Verdict{Mostly: 256, Latest: 9000, Usual: 300}, true},
		{"not known", []Core{core(0, 1, 10, 900, 5)}, Verdict{Quantum: 1024, Latest: 900, Usual: 900}, true},
		{"isolated", []Core{core(0, 1, 10, 9000, 1), alone}, Verdict{Quantum: 32, Mostly: 32, Latest: 9, Usual: 1, Isolated: true}, true},
		{"isolated and idle", []Core{core(0, 1, 100000, 9, 1), {CPU: 1, Isolated: true}}, Verdict{Quantum: 32, Mostly: 32, Latest: 9, Usual: 1}, true},
	} {
		r := Result{Cores: c.cores, Seconds: 30, Wanted: 30}
		got, ok := r.Judge()
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s: %v\n%s", c.name, ok, diff)
		}
		if words := strings.Join(r.Words(), " "); !ok != (words == "Nothing was measured.") {
			t.Errorf("%s: %s", c.name, words)
		}
	}
	if PeriodMicros(64) != 1333 {
		t.Error(PeriodMicros(64))
	}
}

func TestPreemption(t *testing.T) {
	for _, c := range []struct {
		version  string
		realtime bool
		line     string
		debug    string
		want     string
	}{
		{"#1 SMP PREEMPT_RT Debian 6.12.117-1 (2026-07-01)", true, "", "", "PREEMPT_RT"},
		{"#1 SMP PREEMPT_RT Debian 6.12.117-1 (2026-07-01)", false, "preempt=full threadirqs", "", "PREEMPT_RT"},
		{"#1 SMP Debian", true, "", "", "PREEMPT_RT"},
		{"#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1", false, "quiet", "", "PREEMPT_DYNAMIC at its default"},
		{"#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1", false, "preempt=none preempt=full threadirqs", "", "PREEMPT_DYNAMIC, preempt=full, threadirqs"},
		{"#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1", false, "preempt=full", "none (voluntary) full\n", "PREEMPT_DYNAMIC, preempt=voluntary"},
		{"#1 SMP PREEMPT_DYNAMIC x", false, "", "none voluntary full", "PREEMPT_DYNAMIC at its default"},
		{"#1 SMP PREEMPT x", false, "", "", "PREEMPT"},
		{"#1 SMP Debian 4.19", false, "", "", "no preemption"},
		{"#1 SMP PREEMPT_DYNAMIC x", false, "preempt=\x1bü", "", "PREEMPT_DYNAMIC, preempt=??"},
	} {
		if got := Preemption(c.version, c.realtime, c.line, c.debug); got != c.want {
			t.Errorf("%q, %v, %q, %q: %q, want %q", c.version, c.realtime, c.line, c.debug, got, c.want)
		}
	}
}

func TestHistogramShowsOne(t *testing.T) {
	r := Result{Cores: []Core{core(0, 3, 1<<40, 900, 1)}}
	for _, width := range []int{0, 20, 80, 200} {
		lines := strings.Split(r.Histogram(width, 10), "\n")
		if n := strings.Count(lines[9], "#"); n != 1 {
			t.Errorf("width %d: one wake-up is %d #: %q", width, n, lines[9])
		}
		if len(lines) != 11 {
			t.Errorf("width %d: %d lines", width, len(lines)-1)
		}
	}
	if n := strings.Count((&Result{}).Histogram(80, 10), "#"); n != 0 {
		t.Errorf("nothing is %d #", n)
	}
}

func TestOthers(t *testing.T) {
	r, old, other := realtime(), stock(), stock()
	old.When = old.When.Add(-time.Hour)
	other.Machine = "another"
	same := *realtime()
	if diff := cmp.Diff([]Result{stock()}, Others(r, []Result{old, stock(), other, same})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Result{stock()}, Others(r, []Result{stock(), old})); diff != "" {
		t.Error(diff)
	}
	kept := Keep(Keep(Keep(nil, old), *r), stock())
	if diff := cmp.Diff([]Result{*r, stock()}, kept); diff != "" {
		t.Error(diff)
	}
	for n := range 100 {
		o := stock()
		o.Machine = strings.Repeat("x", n)
		kept = Keep(kept, o)
	}
	if len(kept) != MaxKept || kept[MaxKept-1].Machine != strings.Repeat("x", 99) {
		t.Errorf("kept %d", len(kept))
	}
}

func TestMachineID(t *testing.T) {
	a, b := MachineID("LENOVO", "T480", "1234-serial"), MachineID("LENOVO", "T480", "1235-serial")
	if a == b || len(a) != 16 || strings.Contains(a, "1234") {
		t.Error(a, b)
	}
}
