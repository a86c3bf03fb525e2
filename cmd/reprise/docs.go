package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"reprise/internal/config"
	"reprise/internal/diag"
)

func (a *app) optionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "options [NAME]",
		Short:   "list the options of a configuration, or explain one",
		Long:    "List every option with its type, or tell type, default and meaning of one. Nothing is changed.",
		Example: "  reprise options\n  reprise options networking.hostName",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, o := range config.Options() {
				names = append(names, o.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return a.tellOptions(args)
		},
	}
}

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

func (a *app) tellOptions(names []string) error {
	var known []string
	for _, o := range config.Options() {
		known = append(known, o.Name)
		if len(names) > 0 && o.Name != names[0] {
			continue
		}
		switch {
		case a.json:
			json.NewEncoder(a.stdout).Encode(o)
		case len(names) > 0:
			fmt.Fprintf(a.stdout, "%s\n  type:    %s\n  default: %s\n", o.Name, o.Type, o.Default)
			if o.Example != "" {
				fmt.Fprintf(a.stdout, "  example: %s\n", o.Example)
			}
			fmt.Fprintf(a.stdout, "\n%s\n", o.Doc)
		default:
			fmt.Fprintf(a.stdout, "%-50s %s\n", o.Name, o.Type)
		}
	}
	if len(names) > 0 && !slices.Contains(known, names[0]) {
		p := diag.Problem{Field: names[0], Got: "is no option", Want: "an option", Do: "see reprise options"}
		if near := diag.Nearest(names[0], known); len(near) > 0 {
			p.Do = "ask for " + strings.Join(near, " or ")
		}
		return &usageError{p}
	}
	return nil
}
