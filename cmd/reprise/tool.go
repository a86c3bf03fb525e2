package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reprise/internal/diag"
	"reprise/store/sandbox"
)

type toolFlags struct {
	packages []string
	binds    []string
	env      []string
	dir      string
	network  bool
	nests    bool
	identity bool
}

func (a *app) toolCommand() *cobra.Command {
	var f toolFlags
	c := &cobra.Command{
		Use:   "tool -p PACKAGE… -- PROGRAM [ARGUMENT…]",
		Short: "run a program of the archive in a sandbox",
		Long: `Run a program of Debian packages that this machine need not have: they are
fetched into the store with what they depend on and shown as a read-only root.
The program sees nothing of this machine but what --bind gives it. The exit
status is the program's.`,
		Example: "  reprise tool -p gdisk --bind live-rig.img:/img -- sgdisk -v /img",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runTool(cmd, args, f)
		},
	}
	c.Flags().StringSliceVarP(&f.packages, "package", "p", nil, "`packages` that hold the program")
	c.Flags().StringArrayVar(&f.binds, "bind", nil, "show `HERE:THERE[:rw|:dev]` to the program")
	c.Flags().StringArrayVar(&f.env, "env", nil, "`NAME=VALUE` for the program")
	c.Flags().StringVar(&f.dir, "dir", "/", "working `directory` of the program")
	c.Flags().BoolVar(&f.network, "network", false, "let the program use the network")
	c.Flags().BoolVar(&f.nests, "nests", false, "let the program make sandboxes of its own")
	c.Flags().BoolVar(&f.identity, "all-ids", false, "show all user ids, not just one; needs root")
	c.MarkFlagRequired("package")
	return c
}

func (a *app) runTool(cmd *cobra.Command, args []string, f toolFlags) error {
	ctx := cmd.Context()
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.store.Close()
	slices.Sort(f.packages)
	packages := slices.Compact(f.packages)
	root, err := s.archiveTools(ctx, toolSet(packages), packages...)
	if err != nil {
		return err
	}
	a.finished()
	a.finished = func() {}
	if !filepath.IsAbs(args[0]) {
		if args[0], err = root.Find(args[0]); err != nil {
			return err
		}
	}
	spec := root.Command(args...)
	spec.Env = append(spec.Env, f.env...)
	spec.Dir = f.dir
	spec.Network = f.network
	spec.AllIDs = f.identity
	spec.Nests = f.nests
	spec.Stdin, spec.Stdout, spec.Stderr = a.stdin, a.stdout, a.stderr
	for _, b := range f.binds {
		parts := strings.Split(b, ":")
		if len(parts) < 2 || len(parts) > 3 {
			return &usageError{fmt.Errorf("--bind %q: want HERE:THERE, or with :rw or :dev behind", b)}
		}
		source, err := filepath.Abs(parts[0])
		if err != nil {
			return err
		}
		if _, err := os.Stat(source); err != nil {
			return err
		}
		bind := sandbox.Bind{Source: source, Target: parts[1]}
		if len(parts) == 3 {
			bind.Writable, bind.Device = true, parts[2] == "dev"
		}
		spec.Binds = append(spec.Binds, bind)
	}
	err = sandbox.Run(ctx, spec)
	var status *sandbox.ExitError
	if errors.As(err, &status) {
		return &diag.Failure{Code: status.Code, Err: fmt.Errorf("%s: %w", args[0], err)}
	}
	return err
}

// toolSet names the set of the given packages; the name is a file name too.
func toolSet(packages []string) string {
	name := strings.Join(packages, "+")
	if len(name) > 100 {
		sum := sha256.Sum256([]byte(name))
		name = packages[0] + "+" + hex.EncodeToString(sum[:8])
	}
	return "tool/" + name
}
