package effect

import (
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

// FontCache writes fontconfig's cache and the links in /etc/fonts/conf.d that
// its package would make after asking no question. The cache is read where it
// is in the view: a conf.d file adds that directory.
//
// A cache names the modification time of its directory, and counts while the
// directory has that time. All are 1 in the store, in the root below and in
// the view.
func FontCache() Effect {
	const (
		fonts = "usr/share/fonts"
		cache = "usr/lib/reprise/fontconfig"
		extra = "05-reprise-cache.conf"
	)
	return Effect{
		Name: "font-cache",
		Needed: func(_ *config.Config, c *Contents) bool {
			return c.Get("fontconfig") != nil
		},
		Reads: func(_ *config.Config, c *Contents) []string {
			return c.Below(fonts, "usr/share/ghostscript/fonts", "usr/share/texmf/fonts", "etc/fonts", "usr/share/fontconfig")
		},
		Tools: func(*Contents) []string { return []string{"fontconfig"} },
		Build: func(ctx context.Context, e *Env) error {
			root, err := e.Root(names(e.Packages)...)
			if err != nil {
				return err
			}
			const written = "var/cache/fontconfig"
			root.Collect = []string{written}
			if err := e.Run.Run(ctx, root, Command{Argv: []string{"/usr/bin/fc-cache", "--system-only", "--force"}}); err != nil {
				return err
			}
			out := e.Output()
			out.tree(filepath.Join(root.Changes, written), cache)
			out.Text("usr/share/fontconfig/conf.avail/"+extra, `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <description>Cache of the fonts that belong to this generation. Written by reprise.</description>
  <cachedir>/`+cache+`</cachedir>
</fontconfig>
`)
			out.Symlink("etc/fonts/conf.d/"+extra, "/usr/share/fontconfig/conf.avail/"+extra)
			// The defaults of fontconfig-config's questions: native hinting,
			// slight; bitmap fonts are not offered, emoji are.
			for _, name := range []string{"10-hinting-slight.conf", "70-no-bitmaps-except-emoji.conf"} {
				available := "usr/share/fontconfig/conf.avail/" + name
				if e.Packages.Owner(available) != nil && e.Packages.Owner("etc/fonts/conf.d/"+name) == nil {
					out.Symlink("etc/fonts/conf.d/"+name, "/"+available)
				}
			}
			return out.Close()
		},
	}
}

// GhostscriptFonts writes the tables of fonts that Ghostscript reads in /var,
// which is how PDF and PostScript without embedded fonts are shown and printed.
// Links there lead to them and are made anew at each boot.
func GhostscriptFonts() Effect {
	const (
		program  = "usr/sbin/update-gsfontmap"
		settings = "etc/ghostscript"
		shown    = "var/lib/ghostscript/fonts"
		result   = "usr/lib/reprise/ghostscript"
	)
	return Effect{
		Name:   "ghostscript-fonts",
		Needed: func(_ *config.Config, c *Contents) bool { return c.Owner(program) != nil },
		Reads: func(_ *config.Config, c *Contents) []string {
			return c.Below(settings+"/fontmap.d", settings+"/cidfmap.d")
		},
		Build: func(_ context.Context, e *Env) error {
			out := e.Output()
			lines := "# Fonts of this generation. Written by reprise.\n"
			for _, table := range []struct{ name, dir string }{{"Fontmap", "fontmap.d"}, {"cidfmap", "cidfmap.d"}} {
				var text strings.Builder
				for _, f := range e.files(settings + "/" + table.dir) {
					if path.Dir(f.Path) != settings+"/"+table.dir || path.Ext(f.Path) != ".conf" {
						continue
					}
					data, err := os.ReadFile(e.File(f.Package, f.Path))
					if err != nil {
						return err
					}
					text.Write(data)
				}
				out.Text(result+"/"+table.name, text.String())
				lines += "L+ /" + shown + "/" + table.name + " - - - - /" + result + "/" + table.name + "\n"
			}
			out.Text("usr/lib/tmpfiles.d/reprise-ghostscript.conf", lines)
			return out.Close()
		},
	}
}

// XFonts writes fonts.dir, fonts.scale, fonts.alias and encodings.dir for the
// core fonts of the X server, as update-fonts-dir and its kin do.
func XFonts() Effect {
	const (
		fonts     = "usr/share/fonts/X11"
		settings  = "etc/X11/fonts"
		encodings = "/usr/share/fonts/X11/encodings"
	)
	return Effect{
		Name: "x-fonts",
		Needed: func(_ *config.Config, c *Contents) bool {
			return c.Get("xfonts-utils") != nil && len(xFontDirs(c, fonts)) > 0
		},
		Reads: func(_ *config.Config, c *Contents) []string { return c.Below(fonts, settings) },
		Tools: func(*Contents) []string { return []string{"xfonts-utils"} },
		Build: func(ctx context.Context, e *Env) error {
			out := e.Output()
			for _, dir := range xFontDirs(e.Packages, fonts) {
				at := fonts + "/" + dir
				root, err := e.Root(names(e.Packages)...)
				if err != nil {
					return err
				}
				work, err := e.gather(at, func(name string) bool { return !strings.Contains(name, "/") })
				if err != nil {
					return err
				}
				alias, scale, err := xFontSettings(e, settings+"/"+dir, work)
				if err != nil {
					return err
				}
				if alias != "" {
					out.Text(at+"/fonts.alias", alias)
				}
				if scale != "" {
					out.Text(at+"/fonts.scale", scale)
					if err := os.WriteFile(filepath.Join(work, "fonts.scale"), []byte(scale), 0o644); err != nil {
						return err
					}
				}
				root.Binds = []Bind{{Source: work, Target: "/fonts"}}
				// mkfontdir is mkfontscale with these three.
				argv := []string{"/usr/bin/mkfontscale", "-b", "-s", "-l"}
				if e.Packages.Get("xfonts-encodings") != nil {
					argv = append(argv, "-e", encodings, "-e", encodings+"/large")
				}
				if err := e.Run.Run(ctx, root, Command{Argv: append(argv, "/fonts")}); err != nil {
					return err
				}
				for _, name := range []string{"fonts.dir", "encodings.dir"} {
					if exists(filepath.Join(work, name)) {
						out.Copy(at+"/"+name, filepath.Join(work, name), 0o644)
					}
				}
			}
			return out.Close()
		},
	}
}

// xFontDirs lists the directories of core fonts, sorted.
func xFontDirs(c *Contents, fonts string) []string {
	var dirs []string
	for i := range c.Packages {
		for _, e := range c.Packages[i].Below(fonts) {
			dir, name, _ := strings.Cut(strings.TrimPrefix(e.Path, fonts+"/"), "/")
			if e.Kind != layer.Dir && suffix(".pcf.gz", ".pcf", ".pfa", ".pfb", ".ttf", ".otf", ".t1", ".snf", ".bdf")(name) {
				dirs = append(dirs, dir)
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// xFontSettings joins the fragments *.alias and *.scale that packages have for
// a font directory. Lines of fonts that are not in work are left out.
func xFontSettings(e *Env, dir, work string) (alias, scale string, err error) {
	var lines []string
	for _, f := range e.files(dir) {
		kind := path.Ext(f.Path)
		if kind != ".alias" && kind != ".scale" {
			continue
		}
		data, err := os.ReadFile(e.File(f.Package, f.Path))
		if err != nil {
			return "", "", err
		}
		if kind == ".alias" {
			alias += "!! /" + f.Path + "\n" + string(data)
			continue
		}
		for line := range strings.Lines(string(data)) {
			if fields := strings.Fields(line); len(fields) > 1 && exists(filepath.Join(work, fields[0])) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	if alias != "" {
		alias = "!! fonts.alias -- automatically generated file.  DO NOT EDIT.\n" +
			"!! To modify, see update-fonts-alias(8).\n" + alias
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		lines = slices.Compact(lines)
		scale = fmt.Sprintf("%d\n%s\n", len(lines), strings.Join(lines, "\n"))
	}
	return alias, scale, nil
}
