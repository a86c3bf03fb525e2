package main

import (
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
	first := c // its microcode is in what the medium starts, whatever it starts
	if len(m.systems) > 0 {
		first = m.systems[0]
	}
	more := func(d *diskImage, g *recipe.Graph) ([]*drv.Derivation, error) {
		c.graph = g
		return c.more(d, first.graph.Microcode)
	}
	c.diskImage, err = m.made(ctx, making{cfg: cfg, profile: c.profile, lockFile: lockFile, sets: recipe.MediumSets(cfg), unpack: mediumSets, more: more, keepKey: keepKey}, f)
	m.systems = append(m.systems, c)
	return err
}

// more is what a medium needs beside the system.
func (c *carried) more(d *diskImage, microcode []storepath.Path) ([]*drv.Derivation, error) {
	initrd, err := c.graph.MediumInitrd(d.cfg, d.self, microcode)
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
	c.initrd, c.tools = initrd.Outputs["out"].Path, tools.Outputs["out"].Path
	return []*drv.Derivation{initrd, tools}, nil
}
