package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reprise/image"
	"reprise/image/layout"
	"reprise/internal/bootentry"
	"reprise/internal/builder"
	"reprise/internal/config"
	"reprise/internal/lock"
	"reprise/internal/recipe"
	"reprise/store/generation"
	"reprise/store/storepath"
)

// A diskImage is everything that a disk image is made from.
type diskImage struct {
	*session
	cfg    *config.Config
	lock   *lock.Lock
	paths  map[string]storepath.Path // of the sets boot and tool/disk too
	system storepath.Path
}

// seed stands for all inputs of the image: two images with the same seed have
// the same bytes.
func (d *diskImage) seed() layout.Seed {
	parts := []string{"reprise disk image 1", string(d.system), string(d.self)}
	for _, set := range []string{recipe.BootSet, recipe.DiskSet} {
		for _, p := range d.lock.In(set) {
			parts = append(parts, string(d.paths[p.Name]))
		}
	}
	options, _ := json.Marshal([]any{d.cfg.Image, d.cfg.Boot.Loader})
	return layout.SeedOf(append(parts, string(options))...)
}

// write makes the image at out.
func (d *diskImage) write(ctx context.Context, out string) error {
	root, err := d.tools(ctx, d.lock, recipe.DiskSet, d.paths)
	if err != nil {
		return err
	}
	tools := imageTools{root}
	identity := layout.Identify(d.seed())
	esp, err := d.esp(identity)
	if err != nil {
		return err
	}
	entries, err := d.entries(ctx)
	if err != nil {
		return err
	}
	plan, err := layout.Disk(layout.Request{
		Identity: identity,
		ESP:      image.ESPItems(esp),
		Root:     image.RootItems(entries),
		RootRoom: int64(d.cfg.Image.MarginMiB) << 20,

		ESPGenerations: d.cfg.Image.ESPGenerations,
	})
	if err != nil {
		return err
	}
	bios, err := image.GRUB(ctx, tools)
	if err != nil {
		return err
	}
	return image.WriteDisk(ctx, image.Disk{Plan: plan, ESP: esp, Root: entries, BIOS: bios}, out, tools, d.sink)
}

// esp lists the files of the EFI system partition: loaders, the kernel and
// initrd of generation 1, its entries.
func (d *diskImage) esp(identity layout.Identity) ([]image.File, error) {
	shim, err := d.bootFile("shim-signed", "usr/lib/shim/shimx64.efi.signed")
	if err != nil {
		return nil, err
	}
	loader, err := d.bootFile("systemd-boot-efi-amd64-signed", "usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed")
	if err != nil {
		return nil, err
	}
	manager, err := d.bootFile("shim-helpers-amd64-signed", "usr/lib/shim/mmx64.efi.signed")
	if err != nil {
		return nil, err
	}
	files := image.UEFI(shim, loader, manager)

	about, err := os.ReadFile(filepath.Join(d.store.Real(d.system), "boot.json"))
	if err != nil {
		return nil, err
	}
	var b builder.Boot
	if err := json.Unmarshal(about, &b); err != nil {
		return nil, fmt.Errorf("boot.json of %s: %w", d.system, err)
	}
	generation := bootentry.Generation{Number: 1, System: string(d.system), Params: b.Params, Host: b.Host}
	for _, f := range []struct {
		name   string
		digest *string
		at     func(string) string
	}{{"kernel", &generation.Kernel, bootentry.KernelPath}, {"initrd", &generation.Initrd, bootentry.InitrdPath}} {
		source, err := d.follow(f.name)
		if err != nil {
			return nil, err
		}
		var size int64
		if *f.digest, size, err = digestOf(source); err != nil {
			return nil, err
		}
		files = append(files, image.File{Path: f.at(*f.digest), Source: source, Size: size})
	}
	entries, err := bootentry.Files([]bootentry.Generation{generation}, bootentry.Options{
		RootPARTUUID: identity.Root.String(), Timeout: d.cfg.Boot.Loader.Timeout,
	})
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		files = append(files, image.File{Path: e.Path, Content: e.Content, Size: int64(len(e.Content))})
	}
	return files, nil
}

// bootFile reads a file of a boot loader's package.
func (d *diskImage) bootFile(pkg, path string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(d.store.Real(d.paths[pkg]), path))
	if err != nil {
		return nil, fmt.Errorf("boot loader: %w", err)
	}
	return data, nil
}

// follow returns where a link of the system path leads on this machine.
func (d *diskImage) follow(name string) (string, error) {
	target, err := os.Readlink(filepath.Join(d.store.Real(d.system), name))
	if err != nil {
		return "", err
	}
	path, rest, ok := storepath.In(target)
	if !ok {
		return "", fmt.Errorf("%s of %s leads to %q, want a place in the store", name, d.system, target)
	}
	return filepath.Join(d.store.Real(path), rest), nil
}

func digestOf(path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// root keeps the collector from the system of the image and from what the next
// build of it needs: boot loaders and the programs that write disks.
func (d *diskImage) root(ctx context.Context, image string) error {
	if err := d.expect(image); err != nil {
		return err
	}
	var tools []storepath.Path
	var list strings.Builder
	for _, set := range []string{recipe.BootSet, recipe.DiskSet} {
		for _, p := range d.lock.In(set) {
			tools = append(tools, d.paths[p.Name])
		}
	}
	slices.Sort(tools)
	tools = slices.Compact(tools)
	for _, p := range tools {
		fmt.Fprintln(&list, p)
	}
	path, err := d.store.AddText(ctx, "image-tools", []byte(list.String()), tools)
	if err != nil {
		return err
	}
	if err := d.store.SetRoot(rootName(image), d.system); err != nil {
		return err
	}
	return d.store.SetRoot(rootName(image)+"-tools", path)
}

// entries lists the root file system: the closure of the system, its database and
// profile, and the directories of state, which stage 1 and systemd fill.
func (d *diskImage) entries(ctx context.Context) ([]image.Entry, error) {
	closure, err := d.store.Closure(ctx, d.system)
	if err != nil {
		return nil, err
	}
	db := filepath.Join(d.store.StateDir("images"), "db-"+d.system.Base()+".sqlite")
	if err := os.MkdirAll(filepath.Dir(db), 0o755); err != nil {
		return nil, err
	}
	if err := d.store.WriteClosureDB(ctx, db, closure); err != nil {
		return nil, err
	}
	defer os.Remove(db)
	database, err := os.ReadFile(db)
	if err != nil {
		return nil, err
	}
	link := func(path, target string) image.Entry {
		return image.Entry{Path: path, Kind: 'l', Mode: 0o777, Target: target}
	}
	entries := []image.Entry{
		image.Directory("home", 0o755),
		image.Directory("nix", 0o755),
		image.Directory("nix/store", 0o755),
		image.Directory("nix/var", 0o755),
		image.Directory("nix/var/nix", 0o755),
		image.Directory("nix/var/nix/db", 0o755),
		image.Text("nix/var/nix/db/db.sqlite", 0o644, database),
		image.Text("nix/var/nix/db/schema", 0o644, []byte("10")),
		image.Directory("nix/var/nix/gcroots", 0o755),
		link("nix/var/nix/gcroots/profiles", "/nix/var/nix/profiles"),
		image.Directory("nix/var/nix/profiles", 0o755),
		image.Directory("nix/var/nix/temproots", 0o755),
		image.Directory("root", 0o700),
		image.Directory("srv", 0o755),
		image.Directory("var", 0o755),
	}
	for _, l := range generation.First("system", d.system) {
		entries = append(entries, link("nix/var/nix/profiles/"+l.Name, l.Target))
	}
	for _, p := range closure {
		tree, err := image.Tree(ctx, strings.TrimPrefix(string(p), "/"), d.store.Real(p))
		if err != nil {
			return nil, err
		}
		entries = append(entries, tree...)
	}
	slices.SortFunc(entries, func(a, b image.Entry) int { return strings.Compare(a.Path, b.Path) })
	return entries, nil
}
