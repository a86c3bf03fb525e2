package realise

import (
	"context"
	"slices"
	"sync"

	"reprise/store"
	"reprise/store/storepath"
)

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
