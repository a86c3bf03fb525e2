package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/initrd/stage1"
	"reprise/internal/progress"
)

// The check that every installation begins with reads each file of the medium.
func TestCheckReadsTheWholeMedium(t *testing.T) {
	dir := t.TempDir()
	i := &installation{medium: stage1.Medium{Dir: dir}}
	if err := i.check(t.Context(), progress.Discard); err == nil {
		t.Error("a medium without checksums is found to be good")
	}
	files := map[string]string{"boot/kernel": "kernel", "reprise/medium.json": "{}", "reprise/store.squashfs": strings.Repeat("store", 100_000)}
	var sums strings.Builder
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(text)), name)
	}
	if err := os.WriteFile(filepath.Join(dir, "reprise/SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := i.check(t.Context(), progress.Discard); err != nil {
		t.Errorf("a good medium: %v", err)
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		bad := []byte(text)
		bad[len(bad)/2] ^= 1
		for what, change := range map[string]func() error{
			"one bit":   func() error { return os.WriteFile(file, bad, 0o644) },
			"cut off":   func() error { return os.Truncate(file, int64(len(text)/2)) },
			"not there": func() error { return os.Remove(file) },
		} {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if err := i.check(t.Context(), progress.Discard); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
