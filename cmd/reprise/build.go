package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"reprise/internal/atomicfile"
	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/effect"
	"reprise/internal/lock"
	"reprise/internal/recipe"
	"reprise/profiles"
	"reprise/store/drv"
	"reprise/store/realise"
	"reprise/store/storepath"
)

type buildFlags struct {
	out       string
	authorize []string
	lock      string
	frozen    bool
	dryRun    bool
	keep      bool
}

func (a *app) buildCommand() *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "build PROFILE|FILE",
		Short: "turn a configuration into a disk image or an installation medium",
		Long: `Build the image of a configuration: a profile that reprise brings (live-rig) or a
Jsonnet file. What the configuration asks for is fetched from a Debian mirror,
checked against Debian's signature and the lock, unpacked into the store,
composed, and written to a disk image that boots under UEFI and BIOS.

With -o NAME.iso it becomes an installation medium, for a CD or a stick: it
installs the machine without a network, starts it without installing, and
carries the profiles of image.iso.systems besides.

The lock is reprise.lock beside the file; for a profile it is beside the image.
A first build writes it, later builds use it: see reprise lock and reprise update.
The image appears whole or not at all. Nothing is done when nothing has changed.`,
		Example: "  reprise build live-rig --authorize ~/.ssh/id_ed25519.pub -o live-rig.img\n  reprise build studio.jsonnet -o studio.iso",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.build(cmd.Context(), args[0], f)
		},
		ValidArgsFunction: completeProfiles,
	}
	c.Flags().StringVarP(&f.out, "output", "o", "", "image `file` to write, NAME.iso for an installation medium (default NAME.img)")
	c.Flags().StringArrayVar(&f.authorize, "authorize", nil, "let in the owner of this public ssh key: a `file`, the key itself, or auto: your own, else one made beside the image")
	c.Flags().StringVar(&f.lock, "lock", "", "lock `file` to use")
	c.Flags().BoolVar(&f.frozen, "locked", false, "refuse to build when the lock does not serve the configuration")
	c.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "say what would be fetched and built; fetch package lists, write no lock and no image")
	c.Flags().BoolVar(&f.keep, "keep-failed", false, "leave the working directory of a failed build and say where")
	return c
}

func completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return profiles.Names(), cobra.ShellCompDirectiveDefault
}

func (a *app) build(ctx context.Context, profile string, f buildFlags) error {
	if isMedium(f.out) {
		return a.buildMedium(ctx, profile, f)
	}
	if f.out == "" {
		f.out = strings.TrimSuffix(filepath.Base(profile), filepath.Ext(profile)) + ".img"
	}
	if err := writable(f.out, "-o"); err != nil {
		return err
	}
	image, err := filepath.Abs(f.out) // sandboxes know no working directory
	if err != nil {
		return err
	}
	cfg, err := config.Evaluate(ctx, profile, config.EvalOptions{})
	if err != nil {
		return err
	}
	keepKey, err := a.authorize(cfg, f.authorize, f.out)
	if err != nil {
		return err
	}
	if len(cfg.WaysIn()) == 0 {
		return noWayIn(cfg, profile)
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.store.Close()
	s.realiser.KeepFailed = f.keep
	lockFile := lockPath(profile, f.lock, f.out)
	if same, err := filepath.Abs(lockFile); err == nil && same == image {
		return &usageError{diag.Problem{Field: "--output", Got: fmt.Sprintf("%q is the name of the lock", f.out), Want: "another name than the lock's", Do: "write -o NAME.img"}}
	}
	d, err := s.made(ctx, making{cfg: cfg, profile: profile, lockFile: lockFile, sets: recipe.Sets(cfg), unpack: diskSets, keepKey: keepKey}, f)
	if err != nil || f.dryRun {
		return err
	}
	release, err := own(image)
	if err != nil {
		return err
	}
	defer release()
	if err := d.root(ctx, image); err != nil {
		return err
	}
	if d.upToDate(d.seed(), image) {
		return a.result(d, f.out, "unchanged")
	}
	if err := d.write(ctx, image); err != nil {
		return err
	}
	if err := d.remember(d.seed(), image); err != nil {
		return err
	}
	return a.result(d, f.out, "written")
}

// A making is what it takes to make a machine's system.
type making struct {
	cfg      *config.Config
	profile  string // for messages
	lockFile string
	sets     []lock.Set      // that the lock has to answer
	unpack   []string        // of these
	more     moreDerivations // may be nil
	keepKey  func() error    // keeps the key that was made to log in with
}

// made makes a system valid in the store, by its lock, which is written as soon
// as it is known: what was chosen is kept even when the build fails later. With
// --dry-run it only tells. Its first result is not nil once packages were
// unpacked, whatever failed later.
func (s *session) made(ctx context.Context, m making, f buildFlags) (*diskImage, error) {
	l, changed, err := s.lockFor(ctx, m.cfg, m.sets, m.lockFile, f.frozen)
	if err != nil {
		return nil, err
	}
	if f.dryRun {
		return nil, s.tellPlan(ctx, m.cfg, l)
	}
	if changed {
		if err := writable(m.lockFile, "--lock"); err != nil {
			return nil, err
		}
		if err := writeLock(m.lockFile, l); err != nil {
			return nil, err
		}
	}
	if err := m.keepKey(); err != nil {
		return nil, err
	}
	before := l.Encode()
	d, err := s.realiseSystem(ctx, m.cfg, l, m.lockFile, m.unpack, m.more)
	if d != nil && !bytes.Equal(d.lock.Encode(), before) {
		// The hashes of what was unpacked for the first time.
		if err := writeLock(m.lockFile, d.lock); err != nil {
			return d, err
		}
	}
	return d, explainGone(err, m.profile, m.lockFile)
}

// noWayIn says what is missing for a log-in.
func noWayIn(cfg *config.Config, profile string) error {
	p := diag.Problem{File: profile, Got: "leaves no way in: no user has an ssh key, and no password is ever set",
		Want: "at least one way to log in",
		Do:   "pass --authorize ~/.ssh/id_ed25519.pub, or write users.users.<name>.openssh.authorizedKeys.keys"}
	if !cfg.Services.OpenSSH.Enable {
		p.Got = "leaves no way in: services.openssh.enable is false, and no password is ever set"
		p.Do = "write services.openssh.enable: true and pass --authorize ~/.ssh/id_ed25519.pub, or set services.getty.autologinUser"
	}
	return p
}

// writable says early that a file cannot be written where flag puts it.
func writable(out, flag string) error {
	failed := func(got, want, do string) error {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: out, Got: got, Want: want, Do: do}}
	}
	if info, err := os.Stat(out); err == nil && !info.Mode().IsRegular() {
		return failed("is not a regular file", "a file to write", "choose another place with "+flag+"; to fill a device, copy the image to it")
	}
	dir := filepath.Dir(out)
	probe, err := os.CreateTemp(dir, atomicfile.TempPrefix+"probe-*")
	if errors.Is(err, fs.ErrNotExist) {
		return failed(fmt.Sprintf("cannot be written: the directory %q is not there", dir), "a directory that you may write to", "make it, or choose another place with "+flag)
	}
	if err != nil {
		return failed(fmt.Sprintf("cannot be written: directory %q: %s", dir, reason(err)), "a directory that you may write to", "choose another place with "+flag)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// lockFor returns a lock that answers sets for cfg, reading the archive only
// when the one at path does not.
func (s *session) lockFor(ctx context.Context, cfg *config.Config, sets []lock.Set, path string, frozen bool) (l *lock.Lock, changed bool, err error) {
	old, err := readLock(path)
	if err != nil {
		return nil, false, err
	}
	if serves(old, sets) {
		return old, false, nil
	}
	if frozen {
		return nil, false, diag.Problem{File: path, Got: "does not serve the configuration", Want: "the same packages as the configuration asks for", Do: "build without --locked, or run reprise lock with --lock " + path}
	}
	if hasMedium(old) {
		sets = recipe.MediumSets(cfg) // what another build wants of the same lock
	}
	l, err = s.resolved(ctx, cfg, sets, old, nil)
	return l, true, err
}

// diskSets are the sets of packages that a disk image is made of.
var diskSets = []string{recipe.SystemSet, recipe.BootSet, recipe.DiskSet}

// hasMedium says whether a lock was made for an installation medium, too.
func hasMedium(l *lock.Lock) bool {
	if l == nil {
		return false
	}
	_, ok := l.Set(recipe.MediumSet)
	return ok
}

// moreDerivations are those that a build wants beside a machine's system.
type moreDerivations func(*diskImage, *recipe.Graph) ([]*drv.Derivation, error)

// realiseSystem makes everything of the machine valid in the store: its system,
// the packages of sets, and what more returns, which may be nil. Its first
// result is not nil once packages were unpacked: its lock knows their hashes,
// whatever failed later.
func (s *session) realiseSystem(ctx context.Context, cfg *config.Config, l *lock.Lock, lockFile string, sets []string, more moreDerivations) (*diskImage, error) {
	s.realiser.Weight = weight(l)
	run := s.realiser.Start(ctx)
	defer run.Close()
	effects := allEffects()
	paths, err := s.unpacked(ctx, cfg, l, run, s.moduleIndex(cfg, l, run, effects), sets...)
	d := &diskImage{session: s, cfg: cfg, lock: l, paths: paths}
	if err != nil {
		return d, err
	}
	contents, err := s.contents(l, recipe.SystemSet, paths, nil)
	if err != nil {
		return d, err
	}
	if err := d.complete(lockFile, contents, sets); err != nil {
		return d, err
	}
	graph, err := recipe.System(cfg, contents, effects, s.self)
	if err != nil {
		return d, err
	}
	d.system = graph.SystemPath()
	wanted := []storepath.Path{d.system}
	var further []*drv.Derivation
	if more != nil {
		if further, err = more(d, graph); err != nil {
			return d, err
		}
	}
	for _, f := range further {
		wanted = append(wanted, f.Outputs["out"].Path)
	}
	if err := s.store.TempRoot(ctx, wanted...); err != nil {
		return d, err
	}
	valid, err := s.store.Valid(ctx, wanted...)
	if err != nil || !slices.ContainsFunc(wanted, func(p storepath.Path) bool { return !valid[p] }) {
		return d, err
	}
	if _, err := run.Add(append(graph.Derivations, further...)...); err != nil {
		return d, err
	}
	return d, run.Wait()
}

// weight estimates what a derivation costs, so that the longest chain starts
// first: a package by the bytes to unpack, and the index of the kernel's
// modules as more than any, because the initrd waits for it. What the index
// needs comes before all other packages, however small.
func weight(l *lock.Lock) func(*drv.Derivation) int64 {
	const index, early = 1 << 50, 1 << 40
	sizes := map[string]int64{recipe.ModuleIndex: index}
	needed := indexNeeds(l)
	for _, p := range l.Packages {
		size := p.Size
		if needed[p.Name] {
			size += early
		}
		sizes[storepath.NameVersion(p.Name, p.Version)] = size
	}
	return func(d *drv.Derivation) int64 { return max(1, sizes[d.Name]) }
}

// indexNeeds names the packages without which the index of the kernel's
// modules cannot be built.
func indexNeeds(l *lock.Lock) map[string]bool {
	needed := map[string]bool{}
	for _, p := range l.In(recipe.SystemSet) {
		if strings.HasPrefix(p.Name, "linux-image-") {
			needed[p.Name] = true
		}
	}
	for _, name := range depmodClosure {
		needed[name] = true
	}
	return needed
}

// moduleIndex starts the index of the kernel's modules, the longest build of
// all, as soon as the kernel and depmod are unpacked.
func (s *session) moduleIndex(cfg *config.Config, l *lock.Lock, run *realise.Run, effects []*effect.Effect) *earlyBuild {
	needed := indexNeeds(l)
	return &earlyBuild{
		needs: func(name string) bool { return needed[name] },
		start: func(paths map[string]storepath.Path) error {
			c, err := s.contents(l, recipe.SystemSet, paths, func(name string) bool { return needed[name] && paths[name] != "" })
			if err != nil {
				return err
			}
			for _, e := range effects {
				if e.Name != recipe.ModuleIndex {
					continue
				}
				d, err := recipe.Effect(&drv.Hasher{}, e, cfg, c, s.self)
				if err != nil || d == nil {
					return err
				}
				_, err = run.Add(d)
				return err
			}
			return nil
		},
	}
}

// depmodClosure is what depmod needs to run. Should Debian's dependencies
// change, the early start is in vain, and the index is built with the rest.
var depmodClosure = []string{"kmod", "libkmod2", "libc6", "libgcc-s1", "gcc-14-base", "liblzma5", "libssl3t64", "libzstd1", "openssl-provider-legacy", "zlib1g"}

// explainGone says what to do about packages that left the mirror.
func explainGone(err error, profile, lockFile string) error {
	if isGone(err) {
		return fmt.Errorf("%w\n  do:   run reprise update %s --lock %s, or name a snapshot service in archive.snapshots", err, profile, lockFile)
	}
	return err
}

// result tells what was made.
func (a *app) result(d *diskImage, out, state string) error {
	a.endProgress()
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	held := allocated(info)
	if a.json {
		return a.emit("result", fields{"image": out, "state": state, "bytes": info.Size(), "allocated": held, "system": d.system})
	}
	fmt.Fprintf(a.stdout, "%s: %s, %s on disk of %s (%d bytes)\n  system %s\n  ways in: %s\n  try it:  reprise run %s\n",
		out, state, humanize.IBytes(uint64(held)), humanize.IBytes(uint64(info.Size())), info.Size(), d.system, strings.Join(d.cfg.WaysIn(), "; "), out)
	return nil
}
