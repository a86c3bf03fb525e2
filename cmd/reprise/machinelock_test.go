package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/config"
	"reprise/internal/lock"
	"reprise/internal/recipe"
)

// An installed machine's lock serves its configuration, whatever that asks for
// less or more than the carried system, and has nothing of the medium.
func TestMachineLockServes(t *testing.T) {
	carried, err := config.Evaluate(t.Context(), "live-rig", config.EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l := &lock.Lock{Architecture: architecture, Sets: recipe.MediumSets(carried)}
	for name, sets := range map[string]string{
		"bash": recipe.SystemSet, "grub-pc-bin": recipe.BootSet + " " + recipe.MediumSet, "mke2fs": recipe.DiskSet, "rt-tests": recipe.InstallSet, "nano": recipe.SystemSet,
	} {
		l.Packages = append(l.Packages, lock.Package{Name: name, Version: "1", Sets: strings.Fields(sets)})
	}
	before := l.Encode()
	own := *carried
	own.Environment.SystemPackages = append([]string{"nano"}, carried.Environment.SystemPackages[1:]...)
	got := machineLock(l, &own)
	if !serves(got, recipe.Sets(&own)) {
		t.Errorf("the lock does not serve: %s", got.Encode())
	}
	if serves(l, recipe.Sets(&own)) {
		t.Error("the lock of the medium serves another configuration: the test tests nothing")
	}
	if hasMedium(got) {
		t.Error("the lock still is one of a medium")
	}
	in := map[string][]string{}
	for _, p := range got.Packages {
		in[p.Name] = p.Sets
	}
	want := map[string][]string{"bash": {recipe.SystemSet}, "grub-pc-bin": {recipe.BootSet}, "mke2fs": {recipe.DiskSet}, "nano": {recipe.SystemSet}}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(string(before), string(l.Encode())); diff != "" {
		t.Errorf("the medium's lock changed (-before +after):\n%s", diff)
	}
}
