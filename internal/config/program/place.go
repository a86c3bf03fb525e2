package program

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Place is where a value was written. Line and Col are 1-based and 0 when
// only the file is known.
type Place struct {
	File string `json:"file"` // as the user named it; "<reprise>/…" for a file of the library in this binary
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// String prints "studio.jsonnet:7:3", or the file alone.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Path joins names and indexes to the path of a value as problems print it:
// Path("users", "users", "rig", "extraGroups", 0) is
// `users.users.rig.extraGroups[0]`, and Path("environment", "etc", "a/b") is
// `environment.etc["a/b"]`. Parts are strings and ints.
func Path(parts ...any) string {
	path := ""
	for _, part := range parts {
		path = Join(path, part)
	}
	return path
}

// Join appends one part, a string or an int, to a path.
func Join(path string, part any) string {
	switch part := part.(type) {
	case int:
		return path + "[" + strconv.Itoa(part) + "]"
	case string:
		switch {
		case !plainName.MatchString(part):
			return path + "[" + strconv.Quote(part) + "]"
		case path == "":
			return part
		}
		return path + "." + part
	}
	panic(fmt.Sprintf("path part of type %T", part))
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Parent cuts the last part off a path made by Path. The parent of the first
// part is "".
func Parent(path string) string {
	if strings.HasSuffix(path, `"]`) {
		// A quoted part may hold anything, so look for where its quotes open.
		for i := len(path) - 3; i >= 1; i-- {
			if path[i] != '"' || path[i-1] != '[' {
				continue
			}
			if _, err := strconv.Unquote(path[i : len(path)-1]); err == nil {
				return path[:i-1]
			}
		}
	}
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}
