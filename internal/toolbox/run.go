package toolbox

import (
	"context"
	"fmt"
	"strings"

	"reprise/store/sandbox"
)

// Run runs a program of a root, as Command describes it. Its error holds the
// end of what the program wrote to standard error, which goes nowhere else.
func Run(ctx context.Context, spec sandbox.Spec) error {
	var said tail
	spec.Stderr = &said
	err := sandbox.Run(ctx, spec)
	if err == nil {
		return nil
	}
	if text := strings.TrimSpace(string(said)); text != "" {
		return fmt.Errorf("%s: %w\n%s", spec.Argv[0], err, text)
	}
	return fmt.Errorf("%s: %w", spec.Argv[0], err)
}

// tail keeps the end of what is written to it.
type tail []byte

// tailBytes is enough for the last lines of any program we run.
const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if extra := len(*t) - tailBytes; extra > 0 {
		*t = append((*t)[:0], (*t)[extra:]...)
	}
	return len(p), nil
}
