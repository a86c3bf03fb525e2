package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"reprise/internal/diag"
)

func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "docs DIR",
		Short:   "write the man pages to a directory",
		Long:    "Write one man page for each command. The directory is made when it is not there; the\nsame program always writes the same bytes.",
		Example: "  reprise docs ~/.local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: args[0], Got: "cannot be made: " + reason(err),
					Want: "a directory that you may write to", Do: "name another place for the man pages"}}
			}
			epoch := time.Unix(1, 0).UTC() // man pages carry no build time
			root := cmd.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "reprise " + version, Manual: "reprise", Date: &epoch}, args[0])
		},
	}
}
