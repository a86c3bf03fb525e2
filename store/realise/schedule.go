package realise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/progress"
	"reprise/store/storepath"
)

// insert puts job into the graph unless another goroutine was faster, and
// returns the one that is in the graph. made says that its outputs are valid.
func (run *Run) insert(job *Job, made bool) *Job {
	run.mu.Lock()
	defer run.mu.Unlock()
	if other, there := run.byDrv[job.key]; there {
		return other
	}
	run.byDrv[job.key] = job
	if made {
		job.started = true
		close(job.done)
		return job
	}
	if !job.learn {
		for _, p := range job.drv.OutputPaths() {
			run.byOutput[p] = job
		}
	}
	run.open++
	job.weight = 1
	if run.r.Weight != nil {
		job.weight = max(1, run.r.Weight(job.drv))
	}
	if run.closed || run.ctx.Err() != nil {
		job.started = true
		run.finish(job, run.reason())
		return job
	}
	if run.task == nil {
		run.task = run.r.Sink.Start("build", progress.Items, 0)
	}
	run.total++
	run.task.SetTotal(run.total)

	add := func(input *Job) {
		if input == nil || slices.Contains(job.inputs, input) {
			return
		}
		select {
		case <-input.done:
			if input.err != nil {
				job.waits = -1 // never ready; failed below
				if job.err == nil {
					job.err = needs(job, input)
				}
			}
			return
		default:
		}
		job.inputs = append(job.inputs, input)
		input.users = append(input.users, job)
	}
	for _, p := range slices.Sorted(maps.Keys(job.drv.InputDrvs)) {
		add(run.byDrv[p])
	}
	for _, p := range job.drv.InputSrcs {
		add(run.byOutput[p])
	}
	if job.waits < 0 {
		job.started = true
		run.finish(job, job.err)
		return job
	}
	job.waits = len(job.inputs)
	lengthen(job, job.weight)
	if job.waits == 0 {
		run.ready = append(run.ready, job)
	}
	return job
}

// lengthen tells job and all it waits for that the chain from it on weighs at
// least chain.
func lengthen(job *Job, chain int64) {
	if chain <= job.chain {
		return
	}
	job.chain = chain
	for _, input := range job.inputs {
		lengthen(input, chain+input.weight)
	}
}

// dispatch starts what can start, longest chain first. run.mu is held.
func (run *Run) dispatch() {
	for run.running < run.r.Jobs && len(run.ready) > 0 && run.ctx.Err() == nil {
		best := 0
		for i, job := range run.ready {
			if job.chain > run.ready[best].chain {
				best = i
			}
		}
		job := run.ready[best]
		run.ready = slices.Delete(run.ready, best, best+1)
		job.started, job.turn = true, true
		run.running++
		run.active++
		run.task.Detail(job.drv.Name)
		go run.work(job)
	}
}

// yield lets another job begin before this one has ended.
func (run *Run) yield(job *Job) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.giveUp(job)
	run.dispatch()
}

// giveUp takes a job's turn. run.mu is held.
func (run *Run) giveUp(job *Job) {
	if job.turn {
		job.turn = false
		run.running--
	}
}

func (run *Run) work(job *Job) {
	err := run.build(run.ctx, job)
	run.mu.Lock()
	defer run.mu.Unlock()
	run.giveUp(job)
	run.active--
	if err == nil {
		run.task.Add(1)
	} else if cause := context.Cause(run.ctx); cause != nil {
		err = cause
	} else {
		run.failures = append(run.failures, err)
	}
	failed := err != nil
	run.finish(job, err)
	if failed && !run.r.KeepGoing {
		run.cancel(ErrStopped)
		run.stop(ErrStopped)
	}
	run.dispatch()
}

// finish ends a job and tells its users. run.mu is held.
func (run *Run) finish(job *Job, err error) {
	select {
	case <-job.done:
		return
	default:
	}
	job.err = err
	close(job.done)
	run.open--
	if run.open == 0 {
		run.idle.Broadcast()
	}
	if job.promise && err != nil && context.Cause(run.ctx) == nil && len(job.users) > 0 && !errors.Is(err, context.Canceled) {
		run.failures = append(run.failures, err)
	}
	for _, user := range job.users {
		if user.started {
			continue
		}
		if err != nil {
			user.started = true
			run.finish(user, needs(user, job))
			continue
		}
		if user.waits--; user.waits == 0 {
			run.ready = append(run.ready, user)
		}
	}
	job.users, job.inputs = nil, nil
}

// needs is the error of a job whose input failed.
func needs(job, input *Job) error {
	if errors.Is(input.err, ErrStopped) || errors.Is(input.err, context.Canceled) || errors.Is(input.err, context.DeadlineExceeded) {
		return input.err
	}
	return fmt.Errorf("%s needs %s: %w", job.drv.Name, strings.TrimSuffix(input.key.Name(), storepath.DrvSuffix), input.err)
}

// stop ends all jobs that have not started. run.mu is held.
func (run *Run) stop(err error) {
	run.ready = nil
	for _, job := range run.byDrv {
		if !job.started {
			job.started = true
			run.finish(job, err)
		}
	}
	for _, job := range run.byOutput {
		if job.promise {
			run.finish(job, err)
		}
	}
}

// reason is why a run takes no more jobs. run.mu is held.
func (run *Run) reason() error {
	if cause := context.Cause(run.ctx); cause != nil {
		return cause
	}
	return ErrStopped
}
