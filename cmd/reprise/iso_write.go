package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"reprise/image"
	"reprise/image/iso9660"
	"reprise/image/layout"
	"reprise/image/squashfs"
	"reprise/installer/plan"
	"reprise/internal/bootmenu"
	"reprise/internal/recipe"
	"reprise/store/storepath"
)

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
