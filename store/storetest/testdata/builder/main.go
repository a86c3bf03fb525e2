// Command builder is the builder of the derivations that real Nix builds
// again. It makes its output "out" of its environment: a tree with the text
// of "text", the files that "inputs" names, and an executable.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := build(os.Getenv("out")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func build(out string) error {
	if os.Getenv("flat") != "" {
		return os.WriteFile(out, []byte(os.Getenv("text")), 0o644)
	}
	if err := os.MkdirAll(filepath.Join(out, "bin"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "bin/run"), []byte("#!"+os.Getenv("text")), 0o755); err != nil {
		return err
	}
	for i, input := range strings.Fields(os.Getenv("inputs")) {
		if err := os.Symlink(input, filepath.Join(out, fmt.Sprint("input-", i))); err != nil {
			return err
		}
		if _, err := os.Stat(input); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "text"), []byte(os.Getenv("text")), 0o600)
}
