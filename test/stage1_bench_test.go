//go:build bench

package test

import (
	"slices"
	"testing"
	"time"

	"reprise/initrd/stage1/boottest"
)

// TestCompareStage1 prints how long machines take from the kernel's start to
// the system's first program, with stage 1 and with the smallest init that
// makes the same mounts. It judges nothing: at most 1.3 times as long is
// wanted of both rows on a quiet machine, and a busy one says little.
func TestCompareStage1(t *testing.T) {
	const times = 5
	whole := stage1Tools(t)
	alone := whole
	alone.Binary, alone.Activation = "", nil
	for _, row := range []struct {
		name  string
		tools boottest.Tools
	}{{"the whole program, first activation", whole}, {"stage 1 alone, nothing to activate", alone}} {
		c := boottest.Compare(t, row.tools, times)
		ours, minimal := median(c.Stage1), median(c.Minimal)
		t.Logf("%s: %.2f s; smallest init: %.2f s; ratio %.2f, wanted 1.3 at most (medians of %d)",
			row.name, ours.Seconds(), minimal.Seconds(), ours.Seconds()/minimal.Seconds(), times)
	}
}

// median is of an odd number of times.
func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}
