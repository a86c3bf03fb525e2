package realise

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"reprise/store/drv"
	"reprise/store/storepath"
)

// buildDir is the working directory of every build, as in Nix on Linux.
const buildDir = "/build"

// environment returns what Nix sets for a build of d on cores processors,
// sorted: first defaults, then the derivation's own, then what a derivation
// cannot change. Source: Nix 2.26, DerivationBuilder::initEnv and initTmpDir.
func environment(d *drv.Derivation, cores int) []string {
	env := map[string]string{
		"PATH":            "/path-not-set",
		"HOME":            "/homeless-shelter",
		"NIX_STORE":       storepath.Dir,
		"NIX_BUILD_CORES": strconv.Itoa(cores),
	}
	maps.Copy(env, d.Env)
	for _, name := range []string{"NIX_BUILD_TOP", "TMPDIR", "TEMPDIR", "TMP", "TEMP", "PWD"} {
		env[name] = buildDir
	}
	if _, fixed := d.Fixed(); fixed {
		env["NIX_OUTPUT_CHECKED"] = "1"
	}
	env["NIX_LOG_FD"] = "2"
	env["TERM"] = "xterm-256color"
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// argv returns the program's name and arguments as Nix passes them.
func argv(d *drv.Derivation) []string {
	return append([]string{filepath.Base(d.Builder)}, d.Args...)
}

// platform is what this program can build for.
func platform() string {
	machine := runtime.GOARCH
	switch machine {
	case "amd64":
		machine = "x86_64"
	case "arm64":
		machine = "aarch64"
	}
	return machine + "-linux"
}

// supported says what of d this package cannot build.
func supported(d *drv.Derivation) error {
	if d.Platform != platform() {
		return fmt.Errorf("it is for %q, this machine is %q", d.Platform, platform())
	}
	if _, _, ok := storepath.In(d.Builder); !ok {
		return fmt.Errorf("builder %q is not in the store", d.Builder)
	}
	for _, name := range []string{"passAsFile", "__json", "__structuredAttrs"} {
		if d.Env[name] != "" {
			return fmt.Errorf("%s is not supported", name)
		}
	}
	if len(d.Outputs) == 0 {
		return errors.New("it has no output")
	}
	return nil
}
