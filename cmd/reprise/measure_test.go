package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/installer/latency"
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
