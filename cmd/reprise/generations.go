package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"reprise/internal/esp"
	"reprise/internal/rootmount"
	"reprise/internal/systemdiff"
	"reprise/store/generation"
	"reprise/store/storepath"
)

func (a *app) generationsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "generations",
		Short: "list the generations of this machine",
		Long: `List the generations of this machine, newest first: number, date, kernel, what it
added to the store beyond all older ones, its state, and what changed against the one
before. Nothing is changed.

States: running, default (started next time), good, on trial with the tries left,
failed, or not in the boot menu. Only root may ask the boot loader for the last four.`,
		Example: "  reprise generations",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.tellGenerations(cmd.Context())
		},
	}
}

// A generationLine is one generation as it is listed.
type generationLine struct {
	generation.Generation
	kernel  string
	added   int64
	known   bool // added is
	states  []string
	changes string // "" for the oldest
}

func (a *app) tellGenerations(ctx context.Context) error {
	s, err := a.systems(ctx)
	if err != nil {
		return err
	}
	if len(s.generations) == 0 {
		return s.noGenerations()
	}
	lines, err := s.lines()
	if err != nil {
		return err
	}
	slices.Reverse(lines)
	for _, l := range lines {
		if a.json {
			f := fields{"number": l.Number, "created": l.Created.UTC(), "kernel": l.kernel, "states": append([]string{}, l.states...), "system": l.Path, "changes": l.changes}
			if l.known {
				f["addedBytes"] = l.added
			}
			a.emit("generation", f)
			continue
		}
		added := "?"
		if l.known {
			added = humanize.IBytes(uint64(l.added))
		}
		fmt.Fprintf(a.stdout, "%4d  %s  %9s  %s\n", l.Number, l.Created.Local().Format("2006-01-02 15:04"), added, l.kernel)
		for _, text := range []string{strings.Join(l.states, ", "), l.changes} {
			if text != "" {
				fmt.Fprintf(a.stdout, "      %s\n", text)
			}
		}
	}
	return nil
}

// lines tells of every generation, oldest first.
func (s *systems) lines() ([]generationLine, error) {
	states, err := s.states()
	if err != nil {
		return nil, err
	}
	var lines []generationLine
	var before *systemdiff.System
	seen := map[storepath.Path]bool{}
	for _, g := range s.generations {
		system, err := s.ofGeneration(g, false)
		if err != nil {
			return nil, err
		}
		l := generationLine{Generation: g, kernel: system.Kernel, states: states[g.Number]}
		if l.added, l.known, err = s.added(g.Path, seen); err != nil {
			return nil, err
		}
		if before != nil {
			report, err := systemdiff.Diff(before, system, s.contents, false)
			if err != nil {
				return nil, err
			}
			l.changes = report.Summary()
		}
		before = system
		lines = append(lines, l)
	}
	return lines, nil
}

// states says of each generation whether it runs and what the boot loader
// thinks of it.
func (s *systems) states() (map[int][]string, error) {
	menu, err := s.bootMenu()
	if err != nil {
		return nil, err
	}
	states := map[int][]string{}
	for _, g := range s.generations {
		states[g.Number] = stateOf(g, s.running, menu)
	}
	return states, nil
}

// bootStates is what an ESP tells of generations; see esp.State.
type bootStates interface {
	Default() int // 0: nothing says it
	Numbers() []int
	Tries(n int) (left, done int)
}

// bootMenu reads the ESP of this machine: nil for another store than the
// machine's own, and for those who may not look.
func (s *systems) bootMenu() (bootStates, error) {
	if s.root != "/" && s.root != rootmount.Disk {
		return nil, nil
	}
	f, err := esp.Open(espDir)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	if _, err := f.ReadDir("."); err != nil {
		return nil, nil
	}
	state, err := esp.Read(f)
	if err != nil {
		return nil, err
	}
	return state, nil
}

// stateOf says what state a generation is in; menu is nil where it is not known.
func stateOf(g generation.Generation, running storepath.Path, menu bootStates) []string {
	var words []string
	if g.Path == running && running != "" {
		words = append(words, "running")
	}
	if menu == nil {
		if g.Current {
			words = append(words, "default")
		}
		return words
	}
	if n := menu.Default(); n == g.Number || n == 0 && g.Current {
		words = append(words, "default")
	}
	switch left, done := menu.Tries(g.Number); {
	case left > 0:
		words = append(words, fmt.Sprintf("on trial (%d of %d tries left)", left, left+done))
	case done > 0:
		words = append(words, "failed")
	case slices.Contains(menu.Numbers(), g.Number):
		words = append(words, "good")
	default:
		words = append(words, "not in the boot menu")
	}
	return words
}
