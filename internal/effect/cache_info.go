package effect

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"reprise/internal/config"
	"reprise/store/tree"
)

// InfoDirectory writes /usr/share/info/dir, the menu of the info readers: what
// base-files copies there or, where install-info is in the set, what its
// update-info-dir makes: a menu of every manual.
func InfoDirectory() Effect {
	const (
		manuals = "usr/share/info"
		start   = "usr/share/base-files/info.dir"
	)
	return Effect{
		Name:   "info-directory",
		Needed: func(_ *config.Config, c *Contents) bool { return c.Owner(start) != nil },
		Reads: func(_ *config.Config, c *Contents) []string {
			reads := []string{c.Owner(start).Name}
			if c.Get("install-info") != nil {
				reads = append(reads, c.Below(manuals)...)
			}
			return reads
		},
		Tools: func(c *Contents) []string {
			if c.Get("install-info") == nil {
				return nil
			}
			return []string{"install-info"}
		},
		Build: func(ctx context.Context, e *Env) error {
			menu := filepath.Join(e.Work, "dir")
			if e.Tools.Get("install-info") == nil {
				if err := tree.CopyFile(e.File(e.Packages.Owner(start), start), menu, 0o644); err != nil {
					return err
				}
			} else if err := addManuals(ctx, e, manuals, menu); err != nil {
				return err
			}
			out := e.Output()
			out.Move(manuals+"/dir", menu, 0o644)
			return out.Close()
		},
	}
}

// addManuals writes the menu of the manuals below dir.
func addManuals(ctx context.Context, e *Env, dir, menu string) error {
	work, err := e.gather(dir, firstPart)
	if err != nil {
		return err
	}
	return filepath.WalkDir(work, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		manual, err := plainManual(name)
		if err != nil {
			return err
		}
		return e.direct(ctx, "", "usr/bin/install-info", manual, menu)
	})
}

// plainManual unpacks a manual, for install-info would call gzip, and returns
// its new name. What install-info writes comes from the text alone.
func plainManual(name string) (string, error) {
	plain, packed := strings.CutSuffix(name, ".gz")
	if !packed {
		return name, nil
	}
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		return "", fmt.Errorf("%q: %w", name, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, mostManual+1))
	if err != nil {
		return "", fmt.Errorf("%q: %w", name, err)
	}
	if len(text) > mostManual {
		return "", fmt.Errorf("%q is larger than %d bytes", name, mostManual)
	}
	return plain, os.WriteFile(plain, text, 0o644)
}

// mostManual bounds a manual, bytes. Manuals are split into parts of 300 kB,
// or are a few MB in one.
const mostManual = 64 << 20

// furtherPart matches the further parts of a manual ("find.info-1.gz").
var furtherPart = regexp.MustCompile(`-[0-9]{1,2}(\.gz)?$`)

// firstPart tells a manual ("find.info.gz", "emacs/efaq.info.gz") from its
// further parts and its pictures, as update-info-dir does.
func firstPart(name string) bool {
	return !furtherPart.MatchString(name) && !suffix(".png", ".jpg")(name) && path.Base(name) != "dir"
}
