package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"
)

// noon is the time of all test archives.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// testKey makes an archive key that was there a day before noon.
func testKey(t testing.TB) *openpgp.Entity {
	t.Helper()
	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return noon.Add(-24 * time.Hour) }}
	e, err := openpgp.NewEntity("Test Archive", "", "archive@example.invalid", config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func armoured(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Serialize(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

func sign(t testing.TB, text string, keys ...*openpgp.Entity) string {
	t.Helper()
	var private []*packet.PrivateKey
	for _, k := range keys {
		private = append(private, k.PrivateKey)
	}
	var b bytes.Buffer
	w, err := clearsign.EncodeMulti(&b, private, &packet.Config{Time: func() time.Time { return noon.Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func packed(t testing.TB, form, plain string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch form {
	case "xz":
		w, err = xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&b)
	case "gz":
		w = gzip.NewWriter(&b)
	default:
		return plain
	}
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, plain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A suiteSpec is one suite of a test archive.
type suiteSpec struct {
	name, codename string
	date, until    time.Time
	packages       map[string]string // by component: text of Packages
	keys           []*openpgp.Entity
	forms          []string            // in which Packages is offered
	edit           func(string) string // of Release before it is signed
	after          func(string) string // of InRelease after it
}

// A mirror is a test archive on a server.
type mirror struct {
	*httptest.Server
	key *openpgp.Entity

	mu       sync.Mutex
	files    map[string]string // path → content
	tags     bool              // answer with ETag
	ranges   bool
	requests []string // "GET /path" and the Range asked for
	answer   func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool
}

func newMirror(t testing.TB) *mirror {
	t.Helper()
	m := &mirror{key: testKey(t), files: map[string]string{}, ranges: true}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Server.Close)
	return m
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.requests = append(m.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
	content, ok := m.files[r.URL.Path]
	answer, tags, ranges := m.answer, m.tags, m.ranges
	m.mu.Unlock()
	if answer != nil && answer(w, r, content, ok) {
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	if tags {
		w.Header().Set("ETag", `"`+hexSum(content)[:16]+`"`)
	}
	if !ranges {
		r.Header.Del("Range")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
}

func (m *mirror) set(path, content string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[path] = content
}

// drop takes a file away. A request that a client gave up may still be looking
// at the files.
func (m *mirror) drop(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, path)
}

func (m *mirror) answerWith(f func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = f
}

// asked returns the requests since the last call.
func (m *mirror) asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.requests
	m.requests = nil
	return got
}

// packagesText is a Packages index of the named packages.
func packagesText(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "Package: %s\nVersion: 1.0-1\nArchitecture: amd64\nFilename: pool/main/%s_1.0-1_amd64.deb\nSize: 10\nSHA256: %s\n\n",
			name, name, hexSum(name))
	}
	return b.String()
}

// add puts a suite below /debian or, for security, /debian-security.
func (m *mirror) add(t testing.TB, s suiteSpec) {
	t.Helper()
	if s.codename == "" {
		s.codename = s.name
	}
	if s.date.IsZero() {
		s.date = noon.Add(-2 * time.Hour)
	}
	if s.keys == nil {
		s.keys = []*openpgp.Entity{m.key}
	}
	if s.forms == nil {
		s.forms = []string{"xz"}
	}
	if s.packages == nil {
		s.packages = map[string]string{"main": packagesText(s.name + "-one"), "contrib": "", "non-free-firmware": packagesText(s.name + "-firmware")}
	}
	base := "/debian"
	if s.name == securitySuite {
		base = "/debian-security"
	}
	dists := base + "/dists/" + s.name + "/"
	var lines strings.Builder
	for _, component := range slices.Sorted(maps.Keys(s.packages)) {
		plain := s.packages[component]
		dir := component + "/binary-amd64/"
		fmt.Fprintf(&lines, " %s %d %sPackages\n", hexSum(plain), len(plain), dir)
		for _, form := range s.forms {
			name := "Packages"
			if form != "" {
				name += "." + form
			}
			content := packed(t, form, plain)
			if form != "" {
				fmt.Fprintf(&lines, " %s %8d %s%s\n", hexSum(content), len(content), dir, name)
			}
			m.set(dists+dir+name, content)
			m.set(dists+dir+"by-hash/SHA256/"+hexSum(content), content)
		}
	}
	const layout = "Mon, 02 Jan 2006 15:04:05 UTC"
	text := "Origin: Test\nSuite: test-suite\nCodename: " + s.codename + "\nDate: " + s.date.Format(layout) + "\n"
	if !s.until.IsZero() {
		text += "Valid-Until: " + s.until.Format(layout) + "\n"
	}
	text += "Acquire-By-Hash: yes\nArchitectures: all amd64\nComponents: main contrib non-free-firmware\nSHA256:\n" + lines.String()
	if s.edit != nil {
		text = s.edit(text)
	}
	signed := sign(t, text, s.keys...)
	if s.after != nil {
		signed = s.after(signed)
	}
	m.set(dists+"InRelease", signed)
}

func (m *mirror) addAll(t testing.TB) {
	t.Helper()
	for _, suite := range suites {
		m.add(t, suiteSpec{name: suite, until: noon.Add(7 * 24 * time.Hour)})
	}
}

// client returns a client of the mirror with an empty cache.
func (m *mirror) client(t testing.TB) *Client {
	t.Helper()
	sources, err := MirrorSources(m.URL + "/debian")
	if err != nil {
		t.Fatal(err)
	}
	return &Client{
		Sources: sources, Arch: "amd64", Dir: t.TempDir(), Keys: [][]byte{armoured(t, m.key)},
		Now: func() time.Time { return noon }, Stall: 2 * time.Second, pause: 5 * time.Millisecond,
	}
}
