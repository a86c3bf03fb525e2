package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"reprise/internal/diag"
	"reprise/store"
	"reprise/store/storepath"
)

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "store", Short: "look after the store",
		Long:    "Check the store, free its disk space, find a path in it. Only gc changes anything.",
		Example: "  reprise store verify --contents",
	}
	var contents, dryRun bool
	verify := &cobra.Command{
		Use: "verify", Short: "check the store against its database",
		Long:    "Check that every path is there, registered and whole. With --contents every file is\nread and hashed. Exit code 4 when something is damaged; what interrupted work left\nbehind is listed too, does no harm and goes with the next reprise store gc.",
		Example: "  reprise store verify --contents",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			damage, err := s.Verify(cmd.Context(), store.VerifyOptions{Contents: contents, Sink: a.sink})
			if err != nil {
				return err
			}
			a.endProgress()
			harm := 0
			for _, d := range damage {
				if d.Kind != store.Unregistered {
					harm++
				}
				if a.json {
					a.emit("damage", fields{"path": d.Path, "kind": d.Kind, "detail": d.Detail})
				} else {
					fmt.Fprintln(a.stdout, d)
				}
			}
			if harm > 0 {
				places := "1 place"
				if harm > 1 {
					places = fmt.Sprintf("%d places", harm)
				}
				return &diag.Failure{Code: diag.ExitStore, Err: diag.Problem{File: s.Root(), Got: "the store is damaged in " + places,
					Want: "paths as they were registered", Do: "look after the disk; begin a new store with --store DIR, or remove this one and build again"}}
			}
			if a.json {
				return a.emit("result", fields{"store": s.Root(), "harmless": len(damage)})
			}
			return nil
		},
	}
	verify.Flags().BoolVar(&contents, "contents", false, "read and hash every file")
	gc := &cobra.Command{
		Use: "gc", Short: "remove what nothing needs any more",
		Long: `Remove the paths that no root reaches: images built since and running work keep
theirs, an image that is no more at its place keeps nothing. Roots of programs
that nobody uses, the directories that --keep-failed left, and what was
remembered of removed paths for installation media go too.`,
		Example: "  reprise store gc --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			report, err := a.collect(cmd.Context(), s, dryRun)
			if err != nil {
				return err
			}
			a.endProgress()
			if a.json {
				return a.emit("result", report.fields(dryRun))
			}
			verb := "removed"
			if dryRun {
				verb = "would remove"
			}
			fmt.Fprintf(a.stdout, "%s %d paths%s, %s (%d bytes)\n", verb, len(report.Paths), report.others(), humanize.IBytes(uint64(report.Bytes)), report.Bytes)
			return nil
		},
	}
	gc.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "say what would be removed, remove nothing")
	path := &cobra.Command{
		Use: "path STOREPATH", Short: "say where a store path lies on this machine",
		Example: "  reprise store path /nix/store/…-bash-5.2.37-2",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := storepath.Parse(args[0])
			if err != nil {
				return misused(cmd, err.Error(), "copy the path from what reprise build prints")
			}
			s, err := a.openStore(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			if _, err := s.Info(cmd.Context(), p); err != nil {
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("%q is not valid in the store at %q", p, s.Root())
				}
				return err
			}
			if a.json {
				return a.emit("result", fields{"path": p, "place": s.Real(p)})
			}
			fmt.Fprintln(a.stdout, s.Real(p))
			return nil
		},
	}
	c.AddCommand(verify, gc, path)
	return c
}

// openStore opens a store that is there, for work that needs no sandbox and
// adds nothing: gc must work on a full disk.
func (a *app) openStore(ctx context.Context) (*store.Store, error) {
	dir, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "nix/var/nix/db/db.sqlite")); err != nil {
		return nil, &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: dir, Got: "holds no store: " + reason(err),
			Want: "a directory that reprise build has used", Do: "name it with --store DIR or in REPRISE_STORE"}}
	}
	return store.Open(ctx, dir)
}
