package installer

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"reprise/internal/diag"
)

// macPlace stands in the URL of answers for the address of the network card
// that the machine got on the network with, as "52-54-00-12-34-56".
const macPlace = "{mac}"

// Times of fetching answers. A server that starts after the same power cut as
// the machines has that long.
const (
	answersLimit = 5 * time.Minute // until the answers are there
	tryLimit     = 30 * time.Second
	leastWait    = time.Second
	mostWait     = 15 * time.Second
	mostTries    = 8
	mostHops     = 5
)

// Web is how answers are fetched from a URL.
type Web struct {
	// Up waits for the network, as long as that makes sense, and returns the MAC address of the card that is
	// on it: "52:54:00:12:34:56". nil: the network is there, and the address is
	// not known.
	Up func(context.Context) (mac string, err error)
	// Say tells whoever looks on what is being waited for. May be nil.
	Say func(format string, args ...any)

	wait time.Duration // before the second try; 0: leastWait
}

// errRedirect: a redirect that is not followed.
var errRedirect = errors.New("the server leads elsewhere")

func urlProblem(got, want, do string) error {
	return diag.Problem{Field: answersWord, Got: got, Want: want, Do: do}
}

// fetch reads answers from a URL: by https, or with their SHA-256, which then
// vouches for them whatever the connection is.
func (w Web) fetch(ctx context.Context, address, sum string) (*Place, error) {
	want, err := checkAddress(address, sum)
	if err != nil {
		return nil, err
	}
	shown := redactAddress(address)
	say := w.Say
	if say == nil {
		say = func(string, ...any) {}
	}
	if w.Up != nil {
		say("answers are at %s; waiting for the network", shown)
		mac, err := w.Up(ctx)
		if err != nil {
			return nil, urlProblem(fmt.Sprintf("is %q, and %v", shown, err), "a network with DHCP on a wired card", "put the cable in, and look at the lights beside it")
		}
		address = strings.ReplaceAll(address, macPlace, strings.ReplaceAll(strings.ToLower(mac), ":", "-"))
		shown = redactAddress(address)
	}
	if strings.Contains(address, macPlace) {
		return nil, urlProblem(fmt.Sprintf("is %q, and no network card is known", shown), "a card that has an address", "write the URL without "+macPlace)
	}
	say("reading answers from %s", shown)
	ctx, cancel := context.WithTimeout(ctx, answersLimit)
	defer cancel()
	data, err := w.get(ctx, address, want != nil, say)
	if err != nil {
		return nil, urlProblem(fmt.Sprintf("is %q: %s", shown, inWords(err)), "a file of answers there", todo(err))
	}
	if got := sha256.Sum256(data); want != nil && string(got[:]) != string(want) {
		return nil, urlProblem(fmt.Sprintf("is %q, and the file there has the SHA-256 %x", shown, got), strings.ToLower(sum), "look whether the file was changed, then write its hash anew")
	}
	return &Place{Name: shown, Data: data}, nil
}

// checkAddress judges what the kernel line says, before anything is asked, and
// returns the hash; nil without one.
func checkAddress(address, sum string) (want []byte, err error) {
	u, err := url.Parse(strings.ReplaceAll(address, macPlace, "00-00-00-00-00-00"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, urlProblem(fmt.Sprintf("is %q", redactAddress(address)), "an http or https URL", "write "+answersWord+"=https://…")
	}
	if sum == "" {
		if u.Scheme == "http" {
			return nil, urlProblem(fmt.Sprintf("is %q: anybody on the way could change it", redactAddress(address)), "https, or the SHA-256 of the file", "write "+hashWord+"= with what sha256sum prints")
		}
		return nil, nil
	}
	want, err = hex.DecodeString(sum)
	if err != nil || len(want) != sha256.Size {
		return nil, diag.Problem{Field: hashWord, Got: fmt.Sprintf("is %q", sum), Want: "64 hexadecimal digits", Do: "write what sha256sum prints"}
	}
	return want, nil
}

// redactAddress takes a password out of a URL.
func redactAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	// Redacted would write the braces of a place as %7B.
	return strings.NewReplacer("%7B", "{", "%7D", "}").Replace(u.Redacted())
}

// get reads a small file, and tries again when that may help. Where hashed
// says that the content is known, neither certificates nor redirects matter.
func (w Web) get(ctx context.Context, address string, hashed bool, say func(string, ...any)) ([]byte, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if hashed {
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the hash vouches
	}
	client := retryablehttp.NewClient()
	client.HTTPClient = &http.Client{Transport: transport, Timeout: tryLimit, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= mostHops:
			return fmt.Errorf("%w, %d times", errRedirect, mostHops)
		case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || !hashed):
			return fmt.Errorf("%w, to %q, which is not https", errRedirect, r.URL.Redacted())
		}
		return nil
	}}
	client.Logger = log.New(io.Discard, "", 0)
	client.RetryMax, client.RetryWaitMin, client.RetryWaitMax = mostTries-1, w.wait, mostWait
	if w.wait == 0 {
		client.RetryWaitMin = leastWait
	}
	client.Backoff = func(least, most time.Duration, attempt int, r *http.Response) time.Duration {
		return min(most, retryablehttp.DefaultBackoff(least, most, attempt, r)) // whatever the server asks for
	}
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	var last error
	client.CheckRetry = func(ctx context.Context, r *http.Response, err error) (bool, error) {
		if errors.Is(err, errRedirect) || notTrusted(err) {
			return false, err
		}
		again, fault := retryablehttp.DefaultRetryPolicy(ctx, r, err)
		if again && err != nil && fmt.Sprint(last) != err.Error() {
			last = err
			say("not yet: %s", inWords(err))
		}
		return again, fault
	}
	var err error
	for range mostTries { // a body that was cut off comes whole another time
		var request *retryablehttp.Request
		if request, err = retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil); err != nil {
			return nil, err
		}
		var response *http.Response
		if response, err = client.Do(request); err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			response.Body.Close()
			return nil, fmt.Errorf("the server answers %s", response.Status)
		}
		var data []byte
		data, err = io.ReadAll(io.LimitReader(response.Body, maxFile+1))
		response.Body.Close()
		if len(data) > maxFile {
			return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
		}
		if err == nil {
			return data, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(client.RetryWaitMin):
		}
	}
	return nil, err
}

func notTrusted(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate)
}

// inWords is an error without the URL, which stands beside it.
func inWords(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

// todo is what helps against an error.
func todo(err error) string {
	var old x509.CertificateInvalidError
	switch {
	case errors.As(err, &old) && old.Reason == x509.Expired:
		return fmt.Sprintf("set the clock, which shows %s, or have the certificate renewed", time.Now().UTC().Format(time.DateTime))
	case notTrusted(err):
		return "give the server a certificate of a known authority, or write " + hashWord + "= with what sha256sum prints"
	case errors.Is(err, errRedirect):
		return "write the address that it leads to, or write " + hashWord + "= with what sha256sum prints"
	}
	return "look at the cable, at the address and at the server"
}
