package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.img")
	others := []string{TempPrefix + "x.img-mine", TempPrefix + "x.img.old-17", TempPrefix + "y.img-17", "x.img-17"}
	for _, name := range append(others, TempPrefix+"x.img-1234567890") {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	release, err := Own(path)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(others)
	if got := names(t, dir); !slices.Equal(got, slices.Insert(slices.Clone(others), 1, TempPrefix+"x.img.lock")) {
		t.Errorf("while owned: %q", got)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{path, filepath.Join(link, "x.img")} {
		if _, err := Own(same); !errors.Is(err, ErrOwned) {
			t.Errorf("Own(%q) while it is owned: %v", same, err)
		}
	}
	releaseOther, err := Own(filepath.Join(dir, "y.img"))
	if err != nil {
		t.Errorf("another file: %v", err)
	} else {
		releaseOther()
	}
	release()
	others = slices.DeleteFunc(others, func(name string) bool { return name == TempPrefix+"y.img-17" })
	if got := names(t, dir); !slices.Equal(got, others) {
		t.Errorf("after release: %q, want %q", got, others)
	}
	if release, err = Own(path); err != nil {
		t.Fatalf("again: %v", err)
	}
	release()
	if _, err := Own(filepath.Join(dir, "none", "x.img")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// TestOwnOfTheDead takes over from an owner that was killed.
func TestOwnOfTheDead(t *testing.T) {
	if dir := os.Getenv("OWN_IN"); dir != "" {
		if _, err := Own(filepath.Join(dir, "x.img")); err != nil {
			t.Fatal(err)
		}
		fmt.Println("owned")
		select {}
	}
	dir := t.TempDir()
	c := exec.Command("/proc/self/exe", "-test.run", "^TestOwnOfTheDead$")
	c.Env = append(os.Environ(), "OWN_IN="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_, readErr := out.Read(make([]byte, 16))
	_, err = Own(filepath.Join(dir, "x.img"))
	c.Process.Kill()
	c.Wait()
	if readErr != nil || !errors.Is(err, ErrOwned) {
		t.Errorf("owned by another process: %v (%v)", err, readErr)
	}
	release, err := Own(filepath.Join(dir, "x.img"))
	if err != nil {
		t.Fatal(err)
	}
	release()
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestOwnTogether has many that want one file: there is one owner at a time.
func TestOwnTogether(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.img")
	var owners, owned atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				release, err := Own(path)
				if errors.Is(err, ErrOwned) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := owners.Add(1); n != 1 {
					t.Errorf("%d owners at once", n)
				}
				owned.Add(1)
				owners.Add(-1)
				release()
			}
		})
	}
	all.Wait()
	if left := names(t, dir); len(left) > 0 || owned.Load() == 0 {
		t.Errorf("left %q after %d owners", left, owned.Load())
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteBytes(path, 0o640, []byte("one")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := Write(path, 0o644, func(f *os.File) error { f.WriteString("half"); return broken }); !errors.Is(err, broken) {
		t.Errorf("Write = %v, want the error of fill", err)
	}
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "one" {
		t.Errorf("after a write that failed: %q, %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{"f"}) {
		t.Errorf("left: %q", left)
	}
}
