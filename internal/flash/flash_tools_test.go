//go:build tools

package flash

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/internal/progress"
	"reprise/store/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// TestSgdiskJudges lets sgdisk of Debian's gdisk look at tables that were moved
// to devices of several sizes.
func TestSgdiskJudges(t *testing.T) {
	root := os.Getenv("REPRISE_TEST_TOOLS")
	if root == "" {
		t.Fatal("REPRISE_TEST_TOOLS names no tree of programs")
	}
	im := imageOf(t, content(t, 8*mib))
	for _, size := range []int64{8 * mib, 8*mib + 512, 8*mib + 33*512, 9 * mib, 64*mib + 7*512} {
		stick := filepath.Join(t.TempDir(), "stick")
		if err := os.WriteFile(stick, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(stick, size); err != nil {
			t.Fatal(err)
		}
		d, err := Open(stick)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Write(t.Context(), im, d, progress.Discard); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		err = sandbox.Run(t.Context(), sandbox.Spec{
			Root: root, Argv: []string{"/usr/sbin/sgdisk", "-v", "/tmp/stick"}, Stdout: &said, Stderr: &said, AsRoot: true, Tmpfs: []string{"/tmp"},
			Binds: []sandbox.Bind{{Source: stick, Target: "/tmp/stick"}},
		})
		if err != nil || !strings.Contains(said.String(), "No problems found") {
			t.Errorf("device of %d bytes: %v\n%s", size, err, &said)
		}
	}
}
