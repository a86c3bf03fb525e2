package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"

	"reprise/internal/config"
	"reprise/internal/recipe"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// carry makes a system and what it takes to install it valid in the store.
func (m *medium) carry(ctx context.Context, c *carried, cfg *config.Config, f buildFlags) error {
	keepKey, err := m.authorize(cfg, f.authorize, f.out)
	if err != nil {
		return err
	}
	lockFile := lockPath(c.profile, f.lock, f.out)
	if len(m.systems) > 0 {
		lockFile = strings.TrimSuffix(f.out, filepath.Ext(f.out)) + "." + c.name + ".lock"
	}
	l, changed, err := m.lockFor(ctx, cfg, recipe.MediumSets(cfg), lockFile, f.frozen)
	if err != nil {
		return err
	}
	if f.dryRun {
		m.systems = append(m.systems, c)
		return m.tellPlan(ctx, cfg, l)
	}
	if changed {
		if err := writable(lockFile, "--lock"); err != nil {
			return err
		}
		if err := writeLock(lockFile, l); err != nil {
			return err
		}
	}
	if err := keepKey(); err != nil {
		return err
	}
	before := l.Encode()
	c.diskImage, err = m.realiseSystem(ctx, cfg, l, lockFile, mediumSets, func(d *diskImage, g *recipe.Graph) ([]*drv.Derivation, error) {
		first := g // its microcode is in what the medium starts, whatever it starts
		if len(m.systems) > 0 {
			first = m.systems[0].graph
		}
		return c.more(d, g, first.Microcode)
	})
	if c.diskImage != nil && !bytes.Equal(c.lock.Encode(), before) {
		if err := writeLock(lockFile, c.lock); err != nil {
			return err
		}
	}
	m.systems = append(m.systems, c)
	if err != nil {
		return explainGone(err, c.profile, lockFile)
	}
	return nil
}

// more is what a medium needs beside the system.
func (c *carried) more(d *diskImage, g *recipe.Graph, microcode []storepath.Path) ([]*drv.Derivation, error) {
	initrd, err := g.MediumInitrd(d.cfg, d.self, microcode)
	if err != nil {
		return nil, err
	}
	contents, err := d.contents(d.lock, recipe.InstallSet, d.paths, nil)
	if err != nil {
		return nil, err
	}
	tools, err := recipe.ToolView("install-tools", contents, d.self)
	if err != nil {
		return nil, err
	}
	c.graph, c.initrd, c.tools = g, initrd.Outputs["out"].Path, tools.Outputs["out"].Path
	return []*drv.Derivation{initrd, tools}, nil
}
