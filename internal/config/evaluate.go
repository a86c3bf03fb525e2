package config

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"reprise/internal/config/program"
	"reprise/internal/diag"
	"reprise/profiles"
)

// EvalOptions bound the evaluation. The zero value has the defaults.
type EvalOptions = program.Limits

// EvalMain is the evaluator's process; see program.Main. It must be among the
// first calls of main.
func EvalMain() { program.Main() }

// Evaluate turns a profile, the path of a file or the name of a shipped one,
// into a Config. Faults of the configuration are diag.Problems, all that can
// be told at once; other errors are faults of the machine (or ctx is done).
//
// The file's own program runs in a child process, see package program. Then its value
// is checked against Options, defaults are filled in, and modules turn options
// such as musnix.enable into what they stand for.
func Evaluate(ctx context.Context, profile string, opt EvalOptions) (*Config, error) {
	file, builtin, err := find(profile)
	if err != nil {
		return nil, err
	}
	answer, err := program.Run(ctx, file, builtin, opt)
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
		return program.BuiltinName(profile + ".jsonnet"), true, nil
	}
	p := diag.Problem{File: profile, Got: "is neither a file nor a profile that reprise ships",
		Want: "the path of a Jsonnet file, or one of " + strings.Join(names, ", ")}
	switch near := diag.Nearest(profile, names); {
	case statErr == nil:
		p.Got, p.Do = "is a directory", "name the Jsonnet file in it"
	case !errors.Is(statErr, os.ErrNotExist):
		p.Got, p.Do = "cannot be read: "+program.Reason(statErr), "check the path and its permissions"
	case len(near) > 0:
		p.Do = "write " + near[0]
	default:
		p.Do = "check the path"
	}
	return "", false, diag.Problems{p}
}
