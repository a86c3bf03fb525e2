// Package machine has the effects that make /etc and the declared state from
// the configuration and from what packages contain: accounts, PAM stacks,
// alternatives, enabled units, the files of /etc, tmpfiles.d lines for /var
// and activation.json. All is pure Go; no program of the target runs.
//
// The deciding parts are packages of their own: account, alternative, maint
// (maintainer scripts as data), pam, script (what scripts add to the tree),
// unit. Here they meet contents and configuration.
//
// Scripts are read when a job is planned, so that a job holds the few lines
// that it depends on and not the packages that they come from.
package machine

import (
	"fmt"
	"strings"
	"sync"

	"reprise/internal/config"
	"reprise/internal/deb"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/maint"
	"reprise/internal/layer"
)

// All returns the effects of this package in the order in which their layers
// are merged.
func All() []effect.Effect {
	s := &scripts{}
	return []effect.Effect{
		alternatives(s),
		units(s),
		pamStacks(),
		scriptFiles(s),
		etcFiles(),
		accounts(s),
		stateFiles(s),
		activationData(s),
	}
}

// scripts remembers the calls of the contents it has seen last: every effect
// of one plan asks for the same.
type scripts struct {
	mu    sync.Mutex
	of    *effect.Contents
	calls map[string][]maint.Call
	index map[string]bool
	err   error
}

// read returns the calls of each package's postinst, and whether a path is
// in a package.
func (s *scripts) read(c *effect.Contents) (calls map[string][]maint.Call, exists func(string) bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of != c {
		s.of = c
		s.calls, s.index, s.err = readScripts(c)
	}
	index := s.index
	return s.calls, func(p string) bool { return inIndex(index, p) }, s.err
}

// inIndex looks an absolute path up, the merged /usr included.
func inIndex(index map[string]bool, p string) bool {
	p = strings.TrimPrefix(p, "/")
	if index[p] {
		return true
	}
	top, _, _ := strings.Cut(p, "/")
	switch top {
	case "bin", "sbin", "lib", "lib32", "lib64", "libx32":
		return index["usr/"+p]
	}
	return false
}

func readScripts(c *effect.Contents) (map[string][]maint.Call, map[string]bool, error) {
	index := map[string]bool{"usr": true, "etc": true, "var": true}
	answers := map[string]string{}
	for i := range c.Packages {
		p := &c.Packages[i]
		for _, e := range p.Manifest {
			index[e.Path] = true
		}
		if err := addAnswers(answers, p.Control["templates"]); err != nil {
			return nil, nil, fmt.Errorf("templates of %q: %w", p.Name, err)
		}
	}
	calls := map[string][]maint.Call{}
	for i := range c.Packages {
		p := &c.Packages[i]
		script := p.Control["postinst"]
		if len(script) == 0 || ignoredScripts[p.Name] != "" {
			continue
		}
		world := maint.World{
			Args: []string{"configure", ""}, Arch: "amd64", Answer: answers,
			Exists: func(path string) bool { return inIndex(index, path) },
			Vars:   map[string]string{"DPKG_MAINTSCRIPT_PACKAGE": p.Name, "DPKG_MAINTSCRIPT_NAME": "postinst"},
		}
		var err error
		if calls[p.Name], err = maint.Calls(p.Name+" postinst", script, world); err != nil {
			return nil, nil, err
		}
	}
	return calls, index, nil
}

// ignoredScripts are postinst scripts that have nothing for a composed root,
// or cannot be read, with the reason.
var ignoredScripts = map[string]string{
	"dash": "diverts and links /bin/sh, which the package ships",
}

// addAnswers takes the defaults of debconf questions: what a script is told
// when nobody is asked.
func addAnswers(answers map[string]string, templates []byte) error {
	if len(templates) == 0 {
		return nil
	}
	return deb.ReadStanzas(strings.NewReader(string(templates)), func(s deb.Stanza) error {
		answers[s.Get("Template")] = s.Get("Default")
		return nil
	})
}

// has reports whether a path (without a leading slash) is in the contents.
func has(c *effect.Contents, path string) bool { return c.Owner(path) != nil }

// packagesWith names the packages that have one of the paths.
func packagesWith(c *effect.Contents, paths ...string) []string {
	return c.Matching(func(p string) bool {
		for _, want := range paths {
			if p == want {
				return true
			}
		}
		return false
	})
}

// readAll reads the files of the inputs directly below a directory, by their
// names; the first package that has a name gives it.
func readAll(e *effect.Env, dir, suffix string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for i := range e.Packages.Packages {
		p := &e.Packages.Packages[i]
		for _, entry := range p.Below(dir) {
			name := strings.TrimPrefix(entry.Path, dir+"/")
			if entry.Kind != layer.File && entry.Kind != layer.Hard || strings.Contains(name, "/") || !strings.HasSuffix(name, suffix) {
				continue
			}
			if _, ok := files[name]; ok {
				continue
			}
			data, err := e.ReadFile(p.Name, entry.Path)
			if err != nil {
				return nil, err
			}
			files[name] = data
		}
	}
	return files, nil
}

// always is for effects that every machine needs.
func always(*config.Config, *effect.Contents) bool { return true }
