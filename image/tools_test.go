//go:build tools

package image_test

import (
	"os"
	"testing"

	"reprise/internal/vm/vmtest"
	"reprise/store/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// toolRoot is the tree that holds the judges.
func toolRoot(tb testing.TB) vmtest.Tree {
	tb.Helper()
	return vmtest.Root(tb, vmtest.Tools)
}
