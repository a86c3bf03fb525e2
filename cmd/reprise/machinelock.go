package main

import (
	"slices"

	"reprise/internal/config"
	"reprise/internal/lock"
	"reprise/internal/recipe"
)

// machineLock is the lock of an installed machine: the packages of the
// medium's lock l, said to be what cfg asks for. So the lock serves cfg and a
// build with both makes the system that the machine runs; what the medium
// has besides leaves with the next reprise lock. cfg asks for nothing that l
// lacks, see covers.
func machineLock(l *lock.Lock, cfg *config.Config) *lock.Lock {
	own := &lock.Lock{Architecture: l.Architecture, Archive: l.Archive}
	kept := map[string]bool{}
	for _, set := range recipe.Sets(cfg) {
		have, ok := l.Set(set.Name)
		if !ok {
			continue // the next build resolves it
		}
		set.Recommends = have.Recommends
		kept[set.Name] = true
		own.Sets = append(own.Sets, set)
	}
	for _, p := range l.Packages {
		p.Sets = slices.DeleteFunc(slices.Clone(p.Sets), func(set string) bool { return !kept[set] })
		if len(p.Sets) > 0 {
			own.Packages = append(own.Packages, p)
		}
	}
	return own
}
