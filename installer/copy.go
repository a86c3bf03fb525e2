package installer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"reprise/installer/plan"
	"reprise/internal/atomicfile"
	"reprise/internal/progress"
	"reprise/store"
	"reprise/store/nar"
	"reprise/store/storepath"
	"reprise/store/tree"
)

const (
	// stateDir is where the copy notes what it has, below the root.
	stateDir = "nix/var/reprise/install"
	copied   = stateDir + "/copied"

	// saveEvery is how often the copy brings itself to stable storage: as much
	// is copied again after a power cut.
	saveEvery = 15 * time.Second

	// mostWorkers is where more copies at a time stop helping.
	mostWorkers = 8
)

// copyStore brings the store paths to the target's store, each with its hash
// verified, and notes them once they are on stable storage.
func (r *run) copyStore(ctx context.Context, step plan.Step) (err error) {
	system := r.Medium.System(r.Plan.System)
	if system == nil {
		return fmt.Errorf("the medium does not carry %q", r.Plan.System)
	}
	needed := r.Medium.Needed(system, r.Plan.Compose)
	c := &copying{run: r, list: filepath.Join(r.dir, copied), storeDir: filepath.Join(r.dir, string(storepath.Dir))}
	for _, dir := range []string{c.storeDir, filepath.Join(r.dir, stateDir)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := c.begin(); err != nil {
		return err
	}
	defer func() {
		if closeErr := c.end(); err == nil {
			err = closeErr
		}
	}()
	c.task = r.Sink.Start("copy "+r.Plan.System, progress.Bytes, step.Bytes)
	err = c.all(ctx, needed)
	c.task.Done(err)
	return err
}

// copying is a copy under way.
type copying struct {
	*run
	list     string // file of the paths that are there and safe, one a line
	storeDir string
	task     progress.Task

	names *os.File // list, open to append
	dir   *os.File // storeDir, for syncfs
	have  map[storepath.Path]bool

	mu    sync.Mutex
	fresh []storepath.Path // copied and not yet noted
}

// begin reads the list of an earlier run and opens it. Its last line counts
// only when it is whole.
func (c *copying) begin() (err error) {
	c.have = map[storepath.Path]bool{}
	data, err := os.ReadFile(c.list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	for line := range bytes.Lines(whole) {
		c.have[storepath.Path(bytes.TrimSuffix(line, []byte{'\n'}))] = true
	}
	if err := atomicfile.WriteBytes(c.list, 0o644, whole); err != nil {
		return err
	}
	if c.names, err = os.OpenFile(c.list, os.O_WRONLY|os.O_APPEND, 0); err != nil {
		return err
	}
	c.dir, err = os.Open(c.storeDir)
	return err
}

func (c *copying) end() error {
	var errs []error
	for _, f := range []*os.File{c.names, c.dir} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func (c *copying) all(ctx context.Context, needed []plan.Path) error {
	todo := make([]plan.Path, 0, len(needed))
	for _, p := range needed {
		if c.have[p.Path] {
			c.task.Add(p.Size)
		} else {
			todo = append(todo, p)
		}
	}
	// The longest first, so that no worker is left alone with one at the end.
	slices.SortStableFunc(todo, func(a, b plan.Path) int {
		switch {
		case a.NarSize > b.NarSize:
			return -1
		case a.NarSize < b.NarSize:
			return 1
		}
		return 0
	})
	g, ctx := errgroup.WithContext(ctx)
	queue := make(chan plan.Path)
	g.Go(func() error {
		defer close(queue)
		for _, p := range todo {
			select {
			case queue <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	workers, stop := errgroup.WithContext(ctx)
	for range min(max(2, runtime.GOMAXPROCS(0)), mostWorkers) {
		workers.Go(func() error {
			for p := range queue {
				if err := c.one(stop, p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	finished := make(chan struct{})
	g.Go(func() error {
		defer close(finished)
		return workers.Wait()
	})
	g.Go(func() error {
		tick := time.NewTicker(saveEvery)
		defer tick.Stop()
		for {
			select {
			case <-finished:
				return nil
			case <-tick.C:
				if err := c.save(); err != nil {
					return err
				}
			}
		}
	})
	if err := g.Wait(); err != nil {
		// What is whole is noted all the same: the next run need not copy it.
		if saved := c.save(); saved != nil && !errors.Is(err, saved) {
			return fmt.Errorf("%w (and %v)", err, saved)
		}
		return err
	}
	return c.save()
}

// one copies a path, over whatever an interrupted run left in its place.
func (c *copying) one(ctx context.Context, p plan.Path) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	base := p.Path.Base()
	to := filepath.Join(c.storeDir, base)
	if _, err := os.Lstat(to); err == nil {
		if err := tree.Remove(to); err != nil {
			return err
		}
	}
	sum, size, err := nar.CopyPath(ctx, filepath.Join(c.Source.Store, base), to, func(n int) { c.task.Add(int64(n)) })
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum[:]); got != p.NarHash || size != p.NarSize {
		return &damagedMedium{fmt.Errorf("%s has the hash %s (%d bytes), and its list says %s (%d bytes)", p.Path, got, size, p.NarHash, p.NarSize)}
	}
	c.mu.Lock()
	c.fresh = append(c.fresh, p.Path)
	c.mu.Unlock()
	return nil
}

// save brings everything that is copied to stable storage, and then notes it.
func (c *copying) save() error {
	c.mu.Lock()
	fresh := c.fresh
	c.fresh = nil
	c.mu.Unlock()
	if len(fresh) == 0 {
		return nil
	}
	if err := unix.Syncfs(int(c.dir.Fd())); err != nil {
		return fmt.Errorf("bring the copy to stable storage: %w", err)
	}
	w := bufio.NewWriter(c.names)
	for _, p := range fresh {
		fmt.Fprintln(w, p)
	}
	return errors.Join(w.Flush(), c.names.Sync())
}

// registerStore makes what was copied valid in the target's store.
func (r *run) registerStore(ctx context.Context, _ plan.Step) (err error) {
	s, err := store.Open(ctx, r.dir)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	system := r.Medium.System(r.Plan.System)
	var infos []store.Info
	for _, p := range r.Medium.Needed(system, r.Plan.Compose) {
		info := store.Info{Path: p.Path, NarSize: p.NarSize, Refs: p.Refs, Deriver: p.Deriver, CA: p.CA, Registered: r.Plan.Date}
		sum, err := hex.DecodeString(p.NarHash)
		if err != nil || len(sum) != len(info.NarHash) {
			return &damagedMedium{fmt.Errorf("%s: its hash is %q", p.Path, p.NarHash)}
		}
		copy(info.NarHash[:], sum)
		infos = append(infos, info)
	}
	if err := s.Register(ctx, infos...); err != nil {
		return err
	}
	// Nobody needs the list any more, and it would lie about a later store.
	if err := os.RemoveAll(filepath.Join(r.dir, stateDir)); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(filepath.Join(r.dir, stateDir)))
}
