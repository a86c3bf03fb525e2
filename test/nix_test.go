package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"reprise/store/storetest"
)

// archiveNix runs Debian's Nix through `reprise tool`, which shows it dir.
type archiveNix struct {
	dir string // holds our stores
	own string // its own /nix, which it insists on
}

func (n archiveNix) Run(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, program, append([]string{"--store", store, "tool", "-q", "-p", "nix-bin", "--nests",
		"--bind", n.dir + ":" + n.dir + ":rw", "--bind", n.own + ":/nix:rw", "--env", "HOME=/tmp",
		"--env", "NIX_CONFIG=require-drop-supplementary-groups = false\nbuild-users-group =", "--", name}, args...)...)
	out, err := c.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	return string(out), err
}

// TestStoreUnderRealNix lets real Nix judge a store of ours from every side:
// verify, query, rebuild, repair, collect, profiles, and both at work at once.
func TestStoreUnderRealNix(t *testing.T) {
	t.Setenv("TMPDIR", scratch) // Nix sees what the test lays there
	stores := filepath.Join(scratch, "nix")
	nix := archiveNix{scratch, filepath.Join(scratch, "nix-own")}
	for _, dir := range []string{stores, nix.own} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The first run fetches Nix, which is no part of the test.
	if out, err := nix.Run(t.Context(), "nix-store", "--version"); err != nil {
		t.Fatal(err)
	} else {
		t.Log(strings.TrimSpace(out))
	}
	storetest.RunNix(t, nix, stores)
}
