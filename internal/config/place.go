package config

import (
	"slices"
	"strings"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// A Place is where a value was written.
type Place = program.Place

// Path joins names and indexes to the path of a value as problems print it;
// see program.Path.
func Path(parts ...any) string { return program.Path(parts...) }

// placeIndex is the place of every path that a file sets.
type placeIndex struct {
	file  string            // the configuration itself, for paths without a place
	exact map[string]Place  // by Path
	named map[string]string // Path → the one the user knows, where elements of a list were left out before it
}

// Place returns where the value at path (see Path) was written, or, when a
// function or a module made it, the nearest enclosing value that has a place.
// exact tells which. With no place at all it is the file alone.
func (c *Config) Place(path string) (place Place, exact bool) {
	return c.places.find(path)
}

func (x placeIndex) find(path string) (Place, bool) {
	for at := path; at != ""; at = program.Parent(at) {
		if place, ok := x.exact[at]; ok {
			return place, at == path
		}
	}
	return Place{File: x.file}, false
}

// move gives the element of a list its place under its new index.
func (x placeIndex) move(from, to string) {
	delete(x.exact, to)
	x.named[to] = from
	if place, ok := x.exact[from]; ok {
		x.exact[to] = place
	}
}

// Problem makes a problem with the value at path (see Path), at its place.
// Line and column are given only when they are exact.
func (c *Config) Problem(path, got, want, do string) diag.Problem {
	return c.places.problem(path, got, want, do)
}

func (x placeIndex) problem(path, got, want, do string) diag.Problem {
	p := diag.Problem{File: x.file, Field: x.name(path), Got: got, Want: want, Do: do}
	if place, exact := x.find(path); exact {
		p.File, p.Line, p.Col = place.File, place.Line, place.Col
	}
	return p
}

// name is path as the user counts elements.
func (x placeIndex) name(path string) string {
	for at := path; at != ""; at = program.Parent(at) {
		if named, ok := x.named[at]; ok {
			return named + strings.TrimPrefix(path, at)
		}
	}
	return path
}

// PackageProblem makes a problem with one of the packages of Roots, at the
// option that asked for it. got names the package: `"jackd3" is not in the
// archive`.
func (c *Config) PackageProblem(name, got, want, do string) diag.Problem {
	if option, ok := c.origins[name]; ok {
		return c.Problem(option, "needs a package, but "+got, want, do)
	}
	if i := slices.Index(c.Environment.SystemPackages, name); i >= 0 {
		return c.Problem(Path("environment", "systemPackages", i), got, want, do)
	}
	if name == c.KernelPackage() {
		return c.Problem("boot.kernelPackages", "needs a package, but "+got, want, do)
	}
	return diag.Problem{File: c.places.file, Field: "every machine", Got: "needs a package, but " + got, Want: want, Do: do}
}
