// Package realise builds derivations: by dependency, in parallel, each in a
// sandbox that holds its inputs and nothing else.
//
// # Words
//
// A job is one derivation on its way to valid outputs. A run is the set of
// jobs of one caller; jobs may be added while others are being built, so that
// downloads, unpacking and later stages overlap. A promise is an input that
// is no derivation's output and that somebody is still fetching.
//
// # One job
//
//	wait for inputs ─▶ lock outputs ─▶ valid? ─▶ sandbox ─▶ canonical, hash, scan ─▶ place ─▶ register
//
// A build's paths are baked into what it makes, so it has to see its output
// under the final name, and yet that name must not exist in the store before
// the output is whole. The sandbox gets a private /nix/store: an empty
// directory below the store's TempDir in which the closure of the inputs is
// bound read-only. What the build makes there is moved to the store when it
// has ended well. A private /build is its working directory.
//
// # Invariants
//
//   - No output appears at its place in the store before the build has
//     succeeded and the output is canonical; it is registered right after.
//   - A derivation is built once: by one job of a run, and by one process of
//     the machine, through the store's locks. Who waited finds it valid.
//   - The environment is exactly Nix's, and no build has the network, so a
//     derivation that builds here builds in Nix. A fixed output is fetched by
//     the program itself and added to the store; nothing here fetches.
//   - Whatever ends the run, TempDirs are gone: at once when the run can still
//     do it, else at the next store.Open. A build dies with the process.
//   - Logs stay, at Nix's place: nix/var/log/nix/drvs/<2>/<rest of the name>.
//
// Left out: builtin: builders, passAsFile, structured attributes, impure and
// content-addressed derivations, building for another platform.
package realise

import (
	"context"
	"errors"

	"reprise/internal/progress"
	"reprise/store"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// A Realiser holds how derivations are built. It may be copied and used from
// several goroutines; its fields do not change while it is used.
type Realiser struct {
	Store      *store.Store
	Jobs       int                         // builds at once; 0 for one per processor
	Sink       progress.Sink               // nil for none
	LogDir     string                      // "" for Nix's place in the store
	KeepFailed bool                        // leave the working directory of a failed build, and say where
	KeepGoing  bool                        // build what can still be built after a failure
	Self       storepath.Path              // the running program as AddSelf added it; such builders need no exec
	Weight     func(*drv.Derivation) int64 // expected cost of a build in any one unit; nil for 1 each
}

// AddSelf adds the running program to the store and returns its path: the
// builder of derivations that the program itself carries out. The bytes come
// from the executable that runs, even when its file has been replaced.
func AddSelf(ctx context.Context, s *store.Store, name string) (storepath.Path, error) {
	return s.AddFile(ctx, name, "/proc/self/exe")
}

// Realise makes the outputs of the derivations valid. They and the .drv files
// of all their inputs are in the store already. After a first failure the
// builds under way are ended, unless KeepGoing is set. Its errors are
// *BuildError, *HashMismatch, several joined, or what ended ctx.
func (r *Realiser) Realise(ctx context.Context, drvs ...storepath.Path) error {
	run := r.Start(ctx)
	defer run.Close()
	if _, err := run.AddPaths(drvs...); err != nil {
		return errors.Join(err, run.Wait())
	}
	return run.Wait()
}

// Learn builds d, whose only output "out" is recursive SHA-256 with no hash
// yet, and returns it with the hash and the output's path filled in, added to
// the store and valid. What was learnt is remembered in the store, so asking
// again for the same build is quick.
func (r *Realiser) Learn(ctx context.Context, d *drv.Derivation) (*drv.Derivation, error) {
	run := r.Start(ctx)
	defer run.Close()
	job, err := run.Learn(d)
	if err != nil {
		return nil, err
	}
	if err := job.Wait(ctx); err != nil {
		return nil, err
	}
	return job.Derivation(), run.Wait()
}
