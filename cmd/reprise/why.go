package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/recipe"
	"reprise/internal/systemdiff"
)

func (a *app) whyCommand() *cobra.Command {
	var of string
	var all bool
	c := &cobra.Command{
		Use:   "why PACKAGE|OPTION",
		Short: "tell which requirement or which line brought a package or an option",
		Long: `Tell why the machine has a package: which option asks for it, by which line of which
file, or which packages need it, from what the configuration asks for and shortest
first. Of an option, tell its value and the line that set it, the option that stands
for it, or its default. A part of a name (services.openssh) tells all options below.
Nothing is changed.`,
		Example: "  reprise why libjack-jackd2-0\n  reprise why boot.kernelParams",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.why(cmd.Context(), args[0], of, all)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.whyNames(cmd.Context(), of), cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().StringVar(&of, "of", "", "generation, system or configuration to ask, as reprise diff takes them (default: the running generation)")
	c.Flags().BoolVar(&all, "all", false, "tell every package that needs it, not the three nearest")
	return c
}

// asked reads the system that why is about.
func (a *app) asked(ctx context.Context, of string) (*systems, *systemdiff.System, error) {
	s, err := a.systems(ctx)
	if err != nil {
		return nil, nil, err
	}
	if of != "" {
		system, err := s.named(ctx, of, false)
		return s, system, err
	}
	runs, err := s.runs()
	if err != nil {
		return nil, nil, err
	}
	system, err := s.ofGeneration(runs, false)
	return s, system, err
}

func (a *app) whyNames(ctx context.Context, of string) []string {
	_, system, err := a.asked(ctx, of)
	if err != nil {
		return nil
	}
	names := packageNames(system)
	if system.About != nil {
		for _, o := range system.About.Options {
			names = append(names, o.Name)
		}
	}
	return names
}

func (a *app) why(ctx context.Context, name, of string, all bool) error {
	_, system, err := a.asked(ctx, of)
	if err != nil {
		return err
	}
	if found := system.About.FindOptions(name); len(found) > 0 {
		return a.whyOptions(found, system)
	}
	if w, ok := system.FindPackage(name); ok {
		if len(system.Packages) > 0 && system.Path == "" && !w.Asked {
			return a.unbuilt(name, of)
		}
		return a.whyPackage(w, system, all)
	}
	if by := system.Provides(name); len(by) > 0 {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Field: name, Got: "is a name that packages provide",
			Want: "a package", Do: "ask for " + strings.Join(by, " or ")}}
	}
	return a.whyNot(ctx, name, system)
}

// unbuilt is for packages of which only the lock is known.
func (a *app) unbuilt(name, file string) error {
	return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: file, Field: name, Got: "is in the lock of a configuration that is not built",
		Want: "a generation or a system, whose packages tell what they need", Do: "build it first, or ask without --of"}}
}

// whyNot says of a name that the system does not have what it could be.
func (a *app) whyNot(ctx context.Context, name string, system *systemdiff.System) error {
	for _, o := range config.Options() {
		if o.Name != name {
			continue
		}
		if strings.HasPrefix(name, "image.") || strings.HasPrefix(name, "archive.") {
			return a.whySetting(ctx, name)
		}
		p := diag.Problem{File: system.Name, Field: name, Got: "does not tell of this option", Want: "an option that the system was built with", Do: "see reprise options " + name}
		if system.About != nil {
			p.Got = "is an option that nothing sets"
		}
		return &diag.Failure{Code: diag.ExitFailed, Err: p}
	}
	names := packageNames(system)
	for _, o := range config.Options() {
		names = append(names, o.Name)
	}
	if system.About != nil {
		for _, o := range system.About.Options {
			names = append(names, o.Name)
		}
	}
	p := diag.Problem{Field: name, Got: "is neither a package of " + system.Name + " nor an option", Want: "the name of one", Do: "see reprise options"}
	slices.Sort(names)
	if near := diag.Nearest(name, slices.Compact(names)); len(near) > 0 {
		p.Do = "ask for " + strings.Join(near, " or ")
	}
	return &usageError{p}
}

// whySetting tells of an option that shapes no system: it is in the
// configuration alone.
func (a *app) whySetting(ctx context.Context, name string) error {
	failed := func(got string) error {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Field: name, Got: got, Want: "an option that systems are made of", Do: "look into the configuration; see reprise options " + name}}
	}
	if _, err := os.Stat(machineConfiguration); err != nil {
		return failed("is for building alone: no system keeps it")
	}
	cfg, err := config.Evaluate(ctx, machineConfiguration, config.EvalOptions{})
	if err != nil {
		return err
	}
	about, err := recipe.AboutAll(cfg)
	if err != nil {
		return err
	}
	system := &systemdiff.System{Name: machineConfiguration, Config: configurationName, About: about}
	return a.whyOptions(about.FindOptions(name), system)
}

func (a *app) whyOptions(found []systemdiff.Option, system *systemdiff.System) error {
	for i, o := range found {
		if a.json {
			from := []fields{}
			for _, s := range o.From {
				f := fields{"place": s.Place(system.Config)}
				if s.Element != "" {
					f["element"] = s.Element
				}
				if s.By != "" {
					f["by"] = s.By
				}
				from = append(from, f)
			}
			a.emit("optionReason", fields{"name": o.Name, "value": valueOf(&o), "default": len(o.From) == 0, "from": from, "system": system.Name})
			continue
		}
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := o.Text(a.stdout, system, fallback(o.Name)); err != nil {
			return err
		}
	}
	return nil
}

// fallback says where the value of an option comes from that nothing set.
func fallback(name string) string {
	for _, o := range config.Options() {
		if !systemdiff.Stands(o.Name, name) {
			continue
		}
		if o.Computed() {
			return "nothing sets it: " + o.Default
		}
		return "nothing sets it: the default of reprise"
	}
	return "nothing sets it: the default of the program that built it"
}

func (a *app) whyPackage(w systemdiff.Why, system *systemdiff.System, all bool) error {
	if !a.json {
		return w.Text(a.stdout, system, all)
	}
	sources := func(from []systemdiff.Source) []fields {
		list := []fields{}
		for _, s := range from {
			f := fields{"option": s.By}
			if s.At != "" {
				f["place"] = systemdiff.Source{At: s.At, Near: s.Near}.Place(system.Config)
			}
			list = append(list, f)
		}
		return list
	}
	chains := []fields{}
	for _, c := range w.Chains {
		links := []fields{}
		for _, l := range c.Links {
			links = append(links, fields{"from": l.From, "to": l.To, "kind": l.Kind, "dependency": l.Dependency})
		}
		chains = append(chains, fields{"asked": c.Asked, "options": sources(c.For), "essential": c.Essential, "links": links})
	}
	return a.emit("packageReason", fields{"package": w.Package.Name, "version": w.Package.Version, "asked": w.Asked, "options": sources(w.For),
		"essential": w.Essential, "chains": chains, "system": system.Name})
}
