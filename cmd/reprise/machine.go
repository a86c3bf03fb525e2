package main

import (
	"fmt"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"reprise/internal/activation"
	"reprise/internal/builder"
	"reprise/internal/effect"
	"reprise/internal/growroot"
	"reprise/internal/rootmount"
)

// allEffects are the effects of every machine, in the order of their layers.
func allEffects() []*effect.Effect {
	all := builder.Effects()
	effects := make([]*effect.Effect, len(all))
	for i := range all {
		effects[i] = &all[i]
	}
	return effects
}

// activate brings the state on the mounted disk to what the system declares:
// stage 1 calls it. What could not be done is told and does not stop the boot.
func activate(disk string, data []byte) error {
	return activation.Run(disk, data, func(err error) { fmt.Fprintf(os.Stderr, "reprise: %v\n", err) })
}

func (a *app) growRootCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "grow-root",
		Short:  "let the root file system fill its disk",
		Long:   "Run by the machine itself on boot. Does nothing when the root fills its disk already.",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := growroot.Grow(cmd.Context(), rootmount.Disk)
			if err != nil {
				return err
			}
			if r.Changed() && a.json {
				return a.emit("result", fields{"bytes": r.FSAfter})
			}
			if r.Changed() {
				fmt.Fprintf(a.stdout, "the root file system grew to %s\n", humanize.IBytes(uint64(r.FSAfter)))
			}
			return nil
		},
	}
}
