package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEditWith runs an editor as the installer does.
func TestEditWith(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	program := filepath.Join(t.TempDir(), "ed")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"// $1 ${2##*/}\" >> \"$2\"\necho told\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	line := ownEditor(func(name string) string { return map[string]string{"EDITOR": " " + program + "  -x "}[name] })
	if line != program+" -x" {
		t.Fatalf("editor %q", line)
	}
	work, err := editWith(line)("hardware.jsonnet", []byte("{}\n"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	work.SetStdin(strings.NewReader(""))
	work.SetStdout(&out)
	work.SetStderr(&out)
	if err := work.Run(); err != nil {
		t.Fatal(err)
	}
	text, err := work.Text()
	if err != nil || string(text) != "{}\n// -x hardware.jsonnet\n" || out.String() != "told\n" {
		t.Errorf("%q, %v, said %q", text, err, out.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOwnEditor(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, env := range []map[string]string{{}, {"VISUAL": "no-such-editor", "EDITOR": "  "}} {
		if got := ownEditor(func(name string) string { return env[name] }); got != "" {
			t.Errorf("%v: %q", env, got)
		}
	}
}
