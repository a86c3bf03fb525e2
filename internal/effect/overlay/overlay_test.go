package overlay

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/effect"
)

func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], Argument[:]) {
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

// layers makes two layers and the program that runs in them.
func layers(t *testing.T) *effect.Root {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	write("one/usr/share/both", "first")
	write("one/usr/share/one", "1")
	write("two/usr/share/both", "second")
	write("two/usr/share/two", "2")
	write("two/usr/lib/where", "merged")
	write("store/input", "")
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "one/usr/bin/probe"), "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v\n%s", err, out)
	}
	root := &effect.Root{
		Lower: []string{filepath.Join(dir, "one"), filepath.Join(dir, "two")}, Store: filepath.Join(dir, "store"),
		Work: filepath.Join(dir, "work"), Changes: filepath.Join(dir, "changes"), Collect: []string{"usr/share", "var/none"},
		Binds: []effect.Bind{{Source: filepath.Join(dir, "bound"), Target: "/bound"}},
	}
	for _, d := range []string{"work", "changes", "bound"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestRun(t *testing.T) {
	root := layers(t)
	stdout := filepath.Join(t.TempDir(), "stdout")
	err := Runner{}.Run(context.Background(), root, effect.Command{Argv: []string{"/usr/bin/probe"}, Stdin: []byte("hello"), Stdout: stdout})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(stdout)
	if err != nil {
		t.Fatal(err)
	}
	want := "/usr/share/both: first\n/usr/share/one: 1\n/usr/share/two: 2\n/lib/where: merged\n" +
		"stdin \"hello\", uid 0, dir /, env 6, TZ UTC\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the program saw (-want +got):\n%s", diff)
	}
	changes := map[string]string{}
	err = filepath.WalkDir(root.Changes, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root.Changes, name)
		if link, err := os.Readlink(name); err == nil {
			changes[rel] = "-> " + link
			return nil
		}
		data, err := os.ReadFile(name)
		changes[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"usr/share/made": "made", "usr/share/one": "changed", "usr/share/link": "-> made"}, changes); diff != "" {
		t.Errorf("what was changed (-want +got):\n%s", diff)
	}
	if data, err := os.ReadFile(filepath.Join(root.Binds[0].Source, "result")); err != nil || string(data) != "bound" {
		t.Errorf("the bound directory holds %q, %v", data, err)
	}
	if data, err := os.ReadFile(filepath.Join(root.Lower[0], "usr/share/one")); err != nil || string(data) != "1" {
		t.Errorf("the layer holds %q, %v: a program wrote through", data, err)
	}
	if left, err := os.ReadDir(root.Work); err != nil || len(left) != 0 {
		t.Errorf("the working directory holds %v, %v, want nothing outside", left, err)
	}
}

func TestRunFails(t *testing.T) {
	root := layers(t)
	err := Runner{}.Run(context.Background(), root, effect.Command{Argv: []string{"/usr/bin/probe", "fail"}}, effect.Command{Argv: []string{"/usr/bin/probe"}})
	if err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("Run = %v, want exit status 7", err)
	}
	if _, err := os.Stat(filepath.Join(root.Binds[0].Source, "result")); err == nil {
		t.Error("a second program ran after the first had failed")
	}
	if err := (Runner{}).Run(context.Background(), root, effect.Command{Argv: []string{"/usr/bin/missing"}}); err == nil {
		t.Error("Run of a missing program = nil")
	}
	if err := (Runner{}).Run(context.Background(), &effect.Root{}, effect.Command{Argv: []string{"/x"}}); err == nil {
		t.Error("Run without layers = nil")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := (Runner{}).Run(ctx, root, effect.Command{Argv: []string{"/usr/bin/probe"}}); err == nil {
		t.Error("Run of a cancelled context = nil")
	}
}
