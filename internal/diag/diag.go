// Package diag carries what went wrong to a person: where, what we saw, what
// is wanted, and what to do about it.
//
// A Problem is one fault of the input. Problems collects all faults of one
// input, because somebody who mends a file wants to mend it once. A Failure
// pairs any error with the exit code that scripts rely on.
package diag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Exit codes of the reprise command. They are part of its interface.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitConfig      = 3
	ExitStore       = 4
	ExitInterrupted = 130
)

// A Problem is one fault in an input, told so that its reader can mend it.
type Problem struct {
	File      string // as the user named it; "" when the input is no file
	Line, Col int    // 1-based; 0 when no exact place is known: never guessed
	Field     string // path of the option, such as "users.users.rig.uid"
	Got       string // what stands there, such as `is "big"`
	Want      string // what is wanted, such as "a whole number of MiB"
	Do        string // what to write or run
}

// Error prints the problem on two to three lines:
//
//	studio.jsonnet:7:7: disks[0].espMiB is "big"
//	  want: a whole number of MiB, 260 or more
//	  do:   write espMiB: 512
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Col > 0 {
				fmt.Fprintf(&b, ":%d", p.Col)
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(strings.TrimSpace(p.Field + " " + p.Got))
	if p.Want != "" {
		b.WriteString("\n  want: " + p.Want)
	}
	if p.Do != "" {
		b.WriteString("\n  do:   " + p.Do)
	}
	return b.String()
}

// Problems is every fault of one input. A nil or empty value is not an error:
// return it through Err.
type Problems []Problem

// Error prints every problem, one after the other.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns ps as an error sorted by place, or nil when it is empty.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	sorted := slices.Clone(ps)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return sorted
}

// A Failure is an error with the exit code it ends the command with.
type Failure struct {
	Code int
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Exit returns the exit code for err: that of the Failure in its chain, else
// ExitInterrupted for a cancelled context, ExitConfig for Problems and
// ExitFailed for the rest.
func Exit(err error) int {
	var failure *Failure
	var problems Problems
	var problem Problem
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &failure):
		return failure.Code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &problems), errors.As(err, &problem):
		return ExitConfig
	}
	return ExitFailed
}

// Nearest returns the known names that are close enough to name to be what
// its writer meant, nearest first, three at most. Distance is that of
// Damerau and Levenshtein (optimal string alignment).
func Nearest(name string, known []string) []string {
	type near struct {
		name     string
		distance int
	}
	limit := max(1, len(name)/3)
	var found []near
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= limit {
			found = append(found, near{k, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var names []string
	for _, f := range found[:min(3, len(found))] {
		names = append(names, f.name)
	}
	return names
}

func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
