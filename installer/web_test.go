package installer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var someAnswers = []byte("{\"profile\": \"live-rig\"}\n")

func hashOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func quickWeb() Web { return Web{wait: time.Millisecond} }

func TestFetchAnswers(t *testing.T) {
	var short atomic.Int32
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	secure := httptest.NewTLSServer(mux)
	defer secure.Close()
	mux.HandleFunc("/a.json", func(w http.ResponseWriter, _ *http.Request) { w.Write(someAnswers) })
	mux.HandleFunc("/52-54-00-12-34-56.json", func(w http.ResponseWriter, _ *http.Request) { w.Write(someAnswers) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte(" "), maxFile+1)) })
	mux.HandleFunc("/most", func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte(" "), maxFile)) })
	mux.Handle("/to-http", http.RedirectHandler(server.URL+"/a.json", http.StatusFound))
	mux.Handle("/to-file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		if short.Add(1) < 3 {
			w.Header().Set("Content-Length", fmt.Sprint(len(someAnswers)))
			w.Write(someAnswers[:5])
			return
		}
		w.Write(someAnswers)
	})
	good := hashOf(someAnswers)
	for _, test := range []struct {
		address, sum, want string // want: in the error; "" for answers
	}{
		{server.URL + "/a.json", good, ""},
		{secure.URL + "/a.json", good, ""}, // the hash vouches, and no authority
		{server.URL + "/{mac}.json", good, ""},
		{server.URL + "/cut", good, ""},
		{server.URL + "/to-http", good, ""},
		{server.URL + "/most", hashOf(bytes.Repeat([]byte(" "), maxFile)), ""},
		{server.URL + "/a.json", "", "anybody on the way could change it"},
		{server.URL + "/a.json", strings.Repeat("0", 64), "the file there has the SHA-256 " + good},
		{server.URL + "/a.json", good[:63], "want: 64 hexadecimal digits"},
		{server.URL + "/a.json", strings.Repeat("x", 64), "want: 64 hexadecimal digits"},
		{server.URL + "/gone", good, "the server answers 404"},
		{server.URL + "/large", good, "larger than 1048576 bytes"},
		{server.URL + "/round", good, "leads elsewhere, 5 times"},
		{server.URL + "/to-file", good, "which is not https"},
		{secure.URL + "/a.json", "", "certificate"},
		{"ftp://x.example/a", good, "an http or https URL"},
		{"a.json", good, "an http or https URL"},
		{"http://", good, "an http or https URL"},
	} {
		w := quickWeb()
		w.Up = func(context.Context) (string, error) { return "52:54:00:12:34:56", nil }
		place, err := w.fetch(t.Context(), test.address, test.sum)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.address, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s with %q: error is %v, want %q in it", test.address, test.sum, err, test.want)
		case test.want == "" && place.Name == "":
			t.Errorf("%s: the place has no name", test.address)
		}
	}
}

// By https alone, a redirect may not leave it.
func TestFetchAnswersLeavesNotHTTPS(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(server.URL, http.StatusFound))
	defer secure.Close()
	before := http.DefaultTransport
	http.DefaultTransport = secure.Client().Transport
	defer func() { http.DefaultTransport = before }()
	_, err := quickWeb().fetch(t.Context(), secure.URL+"/a", "")
	if err == nil || !strings.Contains(err.Error(), "which is not https") {
		t.Errorf("error is %v, want that http is not followed", err)
	}
}

// A server that is not there yet is asked again, and it is said once.
func TestFetchAnswersAgain(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2, 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.Write(someAnswers)
		}
	}))
	defer server.Close()
	var mu sync.Mutex
	var said []string
	w := quickWeb()
	w.Say = func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, fmt.Sprintf(format, args...))
	}
	place, err := w.fetch(t.Context(), server.URL, hashOf(someAnswers))
	if err != nil || string(place.Data) != string(someAnswers) {
		t.Fatalf("fetch = %v, %v", place, err)
	}
	if asked.Load() != 4 {
		t.Errorf("asked %d times, want 4", asked.Load())
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 2 || !strings.HasPrefix(said[0], "reading answers from http://") || !strings.HasPrefix(said[1], "not yet: ") {
		t.Errorf("said %q", said)
	}
}

func TestFetchAnswersWithoutNetwork(t *testing.T) {
	w := quickWeb()
	w.Up = func(context.Context) (string, error) { return "", errors.New("eth0: no cable is in") }
	_, err := w.fetch(t.Context(), "https://x.example/{mac}.json", "")
	if err == nil || !strings.Contains(err.Error(), "eth0: no cable is in") || !strings.Contains(err.Error(), "/{mac}.json") {
		t.Errorf("error is %v", err)
	}
	w.Up = nil
	_, err = w.fetch(t.Context(), "https://x.example/{mac}.json", "")
	if err == nil || !strings.Contains(err.Error(), "no network card is known") {
		t.Errorf("no card: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = w.fetch(ctx, "https://x.example/a.json", ""); err == nil {
		t.Error("fetched after the end")
	}
}

func TestRedactAddress(t *testing.T) {
	for address, want := range map[string]string{
		"https://x.example/{mac}.json":       "https://x.example/{mac}.json",
		"https://me:pw@x.example/{mac}.json": "https://me:xxxxx@x.example/{mac}.json",
		"%zz":                                "%zz",
	} {
		if got := redactAddress(address); got != want {
			t.Errorf("redactAddress(%q) = %q, want %q", address, got, want)
		}
	}
}
