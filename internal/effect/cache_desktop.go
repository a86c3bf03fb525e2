package effect

import (
	"bytes"
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/layer"
	"reprise/store/tree"
)

// MIMEDatabase writes what update-mime-database makes of /usr/share/mime/packages.
func MIMEDatabase() Effect {
	const dir = "usr/share/mime"
	return Effect{
		Name:   "mime-database",
		Needed: func(_ *config.Config, c *Contents) bool { return c.Get("shared-mime-info") != nil },
		Reads:  func(_ *config.Config, c *Contents) []string { return c.Below(dir + "/packages") },
		Tools:  func(*Contents) []string { return []string{"shared-mime-info"} },
		Build: func(ctx context.Context, e *Env) error {
			work, err := e.gather(dir, func(name string) bool {
				return strings.HasPrefix(name, "packages/") && strings.HasSuffix(name, ".xml")
			})
			if err != nil {
				return err
			}
			if err := e.direct(ctx, "", "usr/bin/update-mime-database", work); err != nil {
				return err
			}
			if err := os.RemoveAll(filepath.Join(work, "packages")); err != nil {
				return err
			}
			out := e.Output()
			out.tree(work, dir)
			return out.Close()
		},
	}
}

// DesktopDatabase writes mimeinfo.cache: which application opens which type.
func DesktopDatabase() Effect {
	const dir = "usr/share/applications"
	return Effect{
		Name:   "desktop-database",
		Needed: func(_ *config.Config, c *Contents) bool { return c.Get("desktop-file-utils") != nil },
		Reads:  func(_ *config.Config, c *Contents) []string { return c.Below(dir) },
		Tools:  func(*Contents) []string { return []string{"desktop-file-utils"} },
		Build: func(ctx context.Context, e *Env) error {
			work, err := e.gather(dir, suffix(".desktop"))
			if err != nil {
				return err
			}
			if err := e.direct(ctx, "", "usr/bin/update-desktop-database", "-q", work); err != nil {
				return err
			}
			out := e.Output()
			out.Move(dir+"/mimeinfo.cache", filepath.Join(work, "mimeinfo.cache"), 0o644)
			return out.Close()
		},
	}
}

// glibPackage has GLib's compilers of caches, below a directory named for the
// architecture.
const glibPackage = "libglib2.0-0t64"

// SettingsSchemas compiles GSettings' schemas, vendors' overrides included.
func SettingsSchemas() Effect {
	const dir = "usr/share/glib-2.0/schemas"
	return Effect{
		Name: "glib-schemas",
		Needed: func(_ *config.Config, c *Contents) bool {
			return c.Get(glibPackage) != nil && len(c.Below(dir)) > 0
		},
		Reads: func(_ *config.Config, c *Contents) []string { return c.Below(dir) },
		Tools: func(*Contents) []string { return []string{glibPackage} },
		Build: func(ctx context.Context, e *Env) error {
			work, err := e.gather(dir, suffix(".xml", ".gschema.override"))
			if err != nil {
				return err
			}
			program, err := e.tool(glibPackage, "glib-2.0/glib-compile-schemas")
			if err != nil {
				return err
			}
			if err := e.direct(ctx, "", program, work); err != nil {
				return err
			}
			out := e.Output()
			out.Move(dir+"/gschemas.compiled", filepath.Join(work, "gschemas.compiled"), 0o644)
			return out.Close()
		},
	}
}

// moduleDirs returns the directories of c's shared objects that end in one of
// these paths, sorted: "/gio/modules" finds usr/lib/x86_64-linux-gnu/gio/modules.
func moduleDirs(c *Contents, ends ...string) []string {
	var dirs []string
	for i := range c.Packages {
		for _, e := range c.Packages[i].Below("usr/lib") {
			if e.Kind == layer.Dir || !strings.HasSuffix(e.Path, ".so") {
				continue
			}
			if dir := path.Dir(e.Path); slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(dir, end) }) {
				dirs = append(dirs, dir)
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// modules lists the shared objects of e's packages in dir, sorted, as absolute
// paths.
func modules(e *Env, dir string) []string {
	var paths []string
	for _, f := range e.files(dir) {
		if path.Dir(f.Path) == dir && strings.HasSuffix(f.Path, ".so") {
			paths = append(paths, "/"+f.Path)
		}
	}
	return paths
}

// A module cache is written by a program that loads every module of some
// directories and asks it what it can do. The modules have to be loadable, so
// the closure of their packages is in the root.
type moduleCache struct {
	name  string
	ends  []string // directories end so
	owner string   // package with the program
	make  func(ctx context.Context, e *Env, root *Root, dirs []string) (map[string][]byte, error)
}

func (m moduleCache) effect() Effect {
	owners := func(c *Contents) []string { return c.Below(moduleDirs(c, m.ends...)...) }
	return Effect{
		Name: m.name,
		Needed: func(_ *config.Config, c *Contents) bool {
			return c.Get(m.owner) != nil && len(moduleDirs(c, m.ends...)) > 0
		},
		Reads: func(_ *config.Config, c *Contents) []string { return owners(c) },
		Tools: func(c *Contents) []string { return append(owners(c), m.owner) },
		Build: func(ctx context.Context, e *Env) error {
			root, err := e.Root(names(e.Packages)...)
			if err != nil {
				return err
			}
			files, err := m.make(ctx, e, root, moduleDirs(e.Packages, m.ends...))
			if err != nil {
				return err
			}
			out := e.Output()
			for name, content := range files {
				out.File(name, 0o644, 0, 0, content)
			}
			return out.Close()
		},
	}
}

// GIOModules writes giomodule.cache for GLib's own modules and GTK 4's.
func GIOModules() Effect {
	return moduleCache{
		name:  "gio-modules",
		ends:  []string{"/gio/modules", "/gtk-4.0/4.0.0/immodules", "/gtk-4.0/4.0.0/printbackends", "/gtk-4.0/4.0.0/media"},
		owner: glibPackage,
		make: func(ctx context.Context, e *Env, root *Root, dirs []string) (map[string][]byte, error) {
			program, err := e.tool(glibPackage, "glib-2.0/gio-querymodules")
			if err != nil {
				return nil, err
			}
			argv := []string{"/" + program}
			for _, dir := range dirs {
				argv = append(argv, "/"+dir)
			}
			root.Collect = dirs
			if err := e.Run.Run(ctx, root, Command{Argv: argv}); err != nil {
				return nil, err
			}
			files := map[string][]byte{}
			for _, dir := range dirs {
				name := dir + "/giomodule.cache"
				data, err := os.ReadFile(filepath.Join(root.Changes, name))
				if err != nil {
					return nil, err
				}
				files[name] = sortLines(data)
			}
			return files, nil
		},
	}.effect()
}

// sortLines sorts the lines that are no comments: gio-querymodules writes them
// in the order in which the directory lists the modules.
func sortLines(data []byte) []byte {
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n') // or its last line would run into the next
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines = lines[:len(lines)-1] // nothing is behind the last
	slices.SortStableFunc(lines, func(a, b []byte) int {
		if ca, cb := bytes.HasPrefix(a, []byte("#")), bytes.HasPrefix(b, []byte("#")); ca || cb {
			switch {
			case ca && cb:
				return 0
			case ca:
				return -1
			}
			return 1
		}
		return bytes.Compare(a, b)
	})
	return bytes.Join(lines, nil)
}

// printed makes the cache that a program prints when it is given modules.
func printed(pkg, program, cache string) func(context.Context, *Env, *Root, []string) (map[string][]byte, error) {
	return func(ctx context.Context, e *Env, root *Root, dirs []string) (map[string][]byte, error) {
		tool, err := e.tool(pkg, program)
		if err != nil {
			return nil, err
		}
		files := map[string][]byte{}
		for _, dir := range dirs {
			stdout := filepath.Join(root.Changes, "stdout")
			if err := e.Run.Run(ctx, root, Command{Argv: append([]string{"/" + tool}, modules(e, dir)...), Stdout: stdout}); err != nil {
				return nil, err
			}
			data, err := os.ReadFile(stdout)
			if err != nil {
				return nil, err
			}
			files[path.Join(path.Dir(dir), cache)] = data
		}
		return files, nil
	}
}

// PixbufLoaders writes loaders.cache: which image formats GTK can read.
func PixbufLoaders() Effect {
	const pkg = "libgdk-pixbuf-2.0-0"
	return moduleCache{
		name: "pixbuf-loaders", ends: []string{"/gdk-pixbuf-2.0/2.10.0/loaders"}, owner: pkg,
		make: printed(pkg, "gdk-pixbuf-2.0/gdk-pixbuf-query-loaders", "loaders.cache"),
	}.effect()
}

// InputMethods writes immodules.cache of GTK 3.
func InputMethods() Effect {
	const pkg = "libgtk-3-0t64"
	return moduleCache{
		name: "gtk3-input-methods", ends: []string{"/gtk-3.0/3.0.0/immodules"}, owner: pkg,
		make: printed(pkg, "gtk-query-immodules-3.0", "immodules.cache"),
	}.effect()
}

// OldInputMethods writes immodules.cache of GTK 2, which plugins still use.
func OldInputMethods() Effect {
	const pkg = "libgtk2.0-0t64"
	return moduleCache{
		name: "gtk2-input-methods", ends: []string{"/gtk-2.0/2.10.0/immodules"}, owner: pkg,
		make: printed(pkg, "gtk-query-immodules-2.0", "immodules.cache"),
	}.effect()
}

// IconCaches writes icon-theme.cache for every icon theme. Only names matter
// to it, so images are empty files while it is made.
func IconCaches() Effect {
	const dir = "usr/share/icons"
	return Effect{
		Name: "icon-caches",
		Needed: func(_ *config.Config, c *Contents) bool {
			return c.Get("gtk-update-icon-cache") != nil && len(iconThemes(c)) > 0
		},
		Reads: func(_ *config.Config, c *Contents) []string {
			var dirs []string
			for _, theme := range iconThemes(c) {
				dirs = append(dirs, dir+"/"+theme)
			}
			return c.Below(dirs...)
		},
		Tools: func(*Contents) []string { return []string{"gtk-update-icon-cache"} },
		Build: func(ctx context.Context, e *Env) error {
			out := e.Output()
			for _, theme := range iconThemes(e.Packages) {
				work, err := iconTree(e, dir+"/"+theme)
				if err != nil {
					return err
				}
				if err := e.direct(ctx, "", "usr/bin/gtk-update-icon-cache", "--force", "--quiet", work); err != nil {
					return err
				}
				name := "icon-theme.cache"
				out.Move(path.Join(dir, theme, name), filepath.Join(work, name), 0o644)
			}
			return out.Close()
		},
	}
}

// iconThemes lists the themes that have an index and icons, sorted.
func iconThemes(c *Contents) []string {
	var themes []string
	for i := range c.Packages {
		for _, e := range c.Packages[i].Below("usr/share/icons") {
			theme, rest, _ := strings.Cut(strings.TrimPrefix(e.Path, "usr/share/icons/"), "/")
			if rest == "index.theme" && e.Kind != layer.Symlink {
				themes = append(themes, theme)
			}
		}
	}
	slices.Sort(themes)
	return slices.DeleteFunc(slices.Compact(themes), func(theme string) bool {
		return len(c.Matching(func(p string) bool {
			rest, ok := strings.CutPrefix(p, "usr/share/icons/"+theme+"/")
			return ok && !strings.HasPrefix(rest, "cursors/") && suffix(".png", ".svg", ".xpm")(rest)
		})) == 0
	})
}

// iconTree makes the tree of one theme: the text files as they are, the rest
// as empty files and links.
func iconTree(e *Env, dir string) (string, error) {
	to, err := e.mkdir("icons")
	if err != nil {
		return "", err
	}
	for _, f := range e.files(dir) {
		target := filepath.Join(to, strings.TrimPrefix(f.Path, dir+"/"))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", err
		}
		switch {
		case f.Kind == layer.Symlink:
			err = os.Symlink(f.Target, target)
		case suffix(".theme", ".icon")(f.Path):
			err = tree.CopyFile(e.File(f.Package, f.Path), target, 0o644)
		default:
			err = os.WriteFile(target, nil, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return to, nil
}
