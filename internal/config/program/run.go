package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"reprise/internal/diag"
)

// Limits bound an evaluation. The zero value has the defaults.
type Limits struct {
	Timeout     time.Duration // wall and processor time; 0 = DefaultTimeout
	MemoryBytes int64         // 0 = DefaultMemoryBytes
}

// Defaults of Limits. Our profiles take a hundredth of either.
const (
	DefaultTimeout           = 10 * time.Second
	DefaultMemoryBytes int64 = 1 << 30
)

// Run evaluates the program in file, or the shipped one of that name, in a child
// process. Faults of the program are problems in the Answer; when the child dies
// of one, the error is diag.Problems. Other errors are faults of the machine, or
// ctx is done.
func Run(ctx context.Context, file string, builtin bool, opt Limits) (*Answer, error) {
	if opt.Timeout <= 0 {
		opt.Timeout = DefaultTimeout
	}
	if opt.MemoryBytes <= 0 {
		opt.MemoryBytes = DefaultMemoryBytes
	}
	req, err := json.Marshal(request{
		File: file, Builtin: builtin, MemoryBytes: opt.MemoryBytes,
		CPUSeconds: int64((opt.Timeout + time.Second - 1) / time.Second),
	})
	if err != nil {
		return nil, fmt.Errorf("encode the evaluator's request: %w", err)
	}
	bounded, cancel := context.WithTimeout(ctx, opt.Timeout)
	defer cancel()
	cmd := exec.CommandContext(bounded, "/proc/self/exe", childVerb)
	cmd.Args[0] = "reprise"
	cmd.Env = []string{"GOTRACEBACK=none"} // nothing of the user's environment is an input
	cmd.Stdin = bytes.NewReader(req)
	stdout, stderr := &keep{max: maxOutputBytes}, &keep{max: 4096}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	runErr := cmd.Run()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	death := diag.Problem{File: file}
	switch {
	case stdout.over:
		death = tooLong(file)
	case runErr == nil:
		var answer Answer
		if err := json.Unmarshal(stdout.data, &answer); err != nil {
			return nil, fmt.Errorf("read the evaluator's answer: %w", err)
		}
		return &answer, nil
	case bounded.Err() != nil || killed(cmd, syscall.SIGKILL) || killed(cmd, syscall.SIGXCPU):
		death.Got = fmt.Sprintf("is still being evaluated after %v", opt.Timeout)
		death.Want, death.Do = "a computation that ends", "look for a recursion without end, or for a list or string that grows"
	case bytes.Contains(stderr.data, []byte("stack overflow")), bytes.Contains(stderr.data, []byte("stack exceeds")):
		death.Got = "calls itself without end, or nests without end"
		death.Want, death.Do = "a computation that ends", "look for a function that calls itself (tailstrict?), or for very deep nesting"
	case outOfMemory(cmd, stderr.data, opt.MemoryBytes):
		death.Got = fmt.Sprintf("needs more than %d MiB of memory to evaluate", opt.MemoryBytes>>20)
		death.Want, death.Do = "a configuration that fits", "look for a list or string that grows without end"
	default:
		return nil, fmt.Errorf("evaluate %q: %w: %s", file, runErr, bytes.TrimSpace(stderr.data))
	}
	return nil, diag.Problems{death}
}

func killed(cmd *exec.Cmd, signal syscall.Signal) bool {
	if cmd.ProcessState == nil {
		return false
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == signal
}

// outOfMemory knows the evaluator's own exit code, the Go runtime's last words
// when the kernel refuses memory, and, for a runtime that dies without words,
// how much the process had.
func outOfMemory(cmd *exec.Cmd, stderr []byte, limit int64) bool {
	if cmd.ProcessState == nil {
		return false
	}
	if cmd.ProcessState.ExitCode() == exitMemory {
		return true
	}
	for _, words := range []string{"out of memory", "cannot allocate memory", "failed to create new OS thread", "pthread_create failed"} {
		if bytes.Contains(stderr, []byte(words)) {
			return true
		}
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return ok && usage.Maxrss<<10 > limit/3
}

// keep holds the first max bytes written to it and takes the rest in silence.
type keep struct {
	data []byte
	max  int
	over bool
}

func (k *keep) Write(p []byte) (int, error) {
	room := k.max - len(k.data)
	if room < len(p) {
		k.over = true
		k.data = append(k.data, p[:room]...)
		return len(p), nil
	}
	k.data = append(k.data, p...)
	return len(p), nil
}
