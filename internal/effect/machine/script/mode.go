package script

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/effect/machine/maint"
	"reprise/internal/layer"
)

// A Mode is the owner and mode that a path of a package gets from a script.
type Mode struct {
	Path  string `json:"path"` // relative, as in a manifest
	Kind  string `json:"kind"` // of the entry there: "f" or "d"
	Mode  uint32 `json:"mode"` // decimal in JSON
	Owner string `json:"owner"`
	Group string `json:"group"`
}

// modeIgnored are changes that scripts make to paths of packages and that a
// composed root must not or need not have, with the reason. By package and
// path; "*" is every path.
var modeIgnored = map[[2]string]string{
	{"base-files", "*"}:      "they make directories that stage 1 and tmpfiles.d make",
	{"ca-certificates", "*"}: "the mode of /usr/local's parent for a directory in it",
	{"sgml-base", "*"}:       "makes /usr/local/share/sgml for the group staff, which nothing here uses",
	{"xml-core", "*"}:        "makes /usr/local/share/xml for the group staff, which nothing here uses",
}

// Modes finds the owner and mode changes that a script makes to packages'
// paths below usr and etc. Entry gives what a package has at a path. Unknown
// are calls that change something the text of the script does not name.
func Modes(pkg string, calls []maint.Call, entry func(path string) *layer.Entry) (modes []Mode, unknown []string) {
	return changes(pkg, calls, entry, func(p string) bool { return !elsewhere(p) })
}

// StateModes is Modes for paths outside the view, such as /var. What is not
// known there is passed over: the service that owns a path puts it right.
func StateModes(pkg string, calls []maint.Call, entry func(path string) *layer.Entry) []Mode {
	modes, _ := changes(pkg, calls, entry, elsewhere)
	return modes
}

func changes(pkg string, calls []maint.Call, entry func(path string) *layer.Entry, wanted func(string) bool) (modes []Mode, unknown []string) {
	if modeIgnored[[2]string{pkg, "*"}] != "" {
		return nil, nil
	}
	for _, c := range calls {
		owner, group, mode, paths, ok := change(c.Args)
		if !ok || !c.Sure {
			continue
		}
		for _, p := range paths {
			rel := strings.TrimPrefix(p, "/")
			if !wanted(rel) || modeIgnored[[2]string{pkg, rel}] != "" {
				continue
			}
			e := entry(rel)
			if e == nil && !strings.Contains(p, maint.Unknown) {
				continue // something that the script itself makes
			}
			if strings.Contains(p+owner+group+mode, maint.Unknown) || strings.ContainsAny(p, "*?[") {
				unknown = append(unknown, fmt.Sprintf("  %s: %s", pkg, strings.ReplaceAll(strings.Join(c.Args, " "), maint.Unknown, "?")))
				continue
			}
			m := Mode{Path: e.Path, Kind: string(rune(e.Kind)), Mode: e.Mode, Owner: strconv.Itoa(int(e.UID)), Group: strconv.Itoa(int(e.GID))}
			if e.Kind == layer.Symlink {
				continue
			}
			if e.Kind == layer.Hard {
				m.Kind = string(rune(layer.File))
			}
			if last := slices.IndexFunc(modes, func(o Mode) bool { return o.Path == m.Path }); last >= 0 {
				m = modes[last]
			}
			if owner != "" {
				m.Owner = owner
			}
			if group != "" {
				m.Group = group
			}
			if mode != "" {
				bits, err := applyMode(m.Mode, mode)
				if err != nil {
					unknown = append(unknown, fmt.Sprintf("  %s: %s: %v", pkg, strings.Join(c.Args, " "), err))
					continue
				}
				m.Mode = bits
			}
			modes = append(slices.DeleteFunc(modes, func(o Mode) bool { return o.Path == m.Path }), m)
		}
	}
	// What ends as it began is no change.
	return slices.DeleteFunc(modes, func(m Mode) bool {
		e := entry(m.Path)
		root := func(s string) string {
			if s == "root" {
				return "0"
			}
			return s
		}
		return e.Mode == m.Mode && root(m.Owner) == strconv.Itoa(int(e.UID)) && root(m.Group) == strconv.Itoa(int(e.GID))
	}), unknown
}

// elsewhere reports paths that are not part of the view.
func elsewhere(p string) bool {
	top, _, _ := strings.Cut(p, "/")
	switch top {
	case "var", "run", "root", "home", "srv", "mnt", "media", "opt", "dev", "proc", "sys", "tmp", "boot":
		return true
	}
	return strings.HasPrefix(p, "usr/local/") || p == "usr/local"
}

// change reads chmod, chown, chgrp and dpkg-statoverride.
func change(args []string) (owner, group, mode string, paths []string, ok bool) {
	words := slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool {
		return len(a) > 1 && a[0] == '-' && !strings.ContainsAny(a[1:2], "rwxst") || a == "--"
	})
	switch args[0] {
	case "chmod":
		if len(words) < 2 {
			return
		}
		return "", "", words[0], words[1:], true
	case "chgrp":
		if len(words) < 2 {
			return
		}
		return "", words[0], "", words[1:], true
	case "chown":
		if len(words) < 2 {
			return
		}
		owner, group, both := strings.Cut(words[0], ":")
		if !both {
			if before, after, dot := strings.Cut(words[0], "."); dot {
				owner, group = before, after
			}
		} else if group == "" {
			group = owner
		}
		return owner, group, "", words[1:], true
	case "dpkg-statoverride":
		if !slices.Contains(args, "--add") || len(words) != 4 {
			return
		}
		return words[0], words[1], words[2], words[3:], true
	}
	return
}

// applyMode applies an octal or symbolic mode: chmod(1).
func applyMode(have uint32, mode string) (uint32, error) {
	if n, err := strconv.ParseUint(mode, 8, 16); err == nil && n <= 0o7777 {
		return uint32(n), nil
	}
	for _, clause := range strings.Split(mode, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 {
			return 0, fmt.Errorf("mode %q is not one", mode)
		}
		who := clause[:i]
		if who == "" || strings.Contains(who, "a") {
			who = "ugo"
		}
		var bits uint32
		for _, p := range clause[i+1:] {
			var all, special uint32
			switch p {
			case 'r':
				all = 0o444
			case 'w':
				all = 0o222
			case 'x':
				all = 0o111
			case 's':
				if strings.Contains(who, "u") {
					special |= 0o4000
				}
				if strings.Contains(who, "g") {
					special |= 0o2000
				}
			case 't':
				special = 0o1000
			default:
				return 0, fmt.Errorf("mode %q: unknown letter %q", mode, p)
			}
			bits |= all&mask(who) | special
		}
		switch clause[i] {
		case '+':
			have |= bits
		case '-':
			have &^= bits
		case '=':
			have = have&^mask(who) | bits
		}
	}
	return have, nil
}

func mask(who string) uint32 {
	var m uint32
	for _, w := range who {
		switch w {
		case 'u':
			m |= 0o700
		case 'g':
			m |= 0o070
		case 'o':
			m |= 0o007
		}
	}
	return m
}

// MergeModes sorts changes by path; the last package to speak of a path wins.
func MergeModes(all []Mode) []Mode {
	byPath := map[string]Mode{}
	for _, m := range all {
		byPath[m.Path] = m
	}
	out := make([]Mode, 0, len(byPath))
	for _, m := range byPath {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Mode) int { return strings.Compare(a.Path, b.Path) })
	return out
}
