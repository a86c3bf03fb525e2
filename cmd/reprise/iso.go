package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"reprise/image"
	"reprise/image/iso9660"
	"reprise/image/layout"
	"reprise/image/squashfs"
	"reprise/installer/plan"
	"reprise/internal/bootmenu"
	"reprise/internal/builder"
	"reprise/internal/config"
	"reprise/internal/recipe"
	"reprise/profiles"
	"reprise/store/drv"
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
	c.diskImage, err = m.realiseSystem(ctx, cfg, l, lockFile, mediumSets, c.more)
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
func (c *carried) more(d *diskImage, g *recipe.Graph) ([]*drv.Derivation, error) {
	initrd, err := g.MediumInitrd(d.cfg, d.self)
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

// pack makes the store image of the medium.
func (m *medium) pack(ctx context.Context, about *plan.Medium) (*squashfs.Image, error) {
	var paths []squashfs.Path
	for _, p := range about.Paths {
		paths = append(paths, squashfs.Path{Name: p.Path.Base(), Dir: m.store.Real(p.Path), Hash: p.NarHash})
	}
	return squashfs.Pack(ctx, paths, squashfs.Options{Cache: m.store.StateDir("squashfs"), Cores: m.jobs, Sink: m.sink})
}

// seed stands for all inputs of the medium.
func (m *medium) seed(about *plan.Medium) layout.Seed {
	index, _ := about.Encode() // it was checked when it was made
	parts := []string{"reprise medium 1", string(index), string(m.self)}
	for _, c := range m.systems {
		parts = append(parts, string(c.initrd), string(c.lock.Encode()))
		for _, p := range c.lock.In(recipe.MediumSet) {
			parts = append(parts, string(c.paths[p.Name]))
		}
	}
	return layout.SeedOf(parts...)
}

// root keeps the collector from what is on the medium and from what the next
// build of it needs.
func (m *medium) root(ctx context.Context, out string, about *plan.Medium) error {
	if err := m.expect(out); err != nil {
		return err
	}
	all := map[storepath.Path]bool{}
	for _, p := range about.Paths {
		all[p.Path] = true
	}
	for _, c := range m.systems {
		all[c.initrd] = true
		for _, set := range mediumSets {
			for _, p := range c.lock.In(set) {
				all[c.paths[p.Name]] = true
			}
		}
	}
	paths := slices.Sorted(maps.Keys(all))
	var list strings.Builder
	for _, p := range paths {
		fmt.Fprintln(&list, p)
	}
	path, err := m.store.AddText(ctx, "medium", []byte(list.String()), paths)
	if err != nil {
		return err
	}
	return m.store.SetRoot(rootName(out), path)
}

// write makes the medium at out.
func (m *medium) write(ctx context.Context, about *plan.Medium, seed layout.Seed, out string) error {
	first := m.systems[0]
	index, err := about.Encode()
	if err != nil {
		return err
	}
	menu, err := bootmenu.GRUB(m.menu(about, seed))
	if err != nil {
		return err
	}
	kernel, initrd, err := first.bootFiles()
	if err != nil {
		return err
	}
	more, err := m.moreFiles()
	if err != nil {
		return err
	}
	esp, err := first.mediumESP()
	if err != nil {
		return err
	}
	store, err := m.pack(ctx, about)
	if err != nil {
		return err
	}
	root, err := m.tools(ctx, first.lock, recipe.InstallSet, first.paths)
	if err != nil {
		return err
	}
	return image.WriteISO(ctx, image.ISO{
		Label: mediumLabel, Seed: seed, Menu: menu, Kernel: kernel, Initrd: initrd, Store: store, Index: index, ESP: esp, More: more,
	}, out, imageTools{root}, m.sink)
}

// bootFiles are the kernel and the initramfs with which the medium starts it.
func (c *carried) bootFiles() (kernel, initrd image.Content, err error) {
	source, err := c.follow("kernel")
	if err != nil {
		return nil, nil, err
	}
	if kernel, err = image.FileContent(source); err != nil {
		return nil, nil, err
	}
	initrd, err = image.FileContent(filepath.Join(c.store.Real(c.initrd), "initrd"))
	return kernel, initrd, err
}

// moreFiles are the other kernels, the locks, and the configurations that are
// no profiles.
func (m *medium) moreFiles() ([]iso9660.File, error) {
	var files []iso9660.File
	add := func(name string, c image.Content) {
		files = append(files, iso9660.File{Path: name, Mode: 0o444, Size: c.Size(), Write: c.WriteTo})
	}
	placed := map[string]bool{path.Dir(bootmenu.Kernel): true}
	for _, c := range m.systems {
		add(filesDir+c.name+".lock", image.Bytes(c.lock.Encode()))
		for _, name := range c.cfg.Files() {
			data, err := os.ReadFile(filepath.Join(filepath.Dir(c.profile), name))
			if err != nil {
				return nil, err
			}
			add(path.Join(filesDir, c.name, filepath.ToSlash(name)), image.Bytes(data))
		}
		if placed[c.bootDir] {
			continue
		}
		placed[c.bootDir] = true
		kernel, initrd, err := c.bootFiles()
		if err != nil {
			return nil, err
		}
		add(c.bootDir+"/kernel", kernel)
		add(c.bootDir+"/initrd", initrd)
	}
	return files, nil
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

// mediumESP lists what UEFI starts: shim, and the GRUB that reads the medium.
func (c *carried) mediumESP() ([]image.File, error) {
	var content [3][]byte
	for i, f := range []struct{ pkg, path string }{
		{"shim-signed", "usr/lib/shim/shimx64.efi.signed"},
		{"grub-efi-amd64-signed", "usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed"},
		{"shim-helpers-amd64-signed", "usr/lib/shim/mmx64.efi.signed"},
	} {
		var err error
		if content[i], err = c.bootFile(f.pkg, f.path); err != nil {
			return nil, err
		}
	}
	return image.MediumUEFI(content[0], content[1], content[2]), nil
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
