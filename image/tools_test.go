//go:build tools

package image_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"reprise/image"
	"reprise/store/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// toolRoot is the tree that holds the programs of Debian packages e2fsprogs,
// libarchive13t64, grub-common, grub-pc-bin, dosfstools, gdisk and xorriso.
func toolRoot(tb testing.TB) tree {
	tb.Helper()
	root := os.Getenv("REPRISE_TEST_TOOLS")
	if root == "" {
		tb.Fatal("REPRISE_TEST_TOOLS names no tree of programs")
	}
	return tree(root)
}

// tree is a root file system whose programs run in a sandbox.
type tree string

func (t tree) ReadFile(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(t), path))
}

func (t tree) Run(ctx context.Context, c image.Command) error {
	spec := sandbox.Spec{Root: string(t), Argv: c.Argv, Env: c.Env, Stdin: c.Stdin, Stdout: c.Stdout, AsRoot: true, Tmpfs: []string{"/tmp"}}
	var stderr bytes.Buffer
	spec.Stderr = &stderr
	for _, b := range c.Binds {
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable})
	}
	if err := sandbox.Run(ctx, spec); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Argv[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// judge runs a checker over a part of an image and fails the test with all
// that it said when it is not content.
func judge(tb testing.TB, t tree, file string, argv ...string) string {
	tb.Helper()
	var out bytes.Buffer
	err := t.Run(tb.Context(), image.Command{
		Argv: argv, Stdout: &out, Env: []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"},
		Binds: []image.Bind{{Source: file, Target: "/image"}},
	})
	if err != nil {
		tb.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}
