package main

import (
	"context"
	"encoding/json"
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
and hashes. Versions that the lock already has are kept; see reprise update.`,
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

func (a *app) updateCommand() *cobra.Command {
	var file string
	var dryRun bool
	c := &cobra.Command{
		Use:   "update PROFILE|FILE [PACKAGE…]",
		Short: "take newer packages into the lock",
		Long: `Resolve again with what the archive has today, and write the lock: all packages,
or only the named ones and what they then need. Nothing is built.`,
		Example:           "  reprise update my-rig.jsonnet\n  reprise update my-rig.jsonnet jackd2",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			fresh := args[1:]
			if len(fresh) == 0 {
				fresh = []string{"*"}
			}
			return a.relock(cmd.Context(), args[0], file, fresh, dryRun)
		},
	}
	c.Flags().StringVar(&file, "lock", "", "lock `file` to write (default: as for reprise lock)")
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
	a.finished()
	a.finished = func() {}
	changes := compare(old, l)
	for _, c := range changes {
		if a.json {
			json.NewEncoder(a.stdout).Encode(c)
		} else {
			fmt.Fprintln(a.stdout, c)
		}
	}
	if dryRun {
		return nil
	}
	if err := writeLock(file, l); err != nil {
		return err
	}
	if !a.json {
		fmt.Fprintf(a.stdout, "%s: %d packages, %d changes\n", file, len(l.Packages), len(changes))
	}
	return nil
}

// A change is one package that differs between two locks.
type change struct {
	Event   string `json:"event"` // "added", "removed", "changed"
	Package string `json:"package"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
}

func (c change) String() string {
	switch c.Event {
	case "added":
		return fmt.Sprintf("+ %s %s", c.Package, c.To)
	case "removed":
		return fmt.Sprintf("- %s %s", c.Package, c.From)
	}
	return fmt.Sprintf("  %s %s → %s", c.Package, c.From, c.To)
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
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.Package, b.Package) })
	return changes
}
