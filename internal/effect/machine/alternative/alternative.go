// Package alternative makes the links of update-alternatives(1): it reads the
// calls of postinst scripts as data and chooses as the program does in its
// automatic mode. It is pure.
//
// Words, those of update-alternatives: a group has a name ("awk") and a
// generic link ("/usr/bin/awk"); a choice is a path with a priority; slaves
// are further links that go with the choice, man pages mostly. Each becomes
// two links: generic → /etc/alternatives/NAME → PATH.
package alternative

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/effect/machine/maint"
)

// Dir is where the names of groups are links, as in a manifest.
const Dir = "etc/alternatives"

// A Choice is one --install: a candidate of a group.
type Choice struct {
	From     string // package
	Link     string // "/usr/bin/awk"
	Name     string // "awk"
	Path     string // "/usr/bin/mawk"
	Priority int
	Slaves   []Slave
}

// A Slave goes with its choice.
type Slave struct{ Link, Name, Path string }

// A Link is a symlink to make. Name is relative, as in a manifest.
type Link struct{ Name, Target string }

// FromCalls finds the choices that a maintainer script registers.
func FromCalls(pkg string, calls []maint.Call) ([]Choice, error) {
	var choices []Choice
	for _, c := range calls {
		if c.Args[0] != "update-alternatives" || !slices.Contains(c.Args, "--install") {
			continue
		}
		if !c.Known() {
			if !c.Sure {
				continue
			}
			return nil, fmt.Errorf("%s postinst: an alternative whose words the script's text does not decide: %q", pkg, c.Args)
		}
		choice, err := parse(c.Args)
		if err != nil {
			return nil, fmt.Errorf("%s postinst: %w", pkg, err)
		}
		choice.From = pkg
		choices = append(choices, choice)
	}
	return choices, nil
}

func parse(args []string) (Choice, error) {
	var c Choice
	for i := 1; i < len(args); i++ {
		rest := args[i+1:]
		switch args[i] {
		case "--install":
			if len(rest) < 4 {
				return c, fmt.Errorf("%q: --install wants link, name, path and priority", args)
			}
			priority, err := strconv.Atoi(rest[3])
			if err != nil {
				return c, fmt.Errorf("%q: priority %q is not a number", args, rest[3])
			}
			c.Link, c.Name, c.Path, c.Priority = rest[0], rest[1], rest[2], priority
			i += 4
		case "--slave", "--follower":
			if len(rest) < 3 {
				return c, fmt.Errorf("%q: --slave wants link, name and path", args)
			}
			c.Slaves = append(c.Slaves, Slave{rest[0], rest[1], rest[2]})
			i += 3
		case "--quiet", "--force", "--verbose", "--skip-auto":
		case "--log", "--altdir", "--admindir", "--instdir", "--root":
			i++
		default:
			return c, fmt.Errorf("%q: unknown word %q", args, args[i])
		}
	}
	all := append([]Slave{{c.Link, c.Name, c.Path}}, c.Slaves...)
	for _, s := range all {
		if !path.IsAbs(s.Link) || !path.IsAbs(s.Path) || path.Clean(s.Link) != s.Link || s.Name == "" || s.Name[0] == '.' || strings.ContainsAny(s.Name, "/ \t") {
			return c, fmt.Errorf("%q: link %q, name %q, path %q are not what an alternative has", args, s.Link, s.Name, s.Path)
		}
	}
	return c, nil
}

// Resolve chooses for each group and returns all links sorted by name.
// Exists tells whether an absolute path is in the root file system; a choice
// that is not there is an error, a slave that is not there is left out, both
// as update-alternatives has it.
func Resolve(choices []Choice, exists func(string) bool) ([]Link, error) {
	groups := map[string]Choice{}
	generic := map[string]string{} // name to link, of groups and slaves
	made := map[string]bool{}      // a choice may be the link of another group: editor of emacs-nox is /usr/bin/emacs
	for _, c := range choices {
		made[c.Link] = true
	}
	for _, c := range choices {
		if !exists(c.Path) && !made[c.Path] {
			return nil, fmt.Errorf("alternative %q of package %s: %q is not there", c.Name, c.From, c.Path)
		}
		for _, s := range append([]Slave{{c.Link, c.Name, c.Path}}, c.Slaves...) {
			if have, ok := generic[s.Name]; ok && have != s.Link {
				return nil, fmt.Errorf("alternative %q of package %s: its link is %q here and %q elsewhere", s.Name, c.From, s.Link, have)
			}
			generic[s.Name] = s.Link
		}
		best, ok := groups[c.Name]
		if !ok || c.Priority > best.Priority || (c.Priority == best.Priority && c.Path < best.Path) {
			groups[c.Name] = c
		}
	}
	targets := map[string]string{}
	add := func(name, target string) error {
		name = strings.TrimPrefix(name, "/")
		if top, _, deeper := strings.Cut(name, "/"); deeper && (top == "bin" || top == "sbin" || top == "lib") {
			name = "usr/" + name // the merged /usr
		}
		if have, ok := targets[name]; ok && have != target {
			return fmt.Errorf("alternatives: %q is to point to %q and to %q", name, have, target)
		}
		targets[name] = target
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		c := groups[name]
		for i, s := range append([]Slave{{c.Link, c.Name, c.Path}}, c.Slaves...) {
			if i > 0 && !exists(s.Path) {
				continue
			}
			if err := add(s.Link, "/"+Dir+"/"+s.Name); err != nil {
				return nil, err
			}
			if err := add(Dir+"/"+s.Name, s.Path); err != nil {
				return nil, err
			}
		}
	}
	links := make([]Link, 0, len(targets))
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		links = append(links, Link{name, targets[name]})
	}
	return links, nil
}
