package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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

func (a *app) tellOptions(names []string) error {
	var known []string
	for _, o := range config.Options() {
		known = append(known, o.Name)
		if len(names) > 0 && o.Name != names[0] {
			continue
		}
		switch {
		case a.json:
			a.emit("option", fields{"name": o.Name, "type": o.Type, "default": o.Default, "unit": o.Unit, "range": o.Range, "doc": o.Doc, "example": o.Example})
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
