package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"reprise/installer/latency"
	"reprise/internal/diag"
)

// latencyCore is late by twice its number and a little more.
func latencyCore(cpu, seconds int) latency.Core {
	late := 2*cpu + 1
	c := latency.Core{CPU: cpu, Counts: make([]int64, late+31), Min: late, Max: late + 30, Average: float64(late) + 0.4}
	c.Counts[late], c.Counts[late+1], c.Counts[late+30] = int64(3000*seconds), int64(1990*seconds), int64(10*seconds)
	return c
}

func measuredRig(seconds int) *latency.Result {
	r := &latency.Result{When: noon, Machine: "m", Kernel: latency.Kernel{Release: "6.12.117+deb13-rt-amd64", Preemption: "PREEMPT_RT"}, Seconds: seconds, Wanted: latency.Seconds,
		Load: latency.Load{Workers: 8, HashedBytes: int64(seconds) << 30, Wakes: int64(seconds) * 100_000, ReadFrom: "the medium", ReadBytes: int64(seconds) << 26}}
	for cpu := range 8 {
		r.Cores = append(r.Cores, latencyCore(cpu, seconds))
	}
	return r
}

func measuredStock() latency.Result {
	r := *measuredRig(30)
	r.When, r.Kernel = noon.Add(-time.Hour), latency.Kernel{Release: "6.12.117+deb13-amd64", Preemption: "PREEMPT_DYNAMIC, preempt=full"}
	r.Cores = []latency.Core{latencyCore(90, 30)}
	return r
}

// TestMeasureScreens holds a measurement on its way, its result and the screen
// that it was begun from.
func TestMeasureScreens(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		r := newRig(t, laptop)
		r.size(size[0], size[1])
		r.to(stepMachine)
		var b strings.Builder
		show := func(what string) {
			r.fits()
			fmt.Fprintf(&b, "==== %s\n%s", what, r.screen())
		}
		_, work := r.m.Update(key("m"))
		show("it begins")
		now := noon.Add(16 * time.Second)
		r.m.now = func() time.Time { return now }
		r.m.meter.watch(*measuredRig(15))
		r.m.Update(tickMsg{})
		show("half of it")
		r.do(work)
		r.want(askedMeasured)
		show("the result")
		r.press("end")
		show("its end")
		r.press("enter")
		r.want(stepMachine)
		show("the machine")
		golden(t, fmt.Sprintf("measure.%dx%d.txt", size[0], size[1]), b.String())
	}
}

// TestMeasureStops holds that Esc and Ctrl-C stop it, and that what there is
// then is shown.
func TestMeasureStops(t *testing.T) {
	for _, stop := range []string{"esc", "ctrl+c"} {
		for _, some := range []bool{false, true} {
			r := newRig(t, laptop)
			r.to(stepMachine)
			r.measure = func(ctx context.Context, profile string, _ func(latency.Result)) (Measured, error) {
				<-ctx.Done()
				if profile != "studio" {
					t.Errorf("measured for %q", profile)
				}
				found := Measured{}
				if some {
					found.Result = measuredRig(8)
				}
				return found, context.Cause(ctx)
			}
			_, work := r.m.Update(key("m"))
			r.press("enter", "m", "h", "down")
			r.shows("Measuring the latency", "Esc stop")
			r.press(stop)
			r.do(work)
			if some {
				r.want(askedMeasured)
				r.shows("8 s")
				r.press("esc")
			}
			r.want(stepMachine)
			if r.m.complain != "" {
				t.Errorf("%s: %s", stop, r.m.complain)
			}
			r.press("enter")
			r.want(stepProfile)
		}
	}
}

func TestMeasureFails(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepMachine)
	r.measure = func(context.Context, string, func(latency.Result)) (Measured, error) {
		return Measured{}, diag.Problem{Field: "the latency measurement", Got: "gets no real-time priority", Want: "a kernel that gives it", Do: "measure elsewhere"}
	}
	r.press("m")
	r.want(stepMachine)
	r.shows("gets no real-time priority", "want: a kernel that gives it")
	if r.m.s.Measured.Result != nil {
		t.Error("there is a result")
	}
	r.press("enter")
	r.want(stepProfile)
}

// TestMeasureIsOffered only where it can be done.
func TestMeasureIsOffered(t *testing.T) {
	r := newRig(t, laptop)
	r.m.s.Actions.Measure = nil
	bare := New(context.Background(), r.m.s.Options)
	for _, s := range bare.steps {
		if strings.Contains(s.keys, "measure") {
			t.Errorf("%s offers it", s.id)
		}
	}
	r.to(stepMachine)
	r.press("m")
	r.want(stepMachine)
	unseen := newRig(t, laptop)
	unseen.to(stepMachine)
	unseen.m.s.Facts = nil
	unseen.press("m")
	unseen.want(stepMachine)
	for _, id := range []string{stepWelcome, stepProfile, stepDisk, stepReview} {
		r := newRig(t, laptop)
		r.to(id)
		r.press("m")
		r.want(id)
	}
}

// TestMeasureTicks holds that the screen is drawn while it is measured, and no
// longer.
func TestMeasureTicks(t *testing.T) {
	r := newRig(t, laptop)
	r.to(stepMachine)
	_, work := r.m.Update(key("m"))
	_, again := r.m.Update(tickMsg{})
	if again == nil {
		t.Error("the screen stands still")
	}
	r.do(work)
	if _, again = r.m.Update(tickMsg{}); again != nil {
		t.Error("the screen is drawn on and on")
	}
	if _, ok := work().(tea.BatchMsg); !ok {
		t.Error("no batch")
	}
}

func TestTalkMeasures(t *testing.T) {
	r := newRig(t, laptop)
	transcript, _, err := talks(r, "", "german (ge", "de-latin1", "", "2", "7", "", "!", "3")
	if err != nil {
		t.Fatal(err)
	}
	_, transcript, _ = strings.Cut(transcript, "What now?")
	golden(t, "talk.measure.txt", "What now?"+transcript)
	r.measure = func(context.Context, string, func(latency.Result)) (Measured, error) {
		return Measured{}, errors.New("no cyclictest")
	}
	transcript, _, err = talks(r, "", "german (ge", "de-latin1", "", "2", "", "!", "3")
	if err != nil || !strings.Contains(transcript, "! no cyclictest\n") {
		t.Errorf("%v\n%s", err, transcript)
	}
}
