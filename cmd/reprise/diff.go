package main

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"reprise/internal/diag"
	"reprise/internal/systemdiff"
)

func (a *app) diffCommand() *cobra.Command {
	var unified bool
	c := &cobra.Command{
		Use:   "diff [A [B]]",
		Short: "tell what two generations differ in",
		Long: `Tell what two systems of a machine differ in: packages with versions, options with
the places that set them, units, the kernel and its parameters, files of /etc, bytes
in the store. Nothing is changed.

A and B are numbers of generations, store paths of systems, configurations with the
lock beside them, or . for /etc/reprise/configuration.jsonnet. Of a configuration that
is not built, units and files are not known. Without B it is compared with the
running generation; without A and B that one with the one before it.`,
		Example: "  reprise diff\n  reprise diff 3 5 --unified\n  reprise diff .",
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.diff(cmd.Context(), args, unified)
		},
		ValidArgsFunction: a.completeGenerations,
	}
	c.Flags().BoolVarP(&unified, "unified", "u", false, "show the changes of files and units line by line")
	return c
}

// completeGenerations completes the numbers of generations, and files.
func (a *app) completeGenerations(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var numbers []string
	if s, err := a.systems(cmd.Context()); err == nil {
		for _, g := range s.generations {
			numbers = append(numbers, strconv.Itoa(g.Number)+"\t"+g.Created.Format("2006-01-02 15:04"))
		}
	}
	return numbers, cobra.ShellCompDirectiveDefault
}

func (a *app) diff(ctx context.Context, args []string, unified bool) error {
	s, err := a.systems(ctx)
	if err != nil {
		return err
	}
	from, to, err := s.pair(ctx, args)
	if err != nil {
		return err
	}
	report, err := systemdiff.Diff(from, to, s.contents, unified)
	if err != nil {
		return err
	}
	if a.json {
		return a.emitReport(report, from, to)
	}
	return report.Text(a.stdout, from, to)
}

// pair reads the two systems that the arguments of diff mean.
func (s *systems) pair(ctx context.Context, args []string) (from, to *systemdiff.System, err error) {
	if len(args) == 2 {
		if from, err = s.named(ctx, args[0], true); err != nil {
			return nil, nil, err
		}
		to, err = s.named(ctx, args[1], true)
		return from, to, err
	}
	runs, err := s.runs()
	if err != nil {
		return nil, nil, err
	}
	if len(args) == 0 {
		before := -1
		for i, g := range s.generations {
			if g.Number < runs.Number {
				before = i
			}
		}
		if before < 0 {
			return nil, nil, &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Field: "generation " + strconv.Itoa(runs.Number),
				Got: "is the oldest one there is", Want: "two generations", Do: "write reprise diff . for what a switch would change"}}
		}
		if from, err = s.ofGeneration(s.generations[before], true); err != nil {
			return nil, nil, err
		}
		to, err = s.ofGeneration(runs, true)
		return from, to, err
	}
	if from, err = s.ofGeneration(runs, true); err != nil {
		return nil, nil, err
	}
	if to, err = s.named(ctx, args[0], true); err != nil {
		return nil, nil, err
	}
	if n, err := strconv.Atoi(args[0]); err == nil && n < runs.Number {
		from, to = to, from
	}
	return from, to, nil
}

// emitReport writes a report as events, one a difference.
func (a *app) emitReport(r *systemdiff.Report, from, to *systemdiff.System) error {
	for _, c := range r.Packages {
		a.emit(string(c.Kind), fields{"package": c.Name, "from": c.From, "to": c.To})
	}
	for _, c := range r.Options {
		f := fields{"name": c.Name, "follows": c.Follows}
		for key, o := range map[string]*systemdiff.Option{"from": c.From, "to": c.To} {
			if o != nil {
				f[key], f[key+"Set"] = valueOf(o), placesOf(o.From, from, to, key == "to")
			}
		}
		a.emit("optionChange", f)
	}
	for _, c := range r.Units {
		a.emit("unitChange", fields{"unit": c.Name, "scope": c.Scope, "kind": c.Kind, "what": append([]string{}, c.What...)})
	}
	for _, c := range r.Files {
		f := fields{"path": "/" + c.Path, "kind": c.Kind, "what": append([]string{}, c.What...)}
		if c.Unified != "" {
			f["unified"] = c.Unified
		}
		a.emit("fileChange", f)
	}
	f := fields{"from": from.Name, "to": to.Name, "same": r.Nothing(), "optionsKnown": r.OptionsKnown, "filesKnown": r.FilesKnown,
		"paramsAdded": append([]string{}, r.Params.Added...), "paramsRemoved": append([]string{}, r.Params.Removed...), "paramsMoved": r.Params.Moved}
	if r.Kernel != nil {
		f["kernelFrom"], f["kernelTo"] = r.Kernel.From, r.Kernel.To
	}
	if r.SizesKnown {
		f["addedPaths"], f["addedBytes"], f["removedPaths"], f["removedBytes"] = r.AddedPaths, r.AddedBytes, r.RemovedPaths, r.RemovedBytes
	}
	if to.Note != "" {
		f["note"] = to.Note
	}
	return a.emit("result", f)
}

func valueOf(o *systemdiff.Option) any {
	if o.Long != nil {
		return fields{"bytes": o.Long.Bytes, "sha256": o.Long.SHA256}
	}
	return json.RawMessage(o.Value)
}

func placesOf(sources []systemdiff.Source, from, to *systemdiff.System, isTo bool) []string {
	config := from.Config
	if isTo {
		config = to.Config
	}
	places := []string{}
	for _, s := range sources {
		places = append(places, s.Place(config))
	}
	return places
}
