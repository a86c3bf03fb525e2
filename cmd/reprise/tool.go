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
	where    bool
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
status is the program's; 128 and the signal's number when a signal ended it.
With --json all that the program writes goes to standard error.`,
		Example: "  reprise tool -p gdisk --bind live-rig.img:/img -- sgdisk -v /img",
		Args: func(cmd *cobra.Command, args []string) error {
			if f.where {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runTool(cmd, args, f)
		},
	}
	c.Flags().StringSliceVarP(&f.packages, "package", "p", nil, "`packages` that hold the program")
	c.Flags().StringArrayVar(&f.binds, "bind", nil, "show `HERE:THERE[:rw|:dev]` to the program")
	c.Flags().StringArrayVar(&f.env, "env", nil, "`NAME=VALUE` for the program")
	c.Flags().StringVar(&f.dir, "dir", "/", "working `directory` of the program")
	c.Flags().BoolVar(&f.network, "network", false, "let the program use the network")
	c.Flags().BoolVar(&f.nests, "nests", false, "let the program mount and make sandboxes of its own: only a program you trust")
	c.Flags().BoolVar(&f.where, "where", false, "run nothing; print the directory of the read-only root")
	c.Flags().BoolVar(&f.identity, "all-ids", false, "show all user ids, not just one; needs root")
	return c
}

func (a *app) runTool(cmd *cobra.Command, args []string, f toolFlags) error {
	ctx := cmd.Context()
	if len(f.packages) == 0 {
		return misused(cmd, "no package is given", "name the packages that hold the program with -p")
	}
	binds, err := parseBinds(cmd, f.binds)
	if err != nil {
		return err
	}
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
	a.endProgress()
	if f.where {
		if a.json {
			return a.emit("result", fields{"root": root.Dir()})
		}
		fmt.Fprintln(a.stdout, root.Dir())
		return nil
	}
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
	spec.Stdin, spec.Stdout, spec.Stderr = a.stdin, a.childOutput(), a.stderr
	spec.Binds = append(spec.Binds, binds...)
	err = sandbox.Run(ctx, spec)
	var status *sandbox.ExitError
	if errors.As(err, &status) {
		return &diag.Failure{Code: status.Status(), Err: fmt.Errorf("%s: %w", args[0], err)}
	}
	if err == nil && a.json {
		return a.emit("result", fields{"program": args[0], "code": 0})
	}
	return err
}

func parseBinds(cmd *cobra.Command, binds []string) ([]sandbox.Bind, error) {
	var parsed []sandbox.Bind
	for _, b := range binds {
		parts := strings.Split(b, ":")
		if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && parts[2] != "rw" && parts[2] != "dev" || !filepath.IsAbs(parts[1]) {
			return nil, misused(cmd, fmt.Sprintf("--bind is %q", b), "give HERE:/THERE, with :rw or :dev behind when the program may write")
		}
		source, err := filepath.Abs(parts[0])
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(source); err != nil {
			return nil, misused(cmd, fmt.Sprintf("--bind %q: %q: %s", b, parts[0], reason(err)), "name a file or directory of this machine")
		}
		bind := sandbox.Bind{Source: source, Target: parts[1]}
		if len(parts) == 3 {
			bind.Writable, bind.Device = true, parts[2] == "dev"
		}
		parsed = append(parsed, bind)
	}
	return parsed, nil
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
