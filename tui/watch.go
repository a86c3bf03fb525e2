package tui

import (
	"fmt"
	"sync"
	"time"

	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

// A watch is the Sink of an installation: it remembers what a screen shows. It
// is safe for concurrent use.
type watch struct {
	now func() time.Time

	mu    sync.Mutex
	began time.Time
	steps map[plan.Name]installer.Status
	tasks []*watched // unfinished, in the order of their start
	notes []string
}

// A watched is one task of a watch.
type watched struct {
	of          *watch
	name, about string
	unit        progress.Unit
	done, total int64
	began       time.Time
}

// maxNotes are the last ones that are kept.
const maxNotes = 3

func newWatch(now func() time.Time) *watch {
	return &watch{now: now, began: now(), steps: map[plan.Name]installer.Status{}}
}

// report is told by Run what begins and ends.
func (w *watch) report(name plan.Name, s installer.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps[name] = s
}

func (w *watch) Note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
	w.notes = w.notes[max(0, len(w.notes)-maxNotes):]
}

func (w *watch) Start(name string, unit progress.Unit, total int64) progress.Task {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &watched{of: w, name: name, unit: unit, total: total, began: w.now()}
	w.tasks = append(w.tasks, t)
	return t
}

func (t *watched) Add(n int64) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.done += n
}

func (t *watched) SetTotal(total int64) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.total = total
}

func (t *watched) Detail(text string) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.about = text
}

func (t *watched) Done(error) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	for i, o := range t.of.tasks {
		if o == t {
			t.of.tasks = append(t.of.tasks[:i], t.of.tasks[i+1:]...)
			return
		}
	}
}

// A snapshot is how far an installation is at one moment.
type snapshot struct {
	elapsed time.Duration
	steps   map[plan.Name]installer.Status
	notes   []string

	task, about string // "" when nothing says what it does
	unit        progress.Unit
	done, total int64 // total is 0 when it is not known
	running     time.Duration
}

func (w *watch) snapshot() snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	s := snapshot{elapsed: now.Sub(w.began), steps: map[plan.Name]installer.Status{}, notes: append([]string(nil), w.notes...)}
	for name, status := range w.steps {
		s.steps[name] = status
	}
	if len(w.tasks) > 0 {
		t := w.tasks[len(w.tasks)-1]
		s.task, s.about, s.unit, s.done, s.total, s.running = t.name, t.about, t.unit, t.done, t.total, now.Sub(t.began)
	}
	return s
}

// rate is in units a second; 0 when it is too early to say.
func (s snapshot) rate() float64 {
	if s.running < time.Second {
		return 0
	}
	return float64(s.done) / s.running.Seconds()
}

// left says how long the task will still take. ok is false when that is not
// known.
func (s snapshot) left() (left time.Duration, ok bool) {
	rate := s.rate()
	if rate == 0 || s.total <= 0 || s.done > s.total {
		return 0, false
	}
	return time.Duration(float64(s.total-s.done) / rate * float64(time.Second)), true
}
