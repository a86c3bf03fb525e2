package effect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// LoaderCommand returns the command that runs a program of unpacked packages
// where they are, through their own dynamic loader: no root is needed for a
// program that looks for nothing but its libraries and the files it is given.
// dirs are the packages' physical directories, the C library's among them;
// program is a path in one of them ("usr/bin/xz").
func LoaderCommand(dirs []string, program string, args ...string) ([]string, error) {
	var loader, file string
	var libraries []string
	for _, dir := range dirs {
		if loader == "" {
			loader = firstMatch(dir, "usr/lib/*/ld-linux-*.so.*", "usr/lib/ld-linux-*.so.*")
		}
		if name := filepath.Join(dir, program); file == "" && exists(name) {
			file = name
		}
		matches, err := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu*"))
		if err != nil {
			return nil, err
		}
		libraries = append(libraries, matches...)
	}
	if loader == "" {
		return nil, errors.New("no dynamic loader among the packages")
	}
	if file == "" {
		return nil, fmt.Errorf("no package has %q", program)
	}
	path := ""
	for i, dir := range libraries {
		if i > 0 {
			path += ":"
		}
		path += dir
	}
	return slices.Concat([]string{loader, "--inhibit-cache", "--library-path", path, "--argv0", filepath.Base(program), file}, args), nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func firstMatch(dir string, patterns ...string) string {
	for _, p := range patterns {
		if matches, err := filepath.Glob(filepath.Join(dir, p)); err == nil && len(matches) > 0 {
			return matches[0]
		}
	}
	return ""
}
