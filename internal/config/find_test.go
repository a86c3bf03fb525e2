package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProfileNames(t *testing.T) {
	dir := write(t, map[string]string{"mine.jsonnet": "{}", "live-rig": "{ networking: { hostName: 'a-file' } }"})
	for _, test := range []struct{ profile, want string }{
		{filepath.Join(dir, "nothing.jsonnet"), "is neither a file nor a profile"},
		{"live-rgi", "write live-rig"},
		{dir, "is a directory"},
		{"", "is neither a file nor a profile"},
		{filepath.Join(dir, "mine.jsonnet", "x"), "cannot be read: not a directory"},
	} {
		_, err := Evaluate(t.Context(), test.profile, EvalOptions{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error is %v, want %q", test.profile, err, test.want)
		}
	}
	t.Chdir(dir)
	c, err := Evaluate(t.Context(), "live-rig", EvalOptions{})
	if err != nil || c.Networking.HostName != "a-file" {
		t.Errorf("a file goes before a profile: %v", err)
	}
	if err := os.Remove("live-rig"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("live-rig", 0o755); err != nil {
		t.Fatal(err)
	}
	if c, err := Evaluate(t.Context(), "live-rig", EvalOptions{}); err != nil || c.Networking.HostName != "live-rig" {
		t.Errorf("a profile goes before a directory: %v", err)
	}
}
