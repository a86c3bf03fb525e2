package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"reprise/installer/latency"
)

func sys(online, isolated string) fs.FS {
	return fstest.MapFS{
		"devices/system/cpu/online":   {Data: []byte(online + "\n")},
		"devices/system/cpu/isolated": {Data: []byte(isolated + "\n")},
	}
}

// fake is a cyclictest that was late by the number of its call.
type fake struct {
	calls [][]string
	text  func(call int, cpus []string) string
	err   error
}

func (f *fake) run(_ context.Context, args []string, stdout io.Writer) error {
	f.calls = append(f.calls, args)
	if f.err != nil {
		return f.err
	}
	var cpus []string
	for _, a := range args {
		if list, ok := strings.CutPrefix(a, "--affinity="); ok {
			cpus = strings.Split(list, ",")
		}
	}
	text := f.text
	if text == nil {
		text = output
	}
	_, err := io.WriteString(stdout, text(len(f.calls), cpus))
	return err
}

func output(call int, cpus []string) string {
	var threads []string
	for n, cpu := range cpus {
		threads = append(threads, fmt.Sprintf(`"%d": {"cpu": %s, "cycles": 10, "histogram": {"%d": 9}, "min": %d, "max": 1000, "avg": 100}`, n, cpu, call, call))
	}
	return `{"file_version": 1, "return_code": 0, "thread": {` + strings.Join(threads, ",") + "}}\n# /dev/cpu_dma_latency set to 0us\n"
}

func TestRun(t *testing.T) {
	f := &fake{}
	var seen []int
	about := latency.Result{Machine: "m", Kernel: latency.Kernel{Release: "6.12"}}
	r, err := Run(context.Background(), Options{Program: f.run, Sys: sys("0-1,3", "3"), Seconds: 5, NoLoad: true, About: about, Watch: func(r latency.Result) { seen = append(seen, r.Seconds) }})
	if err != nil {
		t.Fatal(err)
	}
	core := latency.Core{Counts: []int64{0, 9, 9, 9}, Overruns: 3, Min: 1, Max: 1000, Average: 100}
	want := about
	want.Wanted, want.Seconds = 5, 5
	for _, cpu := range []int{0, 1, 3} {
		core.CPU, core.Isolated = cpu, cpu == 3
		want.Cores = append(want.Cores, core)
	}
	if diff := cmp.Diff(&want, r); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 4, 5}, seen); diff != "" {
		t.Error(diff)
	}
	for n, seconds := range []string{"2", "2", "1"} {
		line := strings.Join(f.calls[n], " ")
		want := "--mlockall --policy=fifo --priority=90 --interval=200 --histogram=400 --histfile=/dev/null --duration=" + seconds + " --quiet --affinity=0,1,3 --threads=3 --json=/proc/self/fd/1 --default-system"
		if line != want {
			t.Errorf("call %d: %s\nwant %s", n, line, want)
		}
	}
}

func TestIdle(t *testing.T) {
	f, idle := &fake{}, 50
	r, err := Run(context.Background(), Options{Program: f.run, Sys: sys("0", ""), Seconds: 1, NoLoad: true, IdleMicros: &idle})
	if err != nil || r.IdleMicros == nil || *r.IdleMicros != 50 {
		t.Fatalf("%+v, %v", r, err)
	}
	if args := f.calls[0]; !slices.Contains(args, "--latency=50") || slices.Contains(args, "--default-system") {
		t.Error(args)
	}
}

func TestRunFails(t *testing.T) {
	good := sys("0-1", "")
	for _, c := range []struct {
		name string
		o    Options
		f    fake
		want string
	}{
		{"no second", Options{Sys: good}, fake{}, "want 1 to 3600"},
		{"too long", Options{Sys: good, Seconds: 3601}, fake{}, "want 1 to 3600"},
		{"no CPUs", Options{Sys: fstest.MapFS{}, Seconds: 1}, fake{}, "cpu/online"},
		{"none online", Options{Sys: sys("", ""), Seconds: 1}, fake{}, "no CPU"},
		{"odd list", Options{Sys: sys("0-x", ""), Seconds: 1}, fake{}, "no list of CPUs"},
		{"program fails", Options{Sys: good, Seconds: 1}, fake{err: errors.New("exit status 1: mlockall")}, "mlockall"},
		{"nothing", Options{Sys: good, Seconds: 1}, fake{text: func(int, []string) string { return "" }}, "empty"},
		{"fewer cores", Options{Sys: good, Seconds: 1}, fake{text: func(int, []string) string { return output(1, []string{"0"}) }}, "1 cores of 2"},
		{"another core", Options{Sys: good, Seconds: 1}, fake{text: func(int, []string) string { return output(1, []string{"0", "7"}) }}, "core 7"},
	} {
		c.o.Program, c.o.NoLoad = c.f.run, true
		r, err := Run(context.Background(), c.o)
		if r != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", c.name, r, err, c.want)
		}
	}
}

// TestStopped holds that what was measured before stays.
func TestStopped(t *testing.T) {
	for _, after := range []int{0, 1, 3} {
		ctx, cancel := context.WithCancel(context.Background())
		f := &fake{}
		r, err := Run(ctx, Options{Sys: sys("0", ""), Seconds: 30, NoLoad: true, Program: func(ctx context.Context, args []string, w io.Writer) error {
			if len(f.calls) == after {
				cancel()
				return errors.New("signal: killed")
			}
			return f.run(ctx, args, w)
		}})
		cancel()
		if !errors.Is(err, context.Canceled) || (r == nil) != (after == 0) {
			t.Errorf("after %d slices: %+v, %v", after, r, err)
		}
		if r != nil && (r.Seconds != 2*after || r.Whole() || r.Cores[0].Wakeups() != int64(10*after)) {
			t.Errorf("after %d slices: %+v", after, r)
		}
	}
}

func TestCPUList(t *testing.T) {
	for _, c := range []struct {
		text string
		want []int
		ok   bool
	}{
		{"", nil, true}, {"0", []int{0}, true}, {"0-3", []int{0, 1, 2, 3}, true}, {"0,2-3,8", []int{0, 2, 3, 8}, true},
		{"3-1", nil, false}, {"1,1", nil, false}, {"2,1", nil, false}, {"-1", nil, false}, {"0-", nil, false}, {"0-999999999", nil, false}, {"a", nil, false}, {"0:1", nil, false},
	} {
		got, err := cpuList(c.text)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != c.ok {
			t.Errorf("%q: %v\n%s", c.text, err, diff)
		}
	}
}

func FuzzCPUList(f *testing.F) {
	f.Add("0-3,8")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := cpuList(text)
		if err != nil {
			return
		}
		words := make([]string, len(list))
		for i, n := range list {
			words[i] = strconv.Itoa(n)
		}
		again, err := cpuList(strings.Join(words, ","))
		if err != nil || !slices.Equal(list, again) {
			t.Fatalf("%q is %v, and then %v, %v", text, list, again, err)
		}
	})
}

// TestLoad holds that the machine is busy, and idle again afterwards.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "endless")); err != nil {
		t.Fatal(err)
	}
	l := startLoad(Options{Read: dir, ReadName: "a disk"})
	for d := l.done(); d.HashedBytes == 0 || d.Wakes == 0 || d.ReadBytes < 3<<20; d = l.done() {
	}
	l.stop()
	d := l.done()
	if d.Workers < 1 || d.ReadFrom != "a disk" {
		t.Errorf("%+v", d)
	}
	if again := l.done(); again != d {
		t.Errorf("it works on: %+v and %+v", d, again)
	}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		for _, fd := range fds {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(to, dir) {
				t.Errorf("%s is open", to)
			}
		}
	}
	empty := startLoad(Options{Read: filepath.Join(dir, "nothing")})
	empty.stop()
	if d := empty.done(); d.ReadBytes != 0 {
		t.Errorf("%+v", d)
	}
	none := startLoad(Options{NoLoad: true, Read: dir})
	none.stop()
	if d := none.done(); d != (latency.Load{}) {
		t.Errorf("%+v", d)
	}
}

func TestCommand(t *testing.T) {
	var out strings.Builder
	if err := Command("/bin/sh", "-c", `echo "$@"`, "sh")(context.Background(), []string{"a", "b c"}, &out); err != nil || out.String() != "a b c\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	err := Command("/bin/sh", "-c", "echo Unable to change scheduling policy! >&2; exit 1")(context.Background(), nil, &out)
	if err == nil || !strings.Contains(err.Error(), "exit status 1: Unable to change") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Command("/bin/sh", "-c", "sleep 100")(ctx, nil, &out); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
