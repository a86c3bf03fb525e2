package tui

import (
	"context"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

// proceed leaves a step whose fields are right.
func (m *Model) proceed() tea.Cmd {
	p := m.steps[m.at]
	if p.id == stepConfirm {
		return m.run()
	}
	if p.id == stepDisk && m.s.Facts == nil && !m.looking {
		m.complain = "The machine was not looked at: press r."
		return nil
	}
	if p.leave == nil {
		m.at++
		return nil
	}
	m.gone = false
	if m.looking {
		m.mode, m.leaving = waiting, true
		return nil
	}
	do := p.leave(m.s)
	if do == nil {
		m.at++
		return nil
	}
	m.mode = waiting
	ctx, stop := context.WithCancel(m.ctx)
	m.stop = stop
	return func() tea.Msg {
		defer stop()
		after, complaint := do(ctx)
		return leftMsg{after, complaint}
	}
}

// left is called when what a step wanted to know is known.
func (m *Model) left(msg leftMsg) {
	m.mode = asking
	if m.gone {
		m.gone = false
		return
	}
	if msg.after != nil {
		msg.after(m.s)
	}
	m.complain = msg.complaint
	if msg.complaint == "" {
		m.at++
	}
}

// run carries the plan out. It is called from the step of the consent, and to
// go on after a failure.
func (m *Model) run() tea.Cmd {
	s := m.s
	order := Order{Plan: s.Plan, Files: s.Files}
	if s.Plan.LUKS != nil {
		order.Passphrase = []byte(s.Said.Passphrase)
	}
	ctx, stop := context.WithCancel(m.ctx)
	m.stop, m.watch, m.mode = stop, newWatch(m.now), running
	m.far, m.err, m.reported, m.complain = m.watch.snapshot(), nil, "", ""
	do, sink := s.Actions.Run, m.watch
	return tea.Batch(func() tea.Msg {
		defer stop()
		if !m.work.enter() {
			return ranMsg{nil, context.Canceled}
		}
		defer m.work.inside.Done()
		result, err := do(ctx, order, sink, sink.report)
		return ranMsg{result, err}
	}, tea.Tick(tick, func(time.Time) tea.Msg { return tickMsg{} }))
}

func (m *Model) ran(msg ranMsg) {
	m.far = m.watch.snapshot()
	m.result, m.err, m.asked = msg.result, msg.err, ""
	m.mode = finished
	if msg.err != nil {
		m.mode = failed
	}
	delete(m.forms, "done")
	delete(m.forms, "failed")
	m.propose()
}

// A gate lets work in until it is closed, and then waits for what is inside.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside.Add(1)
	}
	return !g.closed
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}
