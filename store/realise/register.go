package realise

import (
	"context"
	"slices"
	"sync"

	"reprise/store"
	"reprise/store/storepath"
)

// A registrar writes to the store's database what jobs have placed. While one
// transaction runs, those who come wait and go together in the next.
type registrar struct {
	store *store.Store

	mu      sync.Mutex
	busy    bool
	waiting []*entry
}

// entry is what one job registers.
type entry struct {
	infos []store.Info
	done  chan error
}

func (g *registrar) register(ctx context.Context, infos []store.Info) error {
	e := &entry{infos, make(chan error, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, e)
	if g.busy {
		g.mu.Unlock()
		return <-e.done
	}
	g.busy = true
	for len(g.waiting) > 0 {
		batch := g.waiting
		g.waiting = nil
		g.mu.Unlock()
		g.write(ctx, batch)
		g.mu.Lock()
	}
	g.busy = false
	g.mu.Unlock()
	return <-e.done
}

// write registers a batch, or each alone when together they do not go: one
// bad entry is no other's fault.
func (g *registrar) write(ctx context.Context, batch []*entry) {
	var all []store.Info
	for _, e := range batch {
		all = append(all, e.infos...)
	}
	err := g.store.Register(ctx, all...)
	for _, e := range batch {
		if err != nil && len(batch) > 1 {
			e.done <- g.store.Register(ctx, e.infos...)
		} else {
			e.done <- err
		}
	}
}

// closures remembers the references of valid paths, which never change.
type closures struct {
	store *store.Store

	mu   sync.Mutex
	refs map[storepath.Path][]storepath.Path
}

// of returns paths and all that they refer to, sorted. A path that is not in
// the store is an error that wraps store.ErrNotFound.
func (c *closures) of(ctx context.Context, paths []storepath.Path) ([]storepath.Path, error) {
	seen := map[storepath.Path]bool{}
	open := slices.Clone(paths)
	for len(open) > 0 {
		p := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[p] {
			continue
		}
		seen[p] = true
		refs, err := c.get(ctx, p)
		if err != nil {
			return nil, err
		}
		open = append(open, refs...)
	}
	all := make([]storepath.Path, 0, len(seen))
	for p := range seen {
		all = append(all, p)
	}
	slices.Sort(all)
	return all, nil
}

func (c *closures) get(ctx context.Context, p storepath.Path) ([]storepath.Path, error) {
	c.mu.Lock()
	refs, known := c.refs[p]
	c.mu.Unlock()
	if known {
		return refs, nil
	}
	info, err := c.store.Info(ctx, p)
	if err != nil {
		return nil, err
	}
	c.put(p, info.Refs)
	return info.Refs, nil
}

func (c *closures) put(p storepath.Path, refs []storepath.Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refs == nil {
		c.refs = map[storepath.Path][]storepath.Path{}
	}
	c.refs[p] = refs
}
