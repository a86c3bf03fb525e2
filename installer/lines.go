package installer

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"reprise/installer/plan"
)

// linePrefix begins every line that a program reads.
const linePrefix = "reprise-install: "

// Lines reports steps as lines for a serial console:
//
//	reprise-install: step=copy-store status=done
func Lines(w io.Writer) func(plan.Name, Status) {
	var mu sync.Mutex
	return func(name plan.Name, s Status) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, linePrefix+"step=%s status=%s\n", name, s)
	}
}

// LastLine is what an installation without a person ends with:
//
//	reprise-install: done generation=1
//	reprise-install: failed step=copy-store reason=…
//
// step is the one that failed when err does not know it.
func LastLine(result *Result, step string, err error) string {
	if err == nil {
		return fmt.Sprintf(linePrefix+"done generation=%d\n", result.Generation)
	}
	failure := new(StepError)
	if errors.As(err, &failure) {
		step = string(failure.Step)
	} else {
		failure = &StepError{Err: err}
	}
	return fmt.Sprintf(linePrefix+"failed step=%s reason=%s\n", step, failure.Reason())
}
