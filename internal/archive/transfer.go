package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/progress"
)

// resumeWorth is the least part of a file that is kept for another run.
const resumeWorth = 1 << 20 // bytes

// A partial is the start of a file on disk, named by the hash that the whole
// will have. It is locked, so that two processes do not write the same one.
type partial struct {
	file   *os.File
	size   int64  // bytes that are there
	want   int64  // bytes of the whole
	sha256 string // of the whole
	sum    hash.Hash
	etag   string // of the server that the present connection goes to
	old    bool   // holds bytes of an earlier run
	own    bool   // the name is this process's own: never kept
}

// openPartial opens or makes the partial of a file.
func (c *Client) openPartial(sha256Hex string, want int64) (*partial, error) {
	dir, err := c.dir("partial")
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, sha256Hex)
	p := &partial{want: want, sha256: sha256Hex, sum: sha256.New()}
	for {
		if p.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644); err != nil {
			return nil, err
		}
		if err := unix.Flock(int(p.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			// Another process is at it. Its end is not waited for: it may be
			// stopped, and the bytes would have to be fetched all the same.
			p.file.Close()
			p.own = true
			if p.file, err = os.CreateTemp(dir, sha256Hex+".*"); err != nil {
				return nil, err
			}
			return p, unix.Flock(int(p.file.Fd()), unix.LOCK_EX) // see sweepPartials
		}
		// The name may have been moved away between open and lock.
		here, err1 := p.file.Stat()
		there, err2 := os.Lstat(name)
		if err1 == nil && err2 == nil && os.SameFile(here, there) {
			break
		}
		p.file.Close()
	}
	if p.size, err = io.Copy(p.sum, p.file); err != nil {
		p.close(false)
		return nil, err
	}
	p.old = p.size > 0
	if p.size > want {
		err = p.restart()
	}
	if err != nil {
		p.close(false)
		return nil, err
	}
	return p, nil
}

// restart forgets what is there.
func (p *partial) restart() error {
	p.size, p.old, p.etag = 0, false, ""
	p.sum.Reset()
	_, err := p.file.Seek(0, io.SeekStart)
	return errors.Join(err, p.file.Truncate(0))
}

// Write adds bytes to the file and its hash. Its errors are a diskError.
func (p *partial) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	p.sum.Write(b[:n])
	p.size += int64(n)
	if err != nil {
		return n, &diskError{err}
	}
	return n, nil
}

// A diskError is a fault on our side, for which no other server helps.
type diskError struct{ error }

func (e *diskError) Unwrap() error { return e.error }

// whole reports whether every byte is there and right.
func (p *partial) whole() error {
	if p.size != p.want {
		return fmt.Errorf("%w: %d bytes, want %d", errWrong, p.size, p.want)
	}
	if got := hex.EncodeToString(p.sum.Sum(nil)); got != p.sha256 {
		return fmt.Errorf("%w: SHA-256 %s, want %s", errWrong, got, p.sha256)
	}
	return nil
}

// close ends the use of the file. keep says that its bytes may serve another
// run.
func (p *partial) close(keep bool) {
	if !keep || p.own || p.size < resumeWorth {
		// Once the file was moved away, the name may be another process's.
		// While it is ours, only we may take it away, for we hold the lock.
		here, err1 := p.file.Stat()
		there, err2 := os.Lstat(p.file.Name())
		if err1 == nil && err2 == nil && os.SameFile(here, there) {
			os.Remove(p.file.Name())
		}
	}
	p.file.Close()
}

var errWrong = errors.New("wrong content")

// transfer brings the partial to its full size from url, and checks it. It
// goes on where a cut or an earlier run left off. added is told of every byte
// (negative: bytes that were dropped).
func (c *Client) transfer(ctx context.Context, url string, p *partial, added func(int64)) error {
	p.etag = ""
	for cuts := 0; ; {
		before := p.size
		err := c.transferOnce(ctx, url, p, added)
		if err == nil {
			err = p.whole()
		}
		if err == nil {
			return nil
		}
		var disk *diskError
		var status *statusError
		var request *requestError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &disk), errors.As(err, &status), errors.As(err, &request), errors.Is(err, errOffline):
			return err
		case errors.Is(err, errWrong):
			wasOld := p.old
			added(-p.size)
			if e := p.restart(); e != nil {
				return &diskError{e}
			}
			if !wasOld {
				return fmt.Errorf("%q: %w", redacted(url), err)
			}
			continue // the bytes of an earlier run were to blame, perhaps
		}
		if p.size-before >= resumeWorth {
			cuts = 0
		}
		if cuts++; cuts > transferRetries {
			return fmt.Errorf("%q: cut %d times: %w", redacted(url), cuts, err)
		}
		select {
		case <-time.After(min(maxWait, c.wait()<<cuts)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// transferOnce is one request of transfer.
func (c *Client) transferOnce(ctx context.Context, url string, p *partial, added func(int64)) error {
	if p.size == p.want {
		return nil
	}
	header := http.Header{}
	if p.size > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(p.size, 10)+"-")
		if p.etag != "" {
			header.Set("If-Range", p.etag)
		}
	}
	resp, err := c.do(ctx, http.MethodGet, url, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && p.size > 0:
		if start, total := contentRange(resp.Header.Get("Content-Range")); start != p.size || total >= 0 && total != p.want {
			return fmt.Errorf("%w: the server sends range %.60q, want bytes %d to %d of %d",
				errWrong, resp.Header.Get("Content-Range"), p.size, p.want-1, p.want)
		}
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && p.size > 0:
		// A server without ranges, or another file than before: from the
		// start.
		added(-p.size)
		if err := p.restart(); err != nil {
			return &diskError{err}
		}
		if resp.StatusCode != http.StatusOK {
			return errors.New("the server does not know the range")
		}
		if resp.ContentLength >= 0 && resp.ContentLength != p.want {
			return fmt.Errorf("%w: the server has %d bytes, want %d", errWrong, resp.ContentLength, p.want)
		}
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("the server answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	default:
		return &statusError{url, resp.StatusCode}
	}
	if tag := resp.Header.Get("ETag"); strings.HasPrefix(tag, `"`) { // a strong one
		p.etag = tag
	}
	// One byte more than wanted is read, so that a longer file is noticed.
	body := io.LimitReader(resp.Body, p.want-p.size+1)
	if _, err := io.CopyBuffer(counting{p, added}, onlyReader{body}, make([]byte, 128<<10)); err != nil {
		return err
	}
	if p.size < p.want {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// counting tells added of what is written to p. It is not a ReaderFrom.
type counting struct {
	p     *partial
	added func(int64)
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.p.Write(b)
	c.added(int64(n))
	return n, err
}

type onlyReader struct{ io.Reader }

// contentRange reads "bytes START-END/TOTAL"; -1 stands for what is not
// there.
func contentRange(s string) (start, total int64) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	first, rest, ok1 := strings.Cut(rest, "-")
	_, last, ok2 := strings.Cut(rest, "/")
	start, err := strconv.ParseInt(first, 10, 64)
	if !ok || !ok1 || !ok2 || err != nil {
		return -1, -1
	}
	if total, err = strconv.ParseInt(last, 10, 64); err != nil {
		total = -1
	}
	return start, total
}

// tally adds to a task.
func tally(task progress.Task) func(int64) { return func(n int64) { task.Add(n) } }
