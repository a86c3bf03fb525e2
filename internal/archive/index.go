package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"reprise/internal/atomicfile"
	"reprise/internal/deb"
	"reprise/internal/progress"
)

// maxIndex bounds one uncompressed Packages index; trixie's main has 57 MB.
const maxIndex = 1 << 30 // bytes

// indexAge is how long an index that nothing asked for stays in the cache.
const indexAge = 30 * 24 * time.Hour

// An Index is what the sources offer today.
type Index struct {
	Packages []deb.Package // by suite in the order of the sources; Suite is set
	Suites   []SuiteState  // in the order of the sources
}

// A SuiteState is the signed state of one suite.
type SuiteState struct {
	Suite           string
	Date            time.Time
	ValidUntil      time.Time // zero: does not expire
	InReleaseSHA256 string
}

// Index reads the signed state of every source, and its lists of packages.
// notOlderThan holds, by suite, the date that the lock was made from; a mirror
// that offers an older state is refused. Offline, the last state that was
// seen is used.
func (c *Client) Index(ctx context.Context, notOlderThan map[string]time.Time) (*Index, error) {
	if len(c.Sources) == 0 {
		return nil, errors.New("archive: no sources")
	}
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	task := c.sink().Start("package lists", progress.Bytes, 0)
	x, err := c.index(ctx, keys, notOlderThan, task)
	task.Done(err)
	return x, err
}

func (c *Client) keys() (keyring, error) {
	if c.Keys != nil {
		return readKeys(c.Keys...)
	}
	return debianKeys()
}

// A listed index is one that a verified release names.
type listed struct {
	source    Source
	component string
	file      packagesFile
	byHash    bool
	packages  []deb.Package
}

func (c *Client) index(ctx context.Context, keys keyring, notOlderThan map[string]time.Time, task progress.Task) (*Index, error) {
	releases := make([]*release, len(c.Sources))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, s := range c.Sources {
		group.Go(func() (err error) {
			if releases[i], err = c.release(groupCtx, s, keys, notOlderThan[s.Suite]); err != nil {
				return fmt.Errorf("suite %q at %q: InRelease: %w", s.Suite, redacted(s.URL), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}

	var lists []*listed
	x := &Index{}
	var total int64
	for i, s := range c.Sources {
		r := releases[i]
		x.Suites = append(x.Suites, SuiteState{s.Suite, r.date, r.validUntil, r.sha256})
		for _, component := range s.Components {
			file, err := r.packagesIndex(component, c.Arch)
			if err != nil {
				return nil, fmt.Errorf("suite %q at %q: InRelease: %w", s.Suite, redacted(s.URL), err)
			}
			if file.plain.size > 0 {
				lists = append(lists, &listed{source: s, component: component, file: file, byHash: r.byHash})
				if !c.cached(file.plain) {
					total += file.fetched.size
				}
			}
		}
	}
	task.SetTotal(total)
	group, groupCtx = errgroup.WithContext(ctx)
	group.SetLimit(c.connections())
	for _, l := range lists {
		group.Go(func() (err error) {
			if l.packages, err = c.packages(groupCtx, l, tally(task)); err != nil {
				return fmt.Errorf("suite %q at %q: index %q: %w", l.source.Suite, redacted(l.source.URL), l.file.path, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	n := 0
	for _, l := range lists {
		n += len(l.packages)
	}
	x.Packages = make([]deb.Package, 0, n)
	for _, l := range lists {
		for i := range l.packages {
			l.packages[i].Suite = l.source.Suite
		}
		x.Packages = append(x.Packages, l.packages...)
	}
	c.sweepIndices()
	return x, nil
}

// release gets and verifies the InRelease of a source. The last good one is
// kept; a mirror that answers with an older one is behind, and the kept one is
// used.
func (c *Client) release(ctx context.Context, s Source, keys keyring, notBefore time.Time) (*release, error) {
	dir, err := c.dir("release")
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256([]byte(s.URL + "\x00" + s.Suite))
	name := filepath.Join(dir, s.Suite+"-"+hex.EncodeToString(id[:8]))
	now := c.now()
	var kept *release
	keptData, err := os.ReadFile(name)
	if err == nil {
		// A damaged or no longer trusted file is as good as none.
		if kept, err = openRelease(keptData, keys, now); err != nil {
			kept = nil
		}
	}
	if c.Offline {
		if kept == nil {
			return nil, fmt.Errorf("%w, and none is kept from an earlier run", errOffline)
		}
		return kept, kept.check(s.Suite, now, notBefore)
	}
	data, tag, err := c.inRelease(ctx, s, name, kept != nil)
	if err != nil {
		return nil, err
	}
	if data == nil { // not modified
		return kept, kept.check(s.Suite, now, notBefore)
	}
	r, err := openRelease(data, keys, now)
	if err != nil {
		return nil, err
	}
	if kept != nil && r.date.Before(kept.date) && kept.check(s.Suite, now, notBefore) == nil {
		c.sink().Note("%s: the mirror answers with the state of %s; the newer one of %s, seen before, is used",
			s.Suite, r.date.Format(dateLayout), kept.date.Format(dateLayout))
		return kept, nil
	}
	if err := r.check(s.Suite, now, notBefore); err != nil {
		return nil, err
	}
	if err := atomicfile.WriteBytes(name, 0o644, data); err != nil {
		return nil, explainDisk(err, c.Dir)
	}
	if tag == "" {
		os.Remove(name + ".tag")
		return r, nil
	}
	return r, atomicfile.WriteBytes(name+".tag", 0o644, []byte(tag))
}

// inRelease asks for an InRelease; nil data means that the kept one is still
// the one. tag is what to show the server next time.
func (c *Client) inRelease(ctx context.Context, s Source, name string, kept bool) (data []byte, tag string, err error) {
	header := http.Header{}
	if kept {
		if old, err := os.ReadFile(name + ".tag"); err == nil {
			if etag, ok := strings.CutPrefix(string(old), "etag "); ok {
				header.Set("If-None-Match", etag)
			} else if date, ok := strings.CutPrefix(string(old), "date "); ok {
				header.Set("If-Modified-Since", date)
			}
		}
	}
	where := fileURL(s.URL, "dists/"+s.Suite+"/InRelease")
	resp, err := c.do(ctx, http.MethodGet, where, header)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && kept:
		return nil, "", nil
	case resp.StatusCode != http.StatusOK:
		err := error(&statusError{where, resp.StatusCode})
		if isGone(err) {
			err = fmt.Errorf("%w\n  do:   check the base; --mirror %s=URL names another one for this suite", err, s.Suite)
		}
		return nil, "", err
	}
	if data, err = io.ReadAll(io.LimitReader(resp.Body, maxInRelease+1)); err != nil {
		return nil, "", fmt.Errorf("%q: %w", redacted(where), err)
	}
	if etag := resp.Header.Get("ETag"); etag != "" {
		tag = "etag " + etag
	} else if date := resp.Header.Get("Last-Modified"); date != "" {
		tag = "date " + date
	}
	if strings.ContainsAny(tag, "\r\n") || len(tag) > 1<<10 {
		tag = ""
	}
	return data, tag, nil
}

func (c *Client) indexPath(f indexFile) string { return filepath.Join(c.Dir, "index", f.sha256) }

// cached reports whether an index of this content seems to be in the cache.
func (c *Client) cached(f indexFile) bool {
	info, err := os.Stat(c.indexPath(f))
	return err == nil && info.Size() == f.size
}

// packages returns what one index lists, from the cache when its content is
// there and still right.
func (c *Client) packages(ctx context.Context, l *listed, added func(int64)) ([]deb.Package, error) {
	if l.file.plain.size > maxIndex || l.file.fetched.size > maxIndex {
		return nil, fmt.Errorf("it has %d bytes, more than %d", max(l.file.plain.size, l.file.fetched.size), int64(maxIndex))
	}
	name := c.indexPath(l.file.plain)
	if c.cached(l.file.plain) {
		if list, err := readIndex(name, l.file.plain); err == nil {
			now := time.Now()
			os.Chtimes(name, now, now)
			return list, nil
		}
		os.Remove(name)
	}
	if c.Offline {
		return nil, fmt.Errorf("%w, and it is not kept from an earlier run", errOffline)
	}
	return c.fetchIndex(ctx, l, name, added)
}

// readIndex parses a kept index while its hash is taken, and gives the list
// out only when the hash is right.
func readIndex(name string, want indexFile) ([]deb.Package, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, want.size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want.sha256 {
		return nil, errWrong
	}
	return deb.ReadPackages(bytes.NewReader(data))
}

// fetchIndex gets an index, checks it compressed and plain, keeps it as name
// and parses it.
func (c *Client) fetchIndex(ctx context.Context, l *listed, name string, added func(int64)) (list []deb.Package, err error) {
	p, err := c.openPartial(l.file.fetched.sha256, l.file.fetched.size)
	if err != nil {
		return nil, explainDisk(err, c.Dir)
	}
	keep := true
	defer func() { p.close(keep) }()
	added(p.size)
	below := "dists/" + l.source.Suite + "/"
	var urls []string
	if l.byHash {
		urls = append(urls, fileURL(l.source.URL, below+path.Dir(l.file.path)+"/by-hash/SHA256/"+l.file.fetched.sha256))
	}
	urls = append(urls, fileURL(l.source.URL, below+l.file.path))
	for i, where := range urls {
		err = c.transfer(ctx, where, p, added)
		if err == nil || i == len(urls)-1 || !isGone(err) {
			break // mirrors made by simple means have no by-hash
		}
	}
	var disk *diskError
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &disk):
		keep = false
		return nil, explainDisk(disk.error, c.Dir)
	case err != nil:
		return nil, err
	}
	keep = false
	if _, err := c.dir("index"); err != nil {
		return nil, err
	}
	plain, err := openPlain(ctx, p.file, l.file)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	err = atomicfile.Write(name, 0o644, func(f *os.File) error {
		sum := sha256.New()
		in := &limited{io.TeeReader(plain, io.MultiWriter(sum, f)), l.file.plain.size}
		var err error
		if list, err = deb.ReadPackages(in); err != nil {
			return err
		}
		if got := hex.EncodeToString(sum.Sum(nil)); in.left != 0 || got != l.file.plain.sha256 {
			return fmt.Errorf("%w: uncompressed it has SHA-256 %s, want %s", errWrong, got, l.file.plain.sha256)
		}
		return nil
	})
	if err != nil {
		return nil, explainDisk(err, c.Dir)
	}
	return list, nil
}

// openPlain decodes a fetched index.
func openPlain(ctx context.Context, f *os.File, form packagesFile) (io.ReadCloser, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	switch form.compression {
	case "xz":
		return deb.NewXZ(ctx, f, form.fetched.size)
	case "gz":
		return gzip.NewReader(f)
	}
	return io.NopCloser(f), nil
}

// limited fails when more than left bytes come.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("%w: uncompressed it is longer than InRelease says", errWrong)
	}
	return n, err
}

// sweepIndices removes indices that no run has used for long.
func (c *Client) sweepIndices() {
	dir := filepath.Join(c.Dir, "index")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > indexAge {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
