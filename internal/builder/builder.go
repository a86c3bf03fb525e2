// Package builder is what derivations run: `reprise builder KIND`, with the
// derivation's environment. Of it, every kind reads
//
//	out           the store path to make
//	spec          what to make, JSON: inline, or the path of a file that holds it
//	NIX_BUILD_CORES  processors that may be used; 0 or none means all
//
// and the working directory, which is empty and writable. A kind depends on
// nothing else, so that the output does not either.
//
//	KIND      spec            makes
//	unpack    spec.Unpack     a package: files, DEBIAN/manifest, DEBIAN/* as data
//	effect    effect.Job      the layer of one effect
//	root      spec.Root       root.erofs and state.json: the view of all layers
//	program   spec.Program    the layer with usr/bin/reprise
//	initrd    spec.Initrd     initrd
//	system    spec.System     the system path
//	overlay   (none)          internal: a program in a root of layers, see effect/overlay
//
// A kind that fails says why on stderr, which is the derivation's log, and
// leaves whatever is half made at out to be removed by the caller.
package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"reprise/internal/diag"
	"reprise/internal/effect"
	"reprise/internal/effect/machine"
	"reprise/internal/effect/overlay"
	"reprise/store/storepath"
)

// A Build is one run of a kind.
type Build struct {
	Out   string // path to make
	Spec  []byte // JSON
	Work  string // empty directory for scratch files
	Cores int    // at least 1

	// Real gives the physical place of a store path; nil means the path itself.
	Real func(storepath.Path) string
}

// A Kind makes Build.Out.
type Kind func(context.Context, *Build) error

// Kinds are the kinds that Main knows, by name.
func Kinds() map[string]Kind {
	return map[string]Kind{
		"unpack":  Unpack,
		"effect":  RunEffect,
		"root":    Root,
		"program": plain(buildProgram),
		"initrd":  plain(buildInitrd),
		"system":  plain(buildSystem),
	}
}

// plain makes a Kind of a function that needs nothing but its spec.
func plain[S any](build func(context.Context, S, string) error) Kind {
	return func(ctx context.Context, b *Build) error {
		var s S
		if err := b.decode(&s); err != nil {
			return err
		}
		return build(ctx, s, b.Out)
	}
}

// Main is `reprise builder ARGS…`. It returns the exit status.
func Main(args []string) int {
	if slices.Equal(args, overlay.Argument[1:]) {
		return overlay.Main()
	}
	// A builder lives for a second; collecting its garbage at Go's default
	// pace cost a twentieth of a cold build. Live heaps stay below 60 MB.
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, args, os.Getenv); err != nil {
		fmt.Fprintf(os.Stderr, "reprise builder %s: %v\n", strings.Join(args, " "), err)
		return diag.Exit(err)
	}
	return diag.ExitDone
}

func run(ctx context.Context, args []string, getenv func(string) string) error {
	kinds := Kinds()
	if len(args) != 1 || kinds[args[0]] == nil {
		return &diag.Failure{Code: diag.ExitUsage, Err: errors.New("this command is run by derivations, never by hand")}
	}
	b := &Build{Out: getenv("out"), Cores: cores(getenv("NIX_BUILD_CORES"))}
	if !filepath.IsAbs(b.Out) {
		return fmt.Errorf("$out is %q, want an absolute path", b.Out)
	}
	var err error
	if b.Spec, err = readSpec(getenv("spec")); err != nil {
		return err
	}
	if b.Work, err = os.Getwd(); err != nil {
		return err
	}
	return kinds[args[0]](ctx, b)
}

func cores(s string) int {
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// mostSpec bounds a spec in a file, bytes: 1,000 layers are 0.2 MB.
const mostSpec = 256 << 20

func readSpec(s string) ([]byte, error) {
	if !strings.HasPrefix(s, "/") {
		return []byte(s), nil
	}
	info, err := os.Stat(s)
	if err != nil {
		return nil, fmt.Errorf("spec: %w", err)
	}
	if info.Size() > mostSpec {
		return nil, fmt.Errorf("spec %q has %d bytes, want %d at most", s, info.Size(), mostSpec)
	}
	return os.ReadFile(s)
}

// decode reads the spec into v, which must have a field for all that is in it.
func (b *Build) decode(v any) error {
	d := json.NewDecoder(bytes.NewReader(b.Spec))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	return nil
}

func (b *Build) real(p storepath.Path) string {
	if b.Real != nil {
		return b.Real(p)
	}
	return string(p)
}

// Effects are all effects there are, in the order in which their layers are
// merged.
func Effects() []effect.Effect {
	return slices.Concat(effect.All(), machine.All())
}
