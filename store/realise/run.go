package realise

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
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
