// Package progress tells a person, a log or a program how far the work is.
// Work reports to a Sink and never prints. A terminal gets one live line per
// task with bytes, rate and time left; a pipe gets one line at the start and
// one at the end of each task; --json gets one object a line.
package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Unit is what a task counts.
type Unit string

const (
	Bytes Unit = "bytes"
	Items Unit = "items" // packages, derivations, files
)

// A Sink takes reports of work. It is safe for concurrent use.
type Sink interface {
	// Start begins a task. total is 0 while it is not known.
	Start(name string, unit Unit, total int64) Task
	// Note tells something worth knowing that is no task, on one line.
	Note(format string, args ...any)
}

// A Task is one piece of work on its way. It is safe for concurrent use.
// Done must be called once, with the error that ended the work or nil.
type Task interface {
	Add(n int64)
	SetTotal(total int64)
	Detail(text string) // what is being worked on now
	Done(err error)
}

// Discard is the Sink for callers that want no reports.
var Discard Sink = discard{}

type discard struct{}

func (discard) Start(string, Unit, int64) Task { return discard{} }
func (discard) Note(string, ...any)            {}
func (discard) Add(int64)                      {}
func (discard) SetTotal(int64)                 {}
func (discard) Detail(string)                  {}
func (discard) Done(error)                     {}

// Reader counts what is read through it to task.
func Reader(r io.Reader, task Task) io.Reader { return &reader{r, task} }

type reader struct {
	io.Reader
	task Task
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.task.Add(int64(n))
	return n, err
}

// tally is the state that the plain and JSON tasks share.
type tally struct {
	mu          sync.Mutex
	name        string
	unit        Unit
	done, total int64
	started     time.Time
}

func (t *tally) Add(n int64)          { t.mu.Lock(); t.done += n; t.mu.Unlock() }
func (t *tally) SetTotal(total int64) { t.mu.Lock(); t.total = total; t.mu.Unlock() }
func (t *tally) Detail(string)        {}

func (t *tally) amount() string {
	if t.unit == Bytes {
		return humanize.IBytes(uint64(t.done))
	}
	return humanize.Comma(t.done)
}

// Plain returns a Sink that writes a line at the start and the end of a task.
func Plain(w io.Writer) Sink { return &plain{w: w} }

type plain struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *plain) Note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *plain) Start(name string, unit Unit, total int64) Task {
	t := &plainTask{tally{name: name, unit: unit, total: total, started: time.Now()}, p}
	if total > 0 {
		size := humanize.Comma(total)
		if unit == Bytes {
			size = humanize.IBytes(uint64(total))
		}
		p.Note("%s: %s", name, size)
	} else {
		p.Note("%s", name)
	}
	return t
}

type plainTask struct {
	tally
	sink *plain
}

func (t *plainTask) Done(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := time.Since(t.started).Round(10 * time.Millisecond)
	if err != nil {
		t.sink.Note("%s: stopped after %s", t.name, took) // whoever started the task tells why
		return
	}
	if t.done == 0 {
		t.sink.Note("%s: done in %s", t.name, took)
		return
	}
	t.sink.Note("%s: done, %s in %s", t.name, t.amount(), took)
}

// JSON returns a Sink that writes one object a line: an "event" of "start",
// "progress" (twice a second at most for each task), "done", "failed" or
// "note".
func JSON(w io.Writer) Sink { return &jsonSink{encoder: json.NewEncoder(w)} }

type jsonSink struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

type event struct {
	Event   string  `json:"event"`
	Task    string  `json:"task,omitempty"`
	Unit    Unit    `json:"unit,omitempty"`
	Done    int64   `json:"done,omitempty"`
	Total   int64   `json:"total,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	Text    string  `json:"text,omitempty"`
}

func (s *jsonSink) emit(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.encoder.Encode(e)
}

func (s *jsonSink) Note(format string, args ...any) {
	s.emit(event{Event: "note", Text: fmt.Sprintf(format, args...)})
}

func (s *jsonSink) Start(name string, unit Unit, total int64) Task {
	s.emit(event{Event: "start", Task: name, Unit: unit, Total: total})
	return &jsonTask{tally: tally{name: name, unit: unit, total: total, started: time.Now()}, sink: s}
}

type jsonTask struct {
	tally
	sink *jsonSink
	last time.Time
}

func (t *jsonTask) event(kind string) event {
	return event{kind, t.name, t.unit, t.done, t.total, time.Since(t.started).Seconds(), ""}
}

func (t *jsonTask) Add(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += n
	if now := time.Now(); now.Sub(t.last) > 500*time.Millisecond {
		t.last = now
		t.sink.emit(t.event("progress"))
	}
}

func (t *jsonTask) Done(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.event("done")
	if err != nil {
		e.Event, e.Text = "failed", err.Error()
	}
	t.sink.emit(e)
}

// Terminal returns a Sink that draws live lines on w, and the function that
// must be called before anything else writes to the terminal again.
func Terminal(w io.Writer) (Sink, func()) {
	s := &terminal{pool: mpb.New(mpb.WithOutput(w), mpb.WithWidth(24), mpb.WithAutoRefresh())}
	return s, s.pool.Shutdown
}

type terminal struct{ pool *mpb.Progress }

func (s *terminal) Note(format string, args ...any) {
	fmt.Fprintf(s.pool, format+"\n", args...)
}

func (s *terminal) Start(name string, unit Unit, total int64) Task {
	t := &terminalTask{sink: s, name: name}
	counters := decor.CountersNoUnit("%d/%d")
	decorators := []decor.Decorator{counters}
	if unit == Bytes {
		decorators = []decor.Decorator{
			decor.CountersKibiByte("% .1f / % .1f"),
			decor.AverageSpeed(decor.SizeB1024(0), "  % .1f"),
			decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace),
		}
	}
	decorators = append(decorators, decor.Any(func(decor.Statistics) string { return "  " + t.detailed() }))
	t.bar = s.pool.AddBar(total, mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decorators...), mpb.BarRemoveOnComplete())
	return t
}

type terminalTask struct {
	sink   *terminal
	name   string
	bar    *mpb.Bar
	mu     sync.Mutex
	detail string
}

func (t *terminalTask) detailed() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.detail) > 30 {
		return t.detail[:29] + "…"
	}
	return t.detail
}

func (t *terminalTask) Add(n int64)          { t.bar.IncrInt64(n) }
func (t *terminalTask) SetTotal(total int64) { t.bar.SetTotal(total, false) }
func (t *terminalTask) Detail(text string)   { t.mu.Lock(); t.detail = text; t.mu.Unlock() }

func (t *terminalTask) Done(err error) {
	if err != nil {
		t.bar.Abort(true)
		return
	}
	t.bar.SetTotal(-1, true)
}
