package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"reprise/image/iso9660"
	"reprise/image/layout"
	"reprise/installer/plan"
	"reprise/internal/bootmenu"
	"reprise/internal/builder"
	"reprise/internal/recipe"
	"reprise/profiles"
	"reprise/store/storepath"
)

// describe says what the medium carries.
func (m *medium) describe(ctx context.Context) (*plan.Medium, error) {
	m.placeKernels()
	about := &plan.Medium{Version: plan.MediumVersion, Label: mediumLabel, Builder: m.self}
	all := map[storepath.Path]bool{m.self: true}
	for _, c := range m.systems {
		s, err := c.describe(ctx)
		if err != nil {
			return nil, err
		}
		about.Systems = append(about.Systems, *s)
		for _, p := range s.Closure {
			all[p] = true
		}
		for _, p := range s.Boot {
			all[p] = true
		}
	}
	about.Tools.Path = m.systems[0].tools
	var err error
	if about.Tools.Closure, err = m.store.Closure(ctx, about.Tools.Path); err != nil {
		return nil, err
	}
	for _, p := range about.Tools.Closure {
		all[p] = true
	}
	for p := range all {
		// A package of a tool set has no references, so this is for form.
		closure, err := m.store.Closure(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, q := range closure {
			all[q] = true
		}
	}
	for p := range all {
		entry, err := m.entry(ctx, p)
		if err != nil {
			return nil, err
		}
		about.Paths = append(about.Paths, entry)
	}
	slices.SortFunc(about.Paths, func(a, b plan.Path) int { return storepath.Compare(a.Path, b.Path) })
	return about, nil
}

// placeKernels says where on the medium kernels are: that of the first system
// stands where all entries of the menu look, and systems may share one.
func (m *medium) placeKernels() {
	places := map[storepath.Path]string{}
	for i, c := range m.systems {
		if place, ok := places[c.initrd]; ok {
			c.bootDir = place
			continue
		}
		c.bootDir = path.Dir(bootmenu.Kernel)
		if i > 0 {
			c.bootDir += "/" + c.name
		}
		places[c.initrd] = c.bootDir
	}
}

// entry is what the store's database knows of p, and how large it is. What
// depends on how this store came by it is left out.
func (m *medium) entry(ctx context.Context, p storepath.Path) (plan.Path, error) {
	info, err := m.store.Info(ctx, p)
	if err != nil {
		return plan.Path{}, err
	}
	entry := plan.Path{Path: p, NarHash: hex.EncodeToString(info.NarHash[:]), NarSize: info.NarSize, Refs: info.Refs, CA: info.CA}
	err = filepath.WalkDir(m.store.Real(p), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		entry.Size += i.Size()
		return ctx.Err()
	})
	return entry, err
}

// filesDir is where a medium has the files of configurations and the locks.
const filesDir = "reprise/systems/"

func (c *carried) describe(ctx context.Context) (*plan.System, error) {
	data, err := os.ReadFile(filepath.Join(c.store.Real(c.system), "boot.json"))
	if err != nil {
		return nil, err
	}
	var b builder.Boot
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("boot.json of %s: %w", c.system, err)
	}
	s := &plan.System{
		Name: c.name, Title: c.title(), Path: c.system, Host: b.Host, KernelVersion: b.KernelVersion,
		Realtime: c.cfg.Realtime(), Params: b.Params, Boot: map[string]storepath.Path{},
		Configuration: c.profile, Lock: filesDir + c.name + ".lock", Modules: c.graph.ModuleIndexPath(),
		Kernel: c.bootDir + "/kernel", Initrd: c.bootDir + "/initrd",
	}
	if files := c.cfg.Files(); len(files) > 0 {
		s.Configuration, s.Files = files[0], filesDir+c.name
	}
	if s.Closure, err = c.store.Closure(ctx, c.system); err != nil {
		return nil, err
	}
	slices.Sort(s.Closure)
	for _, p := range c.lock.In(recipe.BootSet) {
		s.Boot[p.Name] = c.paths[p.Name]
	}
	return s, nil
}

// title is one line for people: what it is for, where we know that.
func (c *carried) title() string {
	if text := profiles.Sentence(c.profile); text != "" {
		return text
	}
	kernel := "Debian's kernel"
	if c.cfg.Realtime() {
		kernel = "PREEMPT_RT kernel"
	}
	return fmt.Sprintf("%s, %s, %d packages", c.cfg.Networking.HostName, kernel, len(c.lock.In(recipe.SystemSet)))
}

// menu is what a person can start from the medium.
func (m *medium) menu(about *plan.Medium, seed layout.Seed) bootmenu.Options {
	// Two media may be there, of the same name.
	o := bootmenu.Options{Label: mediumLabel, Params: []string{"reprise.id=" + strings.ToLower(iso9660.DiskGUID(seed).String())}}
	for _, s := range about.Systems {
		live := bootmenu.System{Name: s.Name, Path: string(s.Path), Kernel: s.Kernel, Initrd: s.Initrd}
		for _, p := range s.Params {
			if !strings.HasPrefix(p, "console=") { // the menu has its own
				live.Params = append(live.Params, p)
			}
		}
		o.Live = append(o.Live, live)
	}
	return o
}
