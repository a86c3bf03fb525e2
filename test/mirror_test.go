package test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"reprise/internal/archive"
)

// A mirror is a local server that has what the machine's own mirror has, keeps
// it for the next who asks, and breaks off when it is told to.
type mirror struct {
	*httptest.Server
	upstream map[string]string // our base path → URL
	client   *http.Client
	dir      string
	busy     sync.Map // cache file → *sync.Mutex

	breaks atomic.Bool  // break off as soon as left is used up
	left   atomic.Int64 // bytes of packages that still go out
}

var theMirror = sync.OnceValues(func() (*mirror, error) {
	sources, err := archive.MachineSources(os.DirFS("/"), os.Getenv("REPRISE_MIRROR"))
	if err != nil {
		return nil, err
	}
	m := &mirror{upstream: map[string]string{}, dir: filepath.Join(scratch, "mirror")}
	for _, s := range sources {
		switch s.Suite {
		case "trixie":
			m.upstream["/archive/"] = s.URL
		case "trixie-security":
			m.upstream["/archive-security/"] = s.URL
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.RegisterProtocol("file", http.NewFileTransport(http.Dir("/")))
	m.client = &http.Client{Transport: transport}
	m.Server = httptest.NewServer(m)
	return m, os.Mkdir(m.dir, 0o755)
})

// localMirror returns the mirror of all tests, which works.
func localMirror(t *testing.T) *mirror {
	t.Helper()
	m, err := theMirror()
	if err != nil {
		t.Fatal(err)
	}
	m.breaks.Store(false)
	return m
}

func (m *mirror) flag() string { return "--mirror=" + m.URL + "/archive" }

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for base, url := range m.upstream {
		path, ok := strings.CutPrefix(r.URL.EscapedPath(), base)
		if !ok {
			continue
		}
		file, status := m.get(url + "/" + path)
		if status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		if strings.HasPrefix(path, "pool/") && m.breaks.Load() {
			w = &breaking{w, m}
		}
		http.ServeFile(w, r, file)
		return
	}
	http.NotFound(w, r)
}

// get returns the file that holds what url has.
func (m *mirror) get(url string) (file string, status int) {
	sum := sha256.Sum256([]byte(url))
	file = filepath.Join(m.dir, hex.EncodeToString(sum[:]))
	mu, _ := m.busy.LoadOrStore(file, new(sync.Mutex))
	mu.(*sync.Mutex).Lock()
	defer mu.(*sync.Mutex).Unlock()
	if _, err := os.Stat(file); err == nil {
		return file, http.StatusOK
	}
	answer, err := m.client.Get(url)
	if err != nil {
		return "", http.StatusBadGateway
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", answer.StatusCode
	}
	part, err := os.Create(file + ".part")
	if err != nil {
		return "", http.StatusInternalServerError
	}
	defer part.Close()
	if n, err := io.Copy(part, answer.Body); err != nil || answer.ContentLength >= 0 && n != answer.ContentLength {
		return "", http.StatusBadGateway
	}
	if os.Rename(part.Name(), file) != nil {
		return "", http.StatusInternalServerError
	}
	return file, http.StatusOK
}

// breaking is an answer that is cut when the mirror's bytes are used up.
type breaking struct {
	http.ResponseWriter
	mirror *mirror
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.mirror.left.Add(-int64(len(p))) < 0 {
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// dies makes the mirror break every transfer off after so many bytes.
func (m *mirror) dies(t *testing.T, after int64) {
	t.Helper()
	m.left.Store(after)
	m.breaks.Store(true)
	t.Cleanup(func() { m.breaks.Store(false) })
}
