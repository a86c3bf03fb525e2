package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"

	"reprise/internal/progress"
	"reprise/store/storepath"
	"reprise/store/tree"
)

// CollectOptions say how to collect.
type CollectOptions struct {
	DryRun  bool          // report what would go and remove nothing
	Without []string      // names of roots that SetRoot made and that count as removed
	Sink    progress.Sink // nil: no reports
}

// A Report says what a collection removed, or would remove.
type Report struct {
	Paths []Dead
	Bytes int64 // sum
}

// Dead is one entry of the store that nothing keeps.
type Dead struct {
	Base       string // "<hash>-<name>", or any name for what does not belong in a store
	Bytes      int64  // NAR size of a valid path, else the sum of the file sizes
	Unfinished bool   // not registered: what interrupted work has left
}

// linksDir is where Nix keeps the files that several paths share.
const linksDir = ".links"

// atOnce is how many dead paths go in one transaction. Whoever wants to keep
// one of them waits for all of them.
const atOnce = 128

// Collect removes the paths that no root reaches, and what interrupted work
// has left in the store directory. Derivations stay as long as one of their
// outputs does; outputs do not stay because of their derivation. (Nix:
// keep-derivations = true, keep-outputs = false.)
//
// Others may use the store meanwhile: while gc.lock is held exclusively, new
// temp roots come through a socket and are answered once they are noted. A
// row goes, durably, before its tree. When Collect is interrupted the store
// is whole and the rest goes next time; the Report then says what has gone.
func (s *Store) Collect(ctx context.Context, opt CollectOptions) (Report, error) {
	if opt.Sink == nil {
		opt.Sink = progress.Discard
	}
	c := &collector{s: s, wanted: map[string]bool{}}
	c.idle.L = &c.mu
	err := c.run(ctx, opt)
	if err != nil {
		err = fmt.Errorf("collect garbage in %q: %w", s.root, err)
	}
	return c.report, err
}

func (c *collector) run(ctx context.Context, opt CollectOptions) error {
	s := c.s
	if !opt.DryRun {
		lock, err := openLock(s.state("gc.lock"))
		if err != nil {
			return err
		}
		defer lock.Close()
		if err := flock(ctx, lock, unix.LOCK_EX); err != nil {
			return err
		}
		os.Remove(s.state("db", "reserved"))
		defer s.reserve()
		stop, err := c.serve()
		if err != nil {
			return err
		}
		defer stop()
	}
	roots, err := s.Roots(ctx)
	if err != nil {
		return err
	}
	for _, name := range opt.Without {
		link, err := s.rootLink(name)
		if err != nil {
			return err
		}
		roots = slices.DeleteFunc(roots, func(r Root) bool { return r.Link == link })
	}
	g, err := s.loadGraph(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.graph, c.alive = g, make(map[storepath.Path]bool, len(g.nodes))
	for _, root := range roots {
		g.mark(root.Target, c.alive)
		if root.Temp {
			c.wanted[root.Target.Hash()] = true
		}
	}
	for _, p := range c.early {
		g.mark(p, c.alive)
	}
	dead := g.referrersFirst(c.alive)
	c.mu.Unlock()
	unfinished, err := s.unregistered(g)
	if err != nil {
		return err
	}
	if opt.DryRun {
		c.plan(dead, unfinished)
		return nil
	}
	task := opt.Sink.Start("collect garbage", progress.Items, int64(len(dead)+len(unfinished)))
	err = c.remove(ctx, dead, unfinished, task)
	task.Done(err)
	return err
}

func (c *collector) plan(dead []storepath.Path, unfinished []string) {
	for _, p := range dead {
		c.count(Dead{Base: p.Base(), Bytes: c.graph.nodes[p].size})
	}
	for _, name := range unfinished {
		if !c.inUse(name) {
			c.count(Dead{Base: name, Bytes: tree.Size(c.entry(name)), Unfinished: true})
		}
	}
}

func (c *collector) count(d Dead) {
	c.report.Paths = append(c.report.Paths, d)
	c.report.Bytes += d.Bytes
}

func (c *collector) entry(name string) string {
	return filepath.Join(c.s.Real(storepath.Dir), name)
}

func (c *collector) remove(ctx context.Context, dead []storepath.Path, unfinished []string, task progress.Task) error {
	for batch := range slices.Chunk(dead, atOnce) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.removeBatch(batch); err != nil {
			return err
		}
		task.Add(int64(len(batch)))
	}
	for _, name := range unfinished {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.removeUnfinished(ctx, name); err != nil {
			return err
		}
		task.Add(1)
	}
	return removeLinks(c.entry(linksDir))
}

// removeBatch removes dead paths, referrers before what they refer to, less
// those that have become wanted.
func (c *collector) removeBatch(batch []storepath.Path) error {
	batch = c.begin(batch)
	defer c.finish()
	s := c.s
	var gone []storepath.Path
	s.db.commit.Lock()
	err := s.transaction(func(conn *sqlite.Conn) error {
		for _, p := range batch {
			// A path registered since we looked may refer to it.
			referred := false
			err := each(conn, `SELECT 1 FROM Refs JOIN ValidPaths ON id = reference WHERE path = ? AND referrer != id LIMIT 1`,
				func(*sqlite.Stmt) error { referred = true; return nil }, string(p))
			if err != nil {
				return err
			}
			if referred {
				continue
			}
			if err := each(conn, "DELETE FROM ValidPaths WHERE path = ?", nil, string(p)); err != nil {
				return err
			}
			gone = append(gone, p)
		}
		return nil
	})
	s.db.commit.Unlock()
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(4)
	for _, p := range gone {
		c.count(Dead{Base: p.Base(), Bytes: c.graph.nodes[p].size})
		group.Go(func() error {
			if err := s.step("remove"); err != nil {
				return err
			}
			return tree.Remove(s.Real(p))
		})
	}
	return group.Wait()
}

// unregistered returns the names in the store directory that are no valid
// paths, sorted.
func (s *Store) unregistered(g *graph) ([]string, error) {
	entries, err := os.ReadDir(s.Real(storepath.Dir))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != linksDir && g.nodes[storepath.Path(storepath.Dir+"/"+entry.Name())] == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// removeUnfinished removes an entry that is no valid path, unless it is in use.
func (c *collector) removeUnfinished(ctx context.Context, name string) error {
	p, notPath := storepath.ParseBase(name)
	if notPath == nil {
		c.begin([]storepath.Path{p})
		defer c.finish()
		valid, err := c.s.Valid(ctx, p) // it may be by now
		if err != nil || valid[p] {
			return err
		}
	}
	if c.inUse(name) {
		return nil
	}
	path := c.entry(name)
	size := tree.Size(path)
	if err := c.s.step("remove"); err != nil {
		return err
	}
	if removed, err := removeEntry(path); err != nil || !removed {
		return err
	}
	c.count(Dead{Base: name, Bytes: size, Unfinished: true})
	return nil
}

// inUse says whether an entry that is no valid path belongs to running work:
// its hash part is that of a temp root, which covers outputs that are being
// made, their lock files and Nix's other companions, or somebody has locked it.
func (c *collector) inUse(name string) bool {
	c.mu.Lock()
	wanted := len(name) > storepath.HashLen && c.wanted[name[:storepath.HashLen]]
	c.mu.Unlock()
	return wanted || lockedEntry(c.entry(name))
}

// lockedEntry says whether the entry is one of those that their users lock
// (lock files, Nix's temporary directories), and locked.
func lockedEntry(path string) bool {
	if !strings.HasSuffix(path, ".lock") && !strings.HasPrefix(filepath.Base(path), "tmp-") {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	free, err := tryFlock(f, unix.LOCK_EX)
	return err == nil && !free
}

// removeEntry removes an entry that is no valid path. A lock file is removed
// under its own lock and marked, so that whoever waits for it makes another;
// one that somebody has taken meanwhile stays.
func removeEntry(path string) (removed bool, err error) {
	if !strings.HasSuffix(path, ".lock") {
		return true, tree.Remove(path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil { // no file that could be a lock
		return true, tree.Remove(path)
	}
	defer f.Close()
	if free, err := tryFlock(f, unix.LOCK_EX); err != nil || !free {
		return false, err
	}
	if err := tree.Remove(path); err != nil {
		return false, err
	}
	_, err = f.WriteString("d")
	return true, err
}

// removeLinks removes from Nix's directory of shared files those that no path
// shares any more.
func removeLinks(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		var st unix.Stat_t
		path := filepath.Join(dir, entry.Name())
		if unix.Lstat(path, &st) == nil && st.Nlink == 1 {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return err
}
