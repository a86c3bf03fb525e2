package realise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reprise/store/drv"
	"reprise/store/storepath"
)

func TestEnvironmentIsNix(t *testing.T) {
	r := newRig(t)
	d := r.derivation("look", "look", map[string]string{"HOME": "/own", "TMPDIR": "/mine", "x": "y z"})
	if err := r.build(d); err != nil {
		t.Fatal(err)
	}
	base := r.path(d).Base()
	log, err := os.ReadFile(filepath.Join(r.store.Root(), "nix/var/log/nix/drvs", base[:2], base[2:]))
	if err != nil {
		t.Fatal(err)
	}
	out := string(d.Outputs["out"].Path)
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(string(log)), "\n") {
		if !strings.HasPrefix(line, "NIX_BUILD_CORES=") {
			lines = append(lines, line)
		}
	}
	want := []string{
		"HOME=/own", "NIX_BUILD_TOP=/build", "NIX_LOG_FD=2", "NIX_STORE=/nix/store", "PATH=/path-not-set", "PWD=/build",
		"TEMP=/build", "TEMPDIR=/build", "TERM=xterm-256color", "TMP=/build", "TMPDIR=/build", "out=" + out, "x=y z",
		"/build 1000 100 " + r.builder.Base(),
		"/ [build dev etc nix proc tmp]", "/nix/store [" + r.builder.Base() + "]", "/build []",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("a build sees\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	fixed := environment(&drv.Derivation{Outputs: map[string]drv.Output{"out": {HashAlgo: "sha256"}}}, 3)
	for _, line := range []string{"NIX_OUTPUT_CHECKED=1", "HOME=/homeless-shelter", "NIX_BUILD_CORES=3"} {
		if !slices.Contains(fixed, line) {
			t.Errorf("no %s in %q", line, fixed)
		}
	}
}

func TestBuildsCannotEscape(t *testing.T) {
	r := newRig(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	input := r.derivation("input", "text", map[string]string{"text": "input"})
	hidden := r.derivation("hidden", "text", map[string]string{"text": "hidden"})
	d := r.derivation("escape", "escape", map[string]string{
		"listener": listener.Addr().String(), "undeclared": string(hidden.Outputs["out"].Path),
		"host": r.store.Real(hidden.Outputs["out"].Path), "input": string(input.Outputs["out"].Path),
	}, input)
	if err := r.build(input, hidden); err != nil {
		t.Fatal(err)
	}
	if err := r.build(d); err != nil {
		t.Error(err)
	}
	if got := r.content(input); got != "" && got != "input" {
		t.Errorf("the input is %q now", got)
	}
	r.clean()
}

func TestOutputs(t *testing.T) {
	r := newRig(t)
	two := r.derivation("two", "two", nil)
	two.Outputs = map[string]drv.Output{"out": {}, "dev": {}}
	two.Env["dev"] = ""
	r.fill(two)
	link := r.derivation("link", "link", map[string]string{"text": string(two.Outputs["dev"].Path)})
	link.InputDrvs[r.path(two)] = []string{"dev"}
	r.fill(link)
	// An input that is a symlink cannot be bound; it has to be there anyway,
	// and what it refers to as well.
	through := r.derivation("through", "cat", map[string]string{"inputs": string(link.Outputs["out"].Path)}, link)
	if err := r.build(two, link, through); err != nil {
		t.Fatal(err)
	}
	if got := r.content(through); got != string(two.Outputs["out"].Path) {
		t.Errorf("content %q", got)
	}
	for d, want := range map[*drv.Derivation]storepath.Path{link: two.Outputs["dev"].Path, through: two.Outputs["out"].Path} {
		info, err := r.store.Info(r.ctx, d.Outputs["out"].Path)
		if err != nil || !slices.Equal(info.Refs, []storepath.Path{want}) {
			t.Errorf("%s refers to %v, want %s: %v", d.Name, info.Refs, want, err)
		}
	}
	if err := r.build(r.derivation("none", "nothing", nil)); err == nil || !strings.Contains(err.Error(), "did not make its output") {
		t.Errorf("no output: %v", err)
	}
	r.clean()
}

func TestFixedOutputMayNotRefer(t *testing.T) {
	r := newRig(t)
	d := r.derivation("ref", "text", map[string]string{"text": string(r.builder)})
	fixed(d, "sha256", string(r.builder))
	r.fill(d)
	if err := r.build(d); err == nil || !strings.Contains(err.Error(), "may refer to nothing") {
		t.Errorf("error %v", err)
	}
	l := r.derivation("ref", "text", map[string]string{"text": string(r.builder)})
	l.Outputs["out"] = drv.Output{HashAlgo: "r:sha256"}
	if _, err := r.realise.Learn(r.ctx, l); err == nil || !strings.Contains(err.Error(), "may refer to nothing") {
		t.Errorf("learn: %v", err)
	}
	r.clean()
}

func TestUnsupported(t *testing.T) {
	r := newRig(t)
	for want, change := range map[string]func(*drv.Derivation){
		`it is for "riscv64-linux"`:              func(d *drv.Derivation) { d.Platform = "riscv64-linux" },
		`"builtin:fetchurl" is not in the store`: func(d *drv.Derivation) { d.Builder = "builtin:fetchurl" },
		"passAsFile is not supported":            func(d *drv.Derivation) { d.Env["passAsFile"] = "x" },
	} {
		d := r.derivation("odd", "text", nil)
		change(d)
		r.fill(d)
		if err := r.build(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	lost := r.derivation("lost", "text", nil)
	lost.InputSrcs = append(lost.InputSrcs, "/nix/store/"+storepath.Path(strings.Repeat("0", 32))+"-gone")
	r.fill(lost)
	run := r.realise.Start(r.ctx)
	defer run.Close()
	if _, err := run.Add(lost); err == nil {
		if err := run.Wait(); err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("input that is not there: %v", err)
		}
	}
}

// TestNestedRoot has a builder that runs a program in a root of its own.
func TestNestedRoot(t *testing.T) {
	r := newRig(t)
	d := r.derivation("nested", "chroot", map[string]string{"self": string(r.builder)})
	if err := r.build(d); err != nil {
		t.Fatal(err)
	}
	if got := r.content(d); got != "in the tree0 true" {
		t.Errorf("content %q", got)
	}
	r.clean()
}

// TestInProcess builds with the running program as builder, which is not
// started a second time for it.
func TestInProcess(t *testing.T) {
	r := newRig(t)
	self, err := AddSelf(r.ctx, r.store, "self")
	if err != nil {
		t.Fatal(err)
	}
	r.realise.Self, r.builder = self, self
	d := r.derivation("self-made", "whatever", map[string]string{"text": "by hook"})
	if err := r.build(d); err != nil {
		t.Fatal(err)
	}
	if got := r.content(d); got != "by hook" {
		t.Errorf("content %q", got)
	}
	r.clean()
}

// TestParallel needs all of four builds to be under way at once: each waits
// for a line that only the others' presence brings, here for time to pass.
func TestParallel(t *testing.T) {
	r := newRig(t)
	var ds []*drv.Derivation
	for i := range 8 {
		ds = append(ds, r.derivation(fmt.Sprint("nap-", i), "nap", map[string]string{"nap": "200ms", "text": fmt.Sprint(i)}))
	}
	paths := r.add(ds...)
	watch := &concurrency{}
	run := r.realise.Start(r.ctx)
	defer run.Close()
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				run.mu.Lock()
				watch.most = max(watch.most, run.running)
				run.mu.Unlock()
			}
		}
	}()
	if _, err := run.AddPaths(paths...); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Fatal(err)
	}
	close(stop)
	run.mu.Lock()
	defer run.mu.Unlock()
	if watch.most != 4 {
		t.Errorf("%d builds at once, want 4", watch.most)
	}
}

type concurrency struct{ most int }

func TestOneJobForManyAskers(t *testing.T) {
	r := newRig(t)
	d := r.derivation("noise", "noise", nil)
	path := r.add(d)[0]
	run := r.realise.Start(r.ctx)
	defer run.Close()
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			jobs, err := run.AddPaths(path)
			if err != nil {
				t.Error(err)
				return
			}
			if err := jobs[0].Wait(r.ctx); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if run.total != 1 {
		t.Errorf("%d jobs", run.total)
	}
	// Two runs at once share through the store's locks.
	e := r.add(r.derivation("noise-too", "noise", nil))[0]
	for range 4 {
		group.Go(func() {
			if err := r.realise.Realise(r.ctx, e); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	r.clean()
}

func TestPromise(t *testing.T) {
	r := newRig(t)
	content := []byte("fetched")
	p, err := storepath.MakeText("fetched", content, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := r.derivation("unpack", "cat", map[string]string{"inputs": string(p)})
	d.InputSrcs = append(d.InputSrcs, p)
	slices.Sort(d.InputSrcs)
	r.fill(d)
	user := r.derivation("user", "cat", map[string]string{"inputs": string(d.Outputs["out"].Path)}, d)
	run := r.realise.Start(r.ctx)
	defer run.Close()
	kept := run.Promise(p)
	jobs, err := run.Add(d, user)
	if err != nil {
		t.Fatal(err)
	}
	lesson := d.Clone()
	lesson.Name = "lesson"
	lesson.Outputs["out"] = drv.Output{HashAlgo: "r:sha256"}
	job, err := run.Learn(lesson)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-job.Done():
		t.Fatal("built without its input")
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := r.store.AddText(r.ctx, "fetched", content, nil); err != nil {
		t.Fatal(err)
	}
	kept(nil)
	if err := job.Wait(r.ctx); err != nil {
		t.Fatal(err)
	}
	if err := jobs[1].Wait(r.ctx); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*drv.Derivation{d, user, job.Derivation()} {
		if got := r.content(d); got != "fetched" {
			t.Errorf("%s: content %q", d.Name, got)
		}
		if valid, err := r.store.Valid(r.ctx, r.path(d)); err != nil || !valid[r.path(d)] {
			t.Errorf("%s.drv is not in the store: %v", d.Name, err)
		}
	}
	r.clean()
	// A promise that is broken fails those who need it, and is told once.
	lost, err := storepath.MakeText("lost", []byte("never"), nil)
	if err != nil {
		t.Fatal(err)
	}
	d = r.derivation("never", "cat", nil)
	d.InputSrcs = append(d.InputSrcs, lost)
	slices.Sort(d.InputSrcs)
	d.Outputs["out"] = drv.Output{HashAlgo: "r:sha256"}
	broken := run.Promise(lost)
	run.Promise(lost) // twice is once
	job, err = run.Learn(d)
	if err != nil {
		t.Fatal(err)
	}
	reason := errors.New("mirror gone")
	broken(reason)
	if err := job.Wait(r.ctx); !errors.Is(err, reason) || !strings.Contains(err.Error(), "never needs lost") {
		t.Errorf("job: %v", err)
	}
	if err := run.Wait(); !errors.Is(err, reason) || strings.Contains(err.Error(), "never needs") {
		t.Errorf("run: %v", err)
	}
}

func TestKeepGoing(t *testing.T) {
	r := newRig(t)
	r.realise.KeepGoing = true
	r.realise.Jobs = 1
	bad := r.derivation("bad", "fail", nil)
	worse := r.derivation("worse", "nothing", nil)
	good := r.derivation("good", "text", map[string]string{"text": "good"})
	needs := r.derivation("needs", "text", nil, bad)
	paths := r.add(bad, worse, good, needs)
	err := r.realise.Realise(r.ctx, paths...)
	if err == nil || strings.Count(err.Error(), "build bad") != 1 || strings.Count(err.Error(), "build worse") != 1 || strings.Contains(err.Error(), "needs") {
		t.Errorf("error %v", err)
	}
	if r.content(good) != "good" {
		t.Error("the good one is not there")
	}
	r.clean()
}

// TestLongestChainFirst has one turn, so that the order can be seen.
func TestLongestChainFirst(t *testing.T) {
	r := newRig(t)
	r.realise.Jobs = 1
	weights := map[string]int64{"short": 50, "head": 1, "middle": 10, "tail": 100}
	r.realise.Weight = func(d *drv.Derivation) int64 { return weights[d.Name] }
	sink := &order{}
	r.realise.Sink = sink
	short := r.derivation("short", "text", nil)
	head := r.derivation("head", "text", nil)
	middle := r.derivation("middle", "text", nil)
	tail := r.derivation("tail", "text", nil, head)
	if err := r.realise.Realise(r.ctx, r.add(short, middle, head, tail)...); err != nil {
		t.Fatal(err)
	}
	// head weighs least and goes first, because tail waits for it; then by
	// weight. When tail begins depends on how long head takes to register,
	// which gives its turn away: that is no promise.
	at := func(name string) int { return slices.Index(sink.names, name) }
	if len(sink.names) != 4 || at("head") != 0 || at("short") > at("middle") {
		t.Errorf("order %v, want head first and short before middle", sink.names)
	}
}

func TestTail(t *testing.T) {
	for _, test := range []struct {
		log  string
		want []string
	}{
		{"", nil}, {"\n\n", nil}, {"one", []string{"one"}}, {"a\r\nb\n\n", []string{"a", "b"}},
		{"10%\r50%\r100%\n", []string{"100%"}},
		{"red \x1b[31m\x00\xff end\u0085", []string{"red ?[31m?? end?"}},
		{strings.Repeat("x", 300) + strings.Repeat("y", 300), []string{strings.Repeat("x", 200) + " … " + strings.Repeat("y", 200)}},
	} {
		if got := logOf(t, test.log).tail(); !slices.Equal(got, test.want) {
			t.Errorf("%.40q: %q, want %q", test.log, got, test.want)
		}
	}
	long := logOf(t, strings.Repeat("line\n", 1e6))
	for range 100 {
		long.Write(bytes.Repeat([]byte("word\n"), 999))
	}
	if got := long.tail(); len(got) != tailLines || got[0] != "word" || cap(long.end) > 16*tailBytes {
		t.Errorf("long log: %q, %d bytes kept", got, cap(long.end))
	}
}

func logOf(t *testing.T, text string) *buildLog {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	l := &buildLog{file: file}
	if n, err := l.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("%d bytes taken of %d, %v", n, len(text), err)
	}
	return l
}

// TestLogOnFullDisk: the builder is not disturbed, and what it said is not lost.
func TestLogOnFullDisk(t *testing.T) {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := &buildLog{file: file}
	if n, err := l.Write([]byte("no space left\n")); n != 14 || err != nil {
		t.Errorf("%d bytes taken, %v", n, err)
	}
	if err := l.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close: %v", err)
	}
	if got := l.tail(); !slices.Equal(got, []string{"no space left"}) {
		t.Errorf("tail %q", got)
	}
}

func BenchmarkJob(b *testing.B) {
	for _, name := range []string{"exec", "in process"} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			r.realise.Jobs = 2
			if name == "in process" {
				self, err := AddSelf(r.ctx, r.store, "self")
				if err != nil {
					b.Fatal(err)
				}
				r.realise.Self, r.builder = self, self
			}
			var ds []*drv.Derivation
			for i := range b.N {
				ds = append(ds, r.derivation(fmt.Sprint("job-", i), "text", map[string]string{"text": fmt.Sprint(i)}))
			}
			run := r.realise.Start(context.Background())
			defer run.Close()
			b.ResetTimer()
			if _, err := run.Add(ds...); err != nil {
				b.Fatal(err)
			}
			if err := run.Wait(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
