package archive

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"reprise/internal/progress"
)

// A Client reads an archive. Fill it and call Index and Fetch; the zero value
// of every field but Sources, Arch and Dir is good. It may be used from
// several goroutines, and several processes may share Dir.
type Client struct {
	Sources []Source // where the suites are
	Arch    string   // "amd64"
	Dir     string   // cache; made when it is not there; see the package doc

	// Snapshots are further bases, asked in order for a package that has
	// left the mirror. Any of them may hold files of any suite, because the
	// hash decides.
	Snapshots []string

	Sink    progress.Sink // nil: no reports
	Offline bool          // Index uses what Dir holds; Fetch may finish nothing it has to ask for

	Connections int              // at once; 0: 6
	Stall       time.Duration    // without minTrickle bytes in it, a transfer is cut; 0: 20 s
	Now         func() time.Time // clock for the dates of InRelease; nil: time.Now
	Keys        [][]byte         // armoured keys to trust in place of Debian's; nil: Debian's
	Transport   http.RoundTripper

	pause  time.Duration // first wait before another try; 0: minWait
	client atomic.Pointer[retryablehttp.Client]
}

const (
	defaultConnections = 6
	defaultStall       = 20 * time.Second

	// minTrickle is how many bytes must arrive in each Stall for a transfer
	// to count as alive. A modem line gives more in a few seconds.
	minTrickle = 16 << 10

	// A request that gets no answer, or "come back later", is tried again so
	// often; the waits between are in this range.
	requestRetries = 4
	minWait        = 250 * time.Millisecond
	maxWait        = 8 * time.Second

	// transferRetries is how often in a row a transfer may be cut without
	// having brought resumeWorth bytes.
	transferRetries = 4
)

var (
	errStalled  = errors.New("the transfer stalled")
	errOffline  = errors.New("offline: nothing is asked from the network")
	errRedirect = errors.New("redirected")
)

func (c *Client) sink() progress.Sink {
	if c.Sink == nil {
		return progress.Discard
	}
	return c.Sink
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Client) stall() time.Duration {
	if c.Stall <= 0 {
		return defaultStall
	}
	return c.Stall
}

func (c *Client) wait() time.Duration {
	if c.pause <= 0 {
		return minWait
	}
	return c.pause
}

func (c *Client) connections() int {
	if c.Connections <= 0 {
		return defaultConnections
	}
	return c.Connections
}

// dir returns a directory of the cache, and makes it.
func (c *Client) dir(name string) (string, error) {
	d := filepath.Join(c.Dir, name)
	return d, os.MkdirAll(d, 0o755)
}

// http returns the client for requests. Connections are kept for as long as
// the Client is.
func (c *Client) http() *retryablehttp.Client {
	if r := c.client.Load(); r != nil {
		return r
	}
	transport := c.Transport
	if transport == nil {
		t := &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: c.stall(),
			MaxIdleConnsPerHost:   c.connections(),
			IdleConnTimeout:       30 * time.Second,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true, // lengths and ranges are of the file itself
			ReadBufferSize:        64 << 10,
		}
		t.RegisterProtocol("file", http.NewFileTransport(http.Dir("/")))
		transport = t
	}
	r := retryablehttp.NewClient()
	r.HTTPClient = &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	r.Logger = log.New(io.Discard, "", 0)
	r.RetryMax = requestRetries
	r.RetryWaitMin, r.RetryWaitMax = c.wait(), maxWait
	r.CheckRetry = checkRetry
	r.Backoff = boundedBackoff
	r.ErrorHandler = retryablehttp.PassthroughErrorHandler
	if !c.client.CompareAndSwap(nil, r) {
		return c.client.Load()
	}
	return r
}

// checkRedirect follows what mirrors do, within the network: a mirror must
// not point us at local files.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w to %q, which is not on the network", errRedirect, req.URL.Redacted())
	}
	if len(via) >= 10 {
		return fmt.Errorf("%w more than 10 times", errRedirect)
	}
	return nil
}

// checkRetry says whether a request is worth another try. One to a name that
// does not exist or with a wrong certificate is not: the user has made a
// mistake, and waiting would only hide it.
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.Is(err, errRedirect), errors.As(err, &name) && name.IsNotFound, errors.As(err, &certificate), errors.As(err, &authority):
		return false, err
	}
	again, _ := retryablehttp.DefaultRetryPolicy(ctx, resp, err)
	return again, err
}

// boundedBackoff waits as a server asks (Retry-After), but never longer than
// the bound.
func boundedBackoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	return min(most, retryablehttp.DefaultBackoff(least, most, attempt, resp))
}

// A statusError is an answer that is neither a file nor worth another try.
type statusError struct {
	url  string
	code int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%q: the server answers %d %s", redacted(e.url), e.code, http.StatusText(e.code))
}

// gone reports whether the server says that it does not have the file.
func (e *statusError) gone() bool {
	return e.code == http.StatusNotFound || e.code == http.StatusGone || e.code == http.StatusForbidden
}

// A requestError is a request that got no answer, after all its tries.
type requestError struct{ error }

func (e *requestError) Unwrap() error { return e.error }

func isGone(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.gone()
}

// do sends one request. The caller closes the body; when it reads slower than
// the server sends, or the server stalls, the transfer is cut with errStalled.
func (c *Client) do(ctx context.Context, method, url string, header http.Header) (*http.Response, error) {
	if c.Offline {
		return nil, fmt.Errorf("%q: %w", redacted(url), errOffline)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := retryablehttp.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "reprise")
	resp, err := c.http().Do(req)
	if err != nil {
		cancel(nil)
		return nil, &requestError{err}
	}
	w := &watched{body: resp.Body, cancel: cancel, ctx: ctx, every: c.stall()}
	w.timer = time.AfterFunc(w.every, w.look)
	resp.Body = w
	return resp, nil
}

// watched is a body that is cut when it hardly moves.
type watched struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	every  time.Duration
	timer  *time.Timer
	n      atomic.Int64
	before int64 // n at the last look; only look uses it
}

func (w *watched) look() {
	n := w.n.Load()
	if n-w.before < minTrickle {
		w.cancel(fmt.Errorf("%w: %d bytes in %s", errStalled, n-w.before, w.every))
		return
	}
	w.before = n
	w.timer.Reset(w.every)
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	w.n.Add(int64(n))
	if err != nil && err != io.EOF && w.ctx.Err() != nil {
		err = context.Cause(w.ctx)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	err := w.body.Close()
	w.cancel(nil)
	return err
}
