package effect

import (
	"context"
	"os"
	"path"
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
					if err := e.direct(ctx, "", "usr/bin/install-info", path.Join(work, entry.Name()), menu); err != nil {
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

// firstPart tells a manual ("find.info.gz", "cpp-14.info.gz") from its further
// parts ("find.info-1.gz").
func firstPart(name string) bool {
	return suffix(".info", ".info.gz")(name)
}
