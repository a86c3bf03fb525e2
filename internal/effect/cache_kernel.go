package effect

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/layer"
)

// moduleDir is where kernel packages keep their modules, one directory for
// each kernel version.
const moduleDir = "usr/lib/modules"

// KernelModulesIndex writes modules.dep and its kin beside the modules of every
// kernel: what depmod writes when a kernel is installed.
//
// It is the longest of all effects (every module is decompressed to read its
// symbols), so it depends on nothing but the packages below usr/lib/modules and
// on kmod's closure. Contents that hold these alone give the same job as the
// contents of the whole machine, so it can be planned and started before the
// other packages are there.
func KernelModulesIndex() Effect {
	return Effect{
		Name:   "kernel-modules-index",
		Needed: func(_ *config.Config, c *Contents) bool { return len(c.Below(moduleDir)) > 0 },
		Reads:  func(_ *config.Config, c *Contents) []string { return c.Below(moduleDir) },
		Tools:  depmodPackages,
		Build:  indexModules,
	}
}

// depmodPackages names what depmod needs: kmod, and the decompressors that
// libkmod opens at run time, which its package only recommends.
func depmodPackages(c *Contents) []string {
	names := []string{"kmod"}
	for _, name := range []string{"liblzma5", "libzstd1", "zlib1g"} {
		if c.Get(name) != nil {
			names = append(names, name)
		}
	}
	return names
}

func indexModules(ctx context.Context, e *Env) error {
	out := e.Output()
	for _, version := range kernelVersions(e.Packages) {
		base, err := moduleTree(e, version)
		if err != nil {
			return err
		}
		index, err := e.mkdir("index")
		if err != nil {
			return err
		}
		// A directory of our own for depmod.d: the building machine's says
		// where it looks for modules, not the target's.
		settings, err := e.mkdir("depmod.d")
		if err != nil {
			return err
		}
		if err := e.direct(ctx, "", "usr/sbin/depmod", "-C", settings, "-b", base, "-o", index, version); err != nil {
			return err
		}
		out.tree(filepath.Join(index, "lib/modules", version), moduleDir+"/"+version)
	}
	return out.Close()
}

// kernelVersions lists the directories with modules, sorted.
func kernelVersions(c *Contents) []string {
	var versions []string
	for i := range c.Packages {
		for _, entry := range c.Packages[i].Below(moduleDir) {
			version, rest, _ := strings.Cut(strings.TrimPrefix(entry.Path, moduleDir+"/"), "/")
			if strings.HasPrefix(rest, "kernel/") || strings.HasPrefix(rest, "updates/") {
				versions = append(versions, version)
			}
		}
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}

// moduleTree makes the tree that depmod -b wants, <dir>/lib/modules/<version>,
// out of links to the packages.
func moduleTree(e *Env, version string) (string, error) {
	base, err := e.mkdir("modules")
	if err != nil {
		return "", err
	}
	at := filepath.Join(base, "lib/modules", version)
	var owners []*Content
	for i := range e.Packages.Packages {
		if p := &e.Packages.Packages[i]; len(p.Below(moduleDir+"/"+version)) > 0 {
			owners = append(owners, p)
		}
	}
	if len(owners) == 1 {
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return "", err
		}
		return base, os.Symlink(e.File(owners[0], moduleDir+"/"+version), at)
	}
	for _, p := range owners {
		for _, entry := range p.Below(moduleDir + "/" + version) {
			name := filepath.Join(at, strings.TrimPrefix(entry.Path, moduleDir+"/"+version))
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return "", err
			}
			if entry.Kind != layer.File && entry.Kind != layer.Hard {
				continue
			}
			if err := os.Symlink(e.File(p, entry.Path), name); err != nil && !errors.Is(err, os.ErrExist) {
				return "", err
			}
		}
	}
	return base, nil
}
