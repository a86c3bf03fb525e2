package realise

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"reprise/store"
	"reprise/store/drv"
	"reprise/store/nar"
	"reprise/store/sandbox"
	"reprise/store/storepath"
)

// build makes a job's outputs valid.
func (run *Run) build(ctx context.Context, job *Job) error {
	if job.learn {
		return run.learn(ctx, job)
	}
	if err := run.writeDrv(ctx, job); err != nil {
		return fmt.Errorf("build %s: %w", job.drv.Name, err)
	}
	unlock, err := run.lock(ctx, job.drv.OutputPaths())
	if err != nil {
		return fmt.Errorf("build %s: %w", job.drv.Name, err)
	}
	defer unlock()
	valid, err := run.r.Store.Valid(ctx, job.drv.OutputPaths()...)
	if err != nil {
		return fmt.Errorf("build %s: %w", job.drv.Name, err)
	}
	made := func(p storepath.Path) bool { return valid[p] }
	if !slices.ContainsFunc(job.drv.OutputPaths(), func(p storepath.Path) bool { return !made(p) }) {
		return nil // another process was faster
	}
	return run.inScratch(ctx, job, func(s *scratch) error {
		var infos []store.Info
		for _, id := range slices.Sorted(maps.Keys(job.drv.Outputs)) {
			out := job.drv.Outputs[id]
			if made(out.Path) {
				continue
			}
			info, err := s.inspect(ctx, out.Path)
			if err != nil {
				return err
			}
			if info.CA, err = s.checkFixed(out, info); err != nil {
				return err
			}
			info.Deriver = job.key
			infos = append(infos, info)
		}
		for _, info := range infos {
			if err := run.r.Store.Place(ctx, s.output(info.Path), info.Path); err != nil {
				return err
			}
		}
		return run.enterBooks(ctx, job, infos)
	})
}

// writeDrv writes the .drv of a job that waited for a promise.
func (run *Run) writeDrv(ctx context.Context, job *Job) error {
	run.mu.Lock()
	unwritten := job.unwritten
	run.mu.Unlock()
	if !unwritten {
		return nil
	}
	if _, err := run.r.Store.AddDerivation(ctx, job.drv); err != nil {
		return err
	}
	run.mu.Lock()
	job.unwritten = false
	run.mu.Unlock()
	return nil
}

// enterBooks registers outputs that are in place. The store brings its file
// system to stable storage for that, once for all who register meanwhile, so
// the job gives its turn to another first.
func (run *Run) enterBooks(ctx context.Context, job *Job, infos []store.Info) error {
	run.yield(job)
	if err := run.r.Store.Register(ctx, infos...); err != nil {
		return err
	}
	for _, info := range infos {
		run.known.put(info.Path, info.Refs)
	}
	return nil
}

// lock takes the locks of paths, in one order for everybody.
func (run *Run) lock(ctx context.Context, paths []storepath.Path) (unlock func(), err error) {
	var held []func()
	unlock = func() {
		for _, u := range slices.Backward(held) {
			u()
		}
	}
	for _, p := range slices.Sorted(slices.Values(paths)) {
		u, err := run.r.Store.Lock(ctx, p)
		if err != nil {
			unlock()
			return nil, err
		}
		held = append(held, u)
	}
	return unlock, nil
}

// A scratch is the place of one build outside of the store:
//
//	<TempDir>/store   /nix/store inside: the inputs are bound in it, outputs appear in it
//	<TempDir>/build   /build inside
type scratch struct {
	run    *Run
	job    *Job
	dir    string
	inputs []storepath.Path // closure of what the build may see
}

func (s *scratch) output(p storepath.Path) string { return filepath.Join(s.dir, "store", p.Base()) }

// inScratch runs the job's builder in a new scratch, then settle on what it
// made. Whatever fails becomes a *BuildError.
func (run *Run) inScratch(ctx context.Context, job *Job, settle func(*scratch) error) error {
	failure := &BuildError{Name: job.drv.Name}
	if !job.learn {
		failure.Drv = job.key
	}
	fail := func(err error) error { failure.Err = err; return failure }

	s := &scratch{run: run, job: job}
	var err error
	if s.inputs, err = run.inputs(ctx, job.drv); err != nil {
		return fail(err)
	}
	dir, release, err := run.r.Store.TempDir("build-*")
	if err != nil {
		return fail(err)
	}
	defer release()
	s.dir = dir
	log, err := run.openLog(job)
	if err != nil {
		return fail(err)
	}
	err = s.execute(ctx, log)
	unwritten := log.Close()
	if err == nil {
		err = settle(s)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	failure.Log = log.file.Name()
	failure.Tail = log.tail()
	if unwritten != nil {
		err = fmt.Errorf("%w; %w", err, unwritten)
	}
	if run.r.KeepFailed {
		if failure.Kept, failure.Err = s.keep(); failure.Err != nil {
			err = errors.Join(err, failure.Err)
		}
	}
	return fail(err)
}

// inputs returns the closure of what d may see, sorted.
func (run *Run) inputs(ctx context.Context, d *drv.Derivation) ([]storepath.Path, error) {
	paths := slices.Clone(d.InputSrcs)
	for p, ids := range d.InputDrvs {
		run.mu.Lock()
		job := run.byDrv[p]
		run.mu.Unlock()
		for _, id := range ids {
			out, ok := job.drv.Outputs[id]
			if !ok {
				return nil, fmt.Errorf("input derivation %q has no output %q", p, id)
			}
			paths = append(paths, out.Path)
		}
	}
	closure, err := run.known.of(ctx, paths)
	if err != nil {
		return nil, fmt.Errorf("inputs: %w", err)
	}
	return closure, nil
}

// execute runs the builder.
func (s *scratch) execute(ctx context.Context, log io.Writer) error {
	d := s.job.drv
	for _, name := range []string{"store", "build"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o755); err != nil {
			return err
		}
	}
	binds := []sandbox.Bind{
		{Source: filepath.Join(s.dir, "store"), Target: storepath.Dir, Writable: true},
		{Source: filepath.Join(s.dir, "build"), Target: buildDir, Writable: true},
	}
	for _, p := range s.inputs {
		real := s.run.r.Store.Real(p)
		info, err := os.Lstat(real)
		if err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink { // nothing can be mounted on a link
			target, err := os.Readlink(real)
			if err == nil {
				err = os.Symlink(target, s.output(p))
			}
			if err != nil {
				return err
			}
			continue
		}
		binds = append(binds, sandbox.Bind{Source: real, Target: string(p)})
	}
	err := sandbox.Run(ctx, sandbox.Spec{
		Binds: binds, Tmpfs: []string{"/tmp"}, Program: d.Builder, Argv: argv(d), Env: environment(d, runtime.NumCPU()),
		Dir: buildDir, Stdout: log, Stderr: log, InProcess: s.run.r.Self != "" && d.Builder == string(s.run.r.Self),
	})
	var exit *sandbox.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("the builder %w", exit)
	}
	return err
}

// inspect brings an output into canonical form and describes it.
func (s *scratch) inspect(ctx context.Context, p storepath.Path) (store.Info, error) {
	info := store.Info{Path: p, Ultimate: true}
	made := s.output(p)
	if _, err := os.Lstat(made); errors.Is(err, fs.ErrNotExist) {
		return info, fmt.Errorf("the builder ended well but did not make its output %q", p)
	} else if err != nil {
		return info, err
	}
	if err := store.Canonicalise(made); err != nil {
		return info, err
	}
	candidates := slices.Concat(s.inputs, s.job.drv.OutputPaths())
	slices.Sort(candidates)
	var err error
	info.NarHash, info.NarSize, info.Refs, err = nar.HashAndScan(ctx, made, slices.Compact(candidates))
	return info, err
}

// checkFixed compares a fixed output with what its derivation says and
// returns its content address, "" for an output that is not fixed.
func (s *scratch) checkFixed(out drv.Output, info store.Info) (string, error) {
	if !out.Fixed() {
		return "", nil
	}
	if len(info.Refs) > 0 {
		return "", fmt.Errorf("a fixed output may refer to nothing in the store, this one refers to %q", info.Refs)
	}
	got := info.NarHash
	if !out.Recursive() {
		var err error
		if got, err = hashFile(s.output(info.Path)); err != nil {
			return "", err
		}
	}
	if hex.EncodeToString(got[:]) != out.Hash {
		mismatch := &HashMismatch{Name: s.job.drv.Name, Recursive: out.Recursive(), Got: got}
		hex.Decode(mismatch.Want[:], []byte(out.Hash))
		return "", mismatch
	}
	return store.CAFixed(out.Recursive(), got), nil
}

// hashFile hashes a flat output: one regular file that is not executable.
func hashFile(name string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return sum, err
	} else if !info.Mode().IsRegular() || info.Mode()&0o111 != 0 {
		return sum, fmt.Errorf("output %q has a flat hash, so it must be a plain file that is not executable; it is %s", filepath.Base(name), info.Mode())
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// keep moves the working directory where nothing sweeps it.
func (s *scratch) keep() (string, error) {
	parent := s.run.r.Store.StateDir("failed")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, s.job.drv.Name+"-")
	if err != nil {
		return "", err
	}
	return dir, os.Rename(filepath.Join(s.dir, "build"), filepath.Join(dir, "build"))
}
