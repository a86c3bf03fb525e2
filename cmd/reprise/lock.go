package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/lock"
	"reprise/internal/recipe"
)

func (a *app) lockCommand() *cobra.Command {
	var file string
	var dryRun bool
	c := &cobra.Command{
		Use:   "lock PROFILE|FILE",
		Short: "choose exact packages for a configuration and write the lock",
		Long: `Resolve what the configuration asks for and write the lock: exact versions, sizes
and hashes. Versions that the lock already has are kept; see reprise update.

The lock is reprise.lock beside the file, so configurations in one directory share
it, and each takes it from the other when they ask for different packages: give
each a directory, or a lock of its own with --lock, here and to reprise build.`,
		Example:           "  reprise lock my-rig.jsonnet",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.relock(cmd.Context(), args[0], file, nil, dryRun)
		},
	}
	c.Flags().StringVar(&file, "lock", "", "lock `file` to write (default: reprise.lock beside the file, NAME.lock here for a profile)")
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "print the changes, write nothing")
	return c
}

func (a *app) relock(ctx context.Context, profile, file string, fresh []string, dryRun bool) error {
	cfg, err := config.Evaluate(ctx, profile, config.EvalOptions{})
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(profile), filepath.Ext(profile))
	file = lockPath(profile, file, name+".img")
	if !dryRun {
		if err := writable(file, "--lock"); err != nil {
			return err
		}
	}
	old, err := readLock(file)
	if err != nil {
		return err
	}
	for _, name := range fresh {
		if name != "*" && (old == nil || !slices.ContainsFunc(old.Packages, func(p lock.Package) bool { return p.Name == name })) {
			return diag.Problem{File: file, Got: fmt.Sprintf("has no package %q", name), Want: "packages of the lock to update", Do: "leave the name out, or add it to environment.systemPackages"}
		}
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.store.Close()
	sets := recipe.Sets(cfg)
	if hasMedium(old) {
		sets = recipe.MediumSets(cfg)
	}
	l, err := s.resolved(ctx, cfg, sets, old, fresh)
	if err != nil {
		return err
	}
	a.endProgress()
	changes := compare(old, l)
	for _, c := range changes {
		if a.json {
			a.emit(c.kind, fields{"package": c.name, "from": c.from, "to": c.to})
		} else {
			fmt.Fprintln(a.stdout, c)
		}
	}
	if !dryRun {
		if err := writeLock(file, l); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		return a.emit("result", fields{"lock": file, "dryRun": dryRun, "packages": len(l.Packages), "changes": len(changes)})
	case !dryRun:
		fmt.Fprintf(a.stdout, "%s: %d packages, %d changes\n", file, len(l.Packages), len(changes))
	}
	return nil
}

// A change is one package that differs between two locks.
type change struct {
	kind     string // "added", "removed", "changed"
	name     string
	from, to string // versions; "" for none
}

func (c change) String() string {
	switch c.kind {
	case "added":
		return fmt.Sprintf("+ %s %s", c.name, c.to)
	case "removed":
		return fmt.Sprintf("- %s %s", c.name, c.from)
	}
	return fmt.Sprintf("  %s %s → %s", c.name, c.from, c.to)
}

func compare(old, now *lock.Lock) []change {
	was := map[string]string{}
	if old != nil {
		for _, p := range old.Packages {
			was[p.Name] = p.Version
		}
	}
	var changes []change
	for _, p := range now.Packages {
		switch from, ok := was[p.Name]; {
		case !ok:
			changes = append(changes, change{"added", p.Name, "", p.Version})
		case from != p.Version:
			changes = append(changes, change{"changed", p.Name, from, p.Version})
		}
		delete(was, p.Name)
	}
	for name, from := range was {
		changes = append(changes, change{"removed", name, from, ""})
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.name, b.name) })
	return changes
}
