package storetest

import (
	"flag"
	"path/filepath"
	"testing"

	"reprise/store"
)

var programs = flag.String("nix", "", "directory with nix-store and nix-env, to have real Nix judge")

func TestFill(t *testing.T) {
	root := t.TempDir()
	t.Cleanup(func() { store.RemoveAll(filepath.Join(root, "nix")) })
	sample := Fill(t, root)
	Whole(t, sample.Store)
}

func TestNix(t *testing.T) {
	if *programs == "" {
		return // the test of the whole program hands them in
	}
	RunNix(t, Programs(*programs), t.TempDir())
}
