package main

import (
	"github.com/spf13/cobra"
)

func (a *app) updateCommand() *cobra.Command {
	var file string
	var dryRun bool
	c := &cobra.Command{
		Use:   "update PROFILE|FILE [PACKAGE…]",
		Short: "take newer packages into the lock",
		Long: `Resolve again with what the archive has today, and write the lock: all packages,
or only the named ones and what they then need. Nothing is built.`,
		Example:           "  reprise update my-rig.jsonnet\n  reprise update my-rig.jsonnet jackd2",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			fresh := args[1:]
			if len(fresh) == 0 {
				fresh = []string{"*"}
			}
			return a.relock(cmd.Context(), args[0], file, fresh, dryRun)
		},
	}
	c.Flags().StringVar(&file, "lock", "", "lock `file` to write (default: as for reprise lock)")
	c.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "print the changes, write nothing")
	return c
}
