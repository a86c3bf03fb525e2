package machine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/compose"
	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/script"
	"reprise/internal/effect/machine/tmpfiles"
	"reprise/internal/layer"
)

// StateLines is the tmpfiles.d file that makes what packages and their
// scripts keep in /var, /root, /home and /srv. Its name sorts after all
// others: what packages say themselves counts.
const StateLines = tmpfilesDir + "/zz-reprise-state.conf"

// A stateLine is one line of StateLines.
type stateLine struct {
	Path string `json:"path"` // relative
	Line string `json:"line"`
}

type stateSpec struct {
	Lines []stateLine `json:"lines"`
}

// notState are paths outside the view that scripts or packages make and that a
// machine of ours does not want, with the reason. A path stands for all below.
var notState = map[string]string{
	"var/cache/apt":           "no packages are installed on the machine",
	"var/cache/debconf":       "no packages are configured on the machine",
	"var/cache/ldconfig":      "ld.so.cache is made with the generation",
	"var/lib/apt":             "no packages are installed on the machine",
	"var/lib/dpkg":            "no packages are installed on the machine",
	"var/lib/pam":             "state of pam-auth-update",
	"var/lib/shells.state":    "state of update-shells",
	"var/lib/systemd/catalog": "effect journal-catalog",
	"var/lib/ucf":             "state of ucf",
	"var/lib/sgml-base":       "catalogues of SGML tools",
	"var/lib/xml-core":        "catalogues of XML tools",
	"var/lock":                "tmpfiles.d of systemd",
	"var/run":                 "tmpfiles.d of systemd",
	"var/log/apt":             "no packages are installed on the machine",
}

// inState reports whether a path is state that tmpfiles.d can make.
func inState(p string) bool {
	top, _, deeper := strings.Cut(p, "/")
	switch top {
	case "var", "root", "home", "srv":
	default:
		return false
	}
	if !deeper {
		return false
	}
	for dir := range notState {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return false
		}
	}
	return true
}

// stateFiles writes StateLines.
func stateFiles(s *scripts) effect.Effect {
	return effect.Effect{
		Name:   "state",
		Needed: always,
		Reads:  func(_ *config.Config, c *effect.Contents) []string { return c.Below(tmpfilesDir) },
		Spec: func(_ *config.Config, c *effect.Contents) (any, error) {
			lines, err := stateLines(s, c)
			return stateSpec{lines}, err
		},
		Build: func(_ context.Context, e *effect.Env) error {
			var spec stateSpec
			if err := e.Decode(&spec); err != nil {
				return err
			}
			files, err := readAll(e, tmpfilesDir, ".conf")
			if err != nil {
				return err
			}
			theirs, err := tmpfiles.Parse(files)
			if err != nil {
				return err
			}
			taken := map[string]bool{}
			for _, l := range theirs {
				if l.Kind != tmpfiles.Other {
					taken[l.Path] = true
				}
			}
			var b strings.Builder
			b.WriteString("# What packages and their scripts keep outside /usr and /etc. Written by reprise.\n")
			for _, l := range spec.Lines {
				if !taken[l.Path] {
					b.WriteString(l.Line + "\n")
				}
			}
			out := e.Output()
			out.Text(StateLines, b.String())
			return out.Close()
		},
	}
}

// stateLines collects what packages ship and what scripts add and change
// outside the view, sorted by path.
func stateLines(s *scripts, c *effect.Contents) ([]stateLine, error) {
	calls, _, err := s.read(c)
	if err != nil {
		return nil, err
	}
	added, err := additions(s, c)
	if err != nil {
		return nil, err
	}
	lines := map[string]string{}
	shipped := map[string]*layer.Entry{}
	for i := range c.Packages {
		m := c.Packages[i].Manifest
		for j := range m {
			if e := &m[j]; inState(e.Path) && shipped[e.Path] == nil {
				shipped[e.Path] = e
			}
		}
	}
	changed := map[string]script.Mode{}
	for _, pkg := range slices.Sorted(maps.Keys(calls)) {
		for _, m := range script.StateModes(pkg, calls[pkg], func(p string) *layer.Entry { return shipped[p] }) {
			changed[m.Path] = m
		}
	}
	for p, e := range shipped {
		owner, group, mode := fmt.Sprint(e.UID), fmt.Sprint(e.GID), e.Mode
		if m, ok := changed[p]; ok {
			owner, group, mode = m.Owner, m.Group, m.Mode
		}
		switch e.Kind {
		case layer.Dir:
			lines[p] = line("d", p, mode, owner, group, "")
		case layer.Symlink:
			lines[p] = line("L", p, 0, "", "", e.Target)
		default:
			lines[p] = line("C", p, mode, owner, group, "/"+compose.StateHome+"/"+p)
		}
	}
	for _, a := range added {
		if !inState(a.Path) || shipped[a.Path] != nil {
			continue
		}
		owner, group := orRoot(a.Owner), orRoot(a.Group)
		switch a.Kind {
		case script.Dir:
			lines[a.Path] = line("d", a.Path, a.Mode, owner, group, "")
		case script.Empty:
			lines[a.Path] = line("f", a.Path, a.Mode, owner, group, "")
		case script.Link:
			lines[a.Path] = line("L", a.Path, 0, "", "", a.Target)
		case script.Copy:
			mode := a.Mode
			if mode == 0 {
				mode = 0o644
			}
			lines[a.Path] = line("C", a.Path, mode, owner, group, "/"+a.Source)
		}
	}
	out := []stateLine{}
	for _, p := range slices.Sorted(maps.Keys(lines)) {
		out = append(out, stateLine{p, lines[p]})
	}
	return out, nil
}

func orRoot(name string) string {
	if name == "" {
		return "root"
	}
	return name
}

// line writes one line of tmpfiles.d(5).
func line(kind, p string, mode uint32, owner, group, argument string) string {
	quote := func(s string) string {
		s = strings.ReplaceAll(s, "%", "%%")
		if strings.ContainsAny(s, " \t\"'\\") {
			s = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
		}
		return s
	}
	m := "-"
	if owner == "" {
		owner, group = "-", "-"
	} else {
		m = fmt.Sprintf("%04o", mode)
	}
	if argument == "" {
		argument = "-"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s %s %s %s %s - %s", kind, quote("/"+p), m, owner, group, quote(argument)), " - -")
}
