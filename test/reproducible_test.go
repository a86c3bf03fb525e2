package test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSameBytes builds the live-rig's disk image and its medium a second time,
// from nothing: another directory, store, user, umask, time zone, language and
// number of jobs, years later, with the first build's locks and key. Both must be
// the same.
func TestSameBytes(t *testing.T) {
	r, iso, m := liveRig(t), installMedium(t), localMirror(t)
	const later = (7*365 + 100) * 24 * time.Hour
	dir := filepath.Join(scratch, "again", "elsewhere")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := strings.TrimSuffix(iso, ".iso") + ".lock"
	for from, to := range map[string]string{r.lock: "a.lock", lock: "b.lock", r.keyFile + ".pub": "key.pub"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	user := ""
	if os.Getuid() == 0 {
		// Somebody who has no account and no home here.
		const id = 54321
		user = strconv.Itoa(id)
		for _, p := range []string{dir, filepath.Join(dir, "a.lock"), filepath.Join(dir, "b.lock"), filepath.Join(dir, "key.pub")} {
			if err := os.Chown(p, id, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer syscall.Umask(syscall.Umask(0o077))
	for _, again := range []struct{ first, lock, out, jobs string }{
		{r.image, "a.lock", "a.img", "-j1"},
		{iso, "b.lock", "b.iso", "-j3"},
	} {
		c := exec.Command("/proc/self/exe", onOtherClock, strconv.Itoa(int(later/time.Second)), user,
			program, "--store", filepath.Join(dir, "a store"), m.flag(), "build", "live-rig", "--locked",
			"--lock", again.lock, "--authorize", "key.pub", "-o", again.out, again.jobs)
		c.Dir = dir
		c.Env = []string{"HOME=" + dir, "TZ=Pacific/Chatham", "LC_ALL=tr_TR.UTF-8", "SOURCE_DATE_EPOCH=1234567890"}
		began := time.Now()
		if second := run(t, buildLimit, c); second.code != 0 {
			t.Fatalf("second build: %+v", second)
		}
		if a, b := sum(t, again.first), sum(t, filepath.Join(dir, again.out)); a != b {
			t.Errorf("%s of the first build has SHA-256 %s, of the second %s", again.out, a, b)
		} else {
			t.Logf("%s twice, the second in %s: SHA-256 %s", again.out, time.Since(began).Round(time.Second), a)
		}
		if third := run(t, buildLimit, c); third.code != 0 || !strings.Contains(third.stdout, "unchanged") {
			t.Errorf("a third build with nothing changed: %+v", third)
		}
	}
}

func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
