package builder

import (
	"context"
	"fmt"

	"reprise/internal/effect"
	"reprise/internal/effect/overlay"
)

// RunEffect makes the layer of one effect.
func RunEffect(ctx context.Context, b *Build) error {
	var job effect.Job
	if err := b.decode(&job); err != nil {
		return err
	}
	for _, e := range Effects() {
		if e.Name != job.Effect {
			continue
		}
		env := &effect.Env{Job: &job, Out: b.Out, Work: b.Work, Cores: b.Cores, Real: b.real, Run: overlay.Runner{}}
		var err error
		if env.Packages, err = effect.LoadContents(job.Reads, b.real); err != nil {
			return err
		}
		if env.Tools, err = effect.LoadContents(job.Tools, b.real); err != nil {
			return err
		}
		if err := e.Build(ctx, env); err != nil {
			return fmt.Errorf("effect %s: %w", job.Effect, err)
		}
		return nil
	}
	return fmt.Errorf("there is no effect %q", job.Effect)
}
