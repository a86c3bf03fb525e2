package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/installer/answers"
	"reprise/installer/latency"
	"reprise/installer/plan"
	"reprise/internal/config"
)

func TestKeeper(t *testing.T) {
	name := filepath.Join(t.TempDir(), "kept.json")
	k, err := (&app{}).keeper(name)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := k.read(); kept != nil || err != nil {
		t.Fatalf("%v, %v", kept, err)
	}
	noon := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	first := latency.Result{When: noon, Machine: "m", Kernel: latency.Kernel{Release: "a"}}
	second := latency.Result{When: noon, Machine: "m", Kernel: latency.Kernel{Release: "b"}}
	for _, r := range []latency.Result{first, second} {
		kept, err := k.read()
		if err != nil {
			t.Fatal(err)
		}
		if place, err := k.keep(latency.Keep(kept, r)); err != nil || place != "in "+name {
			t.Fatalf("%q, %v", place, err)
		}
	}
	kept, err := k.read()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]latency.Result{first, second}, kept); diff != "" {
		t.Error(diff)
	}
	newer := first
	newer.When = noon.Add(time.Hour)
	if got := join(kept, []latency.Result{newer}); len(got) != 2 || !got[1].When.Equal(newer.When) {
		t.Errorf("a newer one: %v", got)
	}
	if got := join([]latency.Result{newer}, kept); len(got) != 2 || !got[0].When.Equal(newer.When) {
		t.Errorf("an older one: %v", got)
	}
	if err := os.WriteFile(name, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k.read(); err == nil {
		t.Error("a broken file was read")
	}
	if _, err := (keeper{name: filepath.Dir(name)}).read(); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := (&app{}).keeper(filepath.Join(name, "below", "file")); err == nil {
		t.Error("a file in no directory")
	}
	if place, err := (keeper{}).keep(kept); place != "" || err != nil {
		t.Errorf("%q, %v", place, err)
	}
}

func TestAboutMachine(t *testing.T) {
	f := &hwdetect.Facts{}
	f.Kernel.Release, f.Kernel.RealTime = hwdetect.Is("6.12-rt"), hwdetect.Is(true)
	f.Chassis.UUID = hwdetect.Is("a")
	now := time.Now()
	r := aboutMachine(f, now)
	if r.Kernel != (latency.Kernel{Release: "6.12-rt", Preemption: "PREEMPT_RT"}) || r.Guest != "" || now.Sub(r.When) > time.Second {
		t.Errorf("%+v", r)
	}
	f.Chassis.UUID, f.Virtual.Guest = hwdetect.Is("b"), hwdetect.Is(true)
	other := aboutMachine(f, now)
	if other.Machine == r.Machine || other.Guest != "a hypervisor" {
		t.Errorf("%+v", other)
	}
}

// measuredOnce is an installation that has measured.
func measuredOnce() *installation {
	i := &installation{}
	i.measured.result = &latency.Result{When: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC), Machine: "m", Seconds: 30, Wanted: 30,
		Kernel: latency.Kernel{Release: "6.12.117+deb13-rt-amd64", Preemption: "PREEMPT_RT"},
		Load:   latency.Load{Workers: 1, HashedBytes: 7 << 30, Wakes: 1234567, ReadFrom: "the medium", ReadBytes: 1 << 30},
		Cores:  []latency.Core{{CPU: 0, Counts: []int64{0, 100000, 49999}, Overruns: 1, Min: 1, Max: 512, Average: 1.3}}}
	stock := *i.measured.result
	stock.Kernel = latency.Kernel{Release: "6.12.117+deb13-amd64", Preemption: "PREEMPT_DYNAMIC, preempt=full"}
	other := stock
	other.Machine = "another"
	i.measured.kept = []latency.Result{stock, other}
	return i
}

// TestMeasuredConfiguration holds what a measurement leaves in a configuration,
// which stays the same to who evaluates it.
func TestMeasuredConfiguration(t *testing.T) {
	evaluate := func(comment []string) (text, means []byte) {
		t.Helper()
		a := answers.Default()
		a.Profile = "live-rig"
		text = plan.Configuration(a, "rig", plan.Base{System: &plan.System{Configuration: "live-rig"}, Comment: comment})
		file := filepath.Join(t.TempDir(), "configuration.jsonnet")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := config.Evaluate(t.Context(), file, config.EvalOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if means, err = json.Marshal(cfg); err != nil {
			t.Fatal(err)
		}
		return text, means
	}
	_, bare := evaluate(nil)
	text, means := evaluate(measuredOnce().measuredComment())
	if !bytes.Equal(bare, means) {
		t.Error("the comment means something")
	}
	want, err := os.ReadFile("testdata/measured.jsonnet")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("testdata/measured.jsonnet (-want +got):\n%s", diff)
	}
	failed := &installation{measured: measuring{failed: errors.New("cyclictest: exit status 1:\n*/ }\" + error 'x'"), when: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}}
	if text, means = evaluate(failed.measuredComment()); !bytes.Equal(bare, means) || !bytes.Contains(text, []byte("// Latency could not be measured 2026-12-01")) {
		t.Errorf("%s", text)
	}
}

func TestMeasuredFile(t *testing.T) {
	files := map[string][]byte{}
	i := measuredOnce()
	if err := i.addMeasured(files); err != nil {
		t.Fatal(err)
	}
	kept, err := latency.Decode(latency.FileName, files[latency.FileName])
	if err != nil || len(kept) != 2 || kept[0].Kernel != i.measured.kept[0].Kernel || kept[1].Kernel != i.measured.result.Kernel {
		t.Errorf("%v, %v", kept, err)
	}
	i.measured.result.Seconds = 8 // stopped
	files = map[string][]byte{}
	for _, i := range []*installation{i, {}} {
		if err := i.addMeasured(files); err != nil || len(files) != 0 {
			t.Errorf("%v, %v", files, err)
		}
	}
}

func TestMeasureAsked(t *testing.T) {
	i := &installation{}
	i.measureAsked(t.Context(), answers.Default(), failingWriter{t})
	if i.measuredComment() != nil {
		t.Error("nobody asked")
	}
}

// A failingWriter is not written to.
type failingWriter struct{ t *testing.T }

func (w failingWriter) Write(p []byte) (int, error) {
	w.t.Errorf("said %q", p)
	return 0, io.ErrClosedPipe
}

func TestIdleMicros(t *testing.T) {
	setting := advice.Setting{Option: "powerManagement.maxIdleLatency", Value: 50}
	if got := idleMicros(advice.Advice{Settings: []advice.Setting{{Option: "x", Value: 1}, setting}}); got == nil || *got != 50 {
		t.Errorf("%v", got)
	}
	setting.Offered = true
	if got := idleMicros(advice.Advice{Settings: []advice.Setting{setting}}); got != nil {
		t.Errorf("%d is offered alone", *got)
	}
}
