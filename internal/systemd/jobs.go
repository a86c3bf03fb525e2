package systemd

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	godbus "github.com/godbus/dbus/v5"

	"reprise/internal/unitdiff"
)

// States of a Result beside those that the manager gives: "done", "canceled",
// "timeout", "failed", "dependency" and "skipped".
const (
	Done    = "done"
	Refused = "refused" // no job was made: Why says what the manager answered
	Failing = "failing" // the job was done, and then the unit failed
	Ongoing = "ongoing" // the job had not ended when the time was over; it goes on
)

// A Result is what became of a job.
type Result struct {
	unitdiff.Job
	State string
	Why   string   // of Refused
	Log   []string // the unit's last lines in the journal, when it did not go well
}

// OK reports whether the job did what it was for.
func (r Result) OK() bool { return r.State == Done || r.State == "skipped" }

func (r Result) String() string {
	text := fmt.Sprintf("%s %s: %s", r.Do, r.Unit, r.State)
	if r.Why != "" {
		text += ": " + r.Why
	}
	return text
}

// Wait is how long Run waits for jobs.
type Wait struct {
	Jobs   time.Duration // for all together; they go on after it
	Settle time.Duration // after the last one: a unit that fails by then has not gone well
}

// Run queues jobs all at once, so that the manager puts them in order, and
// waits for them. Results come in the order of the jobs. The error is of the
// connection or of ctx; results are those known by then.
func (m *Manager) Run(ctx context.Context, jobs []unitdiff.Job, wait Wait) ([]Result, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	began := time.Now()
	results := make([]Result, len(jobs))
	done := make([]chan string, len(jobs))
	for i, j := range jobs {
		results[i] = Result{Job: j, State: Ongoing}
		done[i] = make(chan string, 1) // the connection must never wait for us
		if err := m.queue(ctx, j, done[i]); err != nil {
			var refused godbus.Error
			if !errors.As(err, &refused) {
				return results, fmt.Errorf("%s %q: %w", j.Do, j.Unit, err)
			}
			results[i].State, results[i].Why = Refused, refused.Error()
			done[i] = nil
		}
	}
	over := time.NewTimer(wait.Jobs)
	defer over.Stop()
	late := false
	for i := range jobs {
		if done[i] == nil {
			continue
		}
		if late {
			select {
			case results[i].State = <-done[i]:
			default:
			}
			continue
		}
		select {
		case results[i].State = <-done[i]:
		case <-over.C:
			late = true
			select {
			case results[i].State = <-done[i]:
			default:
			}
		case <-ctx.Done():
			return results, fmt.Errorf("%s %q: %w", jobs[i].Do, jobs[i].Unit, ctx.Err())
		}
	}
	return results, m.look(ctx, results, began, wait.Settle)
}

// queue makes one job. A unit that failed before gets a new chance first: the
// manager counts how often it was started.
func (m *Manager) queue(ctx context.Context, j unitdiff.Job, done chan<- string) error {
	var err error
	switch j.Do {
	case unitdiff.Stop:
		_, err = m.bus.StopUnitContext(ctx, j.Unit, "replace", done)
	case unitdiff.Start, unitdiff.Restart:
		var answer godbus.Error
		if err := m.bus.ResetFailedUnitContext(ctx, j.Unit); err != nil && !errors.As(err, &answer) {
			return err // an answer says that it is not loaded yet, and starting loads it
		}
		if j.Do == unitdiff.Start {
			_, err = m.bus.StartUnitContext(ctx, j.Unit, "replace", done)
		} else {
			_, err = m.bus.RestartUnitContext(ctx, j.Unit, "replace", done)
		}
	case unitdiff.Reload:
		_, err = m.bus.ReloadUnitContext(ctx, j.Unit, "replace", done)
	default:
		return fmt.Errorf("%q is nothing that a manager does", j.Do)
	}
	return err
}

// look finds units that failed after their job was done, and fetches what those
// that did not go well said.
func (m *Manager) look(ctx context.Context, results []Result, began time.Time, settle time.Duration) error {
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return ctx.Err()
	}
	list, err := m.bus.ListUnitsContext(ctx)
	if err != nil {
		return fmt.Errorf("list units: %w", err)
	}
	failing := map[string]bool{}
	for _, s := range list {
		failing[s.Name] = s.ActiveState == "failed" || strings.HasPrefix(s.SubState, "auto-restart")
	}
	for i := range results {
		r := &results[i]
		if r.State == Done && r.Do != unitdiff.Stop && failing[r.Unit] {
			r.State = Failing
		}
		if r.OK() {
			continue
		}
		if r.Log, err = m.journal(ctx, r.Unit, began); err != nil {
			r.Log = []string{fmt.Sprintf("the journal cannot be read: %v", err)}
		}
	}
	return nil
}

// Journals are read by journalctl of the running system: their format has
// compression and hashes that only systemd's own library reads.
const (
	journalctl   = "/usr/bin/journalctl"
	journalLines = "10"
	journalTime  = 10 * time.Second
)

func journal(ctx context.Context, unit string, since time.Time) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, journalctl, "--quiet", "--no-pager", "--output=cat", "--lines="+journalLines,
		fmt.Sprintf("--since=@%d", since.Unix()), "--unit", unit).Output()
	if err != nil {
		return nil, fmt.Errorf("journalctl: %w", err)
	}
	return lines(string(out)), nil
}

// lines splits text that a unit wrote, without what a terminal would obey.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				return -1
			}
			return r
		}, strings.TrimSuffix(line, "\n"))
		if line != "" {
			all = append(all, line)
		}
	}
	return all
}
