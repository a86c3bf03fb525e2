package installer

import (
	"context"
	"errors"
	"strings"
	"testing"

	"reprise/installer/plan"
	"reprise/internal/progress"
)

// TestCorruptMedium checks the medium of itself, before anything is written.
func TestCorruptMedium(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	target := w.target(t, p)
	before := content(t, target)
	job := w.job(p, target)
	job.Check = func(context.Context, progress.Sink) error {
		return errors.New("1 of its 9 files are not what was written: reprise/store.squashfs")
	}
	_, err := job.Run(t.Context())
	var step *StepError
	if !errors.As(err, &step) || step.Step != plan.CheckMedium || !strings.Contains(err.Error(), "store.squashfs") || !strings.Contains(step.Do, "write the image to the stick again") {
		t.Errorf("%v", err)
	}
	if before != content(t, target) || len(target.pending) > 0 {
		t.Error("something was written")
	}
	// It is checked again after a rerun: the stick may be another one.
	checked := 0
	for range 2 {
		job = w.job(p, target)
		job.Check = func(context.Context, progress.Sink) error { checked++; return nil }
		job.Again = true
		if _, err := job.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if checked != 2 {
		t.Errorf("the medium was checked %d times in two installations", checked)
	}
}
