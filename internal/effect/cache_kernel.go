package effect

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
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
		Tools:  func(*Contents) []string { return []string{"kmod"} },
		Build:  indexModules,
	}
}

func indexModules(ctx context.Context, e *Env) error {
	out := e.Output()
	for _, version := range kernelVersions(e.Packages) {
		base, err := e.memory("modules")
		if err != nil {
			return err
		}
		defer os.RemoveAll(base)
		if err := moduleTree(ctx, e, version, base); err != nil {
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
		index = filepath.Join(index, "lib/modules", version)
		if err := checkIndex(e, version, index); err != nil {
			return err
		}
		out.tree(index, moduleDir+"/"+version)
	}
	return out.Close()
}

// checkIndex sees that the index holds every module and that modules could be
// read: depmod warns and ends well when it cannot decompress them.
func checkIndex(e *Env, version, index string) error {
	modules := 0
	for _, f := range e.files(moduleDir + "/" + version) {
		if name := path.Base(f.Path); f.Kind != layer.Symlink && (strings.HasSuffix(name, ".ko") || strings.Contains(name, ".ko.")) {
			modules++
		}
	}
	listed, err := os.ReadFile(filepath.Join(index, "modules.dep"))
	if err != nil {
		return err
	}
	if lines := bytes.Count(listed, []byte("\n")); lines != modules {
		return fmt.Errorf("modules.dep of kernel %s lists %d modules, want %d", version, lines, modules)
	}
	symbols, err := os.ReadFile(filepath.Join(index, "modules.symbols"))
	if err != nil {
		return err
	}
	if modules > 1 && bytes.Count(symbols, []byte("\nalias ")) == 0 {
		return fmt.Errorf("modules.symbols of kernel %s is empty: depmod could not read the modules", version)
	}
	return nil
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

// moduleTree makes the tree that depmod -b wants, base/lib/modules/<version>, of
// unpacked modules.
func moduleTree(ctx context.Context, e *Env, version, base string) error {
	files := map[string]string{}
	for _, f := range e.files(moduleDir + "/" + version) {
		if f.Kind == layer.File || f.Kind == layer.Hard {
			files[strings.TrimPrefix(f.Path, moduleDir+"/"+version+"/")] = e.File(f.Package, f.Path)
		}
	}
	return unpackModules(ctx, e.Cores, files, filepath.Join(base, "lib/modules", version))
}
