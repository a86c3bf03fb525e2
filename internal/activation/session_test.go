package activation

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSession(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(Shadow)), 0o755); err != nil {
		t.Fatal(err)
	}
	const before = "daemon:*::0:99999:7:::\nrig:*::0:99999:7:::\nroot:*::0:99999:7:::\nset:$y$x::0:99999:7:::\nstudio:*::0:99999:7:::\n"
	if err := os.WriteFile(filepath.Join(dir, Shadow), []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	d := &Data{Users: []User{
		{Name: "daemon", UID: 1, Home: "/"}, {Name: "nobody", UID: 65534}, {Name: "rig", UID: 1000, HomeMode: 0o700},
		{Name: "root", HomeMode: 0o700}, {Name: "set", UID: 1001, HomeMode: 0o700}, {Name: "studio", UID: 1002, HomeMode: 0o700},
	}}
	first, err := openSession(root, d, Options{Chown: func(*os.Root, string, int, int) error { return nil }})
	if err != nil || first != "rig" {
		t.Fatalf("%q, %v", first, err)
	}
	got, err := os.ReadFile(filepath.Join(dir, Shadow))
	if err != nil {
		t.Fatal(err)
	}
	const want = "daemon:*::0:99999:7:::\nrig:::0:99999:7:::\nroot:*::0:99999:7:::\nset:$y$x::0:99999:7:::\nstudio:::0:99999:7:::\n"
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Error(d)
	}
}
