package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"reprise/internal/diag"
	"reprise/profiles"
)

// EvalOptions bound the evaluation. The zero value has the defaults.
type EvalOptions struct {
	Timeout     time.Duration // wall and processor time; 0 = DefaultTimeout
	MemoryBytes int64         // 0 = DefaultMemoryBytes
}

// Defaults of EvalOptions. Our profiles take a hundredth of either.
const (
	DefaultTimeout           = 10 * time.Second
	DefaultMemoryBytes int64 = 1 << 30
)

// Evaluate turns a profile, the path of a file or the name of a shipped one,
// into a Config. Faults of the configuration are diag.Problems, all that can
// be told at once; other errors are faults of the machine (or ctx is done).
//
// The file's own program runs in a child process, see EvalMain. Then its value
// is checked against Options, defaults are filled in, and modules turn options
// such as musnix.enable into what they stand for.
func Evaluate(ctx context.Context, profile string, opt EvalOptions) (*Config, error) {
	file, builtin, err := find(profile)
	if err != nil {
		return nil, err
	}
	answer, err := askChild(ctx, file, builtin, opt)
	if err != nil {
		return nil, err
	}
	return build(file, answer)
}

// Profiles returns the names of the profiles that reprise ships, sorted.
func Profiles() []string { return profiles.Names() }

// find tells what a profile argument means: a file, or a shipped profile.
func find(profile string) (file string, builtin bool, err error) {
	info, statErr := os.Stat(profile)
	if statErr == nil && !info.IsDir() {
		return profile, false, nil
	}
	names := profiles.Names()
	if slices.Contains(names, profile) {
		return builtinName(profile + ".jsonnet"), true, nil
	}
	p := diag.Problem{File: profile, Got: "is neither a file nor a profile that reprise ships",
		Want: "the path of a Jsonnet file, or one of " + strings.Join(names, ", ")}
	switch near := diag.Nearest(profile, names); {
	case statErr == nil:
		p.Got, p.Do = "is a directory", "name the Jsonnet file in it"
	case !errors.Is(statErr, os.ErrNotExist):
		p.Got, p.Do = "cannot be read: "+reason(statErr), "check the path and its permissions"
	case len(near) > 0:
		p.Do = "write " + near[0]
	default:
		p.Do = "check the path"
	}
	return "", false, diag.Problems{p}
}

// askChild runs the evaluator and tells its death as a problem of the file.
func askChild(ctx context.Context, file string, builtin bool, opt EvalOptions) (*response, error) {
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
		var answer response
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
