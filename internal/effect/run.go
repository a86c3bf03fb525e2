package effect

import (
	"context"
	"io"
)

// A Command is one run of a program inside a Root.
type Command struct {
	Argv   []string // Argv[0] is an absolute path in the root
	Env    []string // the whole environment; nil means Environ()
	Dir    string   // working directory in the root; "" means "/"
	Stdin  io.Reader
	Stdout io.Writer // nil discards
	Stderr io.Writer // nil means os.Stderr: the build's log
}

// A Root is a throw-away root file system made of packages: what they have,
// merged, read-only beneath and an upper directory that takes every change.
type Root struct {
	Lower []string // physical directories of layers, the first wins
	Upper string   // empty or prepared directory; holds the changes afterwards
}

// A Runner runs programs in roots.
type Runner interface {
	Run(ctx context.Context, root *Root, commands ...Command) error
}

// Environ is the environment of programs in a root: it says nothing of the
// machine that builds.
func Environ() []string {
	return []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/nonexistent",
		"LC_ALL=C.UTF-8",
		"TZ=UTC",
		"SOURCE_DATE_EPOCH=1",
		"PYTHONHASHSEED=0",
	}
}
