package effect

import (
	"context"

	"reprise/store/storepath"
)

// A Command is one run of a program inside a Root.
type Command struct {
	Argv   []string // Argv[0] is an absolute path in the root
	Env    []string // the whole environment; nil means Environ()
	Dir    string   // working directory in the root; "" means "/"
	Stdin  []byte   // nil means empty
	Stdout string   // a file outside that receives it; "" means the build's log
}

// A Bind shows a directory of the builder's inside a Root, writable.
type Bind struct {
	Source string // outside, absolute
	Target string // inside, absolute
}

// A Root is a throw-away root file system made of layers. What programs change
// in it goes to memory and is gone with it, but for Collect.
type Root struct {
	Lower   []string // physical directories of layers; where two have a file the first wins
	Store   string   // physical directory that is seen at /nix/store; "" for none
	Work    string   // an empty directory to mount on
	Binds   []Bind
	Collect []string // directories of the root whose changed files are copied out
	Changes string   // where to, under the same names
}

// A Runner runs programs in roots, one after the other, and stops at the first
// that does not exit with status 0.
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

// Root prepares a root of the effect's tools and the named packages besides
// (of Env.Packages). Its Work and Changes are new directories in Env.Work.
func (e *Env) Root(names ...string) (*Root, error) {
	root := &Root{Store: e.storeDir()}
	for i := range e.Tools.Packages {
		root.Lower = append(root.Lower, e.Real(e.Tools.Packages[i].Path))
	}
	for _, name := range names {
		p := e.Packages.Get(name)
		if p == nil {
			return nil, e.notInput(name)
		}
		if e.Tools.Get(name) == nil {
			root.Lower = append(root.Lower, e.Real(p.Path))
		}
	}
	var err error
	if root.Work, err = e.mkdir("root"); err == nil {
		root.Changes, err = e.mkdir("changes")
	}
	return root, err
}

func (e *Env) storeDir() string {
	const probe = storepath.Dir + "/x"
	real := e.Real(probe)
	return real[:len(real)-len("/x")]
}
