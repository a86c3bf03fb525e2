package tree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestCopyFile(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	must(t, os.WriteFile(from, []byte("content"), 0o600))
	must(t, CopyFile(from, to, 0o666|fs.ModeSetuid))
	data, err := os.ReadFile(to)
	must(t, err)
	info, err := os.Stat(to)
	must(t, err)
	if string(data) != "content" || info.Mode() != 0o666|fs.ModeSetuid {
		t.Errorf("the copy is %q with mode %v", data, info.Mode())
	}
	if err := CopyFile(from, to, 0o644); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if err := CopyFile(dir, filepath.Join(dir, "x"), 0o644); err == nil {
		t.Error("a directory was copied")
	}
}
