package machine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/script"
	"reprise/internal/effect/machine/tmpfiles"
	"reprise/internal/layer"
)

// notAdded are paths of /usr and /etc that scripts add and that a composed
// root leaves out, with the reason. A path stands for all below it.
var notAdded = map[string]string{
	"etc/alternatives":         "effect alternatives",
	"etc/ca-certificates.conf": "effect ca-certificates",
	"etc/fonts/conf.d":         "effect font-cache",
	"etc/ld.so.cache":          "effect ld-so-cache",
	"etc/locale.gen":           "effect locale-archive",
	"etc/ssl/certs":            "effect ca-certificates",
	"etc/default/locale":       "effect etc",
	"etc/gshadow":              "effect accounts",
	"etc/group":                "effect accounts",
	"etc/localtime":            "effect etc",
	"etc/passwd":               "effect accounts",
	"etc/resolv.conf":          "effect etc",
	"etc/security/limits.d/audio.conf.disabled": "limits are written under names that count",
	"etc/sgml":            "catalogues of SGML tools, whose target in /var nothing makes",
	"etc/shadow":          "effect accounts",
	"etc/ssh/sshd_config": "effect etc",
	"etc/subgid":          "effect accounts",
	"etc/subuid":          "effect accounts",
	"etc/vconsole.conf":   "effect etc",
	"etc/xml":             "catalogues of XML tools, whose target in /var nothing makes",
	"usr/share/info/dir":  "effect info-directory",
}

type additionsSpec struct {
	Additions []script.Addition `json:"additions"`
}

const tmpfilesDir = "usr/lib/tmpfiles.d"

// scriptFiles adds what scripts and tmpfiles.d add below /usr and /etc: at run
// time both are read-only.
func scriptFiles(s *scripts) effect.Effect {
	return effect.Effect{
		Name:   "script-files",
		Needed: always,
		Reads: func(_ *config.Config, c *effect.Contents) []string {
			additions, err := viewAdditions(s, c)
			if err != nil {
				return nil // Spec says the same, and fails
			}
			reads := c.Below(tmpfilesDir)
			for _, a := range additions {
				if a.Kind == script.Copy {
					if p := c.Owner(a.Source); p != nil {
						reads = append(reads, p.Name)
					}
				}
			}
			return reads
		},
		Spec: func(_ *config.Config, c *effect.Contents) (any, error) {
			additions, err := viewAdditions(s, c)
			return additionsSpec{additions}, err
		},
		Build: buildAdditions,
	}
}

// additions are all that scripts add, sorted by path; the first package that
// adds a path gives it.
func additions(s *scripts, c *effect.Contents) ([]script.Addition, error) {
	calls, exists, err := s.read(c)
	if err != nil {
		return nil, err
	}
	byPath := map[string]script.Addition{}
	for _, pkg := range slices.Sorted(maps.Keys(calls)) {
		for _, a := range slices.Concat(script.Additions(pkg, calls[pkg], exists), byHand(pkg, exists)) {
			if _, ok := byPath[a.Path]; !ok {
				byPath[a.Path] = a
			}
		}
	}
	var all []script.Addition
	for _, p := range slices.Sorted(maps.Keys(byPath)) {
		all = append(all, byPath[p])
	}
	return all, nil
}

// byHand is what scripts add in ways that their text does not decide.
func byHand(pkg string, exists func(string) bool) []script.Addition {
	var all []script.Addition
	add := func(a script.Addition, needs string) {
		if exists(needs) {
			a.From = pkg
			all = append(all, a)
		}
	}
	switch pkg {
	case "cups": // the default answer to cupsys/backend, through sed and a loop; mdns is dnssd's other name
		const available, enabled = "usr/lib/cups/backend-available/", "usr/lib/cups/backend/"
		for name, program := range map[string]string{"dnssd": "dnssd", "lpd": "lpd", "mdns": "dnssd", "snmp": "snmp", "socket": "socket", "usb": "usb"} {
			add(script.Addition{Path: enabled + name, Kind: script.Copy, Source: available + program}, available+program)
		}
	case "emacsen-common": // a program of its own links what every Emacs loads
		const startup = "emacsen-common/debian-startup.el"
		add(script.Addition{Path: "usr/share/emacs/site-lisp/debian-startup.el", Kind: script.Link, Target: "../../" + startup}, "usr/share/"+startup)
	}
	return all
}

func viewAdditions(s *scripts, c *effect.Contents) ([]script.Addition, error) {
	all, err := additions(s, c)
	return slices.DeleteFunc(all, func(a script.Addition) bool { return !inView(a.Path) || isNotAdded(a.Path) }), err
}

func inView(p string) bool {
	return strings.HasPrefix(p, "usr/") || strings.HasPrefix(p, "etc/")
}

func isNotAdded(p string) bool {
	for dir := range notAdded {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

func buildAdditions(_ context.Context, e *effect.Env) error {
	var spec additionsSpec
	if err := e.Decode(&spec); err != nil {
		return err
	}
	done := map[string]bool{}
	out := e.Output()
	for _, a := range spec.Additions {
		if a.Owner != "" && a.Owner != "root" || a.Group != "" && a.Group != "root" {
			return fmt.Errorf("script of %s makes %q for %s:%s, whom this effect does not know", a.From, a.Path, a.Owner, a.Group)
		}
		done[a.Path] = true
		if err := add(e, out, a); err != nil {
			return err
		}
	}
	files, err := readAll(e, tmpfilesDir, ".conf")
	if err != nil {
		return err
	}
	lines, err := tmpfiles.Parse(files)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if !inView(l.Path) || done[l.Path] || isNotAdded(l.Path) || !l.Creates() || l.User != "" && l.User != "root" || l.Group != "" && l.Group != "root" {
			continue
		}
		done[l.Path] = true
		switch l.Kind {
		case tmpfiles.Dir:
			out.Dir(l.Path, l.Mode, 0, 0)
			if l.Mode != 0o755 { // where a package has the directory, its mode would win
				out.Attributes(layer.Entry{Path: l.Path, Kind: layer.Dir, Mode: l.Mode})
			}
		case tmpfiles.Link:
			out.Symlink(l.Path, l.Argument)
		}
	}
	return out.Close()
}

// add writes one addition.
func add(e *effect.Env, out *effect.Output, a script.Addition) error {
	switch a.Kind {
	case script.Dir:
		out.Dir(a.Path, a.Mode, 0, 0)
	case script.Link:
		out.Symlink(a.Path, a.Target)
	case script.Empty:
		out.File(a.Path, a.Mode, 0, 0, nil)
	case script.Text:
		out.File(a.Path, a.Mode, 0, 0, []byte(a.Text))
	case script.Copy:
		for i := range e.Packages.Packages {
			p := &e.Packages.Packages[i]
			entry := p.Entry(a.Source)
			if entry == nil {
				continue
			}
			if entry.Kind != layer.File && entry.Kind != layer.Hard {
				return fmt.Errorf("script of %s copies %q, which is no file", a.From, a.Source)
			}
			data, err := e.ReadFile(p.Name, a.Source)
			if err != nil {
				return err
			}
			mode := a.Mode
			if mode == 0 {
				mode = entry.Mode
			}
			out.File(a.Path, mode, 0, 0, data)
			return nil
		}
		return fmt.Errorf("script of %s copies %q, which no input has", a.From, a.Source)
	}
	return nil
}
