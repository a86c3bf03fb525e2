package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"reprise/internal/progress"
)

// A File is one file of the archive's pool.
type File struct {
	PoolPath string // below the base: "pool/main/b/bash/bash_5.2.37-2_amd64.deb"
	Suite    string // which of the sources has it
	Size     int64  // bytes
	SHA256   string // 64 lower-case hex digits
}

// A GoneError lists files that no source has any more: Debian drops a version
// from its mirrors when a newer one takes its place.
type GoneError struct {
	Files []File // sorted by PoolPath
	Bases []string
}

func (e *GoneError) Error() string {
	var b strings.Builder
	noun := "files have"
	if len(e.Files) == 1 {
		noun = "file has"
	}
	fmt.Fprintf(&b, "%d %s left the archive:", len(e.Files), noun)
	for _, f := range e.Files {
		fmt.Fprintf(&b, "\n  %s (%s)", path.Base(f.PoolPath), f.Suite)
	}
	var bases []string
	for _, base := range e.Bases {
		bases = append(bases, redacted(base))
	}
	fmt.Fprintf(&b, "\n  asked: %s", strings.Join(bases, ", "))
	return b.String()
}

// partialAge is how long an unfinished file waits for somebody to resume it.
const partialAge = 14 * 24 * time.Hour

// Fetch gets the files and hands each to store once its size and SHA-256 are
// right. store may move the file at tmp away; what it leaves is removed. Its
// calls do not overlap. Files come in no certain order, the largest first.
//
// A transfer that is cut goes on where it was cut, in this run or the next.
// When the archive lacks files, the snapshots are asked; what none of them has
// is told by one *GoneError, after every file was asked for. At the first
// other error, or when ctx ends, all work stops; of unfinished files only
// parts worth resuming are kept, and none when the disk is full.
func (c *Client) Fetch(ctx context.Context, files []File, store func(f File, tmp string) error) (err error) {
	if len(files) == 0 {
		return nil
	}
	bases := map[string]string{}
	for _, s := range c.Sources {
		bases[s.Suite] = s.URL
	}
	var total int64
	for _, f := range files {
		if err := f.check(); err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		if bases[f.Suite] == "" && len(c.Snapshots) == 0 {
			return fmt.Errorf("fetch %q: no source for suite %q", f.PoolPath, f.Suite)
		}
		total += f.Size
	}
	c.sweepPartials()
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return cmp.Compare(b.Size, a.Size) })

	task := c.sink().Start("download", progress.Bytes, total)
	defer func() { task.Done(err) }()
	run := fetching{client: c, bases: bases, store: store, task: task}
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(c.connections(), len(files)) {
		group.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return context.Cause(ctx)
				}
				if err := run.file(ctx, files[i]); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return run.missing()
}

func (f File) check() error {
	clean := path.Clean(f.PoolPath)
	switch {
	case clean != f.PoolPath || strings.HasPrefix(clean, "/") || strings.HasPrefix(clean, "../") || clean == ".." || clean == ".":
		return fmt.Errorf("path %q is not clean and below the base", f.PoolPath)
	case strings.ContainsAny(f.PoolPath, "\x00\n\\"):
		return fmt.Errorf("path %q", f.PoolPath)
	case f.Size <= 0:
		return fmt.Errorf("%q: size %d", f.PoolPath, f.Size)
	case !isSHA256(f.SHA256):
		return fmt.Errorf("%q: SHA-256 %q is not 64 lower-case hex digits", f.PoolPath, f.SHA256)
	}
	return nil
}

// fetching is one run of Fetch.
type fetching struct {
	client *Client
	bases  map[string]string
	store  func(File, string) error
	task   progress.Task

	storing sync.Mutex

	mu    sync.Mutex
	gone  []File
	asked []string
}

// file gets one file from the first base that has it.
func (r *fetching) file(ctx context.Context, f File) (err error) {
	r.task.Detail(path.Base(f.PoolPath))
	bases := r.client.Snapshots
	if base := r.bases[f.Suite]; base != "" {
		bases = append([]string{base}, bases...)
	}
	if r.anyGone() {
		// The run will fail. What matters now is the whole list.
		return r.probe(ctx, f, bases)
	}
	p, err := r.client.openPartial(f.SHA256, f.Size)
	if err != nil {
		return fmt.Errorf("fetch %q: %w", f.PoolPath, explainDisk(err, r.client.Dir))
	}
	keep := true
	defer func() { p.close(keep) }()
	added := tally(r.task)
	added(p.size)

	var faults []error
	for _, base := range bases {
		err := r.client.transfer(ctx, fileURL(base, f.PoolPath), p, added)
		if err == nil {
			return r.hand(f, p, &keep)
		}
		var disk *diskError
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.As(err, &disk) {
			keep = false
			return fmt.Errorf("fetch %q: %w", f.PoolPath, explainDisk(disk.error, r.client.Dir))
		}
		faults = append(faults, err)
	}
	added(-p.size)
	for _, fault := range faults {
		if !isGone(fault) {
			return fmt.Errorf("fetch %q: %w", f.PoolPath, errors.Join(faults...))
		}
	}
	r.addGone(f, bases)
	return nil
}

// hand gives the finished file to store.
func (r *fetching) hand(f File, p *partial, keep *bool) error {
	r.storing.Lock()
	defer r.storing.Unlock()
	*keep = false
	tmp := p.file.Name()
	if err := r.store(f, tmp); err != nil {
		return fmt.Errorf("keep %q: %w", f.PoolPath, err)
	}
	return nil
}

// probe asks whether any base has the file.
func (r *fetching) probe(ctx context.Context, f File, bases []string) error {
	for _, base := range bases {
		resp, err := r.client.do(ctx, http.MethodHead, fileURL(base, f.PoolPath), nil)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return nil // not known to be gone
		}
		resp.Body.Close()
		if !(&statusError{code: resp.StatusCode}).gone() {
			return nil
		}
	}
	r.addGone(f, bases)
	return nil
}

func (r *fetching) anyGone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.gone) > 0
}

func (r *fetching) addGone(f File, bases []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = append(r.gone, f)
	for _, base := range bases {
		if !slices.Contains(r.asked, base) {
			r.asked = append(r.asked, base)
		}
	}
}

func (r *fetching) missing() error {
	if len(r.gone) == 0 {
		return nil
	}
	slices.SortFunc(r.gone, func(a, b File) int { return strings.Compare(a.PoolPath, b.PoolPath) })
	slices.Sort(r.asked)
	return &GoneError{r.gone, r.asked}
}

// fileURL joins a base and a path below it. Bytes that a URL cannot hold,
// and '+', which some servers read as a blank, are escaped.
func fileURL(base, name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(part), "+", "%2B")
	}
	return base + "/" + strings.Join(parts, "/")
}

// explainDisk says how much room there is when the disk is full.
func explainDisk(err error, dir string) error {
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	var st unix.Statfs_t
	if e := unix.Statfs(dir, &st); e != nil {
		return err
	}
	return fmt.Errorf("%w\n  do:   make room on the disk of %q, which has %s free",
		err, dir, humanize.IBytes(uint64(st.Bavail)*uint64(st.Bsize)))
}

// sweepPartials removes what nobody came back for. A file that is locked is in
// use whatever its age: on its way into a store its time is the store's, 1970.
func (c *Client) sweepPartials() {
	dir := filepath.Join(c.Dir, "partial")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || time.Since(info.ModTime()) <= partialAge || !info.Mode().IsRegular() {
			continue
		}
		name := filepath.Join(dir, e.Name())
		f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.Remove(name)
		}
		f.Close()
	}
}
