package effect

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"reprise/internal/config"
)

// InfoDirectory writes /usr/share/info/dir, the menu of the info readers: what
// base-files copies there, and an entry for every manual where install-info is
// in the set.
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
			if err := copyFile(e.File(e.Packages.Owner(start), start), menu); err != nil {
				return err
			}
			if e.Tools.Get("install-info") != nil {
				work, err := e.gather(manuals, func(name string) bool { return !strings.Contains(name, "/") && firstPart(name) })
				if err != nil {
					return err
				}
				entries, err := os.ReadDir(work)
				if err != nil {
					return err
				}
				for _, entry := range entries {
					manual, err := plainManual(filepath.Join(work, entry.Name()))
					if err != nil {
						return err
					}
					if err := e.direct(ctx, "", "usr/bin/install-info", manual, menu); err != nil {
						return err
					}
				}
			}
			out := e.Output()
			out.Move(manuals+"/dir", menu, 0o644)
			return out.Close()
		},
	}
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

// firstPart tells a manual ("find.info.gz", "cpp-14.info.gz") from its further
// parts ("find.info-1.gz").
func firstPart(name string) bool {
	return suffix(".info", ".info.gz")(name)
}
