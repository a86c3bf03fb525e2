package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestOneInstallationAtATime holds that a second console is told of the first.
func TestOneInstallationAtATime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "install", "lock")
	unlock, err := holdInstallation(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holdInstallation(file); err == nil || !strings.Contains(err.Error(), "another console") {
		t.Errorf("a second installation: %v", err)
	}
	unlock()
	unlock, err = holdInstallation(file)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}
