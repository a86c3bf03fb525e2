package tui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"reprise/installer/latency"
)

// machine offers the measurement in plain lines.
func (t *talk) machine() error {
	const measure = "measure"
	what := ""
	f := field{kind: choice, label: "What now?", value: &what, options: []option{{value: "on", label: "Go on"}, {value: measure, label: fmt.Sprintf("Measure the latency, for %d seconds", latency.Seconds)}}}
	for {
		what = "on"
		if err := t.choose(f, f.options); err != nil || what != measure {
			return err
		}
		cmd := t.m.measure()
		if cmd == nil {
			t.say("! The machine was not looked at.\n")
			continue
		}
		work, ok := cmd().(tea.BatchMsg)
		if !ok {
			continue
		}
		t.m.Update(t.meter(work[0]))
		t.m.asked = ""
		if m := t.m; m.complain != "" {
			t.say("! %s\n", fit(ascii(m.complain), columns-2))
			m.complain = ""
			continue
		}
		if r := t.m.s.Measured; r.Result != nil {
			for _, s := range append(append(r.Result.Sentences(), r.Result.Words()...), latency.OtherSentences(r.Result, r.Kept)...) {
				t.say("%s", wrap(s, columns))
			}
		}
	}
}

// meter tells how far a measurement is, in lines.
func (t *talk) meter(work tea.Cmd) tea.Msg {
	end := make(chan tea.Msg, 1)
	go func() { end <- work() }()
	every := time.NewTicker(5 * time.Second)
	defer every.Stop()
	told := 0
	for {
		select {
		case msg := <-end:
			return msg
		case <-every.C:
			if r := t.m.meter.now(); r.Seconds > told {
				told = r.Seconds
				t.say("%d of %d seconds, the latest so far %d microseconds.\n", r.Seconds, r.Wanted, r.Total().Max)
			}
		}
	}
}
