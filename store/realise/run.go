package realise

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"reprise/internal/progress"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// ErrStopped is the error of jobs that were never started because another
// one failed or the run was closed.
var ErrStopped = errors.New("not built")

// A Run is a graph of jobs being built. It is safe for concurrent use.
type Run struct {
	r      Realiser
	ctx    context.Context
	cancel context.CancelCauseFunc
	hasher *drv.Hasher
	known  closures

	mu       sync.Mutex
	byDrv    map[storepath.Path]*Job // by .drv path, or by placeholder for one being learnt
	byOutput map[storepath.Path]*Job // jobs and promises by what they will make valid
	ready    []*Job
	running  int // builds that have a turn
	active   int // builds whose goroutine runs
	open     int // jobs and promises that are not done
	idle     *sync.Cond
	failures []error
	task     progress.Task // nil until something has to be built
	total    int64
	closed   bool
}

// A Job is one derivation on its way. The zero value is not a job.
type Job struct {
	run     *Run
	drv     *drv.Derivation
	key     storepath.Path // of byDrv
	learn   bool
	promise bool

	// Guarded by run.mu.
	waits     int // inputs that are not there yet
	inputs    []*Job
	users     []*Job
	weight    int64
	chain     int64 // weight of the longest chain of jobs from this one on
	started   bool
	turn      bool // it counts among run.running
	unwritten bool // its .drv is not in the store yet

	done chan struct{} // closed when the fields below are final
	err  error
}

// Wait waits for the job's end and returns its error.
func (j *Job) Wait(ctx context.Context) error {
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Done is closed when the job has ended.
func (j *Job) Done() <-chan struct{} { return j.done }

// Derivation is what the job builds. Of a job made by Run.Learn it is complete
// only after Wait has returned nil.
func (j *Job) Derivation() *drv.Derivation { return j.drv }

// Start begins a run. Close must be called when it is no longer needed.
func (r *Realiser) Start(ctx context.Context) *Run {
	run := &Run{r: *r, byDrv: map[storepath.Path]*Job{}, byOutput: map[storepath.Path]*Job{}}
	if run.r.Jobs <= 0 {
		run.r.Jobs = runtime.NumCPU()
	}
	if run.r.Sink == nil {
		run.r.Sink = progress.Discard
	}
	run.ctx, run.cancel = context.WithCancelCause(ctx)
	run.idle = sync.NewCond(&run.mu)
	run.hasher = &drv.Hasher{Load: func(p storepath.Path) (*drv.Derivation, error) {
		return r.Store.Derivation(run.ctx, p)
	}}
	run.known.store = r.Store
	context.AfterFunc(run.ctx, func() {
		run.mu.Lock()
		defer run.mu.Unlock()
		run.stop(context.Cause(run.ctx))
	})
	return run
}

// Promise says that somebody is bringing p into the store: jobs that have p
// among their sources wait until kept is called, with nil or the reason why p
// will not come. Promises are made before the jobs that need them are added.
func (run *Run) Promise(p storepath.Path) (kept func(error)) {
	job := &Job{run: run, key: p, promise: true, started: true, done: make(chan struct{})}
	run.mu.Lock()
	defer run.mu.Unlock()
	if other := run.byOutput[p]; other != nil && other.promise {
		job = other // promised twice: the first to keep it counts
	} else {
		run.byOutput[p] = job
		run.open++
	}
	return func(err error) {
		run.mu.Lock()
		defer run.mu.Unlock()
		if err != nil {
			err = fmt.Errorf("%s: %w", p.Name(), err)
		}
		run.finish(job, err)
		if err != nil && !run.r.KeepGoing && len(run.failures) > 0 {
			run.cancel(ErrStopped)
			run.stop(ErrStopped)
		}
		run.dispatch()
	}
}

// AddPaths adds the derivations at paths, which are in the store.
func (run *Run) AddPaths(paths ...storepath.Path) ([]*Job, error) {
	ds := make([]*drv.Derivation, len(paths))
	for i, p := range paths {
		d, err := run.r.Store.Derivation(run.ctx, p)
		if err != nil {
			return nil, fmt.Errorf("read derivation %q: %w", p, err)
		}
		ds[i] = d
	}
	return run.add(ds, paths, nil)
}

// Add writes the derivations to the store, inputs before users, and builds
// them and what they need. Their output paths are filled in. An input
// derivation is one added before, one earlier in ds, or one in the store. A
// derivation with a source that is only promised is written when the promise
// is kept, since nothing in the store may refer to what is not there. The
// error is about ds itself; that a build failed is told by Wait.
func (run *Run) Add(ds ...*drv.Derivation) ([]*Job, error) {
	var now []*drv.Derivation
	later := map[storepath.Path]bool{}
	paths := make([]storepath.Path, len(ds))
	for i, d := range ds {
		var err error
		if paths[i], err = d.Path(); err != nil {
			return nil, err
		}
		if run.awaits(d, later) {
			later[paths[i]] = true
		} else {
			now = append(now, d)
		}
	}
	if _, err := run.r.Store.AddDerivations(run.ctx, now...); err != nil {
		return nil, err
	}
	return run.add(ds, paths, later)
}

// awaits says whether d cannot be written to the store yet: because of a
// promise, or of an input derivation that cannot be either.
func (run *Run) awaits(d *drv.Derivation, later map[storepath.Path]bool) bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	for p := range d.InputDrvs {
		if job := run.byDrv[p]; later[p] || job != nil && job.unwritten {
			return true
		}
	}
	return slices.ContainsFunc(d.InputSrcs, func(p storepath.Path) bool {
		job := run.byOutput[p]
		if job == nil || !job.promise {
			return false
		}
		select {
		case <-job.done:
			return job.err != nil
		default:
			return true
		}
	})
}

func (run *Run) add(ds []*drv.Derivation, paths []storepath.Path, later map[storepath.Path]bool) ([]*Job, error) {
	var outputs []storepath.Path
	for _, d := range ds {
		outputs = append(outputs, d.OutputPaths()...)
	}
	// First the root, then the look: a collector that runs between the two
	// has seen the root.
	if err := run.r.Store.TempRoot(run.ctx, slices.Concat(paths, outputs)...); err != nil {
		return nil, err
	}
	valid, err := run.r.Store.Valid(run.ctx, outputs...)
	if err != nil {
		return nil, err
	}
	jobs := make([]*Job, len(ds))
	for i, d := range ds {
		if jobs[i], err = run.addOne(d, paths[i], valid, later[paths[i]]); err != nil {
			return nil, fmt.Errorf("derivation %q: %w", d.Name, err)
		}
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	run.dispatch()
	return jobs, nil
}

// addOne makes the job of d. valid tells of d's outputs, unwritten that the
// job has to write the .drv first.
func (run *Run) addOne(d *drv.Derivation, path storepath.Path, valid map[storepath.Path]bool, unwritten bool) (*Job, error) {
	run.mu.Lock()
	job, there := run.byDrv[path]
	run.mu.Unlock()
	if there {
		return job, nil
	}
	job = &Job{run: run, drv: d, key: path, unwritten: unwritten, done: make(chan struct{})}
	made := !unwritten && !slices.ContainsFunc(d.OutputPaths(), func(p storepath.Path) bool { return !valid[p] })
	if !made {
		if err := supported(d); err != nil {
			return nil, err
		}
		if err := run.addInputs(d); err != nil {
			return nil, err
		}
	}
	return run.insert(job, made), nil
}

// addInputs makes jobs of the input derivations that have none.
func (run *Run) addInputs(d *drv.Derivation) error {
	var paths []storepath.Path
	run.mu.Lock()
	for p := range d.InputDrvs {
		if run.byDrv[p] == nil {
			paths = append(paths, p)
		}
	}
	run.mu.Unlock()
	if len(paths) == 0 {
		return nil
	}
	slices.Sort(paths)
	_, err := run.AddPaths(paths...)
	return err
}

// Learn is Realiser.Learn as a job. The derivation must not have been added.
func (run *Run) Learn(d *drv.Derivation) (*Job, error) {
	out, fixed := d.Fixed()
	if !fixed || !out.Recursive() || out.Hash != "" || len(d.Outputs) != 1 {
		return nil, fmt.Errorf("derivation %q: only one recursive fixed output without a hash can be learnt", d.Name)
	}
	if err := supported(d); err != nil {
		return nil, fmt.Errorf("derivation %q: %w", d.Name, err)
	}
	if err := run.addInputs(d); err != nil {
		return nil, fmt.Errorf("derivation %q: %w", d.Name, err)
	}
	placeholder, err := run.placeholder(d)
	if err != nil {
		return nil, err
	}
	run.mu.Lock()
	job, there := run.byDrv[placeholder.path]
	run.mu.Unlock()
	if !there {
		job = run.insert(&Job{run: run, drv: placeholder.drv, key: placeholder.path, learn: true, done: make(chan struct{})}, false)
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	run.dispatch()
	return job, nil
}

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

// Wait waits until every job that was added has ended, and returns what
// failed: not the jobs that could not start because of it. Jobs may still be
// added afterwards.
func (run *Run) Wait() error {
	run.mu.Lock()
	defer run.mu.Unlock()
	for run.open > 0 {
		run.idle.Wait()
	}
	err := errors.Join(run.failures...)
	if len(run.failures) == 1 {
		err = run.failures[0]
	}
	if err == nil {
		err = context.Cause(run.ctx)
	}
	if run.task != nil {
		run.task.Done(err)
		run.task, run.total = nil, 0
	}
	return err
}

// Close ends all builds that are still under way and waits until they have
// cleaned up. It may be called more than once.
func (run *Run) Close() {
	run.mu.Lock()
	run.closed = true
	run.mu.Unlock()
	run.cancel(ErrStopped)
	run.mu.Lock()
	run.stop(ErrStopped)
	for run.active > 0 {
		run.idle.Wait()
	}
	if run.task != nil {
		run.task.Done(ErrStopped)
		run.task = nil
	}
	run.mu.Unlock()
}
