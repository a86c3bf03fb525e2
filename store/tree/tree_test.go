package tree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func makeTree(t *testing.T) string {
	root := filepath.Join(t.TempDir(), "tree")
	must(t, os.MkdirAll(filepath.Join(root, "a/b"), 0o700))
	must(t, os.WriteFile(filepath.Join(root, "a/plain"), []byte("x"), 0o666))
	must(t, os.WriteFile(filepath.Join(root, "a/run"), []byte("x"), 0o700))
	must(t, os.Chmod(filepath.Join(root, "a/run"), 0o700|fs.ModeSetuid))
	must(t, os.WriteFile(filepath.Join(root, "a/b/groupexec"), []byte("x"), 0o674))
	must(t, os.Symlink("/nowhere", filepath.Join(root, "a/link")))
	must(t, os.Mkdir(filepath.Join(root, "closed"), 0o000))
	t.Cleanup(func() { Remove(root) })
	return root
}

func TestCanonicalise(t *testing.T) {
	root := makeTree(t)
	// Not every file system has user.* attributes.
	attr := unix.Setxattr(filepath.Join(root, "a/plain"), "user.x", []byte("y"), 0)
	if attr != nil && !errors.Is(attr, unix.ENOTSUP) {
		t.Fatal(attr)
	}
	must(t, os.Chmod(filepath.Join(root, "a/plain"), 0o400))
	for range 2 {
		must(t, Canonicalise(root))
		want := map[string]fs.FileMode{
			"": fs.ModeDir | 0o555, "a": fs.ModeDir | 0o555, "a/b": fs.ModeDir | 0o555, "a/b/groupexec": 0o444,
			"a/plain": 0o444, "a/run": 0o555, "a/link": fs.ModeSymlink | 0o777, "closed": fs.ModeDir | 0o555,
		}
		for name, mode := range want {
			info, err := os.Lstat(filepath.Join(root, name))
			must(t, err)
			if info.Mode() != mode || info.ModTime().UnixNano() != 1e9 {
				t.Errorf("%q has mode %s and time %s, want %s and 1", name, info.Mode(), info.ModTime(), mode)
			}
		}
		if n, err := unix.Llistxattr(filepath.Join(root, "a/plain"), nil); n > 0 {
			t.Errorf("%d bytes of extended attributes are left, %v", n, err)
		}
	}
}

func TestCanonicaliseRefuses(t *testing.T) {
	root := makeTree(t)
	must(t, syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600))
	if err := Canonicalise(root); err == nil {
		t.Error("Canonicalise takes a named pipe")
	}
	if err := Canonicalise(filepath.Join(root, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Canonicalise of nothing: %v", err)
	}
}

func TestMoveAndRemove(t *testing.T) {
	root := makeTree(t)
	must(t, Canonicalise(root))
	to := filepath.Join(t.TempDir(), "there")
	must(t, Move(root, to))
	info, err := os.Lstat(to)
	must(t, err)
	if info.Mode().Perm() != DirMode || info.ModTime().Unix() != 1 {
		t.Errorf("moved directory has mode %s and time %s", info.Mode(), info.ModTime())
	}
	other := makeTree(t)
	if err := Move(other, to); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Move over something: %v, want fs.ErrExist", err)
	}
	if size := Size(to); size != 3 {
		t.Errorf("Size = %d, want 3", size)
	}
	must(t, Remove(to))
	must(t, Remove(to))
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove: %v", err)
	}
}

// TestRemoveStays checks that Remove does not go through symlinks.
func TestRemoveStays(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "precious"), nil, 0o600))
	root := makeTree(t)
	must(t, os.Symlink(outside, filepath.Join(root, "a/way-out")))
	must(t, Remove(root))
	if _, err := os.Stat(filepath.Join(outside, "precious")); err != nil {
		t.Error(err)
	}
}
