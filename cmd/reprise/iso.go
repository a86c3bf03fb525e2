package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"reprise/installer/plan"
	"reprise/internal/config"
	"reprise/internal/recipe"
	"reprise/store/storepath"
)

// mediumLabel is the volume id of every medium: the kernel line names it.
const mediumLabel = "REPRISE"

// mediumSets are the sets of packages that a medium is made of.
var mediumSets = []string{recipe.SystemSet, recipe.BootSet, recipe.MediumSet, recipe.InstallSet}

// isMedium says whether the image to write is an installation medium.
func isMedium(out string) bool { return strings.EqualFold(filepath.Ext(out), ".iso") }

// A carried is a system of a medium.
type carried struct {
	*diskImage
	name    string // of the profile or the file
	profile string // what the person named
	graph   *recipe.Graph
	initrd  storepath.Path // with which the medium starts its kernel
	tools   storepath.Path // view of the install set
	bootDir string         // on the medium: where its kernel and initrd are
}

// A medium is everything that an installation medium is made from.
type medium struct {
	*session
	systems []*carried
}

// buildMedium makes the installation medium of a configuration.
func (a *app) buildMedium(ctx context.Context, profile string, f buildFlags) error {
	if err := writable(f.out, "-o"); err != nil {
		return err
	}
	out, err := filepath.Abs(f.out)
	if err != nil {
		return err
	}
	cfg, err := config.Evaluate(ctx, profile, config.EvalOptions{})
	if err != nil {
		return err
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.store.Close()
	s.realiser.KeepFailed = f.keep
	m := &medium{session: s}
	for i, name := range append([]string{profile}, cfg.Image.ISO.Systems...) {
		c := &carried{profile: name, name: systemName(name)}
		if m.has(c.name) {
			continue // the configuration itself takes the place of a profile of its name
		}
		if i > 0 {
			if cfg, err = config.Evaluate(ctx, name, config.EvalOptions{}); err != nil {
				return err
			}
		}
		if err := m.carry(ctx, c, cfg, f); err != nil {
			return err
		}
	}
	if f.dryRun {
		return nil
	}
	about, err := m.describe(ctx)
	if err != nil {
		return err
	}
	release, err := own(out)
	if err != nil {
		return err
	}
	defer release()
	if err := m.root(ctx, out, about); err != nil {
		return err
	}
	seed := m.seed(about)
	if m.upToDate(seed, out) {
		return a.mediumResult(about, f.out, "unchanged")
	}
	if err := m.write(ctx, about, seed, out); err != nil {
		return err
	}
	if err := m.remember(seed, out); err != nil {
		return err
	}
	return a.mediumResult(about, f.out, "written")
}

// systemName is how a medium names what was built from a profile or a file.
func systemName(profile string) string {
	name := strings.TrimSuffix(filepath.Base(profile), filepath.Ext(profile))
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, name)
	return cmp.Or(strings.TrimLeft(name, ".-_"), "system")
}

func (m *medium) has(name string) bool {
	return slices.ContainsFunc(m.systems, func(c *carried) bool { return c.name == name })
}

// mediumResult tells what was made.
func (a *app) mediumResult(about *plan.Medium, out, state string) error {
	a.finished()
	a.finished = func() {}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	if a.json {
		var systems []string
		for _, s := range about.Systems {
			systems = append(systems, string(s.Path))
		}
		return json.NewEncoder(a.stdout).Encode(map[string]any{"event": "result", "image": out, "state": state, "bytes": info.Size(), "systems": systems})
	}
	fmt.Fprintf(a.stdout, "%s: %s, %s (%d bytes)\n", out, state, humanize.IBytes(uint64(info.Size())), info.Size())
	for _, s := range about.Systems {
		fmt.Fprintf(a.stdout, "  carries  %s: %s\n           system %s\n", s.Name, s.Title, s.Path)
	}
	fmt.Fprintf(a.stdout, "  try it:  reprise run %s\n", out)
	return nil
}
