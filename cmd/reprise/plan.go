package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"reprise/internal/lock"
	"reprise/internal/recipe"
	"reprise/store/storepath"
)

// A buildPlan is what a build would do to have the packages of a lock.
type buildPlan struct {
	packages int            // of the lock
	fetch    []lock.Package // and unpack
	unpack   []lock.Package // whose .deb is in the store already
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
}

// tellPlan says what a build would fetch and unpack.
func (s *session) tellPlan(ctx context.Context, l *lock.Lock) error {
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
	s.endProgress()
	if s.json {
		return s.emit("plan", fields{"packages": plan.packages, "fetch": len(plan.fetch), "unpack": len(plan.fetch) + len(plan.unpack), "bytes": plan.bytes()})
	}
	plan.print(s.stdout)
	return nil
}
