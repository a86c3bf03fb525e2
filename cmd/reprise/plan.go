package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/dustin/go-humanize"

	"reprise/internal/config"
	"reprise/internal/lock"
	"reprise/internal/recipe"
	"reprise/store/storepath"
)

// A buildPlan is what a build would do to have the packages of a lock.
type buildPlan struct {
	packages int            // of the lock
	fetch    []lock.Package // and unpack
	unpack   []lock.Package // whose .deb is in the store already
	system   storepath.Path // that the build would make; "" before its packages are unpacked
	made     bool           // the store has the system
}

// planOf makes the plan for a store in which the paths of valid are.
func planOf(l *lock.Lock, valid map[storepath.Path]bool) (buildPlan, error) {
	plan := buildPlan{packages: len(l.Packages)}
	for _, p := range l.Packages {
		unpacked, known, err := recipe.PackagePath(p)
		if err != nil {
			return plan, err
		}
		deb, err := recipe.DebPath(p)
		if err != nil {
			return plan, err
		}
		switch {
		case known && valid[unpacked]:
		case valid[deb]:
			plan.unpack = append(plan.unpack, p)
		default:
			plan.fetch = append(plan.fetch, p)
		}
	}
	return plan, nil
}

// bytes is the size of what has to be fetched.
func (p buildPlan) bytes() (sum int64) {
	for _, f := range p.fetch {
		sum += f.Size
	}
	return sum
}

func (p buildPlan) print(w io.Writer) {
	for _, f := range p.fetch {
		fmt.Fprintf(w, "fetch and unpack  %s %s (%s)\n", f.Name, f.Version, humanize.IBytes(uint64(f.Size)))
	}
	for _, u := range p.unpack {
		fmt.Fprintf(w, "unpack            %s %s (fetched before)\n", u.Name, u.Version)
	}
	fmt.Fprintf(w, "%d of %d packages to unpack, %d of them to fetch, %s (%d bytes); then compose, initrd, system and image\n",
		len(p.fetch)+len(p.unpack), p.packages, len(p.fetch), humanize.IBytes(uint64(p.bytes())), p.bytes())
	switch {
	case p.made:
		fmt.Fprintf(w, "system %s, which is in the store\n", p.system)
	case p.system != "":
		fmt.Fprintf(w, "system %s\n", p.system)
	}
}

// tellPlan says what a build would fetch and unpack, and which system it would
// make when all packages of that are unpacked.
func (s *session) tellPlan(ctx context.Context, cfg *config.Config, l *lock.Lock) error {
	var paths []storepath.Path
	for _, p := range l.Packages {
		if path, known, err := recipe.PackagePath(p); err == nil && known {
			paths = append(paths, path)
		}
		if deb, err := recipe.DebPath(p); err == nil {
			paths = append(paths, deb)
		}
	}
	valid, err := s.store.Valid(ctx, paths...)
	if err != nil {
		return err
	}
	plan, err := planOf(l, valid)
	if err != nil {
		return err
	}
	if plan.system, err = s.systemOf(ctx, cfg, l); err != nil {
		return err
	}
	if plan.system != "" {
		valid, err := s.store.Valid(ctx, plan.system)
		if err != nil {
			return err
		}
		plan.made = valid[plan.system]
	}
	s.endProgress()
	if s.json {
		f := fields{"packages": plan.packages, "fetch": len(plan.fetch), "unpack": len(plan.fetch) + len(plan.unpack), "bytes": plan.bytes()}
		if plan.system != "" {
			f["system"], f["made"] = plan.system, plan.made
		}
		return s.emit("plan", f)
	}
	plan.print(s.stdout)
	return nil
}

// systemOf is the system that cfg becomes with l, by this program; "" when the
// store lacks a package that it consists of.
func (s *session) systemOf(ctx context.Context, cfg *config.Config, l *lock.Lock) (storepath.Path, error) {
	packages := l.In(recipe.SystemSet)
	var all []storepath.Path
	paths := map[string]storepath.Path{}
	for _, p := range packages {
		path, known, err := recipe.PackagePath(p)
		if err != nil || !known {
			return "", err
		}
		paths[p.Name] = path
		all = append(all, path)
	}
	if err := s.store.TempRoot(ctx, all...); err != nil {
		return "", err
	}
	valid, err := s.store.Valid(ctx, all...)
	if err != nil || len(valid) == 0 || slices.ContainsFunc(all, func(p storepath.Path) bool { return !valid[p] }) {
		return "", err
	}
	contents, err := s.contents(l, recipe.SystemSet, paths, nil)
	if err != nil {
		return "", err
	}
	graph, err := recipe.System(cfg, contents, allEffects(), s.self)
	if err != nil {
		return "", err
	}
	return graph.SystemPath(), nil
}
