package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"reprise/installer/latency"
)

// Measured is a measurement, and what other kernels of the machine had before.
type Measured struct {
	Result *latency.Result // nil when nothing was measured
	Kept   []latency.Result
}

// A meter remembers how far a measurement is. It is safe for concurrent use.
type meter struct {
	began time.Time
	mu    sync.Mutex
	far   latency.Result
}

func (m *meter) watch(r latency.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.far = r
}

func (m *meter) now() latency.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.far
}

type measuredMsg struct {
	found Measured
	err   error
}

// askedMeasured is a result on top of the machine.
const askedMeasured = "measured"

// measureKeys offers the measurement on the screen of the machine.
const measureKeys = "   m measure latency"

// offerMeasure adds the key to the steps where there is such an action.
func offerMeasure(steps []step, a Actions) []step {
	for i := range steps {
		if steps[i].id == stepMachine && a.Measure != nil {
			steps[i].keys += measureKeys
		}
	}
	return steps
}

// measure begins to measure; it is shown like an installation.
func (m *Model) measure() tea.Cmd {
	if m.s.Actions.Measure == nil || m.s.Facts == nil || m.looking {
		return nil
	}
	ctx, stop := context.WithCancel(m.ctx)
	m.stop, m.meter, m.mode, m.complain = stop, &meter{began: m.now()}, measuring, ""
	m.metered = latency.Result{}
	do, profile, watch := m.s.Actions.Measure, m.s.Said.Profile, m.meter.watch
	return tea.Batch(func() tea.Msg {
		defer stop()
		if !m.work.enter() {
			return measuredMsg{err: context.Canceled}
		}
		defer m.work.inside.Done()
		found, err := do(ctx, profile, watch)
		return measuredMsg{found, err}
	}, tea.Tick(tick, func(time.Time) tea.Msg { return tickMsg{} }))
}

// measured is called when it has ended, or was stopped.
func (m *Model) measured(msg measuredMsg) {
	m.mode = asking
	if msg.err != nil && !errors.Is(msg.err, context.Canceled) {
		m.complain = msg.err.Error()
	}
	if msg.found.Result != nil {
		m.s.Measured = msg.found
		m.ask(askedMeasured, "")
	}
}

// measuredStep shows the result.
func measuredStep() step {
	return step{id: askedMeasured, title: "Latency", text: func(s *Session, width int) string {
		return s.Measured.Result.Text(s.Measured.Kept, width)
	}}
}

// measuredText is what the screen of the machine says of it.
func measuredText(s *Session, width int) string {
	switch {
	case s.Actions.Measure == nil:
		return ""
	case s.Measured.Result == nil:
		return wrap(fmt.Sprintf("How late this machine comes can be measured here in %d seconds: the result goes into configuration.jsonnet as a comment.", latency.Seconds), width) + "\n"
	}
	r := s.Measured.Result
	text := fmt.Sprintf("Measured for %d seconds with kernel %s", r.Seconds, r.Kernel)
	if v, ok := r.Judge(); ok {
		text += fmt.Sprintf(": the latest wake-up came %d us late", v.Latest)
		if v.Quantum > 0 {
			text += fmt.Sprintf("; %d frames look safe", v.Quantum)
		}
	}
	if r.Guest != "" {
		text += ". In a virtual machine that means little"
	}
	return wrap(text+".", width) + "\n"
}

// measuringText shows a measurement on its way.
func (m *Model) measuringText(width, height int) string {
	var b strings.Builder
	b.WriteString(wrap("The machine is kept busy meanwhile, and nothing is written to its disks.", width))
	elapsed := min(max(m.now().Sub(m.meter.began), 0), latency.Seconds*time.Second)
	far := snapshot{done: int64(elapsed / time.Second), total: latency.Seconds}
	b.WriteString(fmt.Sprintf("%s  %d of %d s, %s left\n\n", bar(far, min(30, width/3)), far.done, far.total, clock(latency.Seconds*time.Second-elapsed)))
	rest := height - strings.Count(b.String(), "\n")
	histogram := m.metered.Histogram(width, rest-1-min(len(m.metered.Cores)+1, 6))
	b.WriteString(histogram + "\n" + m.metered.Table(rest-strings.Count(histogram, "\n")-1))
	return b.String()
}
