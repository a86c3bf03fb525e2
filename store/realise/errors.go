package realise

import (
	"encoding/hex"
	"fmt"
	"strings"

	"reprise/store/storepath"
)

// A BuildError is a build that did not succeed.
type BuildError struct {
	Name string         // of the derivation
	Drv  storepath.Path // its file; "" while its output is being learnt
	Err  error          // how the builder ended, or what is wrong with its output
	Tail []string       // the last lines of its log, 20 at most
	Log  string         // where the whole log is, "" when there is none
	Kept string         // where its working directory is, "" when it is gone
}

func (e *BuildError) Unwrap() error { return e.Err }

func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "build %s: %v", e.Name, e.Err)
	if len(e.Tail) > 0 {
		fmt.Fprintf(&b, "\n  last lines of its log:")
		for _, line := range e.Tail {
			fmt.Fprintf(&b, "\n    %s", line)
		}
	}
	if e.Log != "" {
		fmt.Fprintf(&b, "\n  log:  %s", e.Log)
	}
	if e.Kept != "" {
		fmt.Fprintf(&b, "\n  kept: %s", e.Kept)
	}
	return b.String()
}

// A HashMismatch is a fixed output with other content than its derivation
// says.
type HashMismatch struct {
	Name      string
	Recursive bool // the hashes are of the NAR, else of the file
	Want, Got [32]byte
}

func (e *HashMismatch) Error() string {
	of := "file"
	if e.Recursive {
		of = "NAR"
	}
	return fmt.Sprintf("output of %s has %s hash sha256:%s (%s), its derivation says sha256:%s (%s)",
		e.Name, of, storepath.EncodeBase32(e.Got[:]), hex.EncodeToString(e.Got[:]),
		storepath.EncodeBase32(e.Want[:]), hex.EncodeToString(e.Want[:]))
}
