package store

import (
	"context"

	"zombiezen.com/go/sqlite"

	"reprise/store/storepath"
)

// graph is all the database knows at one moment, in memory.
type graph struct {
	nodes  map[storepath.Path]*node
	sorted []storepath.Path // by path
}

type node struct {
	refs    []storepath.Path
	deriver storepath.Path // only when valid and when this is one of its outputs
	size    int64          // NAR
}

func (s *Store) loadGraph(ctx context.Context) (*graph, error) {
	g := &graph{nodes: map[storepath.Path]*node{}}
	byID := map[int64]storepath.Path{}
	derivers := map[storepath.Path]storepath.Path{}
	err := s.query(ctx, func(conn *sqlite.Conn) (err error) {
		if err := each(conn, "BEGIN", nil); err != nil { // one snapshot
			return err
		}
		defer func() {
			if endErr := each(conn, "COMMIT", nil); err == nil {
				err = endErr
			}
		}()
		err = each(conn, "SELECT id, path, narSize, deriver FROM ValidPaths ORDER BY path", func(row *sqlite.Stmt) error {
			p := storepath.Path(row.ColumnText(1))
			byID[row.ColumnInt64(0)] = p
			g.nodes[p] = &node{size: row.ColumnInt64(2)}
			g.sorted = append(g.sorted, p)
			if d := row.ColumnText(3); d != "" {
				derivers[p] = storepath.Path(d)
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = each(conn, "SELECT referrer, reference FROM Refs", func(row *sqlite.Stmt) error {
			if n := g.nodes[byID[row.ColumnInt64(0)]]; n != nil {
				n.refs = append(n.refs, byID[row.ColumnInt64(1)])
			}
			return nil
		})
		if err != nil {
			return err
		}
		return each(conn, "SELECT drv, path FROM DerivationOutputs", func(row *sqlite.Stmt) error {
			d, out := byID[row.ColumnInt64(0)], storepath.Path(row.ColumnText(1))
			if n := g.nodes[out]; n != nil && derivers[out] == d {
				n.deriver = d
			}
			return nil
		})
	})
	return g, err
}

// mark adds p, what it refers to, and the derivations that made any of it, to
// alive. A path that is not in the graph adds nothing.
func (g *graph) mark(p storepath.Path, alive map[storepath.Path]bool) {
	todo := []storepath.Path{p}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := g.nodes[p]
		if n == nil || alive[p] {
			continue
		}
		alive[p] = true
		todo = append(todo, n.refs...)
		if n.deriver != "" {
			todo = append(todo, n.deriver)
		}
	}
}

// referrersFirst returns the paths that are not alive in an order in which
// each comes before what it refers to.
func (g *graph) referrersFirst(alive map[storepath.Path]bool) []storepath.Path {
	order := make([]storepath.Path, 0, len(g.nodes)-len(alive))
	seen := make(map[storepath.Path]bool, cap(order))
	type frame struct {
		p    storepath.Path
		next int // of its references
	}
	for _, start := range g.sorted {
		if alive[start] || seen[start] {
			continue
		}
		seen[start] = true
		stack := []frame{{start, 0}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			refs := g.nodes[top.p].refs
			if top.next == len(refs) {
				order = append(order, top.p) // after all it refers to
				stack = stack[:len(stack)-1]
				continue
			}
			ref := refs[top.next]
			top.next++
			if !alive[ref] && !seen[ref] {
				seen[ref] = true
				stack = append(stack, frame{ref, 0})
			}
		}
	}
	for i, j := 0, len(order)-1; i < j; i, j = i+1, j-1 {
		order[i], order[j] = order[j], order[i]
	}
	return order
}
