package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/lock"
	"reprise/internal/recipe"
	"reprise/store/storepath"
)

// TestPlanOf has packages that are unpacked, fetched, only known, and new.
func TestPlanOf(t *testing.T) {
	hash := func(digit string) string { return strings.Repeat(digit, 64) }
	l := &lock.Lock{Packages: []lock.Package{
		{Name: "fetched", Version: "1", Size: 1 << 20, SHA256: hash("1")},
		{Name: "known", Version: "1", Size: 2 << 20, SHA256: hash("2"), NarHash: "sha256:" + strings.Repeat("0", 52)},
		{Name: "new", Version: "1", Size: 3 << 20, SHA256: hash("3")},
		{Name: "unpacked", Version: "1", Size: 4 << 20, SHA256: hash("4"), NarHash: "sha256:" + strings.Repeat("1", 52)},
	}}
	deb, err := recipe.DebPath(l.Packages[0])
	if err != nil {
		t.Fatal(err)
	}
	unpacked, known, err := recipe.PackagePath(l.Packages[3])
	if err != nil || !known {
		t.Fatal(known, err)
	}
	plan, err := planOf(l, map[storepath.Path]bool{deb: true, unpacked: true})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	plan.print(&text)
	want := `fetch and unpack  known 1 (2.0 MiB)
fetch and unpack  new 1 (3.0 MiB)
unpack            fetched 1 (fetched before)
3 of 4 packages to unpack, 2 of them to fetch, 5.0 MiB (5242880 bytes); then compose, initrd, system and image
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("the plan (-want +got):\n%s", diff)
	}
	l.Packages[0].NarHash = "none"
	if _, err := planOf(l, nil); err == nil {
		t.Error("a package whose hash is none has a plan")
	}
}
