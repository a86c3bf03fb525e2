package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reprise/internal/archive"
	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/effect"
	"reprise/internal/layer"
	"reprise/internal/lock"
	"reprise/internal/recipe"
	"reprise/store/drv"
	"reprise/store/realise"
	"reprise/store/storepath"
)

// unpacked makes every package of the named sets valid in the store and
// returns their paths by name. NAR hashes that l does not have are learnt and
// filled in. early, when not nil, is called as soon as the packages it names
// are there, so that long builds start while the rest still unpacks. The archive
// that cfg names (nil for none) is asked for only when something is missing: a
// machine that has everything needs no mirror.
func (s *session) unpacked(ctx context.Context, cfg *config.Config, l *lock.Lock, run *realise.Run, early *earlyBuild, sets ...string) (map[string]storepath.Path, error) {
	u := &unpacking{session: s, lock: l, run: run, paths: map[string]storepath.Path{}}
	var wanted []int
	for i, p := range l.Packages {
		if slices.ContainsFunc(p.Sets, func(set string) bool { return slices.Contains(sets, set) }) {
			wanted = append(wanted, i)
		}
	}
	missing, err := u.missing(ctx, wanted)
	if err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		return u.paths, nil
	}
	if err := u.notHere(ctx, missing); err != nil {
		return u.paths, err
	}
	client, err := s.client(cfg)
	if err != nil {
		return u.paths, err
	}
	if err := u.bring(ctx, client, missing, early); err != nil {
		return u.paths, err
	}
	return u.paths, nil
}

// An earlyBuild is work that needs only some packages.
type earlyBuild struct {
	needs func(name string) bool
	start func(paths map[string]storepath.Path) error
}

type unpacking struct {
	*session
	lock  *lock.Lock
	run   *realise.Run
	paths map[string]storepath.Path
}

// missing fills paths with the packages that are valid already and returns the
// indices of the others.
func (u *unpacking) missing(ctx context.Context, wanted []int) ([]int, error) {
	var known []storepath.Path
	at := map[int]storepath.Path{}
	for _, i := range wanted {
		path, ok, err := recipe.PackagePath(u.lock.Packages[i])
		if err != nil {
			return nil, err
		}
		if ok {
			at[i] = path
			known = append(known, path)
		}
	}
	if err := u.store.TempRoot(ctx, known...); err != nil {
		return nil, err
	}
	valid, err := u.store.Valid(ctx, known...)
	if err != nil {
		return nil, err
	}
	var missing []int
	for _, i := range wanted {
		if path, ok := at[i]; ok && valid[path] {
			u.paths[u.lock.Packages[i].Name] = path
		} else {
			missing = append(missing, i)
		}
	}
	return missing, nil
}

// notHere says offline which packages would have to be downloaded, all at once.
func (u *unpacking) notHere(ctx context.Context, missing []int) error {
	if !u.offline {
		return nil
	}
	debs := make([]storepath.Path, len(missing))
	for n, i := range missing {
		var err error
		if debs[n], err = recipe.DebPath(u.lock.Packages[i]); err != nil {
			return err
		}
	}
	have, err := u.store.Valid(ctx, debs...)
	if err != nil {
		return err
	}
	var names []string
	for n, i := range missing {
		if p := u.lock.Packages[i]; !have[debs[n]] {
			names = append(names, p.Name+" "+p.Version)
		}
	}
	if len(names) == 0 {
		return nil
	}
	const most = 20
	text := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Field: "offline", Got: fmt.Sprintf("lacks %d of %d packages: %s", len(names), len(u.lock.Packages), text),
		Want: "every package in the store " + u.store.Root(), Do: "build once without --offline, with a network"}}
}

// bring downloads and unpacks the packages with the given indices, those that
// an early build needs first.
func (u *unpacking) bring(ctx context.Context, client *archive.Client, missing []int, early *earlyBuild) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	isEarly := func(i int) bool { return early != nil && early.needs(u.lock.Packages[i].Name) }
	slices.SortStableFunc(missing, func(a, b int) int {
		switch ea, eb := isEarly(a), isEarly(b); {
		case ea == eb:
			return 0
		case ea:
			return -1
		}
		return 1
	})

	kept := map[string]func(error){}
	var debs []storepath.Path
	for _, i := range missing {
		deb, err := recipe.DebPath(u.lock.Packages[i])
		if err != nil {
			return err
		}
		debs = append(debs, deb)
		kept[u.lock.Packages[i].Name] = u.run.Promise(deb)
	}
	if err := u.store.TempRoot(ctx, debs...); err != nil {
		return err
	}
	have, err := u.store.Valid(ctx, debs...)
	if err != nil {
		return err
	}
	var files []archive.File
	names := map[string]lock.Package{}
	for n, i := range missing {
		p := u.lock.Packages[i]
		if have[debs[n]] {
			kept[p.Name](nil)
			delete(kept, p.Name)
			continue
		}
		names[p.Path] = p
		files = append(files, archive.File{PoolPath: p.Path, Suite: p.Suite, Size: p.Size, SHA256: p.SHA256})
	}

	fetched := make(chan error, 1)
	go func() {
		var err error
		if len(files) > 0 {
			err = client.Fetch(ctx, files, func(f archive.File, tmp string) error {
				p := names[f.PoolPath]
				// Under a name of our own: once the file is in the store, another
				// build may begin the same download under the old one.
				own := fmt.Sprintf("%s.%d", tmp, os.Getpid())
				err := os.Rename(tmp, own)
				if err == nil {
					_, err = u.store.AddFlat(ctx, storepath.NameVersion(p.Name, p.Version)+".deb", p.Digest(), own)
				}
				if err != nil {
					os.Remove(own)
				}
				kept[p.Name](err)
				delete(kept, p.Name)
				return err
			})
		}
		for name, tell := range kept { // nobody must wait for what will not come
			if err == nil {
				err = fmt.Errorf("package %q did not arrive", name)
			}
			tell(err)
		}
		if err != nil {
			cancel(err)
		}
		fetched <- err
	}()
	err = u.unpackAll(ctx, missing, isEarly, early)
	fetchErr := <-fetched
	if fetchErr != nil && !errors.Is(fetchErr, context.Canceled) {
		return fetchErr
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(err, realise.ErrStopped):
		return u.run.Wait() // what stopped it, not that it was stopped
	case errors.Is(err, context.Canceled) && cause != nil:
		return cause
	case err != nil:
		return err
	}
	return fetchErr
}

func (u *unpacking) unpackAll(ctx context.Context, missing []int, isEarly func(int) bool, early *earlyBuild) error {
	jobs := make([]*realise.Job, len(missing))
	for n, i := range missing {
		var err error
		if jobs[n], err = u.unpack(u.lock.Packages[i]); err != nil {
			return err
		}
	}
	if early != nil {
		for n, i := range missing {
			if isEarly(i) {
				if err := u.settle(ctx, i, jobs[n]); err != nil {
					return err
				}
			}
		}
		if err := early.start(u.paths); err != nil {
			return err
		}
	}
	for n, i := range missing {
		if !isEarly(i) {
			if err := u.settle(ctx, i, jobs[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// unpack starts one unpacking. A package whose NAR hash is known is an
// ordinary fixed output.
func (u *unpacking) unpack(p lock.Package) (*realise.Job, error) {
	d, err := recipe.Unpack(p, u.self)
	if err != nil {
		return nil, err
	}
	if p.NarHash == "" {
		return u.run.Learn(d)
	}
	if err := new(drv.Hasher).Fill(d); err != nil {
		return nil, err
	}
	jobs, err := u.run.Add(d)
	if err != nil {
		return nil, err
	}
	return jobs[0], nil
}

// settle waits for a package and notes its path and hash.
func (u *unpacking) settle(ctx context.Context, i int, job *realise.Job) error {
	if err := job.Wait(ctx); err != nil {
		return err
	}
	p := &u.lock.Packages[i]
	out := job.Derivation().Outputs["out"]
	u.paths[p.Name] = out.Path
	if p.NarHash == "" {
		info, err := u.store.Info(ctx, out.Path)
		if err != nil {
			return err
		}
		p.NarHash = lock.FormatNarHash(info.NarHash)
	}
	return nil
}

// contents reads what the packages of a set hold.
func (s *session) contents(l *lock.Lock, set string, paths map[string]storepath.Path, only func(string) bool) (*effect.Contents, error) {
	var packages []effect.Content
	for _, p := range l.In(set) {
		if only != nil && !only(p.Name) {
			continue
		}
		c, err := s.content(p, paths[p.Name])
		if err != nil {
			return nil, err
		}
		packages = append(packages, c)
	}
	return effect.NewContents(packages), nil
}

func (s *session) content(p lock.Package, path storepath.Path) (effect.Content, error) {
	c := effect.Content{Name: p.Name, Version: p.Version, Path: path, Control: map[string][]byte{}}
	meta := filepath.Join(s.store.Real(path), layer.Meta)
	entries, err := os.ReadDir(meta)
	if err != nil {
		return c, fmt.Errorf("package %q: %w", p.Name, err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(meta, e.Name()))
		if err != nil {
			return c, fmt.Errorf("package %q: %w", p.Name, err)
		}
		if e.Name() != filepath.Base(layer.ManifestPath) {
			c.Control[e.Name()] = data
			continue
		}
		if c.Manifest, err = layer.Parse(data); err != nil {
			return c, fmt.Errorf("package %q: %w", p.Name, err)
		}
	}
	return c, nil
}

// client returns the archive as the flags, the configuration (nil for none)
// and this machine name it, in that order.
func (s *session) client(cfg *config.Config) (*archive.Client, error) {
	c := &archive.Client{Arch: architecture, Dir: s.store.StateDir("archive"), Sink: s.sink, Offline: s.offline}
	named := s.mirrors
	if env := os.Getenv("REPRISE_MIRROR"); len(named) == 0 && env != "" {
		named = strings.Fields(env)
	}
	if len(named) == 0 && cfg != nil && cfg.Archive.Mirror != "" {
		named = []string{cfg.Archive.Mirror}
		if cfg.Archive.SecurityMirror != "" {
			named = append(named, "trixie-security="+cfg.Archive.SecurityMirror)
		}
	}
	var err error
	if len(named) > 0 {
		c.Sources, err = archive.MirrorSources(named...)
	} else {
		c.Sources, err = archive.HostSources(os.DirFS("/"))
		if s.offline {
			err = nil // a machine without sources has its store; what lacks is told by name
		}
	}
	if err != nil || cfg == nil {
		return c, err
	}
	c.Snapshots = slices.Concat(cfg.Archive.Sources, cfg.Archive.Snapshots)
	c.Sources = slices.DeleteFunc(c.Sources, func(source archive.Source) bool {
		return len(cfg.Archive.Suites) > 0 && !slices.Contains(cfg.Archive.Suites, source.Suite)
	})
	if len(cfg.Archive.Components) > 0 {
		for i := range c.Sources {
			c.Sources[i].Components = cfg.Archive.Components
		}
	}
	return c, nil
}
