// Package vmtest is for tests that ask programs of the archive, and for those
// that boot a kernel of the archive with the test binary itself as /init.
//
// The environment names the trees of programs: REPRISE_TEST_TOOLS holds the
// judges and what makes images, REPRISE_TEST_QEMU QEMU and its firmware,
// REPRISE_TEST_BOOT a kernel and signed boot loaders. scripts/test says which
// packages these are.
package vmtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/image"
	"reprise/internal/toolbox"
	"reprise/internal/vm"
	"reprise/store/sandbox"
)

// Names of trees.
const (
	Tools = "TOOLS"
	QEMU  = "QEMU"
	Boot  = "BOOT"
)

// A Tree is a root file system whose programs run in a sandbox. It is an
// image.Tools.
type Tree string

// Root returns the tree that the environment names.
func Root(tb testing.TB, name string) Tree {
	tb.Helper()
	dir := os.Getenv("REPRISE_TEST_" + name)
	if dir == "" {
		tb.Fatalf("REPRISE_TEST_%s names no tree", name)
	}
	return Tree(dir)
}

// ReadFile reads a file of the tree.
func (t Tree) ReadFile(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(t), path))
}

func (t Tree) spec(argv, env []string) sandbox.Spec {
	return sandbox.Spec{Root: string(t), AsRoot: true, Tmpfs: []string{"/tmp"}, Argv: argv, Env: env}
}

// Run runs a program of the tree. The error holds what it said on standard
// error.
func (t Tree) Run(ctx context.Context, c image.Command) error {
	var stderr bytes.Buffer
	spec := t.spec(c.Argv, c.Env)
	spec.Stdin, spec.Stdout, spec.Stderr = c.Stdin, c.Stdout, &stderr
	for _, b := range c.Binds {
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable})
	}
	if err := sandbox.Run(ctx, spec); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Argv[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// Judge runs a checker over a file, which it sees as /image, and returns what
// it said; the test ends when it is not content.
func (t Tree) Judge(tb testing.TB, file string, argv ...string) string {
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

// Kernel finds the one kernel, as a path in the tree, and the directory of its
// modules, as a path of this machine.
func (t Tree) Kernel(tb testing.TB) (file, modules string) {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(string(t), "usr/lib/reprise/boot/vmlinuz-*"))
	if err != nil || len(found) != 1 {
		tb.Fatalf("kernels: %q, %v", found, err)
	}
	version := strings.TrimPrefix(filepath.Base(found[0]), "vmlinuz-")
	return strings.TrimPrefix(found[0], string(t)), filepath.Join(string(t), "usr/lib/modules", version, "kernel")
}

// Start boots a machine with the tree's QEMU, which sees binds too. It ends
// with the test.
func (t Tree) Start(tb testing.TB, o vm.Options, binds ...vm.Bind) *vm.Machine {
	tb.Helper()
	m, err := vm.Start(tb.Context(), o, t.Machines(binds...))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}

// Machines is a tree that holds QEMU, as package vm takes it.
func (t Tree) Machines(binds ...vm.Bind) vm.Tools { return machines{t, binds} }

type machines struct {
	tree  Tree
	binds []vm.Bind
}

func (m machines) Run(ctx context.Context, c vm.Command) error {
	spec := m.tree.spec(c.Argv, c.Env)
	spec.Stdin, spec.Stdout, spec.Network = c.Stdin, c.Stdout, true
	for _, b := range slices.Concat(c.Binds, m.binds) {
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable, Device: b.Device})
	}
	return toolbox.Run(ctx, spec)
}
