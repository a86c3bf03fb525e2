package program

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/diag"
)

// childVerb is the first argument that turns the program into the evaluator.
const childVerb = "eval-config"

// Bounds of the child that need no option. maxStackBytes is far below what
// RLIMIT_DATA leaves, so that endless recursion is told from hunger.
const (
	maxStackBytes    = 64 << 20
	maxOutputBytes   = 8 << 20
	maxProblems      = 40
	maxDepth         = 12  // levels below which a failing value is not taken apart; options have 7
	maxCallsDeep     = 500 // go-jsonnet's own default
	exitChildProblem = 7   // the child could not even start
	exitMemory       = 8   // the child saw that its memory runs out
)

// request is what the parent asks, on the child's standard input.
type request struct {
	File        string `json:"file"`    // as the user named it, or the shown name of a built-in profile
	Builtin     bool   `json:"builtin"` // File is in the binary
	MemoryBytes int64  `json:"memoryBytes"`
	CPUSeconds  int64  `json:"cpuSeconds"`
}

// Answer is what the child answers, on its standard output.
type Answer struct {
	Value  json.RawMessage  `json:"value,omitempty"` // object; parts that failed are left out
	Places map[string]Place `json:"places,omitempty"`
	Failed []string         `json:"failed,omitempty"` // paths of the parts left out
	// Files are what was read of the configuration's directory, itself first:
	// relative to it and clean. A profile that we ship has none.
	Files    []string      `json:"files,omitempty"`
	Problems diag.Problems `json:"problems,omitempty"`
}

// Main is the evaluator's process: when the program was started as
// `reprise eval-config` it evaluates the configuration named on standard input
// and exits; otherwise it returns at once. It must be among the first calls of
// main, and of TestMain where tests evaluate.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != childVerb {
		return
	}
	if err := evalMain(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitChildProblem)
	}
	os.Exit(0)
}

func evalMain(stdin, stdout *os.File) error {
	var req request
	if err := json.NewDecoder(stdin).Decode(&req); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if err := bound(req); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(evaluate(req))
}

// bound lays the limits on this process. Go reserves far more address space
// than it uses, so RLIMIT_AS would hit the innocent; RLIMIT_DATA counts what is
// mapped writable, which is what the heap and the stacks have grown to.
// Source: Linux mm/mmap.c, may_expand_vm; Go runtime, malloc.go.
//
// At that wall the Go runtime dies in many ways, some of them unreadable, so
// the process watches itself and ends a little before it, with a code of its
// own.
func bound(req request) error {
	go watchMemory(uint64(req.MemoryBytes) / 4 * 3)
	debug.SetMaxStack(maxStackBytes)
	debug.SetMemoryLimit(req.MemoryBytes / 2) // collect harder before the wall is reached
	for _, limit := range []struct {
		resource int
		max      uint64
	}{
		{unix.RLIMIT_DATA, uint64(req.MemoryBytes)},
		{unix.RLIMIT_CPU, uint64(req.CPUSeconds)},
		{unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.max, Max: limit.max}); err != nil {
			return fmt.Errorf("set resource limit %d to %d: %w", limit.resource, limit.max, err)
		}
	}
	return nil
}

// watchMemory ends the process when it has mapped more than limit bytes.
func watchMemory(limit uint64) {
	total := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	for {
		if metrics.Read(total); total[0].Value.Uint64() > limit {
			os.Exit(exitMemory)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
