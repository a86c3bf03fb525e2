package systree

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestTree(t *testing.T) {
	tree := New()
	tree.Put("sys/devices/a/vendor", []byte("1\n"))
	tree.Link("sys/class/x/a", "../../devices/a")
	tree.Link("loop", "loop")
	tree.Link("out", "../../../sys")
	for name, want := range map[string]error{"sys/class/x/a/vendor": nil, "out/devices/a/vendor": nil, "loop": fs.ErrInvalid, "sys/none": fs.ErrNotExist, "sys/devices/a/vendor/b": fs.ErrNotExist, "/sys": fs.ErrInvalid} {
		if _, err := fs.ReadFile(tree, name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	var b bytes.Buffer
	if err := tree.Write(&b); err != nil {
		t.Fatal(err)
	}
	again, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if target, err := fs.ReadLink(again, "sys/class/x/a"); err != nil || target != "../../devices/a" {
		t.Errorf("%q, %v", target, err)
	}
	plain := New()
	plain.Put("a/b/c", []byte("text"))
	plain.Mkdir("a/d")
	if err := fstest.TestFS(plain, "a/b/c", "a/d"); err != nil {
		t.Error(err)
	}
}
