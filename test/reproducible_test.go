package test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSameBytes builds the live-rig a second time, from nothing: another
// directory, store, user, umask, time zone and language, some minutes later,
// with the first build's lock and key. The image must be the same.
func TestSameBytes(t *testing.T) {
	r := liveRig(t)
	dir := filepath.Join(scratch, "again", "elsewhere")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{r.lock: "a.lock", r.keyFile + ".pub": "key.pub"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, "--store", filepath.Join(dir, "a store"), "build", "live-rig", "--locked",
		"--lock", "a.lock", "--authorize", "key.pub", "-o", "b.img", "-j1")
	c.Dir = dir
	c.Env = []string{"HOME=" + dir, "TZ=Pacific/Chatham", "LC_ALL=tr_TR.UTF-8", "SOURCE_DATE_EPOCH=1234567890"}
	if os.Getuid() == 0 {
		// Somebody who has no account and no home here.
		const id = 54321
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
		for _, p := range []string{dir, filepath.Join(dir, "a.lock"), filepath.Join(dir, "key.pub")} {
			if err := os.Chown(p, id, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := syscall.Umask(0o077)
	second := run(t, buildLimit, c)
	syscall.Umask(old)
	if second.code != 0 {
		t.Fatalf("second build: %+v", second)
	}
	if a, b := sum(t, r.image), sum(t, filepath.Join(dir, "b.img")); a != b {
		t.Errorf("the image of the first build has SHA-256 %s, of the second %s", a, b)
	} else {
		t.Logf("both images: SHA-256 %s", a)
	}
	if again := run(t, buildLimit, c); again.code != 0 || !strings.Contains(again.stdout, "unchanged") {
		t.Errorf("a third build with nothing changed: %+v", again)
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
