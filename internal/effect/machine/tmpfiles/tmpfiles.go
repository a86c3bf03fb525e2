// Package tmpfiles reads tmpfiles.d(5) lines, as far as a build needs them:
// which paths systemd-tmpfiles would create with plain names.
package tmpfiles

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Kind says what a line makes.
type Kind byte

const (
	Other Kind = 0
	Dir   Kind = 'd'
	File  Kind = 'f'
	Link  Kind = 'l'
	Copy  Kind = 'c'
)

// A Line is one line of tmpfiles.d.
type Line struct {
	Kind        Kind
	Type        string // as written: "L+"
	Path        string // relative to the root
	Mode        uint32 // 0755 and 0644 where the line leaves it out
	User, Group string // "" where the line leaves it out
	Argument    string
}

// Creates reports whether the line makes something on every boot whatever is
// there: no condition, no glob, no specifier.
func (l Line) Creates() bool {
	return l.Kind != Other && !strings.ContainsAny(l.Type, "!-^$~") && !strings.ContainsAny(l.Path, "*?[%") && !strings.Contains(l.Argument, "%")
}

// Parse reads files by name; of two lines for one path the first counts.
func Parse(files map[string][]byte) ([]Line, error) {
	var lines []Line
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		number := 0
		for text := range strings.Lines(string(files[name])) {
			number++
			text = strings.TrimSpace(text)
			if text == "" || text[0] == '#' {
				continue
			}
			l, err := parseLine(text)
			if err != nil {
				return nil, fmt.Errorf("tmpfiles.d %q, line %d: %w", name, number, err)
			}
			if l.Path == "" || seen[l.Path] && l.Kind != Other {
				continue
			}
			if l.Kind != Other {
				seen[l.Path] = true
			}
			lines = append(lines, l)
		}
	}
	return lines, nil
}

func parseLine(text string) (Line, error) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return Line{}, fmt.Errorf("%q has no path", text)
	}
	l := Line{Type: words[0], Path: strings.Trim(words[1], `"'`)}
	if !path.IsAbs(l.Path) {
		if strings.HasPrefix(l.Path, "%") {
			return Line{}, nil
		}
		return l, fmt.Errorf("path %q is not absolute", l.Path)
	}
	l.Path = strings.TrimPrefix(path.Clean(l.Path), "/")
	get := func(i int) string {
		if i < len(words) && words[i] != "-" {
			return words[i]
		}
		return ""
	}
	switch l.Type[0] {
	case 'd', 'D', 'v', 'q', 'Q':
		l.Kind, l.Mode = Dir, 0o755
	case 'f', 'F':
		l.Kind, l.Mode = File, 0o644
	case 'L':
		l.Kind = Link
	case 'C':
		l.Kind = Copy
	}
	if mode := strings.TrimLeft(get(2), ":~"); mode != "" && l.Kind != Other {
		n, err := strconv.ParseUint(mode, 8, 12)
		if err != nil {
			return l, fmt.Errorf("mode %q is not octal", mode)
		}
		l.Mode = uint32(n)
	}
	l.User, l.Group = strings.TrimLeft(get(3), ":"), strings.TrimLeft(get(4), ":")
	if len(words) > 6 {
		l.Argument = strings.Join(words[6:], " ")
	}
	return l, nil
}
