package nar_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"reprise/store/nar"
	"reprise/store/tree"
)

func TestCopyPath(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		name = filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("bin/tool", "#!/bin/sh\n", 0o750)
	write("large", strings.Repeat("0123456", 1<<19), 0o600) // more than one buffer
	write("empty", "", 0o644)
	write("a-b/c", "x", 0o644)
	write("a/c", "x", 0o644)
	if err := os.Symlink("../large", filepath.Join(src, "bin/link")); err != nil {
		t.Fatal(err)
	}
	old := unix.Umask(0o077) // takes no part
	defer unix.Umask(old)

	dst := filepath.Join(t.TempDir(), "dst")
	var told int64
	sum, size, err := nar.CopyPath(t.Context(), src, dst, func(n int) { told += int64(n) })
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Remove(dst)
	if told != 7<<19+10+2 {
		t.Errorf("told of %d bytes", told)
	}
	for _, dir := range []string{src, dst} {
		wantSum, wantSize, err := nar.HashPath(t.Context(), dir)
		if err != nil || sum != wantSum || size != wantSize {
			t.Errorf("%s: hash %x of %d bytes, the copy told %x of %d (%v)", dir, wantSum, wantSize, sum, size, err)
		}
	}
	for name, mode := range map[string]uint32{".": 0o555, "bin": 0o555, "bin/tool": 0o555, "large": 0o444, "empty": 0o444, "bin/link": 0o777} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dst, name), &st); err != nil || st.Mode&0o7777 != mode || st.Mtim.Sec != 1 || st.Mtim.Nsec != 0 {
			t.Errorf("%s: mode %o, time %v, %v; want %o, 1", name, st.Mode&0o7777, st.Mtim, err, mode)
		}
	}
	if _, _, err := nar.CopyPath(t.Context(), src, dst, nil); err == nil {
		t.Error("a tree that is there was written to")
	}
	if err := unix.Mkfifo(filepath.Join(src, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := nar.CopyPath(t.Context(), src, dst+"2", nil); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("a named pipe is copied: %v", err)
	}
	tree.Remove(dst + "2")
}
