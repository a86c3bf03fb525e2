package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"reprise/internal/progress"
)

// content makes bytes that differ by seed.
func content(seed int64, size int) string {
	b := make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(b)
	return string(b)
}

// pool puts files of the given sizes into the mirror's pool.
func (m *mirror) pool(sizes ...int) []File {
	var files []File
	for i, size := range sizes {
		text := content(int64(i), size)
		f := File{fmt.Sprintf("pool/main/p/p%d/p%d_1%%3a1.0+b1~x_amd64.deb", i, i), "trixie", int64(size), hexSum(text)}
		m.set("/debian/"+f.PoolPath, text)
		files = append(files, f)
	}
	return files
}

// keeper is a store that moves files away and checks them.
type keeper struct {
	t   testing.TB
	dir string
	got map[string]bool
}

func newKeeper(t testing.TB) *keeper { return &keeper{t, t.TempDir(), map[string]bool{}} }

func (k *keeper) store(f File, tmp string) error {
	text, err := os.ReadFile(tmp)
	if err != nil || hexSum(string(text)) != f.SHA256 {
		k.t.Errorf("store is given %d wrong bytes for %s, %v", len(text), f.PoolPath, err)
	}
	k.got[f.PoolPath] = true
	return os.Rename(tmp, filepath.Join(k.dir, f.SHA256))
}

func (c *Client) partials(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.Dir, "partial"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// counter is a Sink that sums up a task.
type counter struct {
	progress.Sink
	total, done atomic.Int64
}

func (c *counter) Start(_ string, _ progress.Unit, total int64) progress.Task {
	c.total.Store(total)
	return &countTask{progress.Discard.Start("", "", 0), c}
}

type countTask struct {
	progress.Task
	c *counter
}

func (t *countTask) Add(n int64) { t.c.done.Add(n) }

func TestFetch(t *testing.T) {
	m := newMirror(t)
	files := m.pool(10, 3<<20, 1, 400_000, 70_000, 5, 6, 7, 8)
	c, k := m.client(t), newKeeper(t)
	sink := &counter{Sink: progress.Discard}
	c.Sink = sink
	if err := c.Fetch(t.Context(), files, k.store); err != nil {
		t.Fatal(err)
	}
	if len(k.got) != len(files) {
		t.Errorf("got %v", k.got)
	}
	if asked := m.asked(); len(asked) != len(files) {
		t.Errorf("asked %q for %d files", asked, len(files))
	}
	if sink.total.Load() != sink.done.Load() || sink.total.Load() < 3<<20 {
		t.Errorf("progress: %d of %d", sink.done.Load(), sink.total.Load())
	}
	if left := c.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := c.Fetch(t.Context(), nil, k.store); err != nil {
		t.Errorf("nothing to fetch: %v", err)
	}
}

// The largest file comes first, so that it does not run on alone at the end.
func TestFetchLargestFirst(t *testing.T) {
	m := newMirror(t)
	files := m.pool(10, 3<<20, 1, 400_000)
	c := m.client(t)
	c.Connections = 1
	if err := c.Fetch(t.Context(), files, newKeeper(t).store); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, request := range m.asked() {
		name, _, _ := strings.Cut(path.Base(request), "_")
		order = append(order, name)
	}
	if diff := cmp.Diff([]string{"p1", "p3", "p0", "p2"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestFetchRefusesFiles(t *testing.T) {
	m := newMirror(t)
	c := m.client(t)
	good := m.pool(10)[0]
	for name, edit := range map[string]func(*File){
		"absolute": func(f *File) { f.PoolPath = "/etc/passwd" },
		"upwards":  func(f *File) { f.PoolPath = "../x" },
		"unclean":  func(f *File) { f.PoolPath = "pool//x" },
		"no path":  func(f *File) { f.PoolPath = "" },
		"line end": func(f *File) { f.PoolPath = "pool/x\ny" },
		"no size":  func(f *File) { f.Size = 0 },
		"no hash":  func(f *File) { f.SHA256 = "../../x" },
		"no suite": func(f *File) { f.Suite = "sid" },
	} {
		f := good
		edit(&f)
		if err := c.Fetch(t.Context(), []File{f}, newKeeper(t).store); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if asked := m.asked(); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}
}

// cutAfter sends at most so many bytes of each answer.
func cutAfter(limit int, from func(*http.Request) bool) func(http.ResponseWriter, *http.Request, string, bool) bool {
	return func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
		if !ok || !from(r) {
			return false
		}
		start := 0
		if s := r.Header.Get("Range"); s != "" {
			start, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(s, "bytes="), "-"))
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(content)-1, len(content)))
		}
		rest := content[start:]
		w.Header().Set("Content-Length", strconv.Itoa(len(rest)))
		if start > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write([]byte(rest[:min(limit, len(rest))]))
		return true
	}
}

func anyRequest(*http.Request) bool { return true }

func TestFetchResumes(t *testing.T) {
	m := newMirror(t)
	files := m.pool(5 << 20)
	m.answerWith(cutAfter(1500<<10, anyRequest))
	c, k := m.client(t), newKeeper(t)
	sink := &counter{Sink: progress.Discard}
	c.Sink = sink
	if err := c.Fetch(t.Context(), files, k.store); err != nil || len(k.got) != 1 {
		t.Fatalf("%v, got %v", err, k.got)
	}
	asked := m.asked()
	if len(asked) != 4 || !strings.HasSuffix(asked[3], "bytes="+strconv.Itoa(4500<<10)+"-") {
		t.Errorf("asked %q", asked)
	}
	if sink.done.Load() != 5<<20 {
		t.Errorf("progress says %d bytes", sink.done.Load())
	}
}

// The mirror goes away in the middle. What came is there for the next run.
func TestFetchMirrorGone(t *testing.T) {
	m := newMirror(t)
	files := m.pool(5<<20, 1000)
	var n atomic.Int32
	m.answerWith(func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
		if n.Add(1) > 2 {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.Close()
			return true
		}
		return cutAfter(2<<20, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/p0_") })(w, r, content, ok)
	})
	c, k := m.client(t), newKeeper(t)
	err := c.Fetch(t.Context(), files, k.store)
	if err == nil || !strings.Contains(err.Error(), "/p0_") {
		t.Fatalf("error %v, want one that names the file", err)
	}
	left := c.partials(t)
	if !slices.Equal(left, []string{files[0].SHA256}) {
		t.Errorf("left %v, want the first 2 MiB of %s", left, files[0].SHA256)
	}
	m.answerWith(nil)
	m.asked()
	if err := c.Fetch(t.Context(), files[:1], k.store); err != nil {
		t.Fatal(err)
	}
	if asked := m.asked(); len(asked) != 1 || !strings.HasSuffix(asked[0], " bytes="+strconv.Itoa(2<<20)+"-") {
		t.Errorf("the next run asks %q", asked)
	}
	if left := c.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFetchEarlierRunWasWrong(t *testing.T) {
	for name, start := range map[string]string{
		"other bytes":  strings.Repeat("x", 2<<20),
		"complete":     strings.Repeat("x", 3<<20),
		"longer":       strings.Repeat("x", 4<<20),
		"right so far": content(0, 3<<20)[:2<<20],
		"whole":        content(0, 3<<20),
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			files := m.pool(3 << 20)
			c, k := m.client(t), newKeeper(t)
			sink := &counter{Sink: progress.Discard}
			c.Sink = sink
			dir, _ := c.dir("partial")
			if err := os.WriteFile(filepath.Join(dir, files[0].SHA256), []byte(start), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := c.Fetch(t.Context(), files, k.store); err != nil || len(k.got) != 1 {
				t.Fatalf("%v, got %v", err, k.got)
			}
			if sink.done.Load() != 3<<20 {
				t.Errorf("progress says %d bytes", sink.done.Load())
			}
			if asked := m.asked(); name == "whole" && len(asked) > 0 {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestFetchServerWithoutRanges(t *testing.T) {
	m := newMirror(t)
	m.ranges = false
	files := m.pool(3 << 20)
	var n atomic.Int32
	m.answerWith(func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
		if n.Add(1) > 1 {
			return false
		}
		r.Header.Del("Range")
		return cutAfter(2<<20, anyRequest)(w, r, content, ok)
	})
	c, k := m.client(t), newKeeper(t)
	sink := &counter{Sink: progress.Discard}
	c.Sink = sink
	if err := c.Fetch(t.Context(), files, k.store); err != nil || len(k.got) != 1 {
		t.Fatalf("%v, got %v", err, k.got)
	}
	if sink.done.Load() != 3<<20 {
		t.Errorf("progress says %d bytes", sink.done.Load())
	}
}

// The file changes between the cut and the resumption: If-Range notices.
func TestFetchFileChanges(t *testing.T) {
	m := newMirror(t)
	m.tags = true
	files := m.pool(3 << 20)
	name := "/debian/" + files[0].PoolPath
	right := m.files[name]
	m.set(name, content(99, 3<<20))
	var n atomic.Int32
	m.answerWith(func(w http.ResponseWriter, r *http.Request, text string, ok bool) bool {
		if n.Add(1) > 1 {
			if r.Header.Get("If-Range") != `"wrong one"` {
				t.Errorf("resumed without If-Range: %v", r.Header)
			}
			return false
		}
		w.Header().Set("ETag", `"wrong one"`)
		defer m.set(name, right)
		return cutAfter(2<<20, anyRequest)(w, r, text, ok)
	})
	c, k := m.client(t), newKeeper(t)
	if err := c.Fetch(t.Context(), files, k.store); err != nil || len(k.got) != 1 {
		t.Fatalf("%v, got %v", err, k.got)
	}
}

func TestFetchWrongBytes(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"other bytes": func(s string) string { return "x" + s[1:] },
		"longer":      func(s string) string { return s + "x" },
		"shorter":     func(s string) string { return s[1:] },
		"empty":       func(string) string { return "" },
		"a web page":  func(string) string { return "<html>Please log in to this network</html>" },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			files := m.pool(2 << 20)
			m.set("/debian/"+files[0].PoolPath, change(m.files["/debian/"+files[0].PoolPath]))
			c, k := m.client(t), newKeeper(t)
			err := c.Fetch(t.Context(), files, k.store)
			if !errors.Is(err, errWrong) || len(k.got) > 0 {
				t.Errorf("error %v, got %v", err, k.got)
			}
			if left := c.partials(t); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}

			// A snapshot that has the right ones helps.
			other := newMirror(t)
			other.pool(2 << 20)
			c.Snapshots = []string{m.URL + "/nothing-here", other.URL + "/debian"}
			if err := c.Fetch(t.Context(), files, k.store); err != nil || len(k.got) != 1 {
				t.Errorf("with a snapshot: %v, got %v", err, k.got)
			}
		})
	}
}

// No length is sent, so that only counting tells.
func TestFetchUnknownLength(t *testing.T) {
	m := newMirror(t)
	files := m.pool(200_000)
	extra := ""
	m.answerWith(func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		w.Write([]byte(content + extra))
		return true
	})
	c, k := m.client(t), newKeeper(t)
	if err := c.Fetch(t.Context(), files, k.store); err != nil {
		t.Error(err)
	}
	extra = strings.Repeat("x", 1<<20)
	if err := c.Fetch(t.Context(), files, k.store); !errors.Is(err, errWrong) {
		t.Errorf("error %v", err)
	}
}

func TestFetchGone(t *testing.T) {
	m := newMirror(t)
	files := m.pool(5<<20, 100, 200, 300, 400, 500, 600, 700, 800, 900)
	m.drop("/debian/" + files[0].PoolPath)
	m.drop("/debian/" + files[3].PoolPath)
	files[4].Suite = "trixie-security" // whose base has none at all
	c, k := m.client(t), newKeeper(t)
	c.Connections = 1
	c.Snapshots = []string{m.URL + "/snapshot"}
	err := c.Fetch(t.Context(), files, k.store)
	var gone *GoneError
	if !errors.As(err, &gone) || len(gone.Files) != 3 || gone.Files[0] != files[0] || gone.Files[2] != files[4] {
		t.Fatalf("error %v, want one that lists three files", err)
	}
	if text := err.Error(); !strings.Contains(text, "3 files") || !strings.Contains(text, "p3_1%3a1.0+b1~x_amd64.deb (trixie)") || !strings.Contains(text, "/snapshot") {
		t.Errorf("it says %q", text)
	}
	if left := c.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	// A snapshot that has them is enough.
	m.set("/snapshot/"+files[0].PoolPath, content(0, 5<<20))
	m.set("/snapshot/"+files[3].PoolPath, content(3, 300))
	m.set("/snapshot/"+files[4].PoolPath, content(4, 400))
	if err := c.Fetch(t.Context(), files, k.store); err != nil || len(k.got) != len(files) {
		t.Errorf("with a snapshot: %v, got %v", err, k.got)
	}
}

func TestFetchRedirects(t *testing.T) {
	m := newMirror(t)
	files := m.pool(100_000)
	moved := "/elsewhere/file"
	m.set(moved, m.files["/debian/"+files[0].PoolPath])
	to := moved
	m.answerWith(func(w http.ResponseWriter, r *http.Request, _ string, _ bool) bool {
		if !strings.HasPrefix(r.URL.Path, "/debian/") {
			return false
		}
		http.Redirect(w, r, to, http.StatusFound)
		return true
	})
	c, k := m.client(t), newKeeper(t)
	if err := c.Fetch(t.Context(), files, k.store); err != nil {
		t.Error(err)
	}
	to = "file:///etc/hostname"
	if err := c.Fetch(t.Context(), files, k.store); err == nil || !strings.Contains(err.Error(), "not on the network") {
		t.Errorf("to a local file: %v", err)
	}
	to = "/debian/again"
	if err := c.Fetch(t.Context(), files, k.store); err == nil || !strings.Contains(err.Error(), "10 times") {
		t.Errorf("in a circle: %v", err)
	}
}

func TestFetchBusyServer(t *testing.T) {
	m := newMirror(t)
	files := m.pool(1000)
	var n atomic.Int32
	m.answerWith(func(w http.ResponseWriter, r *http.Request, _ string, _ bool) bool {
		if n.Add(1) > 2 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if err := m.client(t).Fetch(t.Context(), files, newKeeper(t).store); err != nil {
		t.Error(err)
	}
	if wait := boundedBackoff(minWait, maxWait, 1, &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"86400"}}}); wait > maxWait {
		t.Errorf("a server makes us wait %v", wait)
	}
	m.answerWith(func(w http.ResponseWriter, r *http.Request, _ string, _ bool) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	var status *statusError
	if err := m.client(t).Fetch(t.Context(), files, newKeeper(t).store); !errors.As(err, &status) || status.code != 401 {
		t.Errorf("error %v, want one of status 401", err)
	}
}

// A server that sends a byte now and then, or none, does not hold us.
func TestFetchStalls(t *testing.T) {
	for name, trickle := range map[string]bool{"nothing": false, "a trickle": true} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			files := m.pool(4 << 20)
			var n atomic.Int32
			m.answerWith(func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
				if n.Add(1) > 2 {
					return false
				}
				start := 0
				if from := r.Header.Get("Range"); from != "" {
					start, _ = strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(from, "bytes="), "-"))
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(content)-1, len(content)))
					w.WriteHeader(http.StatusPartialContent)
				}
				w.Write([]byte(content[start : start+1<<20]))
				w.(http.Flusher).Flush()
				for at := start + 1<<20; ; at++ {
					select {
					case <-r.Context().Done():
						return true
					case <-time.After(20 * time.Millisecond):
						if trickle {
							w.Write([]byte(content[at : at+1]))
							w.(http.Flusher).Flush()
						}
					}
				}
			})
			c, k := m.client(t), newKeeper(t)
			c.Stall = 300 * time.Millisecond
			if err := c.Fetch(t.Context(), files, k.store); err != nil {
				t.Error(err)
			}
			if asked := m.asked(); len(asked) != 3 {
				t.Errorf("asked %q", asked)
			}
		})
	}
	m := newMirror(t)
	files := m.pool(4 << 20)
	m.answerWith(func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
		w.Write([]byte(content[:10]))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	c := m.client(t)
	c.Stall = 50 * time.Millisecond
	if err := c.Fetch(t.Context(), files, newKeeper(t).store); !errors.Is(err, errStalled) {
		t.Errorf("error %v, want one of a stalled transfer", err)
	}
	if left := c.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFetchCancelled(t *testing.T) {
	m := newMirror(t)
	files := m.pool(3<<20, 900_000, 900_001)
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int32
	m.answerWith(func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write([]byte(content[:len(content)*3/4]))
		w.(http.Flusher).Flush()
		if n.Add(1) == 3 {
			time.AfterFunc(200*time.Millisecond, cancel)
		}
		<-r.Context().Done()
		return true
	})
	c, k := m.client(t), newKeeper(t)
	start := time.Now()
	err := c.Fetch(ctx, files, k.store)
	if !errors.Is(err, context.Canceled) || time.Since(start) > 1500*time.Millisecond {
		t.Errorf("error %v after %v", err, time.Since(start))
	}
	if left := c.partials(t); !slices.Equal(left, []string{files[0].SHA256}) {
		t.Errorf("left %v, want only what is worth resuming", left)
	}

	// Partials that nobody comes back for go away.
	old := time.Now().Add(-2 * partialAge)
	os.Chtimes(filepath.Join(c.Dir, "partial", files[0].SHA256), old, old)
	m.answerWith(nil)
	if err := c.Fetch(t.Context(), files[1:], k.store); err != nil {
		t.Error(err)
	}
	if left := c.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A file on its way into the store has the store's time, 1970: another run must
// not take it for one that nobody came back for.
func TestFetchLeavesWhatIsInUse(t *testing.T) {
	m := newMirror(t)
	files := m.pool(1000, 2000)
	c, other := m.client(t), m.client(t)
	other.Dir = c.Dir
	held, err := c.openPartial(files[0].SHA256, files[0].Size) // c's own name is taken, too
	if err != nil {
		t.Fatal(err)
	}
	defer held.close(false)
	check := func(_ File, tmp string) error {
		for _, name := range []string{tmp, held.file.Name()} {
			if err := os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				return err
			}
		}
		if err := other.Fetch(t.Context(), files[1:], func(File, string) error { return nil }); err != nil {
			return err
		}
		for _, name := range []string{tmp, held.file.Name()} {
			if _, err := os.Lstat(name); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	if err := c.Fetch(t.Context(), files[:1], check); err != nil {
		t.Error(err)
	}
}

func TestFetchStoreFails(t *testing.T) {
	m := newMirror(t)
	files := m.pool(2<<20, 100)
	c := m.client(t)
	boom := errors.New("boom")
	if err := c.Fetch(t.Context(), files, func(File, string) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
	if left := c.partials(t); slices.Contains(left, files[1].SHA256) {
		t.Errorf("left behind: %v", left)
	}
	// A store that leaves the file where it is.
	if err := c.Fetch(t.Context(), files, func(File, string) error { return nil }); err != nil {
		t.Error(err)
	}
	if left := c.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Two processes with one cache do not spoil each other's files.
func TestFetchTwice(t *testing.T) {
	m := newMirror(t)
	files := m.pool(3<<20, 2<<20, 1<<20, 10, 20, 30)
	first := m.client(t)
	var group sync.WaitGroup
	for range 4 {
		c := &Client{Sources: first.Sources, Arch: first.Arch, Dir: first.Dir}
		k := newKeeper(t)
		group.Go(func() {
			for range 5 {
				if err := c.Fetch(t.Context(), files, k.store); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if left := first.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestFetchFullDisk downloads into a file system of 1 MiB. It runs itself
// again in a user and mount namespace to be allowed to mount one.
func TestFetchFullDisk(t *testing.T) {
	const variable = "REPRISE_TEST_FULL_DISK"
	disk := os.Getenv(variable)
	if disk == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFetchFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("in a user namespace: %v\n%s", err, out)
		}
		return
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	m := newMirror(t)
	m.addAll(t)
	m.add(t, suiteSpec{name: "trixie", packages: map[string]string{
		"main": packagesText(strings.Split(strings.Repeat("aa ", 20000), " ")[:20000]...), "contrib": "", "non-free-firmware": ""}})
	c, k := m.client(t), newKeeper(t)
	c.Dir = filepath.Join(disk, "cache")
	_, err := c.Index(t.Context(), nil)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("index: error %v, want one of a full disk", err)
	}
	os.RemoveAll(c.Dir)
	files := m.pool(3<<20, 10)
	k.dir = disk
	err = c.Fetch(t.Context(), files, k.store)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "make room") || !strings.Contains(err.Error(), disk) {
		t.Errorf("fetch: error %v, want one of a full disk that names the place", err)
	}
	if left := c.partials(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if !bytes.Contains([]byte(err.Error()), []byte("free")) {
		t.Errorf("error %v does not say what is free", err)
	}
}
