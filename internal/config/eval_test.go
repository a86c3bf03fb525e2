package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/config/program"
)

// write makes files below a new directory and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// evaluateText evaluates a program.
func evaluateText(t testing.TB, text string) *program.Answer {
	t.Helper()
	dir := write(t, map[string]string{"main.jsonnet": text})
	answer, err := program.Run(t.Context(), filepath.Join(dir, "main.jsonnet"), false, EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestFiles holds that a configuration knows what it was read from.
func TestFiles(t *testing.T) {
	for profile, want := range map[string][]string{
		"testdata/good/rig.jsonnet": {"rig.jsonnet", "lib/friend.libsonnet"},
		"testdata/good/plain.json":  {"plain.json"},
		"live-rig":                  nil,
	} {
		c, err := Evaluate(t.Context(), profile, EvalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, c.Files()); d != "" {
			t.Errorf("%s: %s", profile, d)
		}
	}
}
