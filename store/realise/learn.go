package realise

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"reprise/internal/atomicfile"
	"reprise/store"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// learnt is the StateDir in which the hashes of learnt outputs are kept: one
// file each, named like the placeholder, with the NAR hash in hex.
const learnt = "learnt"

// placeholder is what an output is built as while its own path is not known:
// the path that it would have as an ordinary output, which depends on all of
// the derivation.
type placeholder struct {
	drv  *drv.Derivation
	path storepath.Path
}

func (run *Run) placeholder(d *drv.Derivation) (placeholder, error) {
	p := d.Clone()
	p.Outputs = map[string]drv.Output{"out": {}}
	if p.Env == nil {
		p.Env = map[string]string{}
	}
	p.Env["out"] = ""
	if err := run.hasher.Fill(p); err != nil {
		return placeholder{}, fmt.Errorf("derivation %q: %w", d.Name, err)
	}
	return placeholder{p, p.Outputs["out"].Path}, nil
}

// learn builds a job's output, takes its hash for the derivation's, and makes
// it valid under the path that follows. On success job.drv is the complete
// derivation.
func (run *Run) learn(ctx context.Context, job *Job) error {
	fail := func(err error) error { return fmt.Errorf("build %s: %w", job.drv.Name, err) }
	if err := run.r.Store.TempRoot(ctx, job.key); err != nil {
		return fail(err)
	}
	unlock, err := run.lock(ctx, []storepath.Path{job.key})
	if err != nil {
		return fail(err)
	}
	defer unlock()
	memory := filepath.Join(run.r.Store.StateDir(learnt), job.key.Base())
	if sum, err := os.ReadFile(memory); err == nil {
		known, err := run.fixed(job.drv, string(bytes.TrimSpace(sum)))
		if err == nil {
			valid, err := run.admit(ctx, known)
			if err != nil {
				return fail(err)
			}
			if valid {
				job.drv = known
				return nil
			}
		}
	}
	return run.inScratch(ctx, job, func(s *scratch) error {
		info, err := s.inspect(ctx, job.key)
		if err != nil {
			return err
		}
		if len(info.Refs) > 0 {
			return fmt.Errorf("a fixed output may refer to nothing in the store, this one refers to %q", info.Refs)
		}
		known, err := run.fixed(job.drv, hex.EncodeToString(info.NarHash[:]))
		if err != nil {
			return err
		}
		out := known.Outputs["out"].Path
		unlock, err := run.lock(ctx, []storepath.Path{out})
		if err != nil {
			return err
		}
		defer unlock()
		valid, err := run.admit(ctx, known)
		if err != nil {
			return err
		}
		if !valid {
			if info.Deriver, err = known.Path(); err != nil {
				return err
			}
			if err := run.r.Store.Place(ctx, s.output(job.key), out); err != nil {
				return err
			}
			info.Path, info.CA = out, store.CAFixed(true, info.NarHash)
			if err := run.enterBooks(ctx, job, []store.Info{info}); err != nil {
				return err
			}
		}
		job.drv = known
		return remember(memory, info.NarHash)
	})
}

// fixed returns d with its only output fixed to the NAR hash sum, in hex.
func (run *Run) fixed(d *drv.Derivation, sum string) (*drv.Derivation, error) {
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("%.80q is no SHA-256", sum)
	}
	known := d.Clone()
	known.Outputs = map[string]drv.Output{"out": {HashAlgo: "r:sha256", Hash: sum}}
	known.Env["out"] = ""
	for name, value := range map[string]string{"outputHash": sum, "outputHashAlgo": "sha256", "outputHashMode": "recursive"} {
		if _, there := known.Env[name]; there {
			known.Env[name] = value
		}
	}
	return known, run.hasher.Fill(known)
}

// admit writes the derivation to the store and says whether its output is
// valid already.
func (run *Run) admit(ctx context.Context, d *drv.Derivation) (valid bool, err error) {
	path, err := run.r.Store.AddDerivation(ctx, d)
	if err != nil {
		return false, err
	}
	outputs := d.OutputPaths()
	if err := run.r.Store.TempRoot(ctx, append(outputs, path)...); err != nil {
		return false, err
	}
	there, err := run.r.Store.Valid(ctx, outputs...)
	return err == nil && !slices.ContainsFunc(outputs, func(p storepath.Path) bool { return !there[p] }), err
}

func remember(file string, sum [32]byte) error {
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	return errors.Join(err, atomicfile.WriteBytes(file, 0o644, []byte(hex.EncodeToString(sum[:])+"\n")))
}
