package effect

import (
	"context"
	"path/filepath"

	"reprise/internal/config"
)

// HardwareDatabase writes /usr/lib/udev/hwdb.bin. The file holds the paths of
// its sources, so systemd-hwdb has to see them at their places below /.
func HardwareDatabase() Effect {
	const (
		program = "usr/bin/systemd-hwdb"
		sources = "usr/lib/udev/hwdb.d"
		result  = "usr/lib/udev/hwdb.bin"
	)
	return Effect{
		Name:   "hardware-database",
		Needed: func(_ *config.Config, c *Contents) bool { return c.Owner(program) != nil },
		Reads:  func(_ *config.Config, c *Contents) []string { return c.Below(sources, "etc/udev/hwdb.d") },
		Tools:  func(c *Contents) []string { return []string{c.Owner(program).Name} },
		Build: func(ctx context.Context, e *Env) error {
			root, err := e.Root(names(e.Packages)...)
			if err != nil {
				return err
			}
			root.Collect = []string{filepath.Dir(result)}
			err = e.Run.Run(ctx, root, Command{Argv: []string{"/" + program, "--usr", "--strict", "update"}})
			if err != nil {
				return err
			}
			out := e.Output()
			out.Move(result, filepath.Join(root.Changes, result), 0o444) // as systemd-hwdb has it
			return out.Close()
		},
	}
}

// JournalCatalog writes the database of explanations that journalctl -x shows.
// journalctl reads it at one fixed place in /var: a link there leads to it, and
// is made anew at each boot so that it follows the generation.
func JournalCatalog() Effect {
	const (
		program  = "usr/bin/journalctl"
		sources  = "usr/lib/systemd/catalog"
		database = "var/lib/systemd/catalog/database"
		result   = "usr/lib/reprise/journal-catalog"
	)
	return Effect{
		Name:   "journal-catalog",
		Needed: func(_ *config.Config, c *Contents) bool { return c.Owner(program) != nil },
		Reads:  func(_ *config.Config, c *Contents) []string { return c.Below(sources) },
		Tools:  func(c *Contents) []string { return []string{c.Owner(program).Name} },
		Build: func(ctx context.Context, e *Env) error {
			root, err := e.Root(names(e.Packages)...)
			if err != nil {
				return err
			}
			root.Collect = []string{filepath.Dir(database)}
			if err := e.Run.Run(ctx, root, Command{Argv: []string{"/" + program, "--update-catalog"}}); err != nil {
				return err
			}
			out := e.Output()
			out.Move(result, filepath.Join(root.Changes, database), 0o644)
			out.Text("usr/lib/tmpfiles.d/reprise-journal-catalog.conf",
				"# The catalog of this generation. Written by reprise.\nL+ /"+database+" - - - - /"+result+"\n")
			return out.Close()
		},
	}
}

// names lists the packages of c.
func names(c *Contents) []string {
	var names []string
	for i := range c.Packages {
		names = append(names, c.Packages[i].Name)
	}
	return names
}
