package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestReference(t *testing.T) { golden(t, "../../docs/options.md", Reference()) }

// TestBad evaluates every testdata/bad/*.json{,net} and compares what is told
// with the .want file beside it.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.json*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			// Less memory and more time than users have: a busy machine must not
			// choose which bound is met first.
			c, err := Evaluate(t.Context(), file, EvalOptions{MemoryBytes: 256 << 20, Timeout: time.Minute})
			if err == nil {
				t.Fatalf("gives a configuration: %s", c.Canonical())
			}
			golden(t, strings.TrimSuffix(file, filepath.Ext(file))+".want", err.Error()+"\n")
		})
	}
}

// TestGood evaluates every testdata/good/*.json{,net} and compares the Config
// with the .want file beside it.
func TestGood(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.json*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Evaluate(t.Context(), file, EvalOptions{})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, filepath.Ext(file))+".want", indent(c)+"\n")
		})
	}
}

func TestShippedProfiles(t *testing.T) {
	for _, name := range Profiles() {
		c, err := Evaluate(t.Context(), name, EvalOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden(t, "testdata/profiles/"+name+".want", indent(c)+"\n")
	}
}
