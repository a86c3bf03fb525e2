package measure

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"reprise/internal/diag"
)

// TestMayMeasure holds that whoever may not is told all that helps, and that
// nothing of the try stays.
func TestMayMeasure(t *testing.T) {
	if err := MayMeasure(); err != nil {
		problem := diag.Problem{}
		if !errors.As(err, &problem) || problem.Got == "" || problem.Want == "" || problem.Do == "" {
			t.Errorf("%v", err)
		}
	}
	now, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if now.Policy == unix.SCHED_FIFO {
		t.Error("the priority has stayed")
	}
}
