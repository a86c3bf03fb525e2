package machine

import (
	"context"
	"maps"
	"slices"

	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/alternative"
)

type alternativesSpec struct {
	Links []alternative.Link `json:"links"`
}

// alternatives makes /etc/alternatives and the generic links.
func alternatives(s *scripts) effect.Effect {
	return effect.Effect{
		Name:   "alternatives",
		Needed: always,
		Spec: func(_ *config.Config, c *effect.Contents) (any, error) {
			calls, exists, err := s.read(c)
			if err != nil {
				return nil, err
			}
			var choices []alternative.Choice
			for _, pkg := range slices.Sorted(maps.Keys(calls)) {
				more, err := alternative.FromCalls(pkg, calls[pkg])
				if err != nil {
					return nil, err
				}
				choices = append(choices, more...)
			}
			links, err := alternative.Resolve(choices, exists)
			return alternativesSpec{links}, err
		},
		Build: func(_ context.Context, e *effect.Env) error {
			var spec alternativesSpec
			if err := e.Decode(&spec); err != nil {
				return err
			}
			out := e.Output()
			for _, l := range spec.Links {
				out.Symlink(l.Name, l.Target)
			}
			return out.Close()
		},
	}
}
