// Package generation keeps the generations of a profile in Nix's layout, so
// that nix-env lists, sets and rolls back the same ones:
//
//	nix/var/nix/profiles/system          -> system-2-link     the current generation
//	nix/var/nix/profiles/system-1-link   -> /nix/store/…-system-rig
//	nix/var/nix/profiles/system-2-link   -> /nix/store/…-system-rig
//
// Generation links are garbage collection roots. Every change is one rename,
// durable when the call returns: a link is there before the profile names it,
// and stays until it is named no more.
//
// Source: Nix 2.26, libstore/profiles.cc.
package generation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/internal/atomicfile"
	"reprise/store"
	"reprise/store/storepath"
)

// A Generation is the Nth store path of a profile.
type Generation struct {
	Number  int // from 1
	Path    storepath.Path
	Link    string    // the file that is the root
	Created time.Time // when the link was made
	Current bool
}

// A Profile is a name whose generations are kept.
type Profile struct {
	store *store.Store
	name  string
}

// Of returns the profile with this name ("system") of the store. It need not
// have generations yet.
func Of(s *store.Store, name string) (*Profile, error) {
	if err := storepath.CheckName(name); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return &Profile{s, name}, nil
}

// LinkName returns the name of the link of generation n: "system-2-link".
func LinkName(profile string, n int) string { return fmt.Sprintf("%s-%d-link", profile, n) }

// A Link is a symbolic link in the directory of profiles.
type Link struct{ Name, Target string }

// First returns what Set makes of a profile without generations: the link of
// generation 1, and the profile. It is for a store that is written as a whole,
// such as the one of a disk image.
func First(profile string, path storepath.Path) []Link {
	link := LinkName(profile, 1)
	return []Link{{link, string(path)}, {profile, link}}
}

// parseLink returns the number in a name that LinkName made.
func parseLink(profile, name string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(name, profile+"-")
	if !ok {
		return 0, false
	}
	if digits, ok = strings.CutSuffix(digits, "-link"); !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0 && LinkName(profile, n) == name
}

func (p *Profile) path() string { return filepath.Join(p.store.Profiles(), p.name) }

func (p *Profile) link(n int) string {
	return filepath.Join(p.store.Profiles(), LinkName(p.name, n))
}

// List returns the generations, oldest first. A profile that has none yet is
// no error.
func (p *Profile) List() ([]Generation, error) {
	gens, err := p.list()
	if err != nil {
		return nil, fmt.Errorf("generations of %q: %w", p.name, err)
	}
	return gens, nil
}

func (p *Profile) list() ([]Generation, error) { return Read(p.store.Profiles(), p.name) }

// Read lists the generations of a profile in a directory of profiles, oldest
// first: what List does, for whoever has no right to open the store.
func Read(profiles, name string) ([]Generation, error) {
	current := 0
	target, err := os.Readlink(filepath.Join(profiles, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		current, _ = parseLink(name, filepath.Base(target))
	}
	entries, err := os.ReadDir(profiles)
	if err != nil {
		return nil, err
	}
	var gens []Generation
	for _, entry := range entries {
		n, ok := parseLink(name, entry.Name())
		if !ok || entry.Type() != fs.ModeSymlink {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		link := filepath.Join(profiles, entry.Name())
		text, err := os.Readlink(link)
		if err != nil {
			return nil, err
		}
		path, err := storepath.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("generation %d: %w", n, err)
		}
		gens = append(gens, Generation{n, path, link, info.ModTime(), n == current})
	}
	slices.SortFunc(gens, func(a, b Generation) int { return cmp.Compare(a.Number, b.Number) })
	return gens, nil
}

// Current returns the current generation. ok is false when there is none.
func (p *Profile) Current() (g Generation, ok bool, err error) {
	gens, err := p.List()
	if err != nil {
		return Generation{}, false, err
	}
	at := slices.IndexFunc(gens, func(g Generation) bool { return g.Current })
	if at < 0 {
		return Generation{}, false, nil
	}
	return gens[at], true, nil
}

// Set makes target, which must be valid, the current generation: a new one
// with the next number, or the newest one where that is target already.
func (p *Profile) Set(ctx context.Context, target storepath.Path) (g Generation, err error) {
	err = p.change(ctx, func(gens []Generation) (int, error) {
		n := 1
		if len(gens) > 0 {
			newest := gens[len(gens)-1]
			if newest.Path == target {
				return newest.Number, nil
			}
			n = newest.Number + 1
		}
		return n, store.ReplaceLink(string(target), p.link(n))
	}, &g, target)
	return g, err
}

// Rollback makes the generation before the current one current.
func (p *Profile) Rollback(ctx context.Context) (g Generation, err error) {
	err = p.change(ctx, func(gens []Generation) (int, error) {
		at := slices.IndexFunc(gens, func(g Generation) bool { return g.Current })
		switch {
		case at < 0:
			return 0, errors.New("no generation is current")
		case at == 0:
			return 0, fmt.Errorf("no generation is older than the current one, %d", gens[at].Number)
		}
		return gens[at-1].Number, nil
	}, &g)
	return g, err
}

// Switch makes generation n current.
func (p *Profile) Switch(ctx context.Context, n int) (g Generation, err error) {
	err = p.change(ctx, func(gens []Generation) (int, error) {
		if !slices.ContainsFunc(gens, func(g Generation) bool { return g.Number == n }) {
			return 0, fmt.Errorf("there is no generation %d: there are %s", n, numbers(gens))
		}
		return n, nil
	}, &g)
	return g, err
}

// Delete removes the links of these generations, so that the collector may
// take what they kept. The current one is an error, and then none is removed;
// numbers that are not there are passed over.
func (p *Profile) Delete(ctx context.Context, ns ...int) error {
	unlock, gens, err := p.locked(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, g := range gens {
		if g.Current && slices.Contains(ns, g.Number) {
			return fmt.Errorf("profile %q: generation %d is the current one and stays", p.name, g.Number)
		}
	}
	for _, g := range gens {
		if slices.Contains(ns, g.Number) {
			if err := os.Remove(g.Link); err != nil {
				return fmt.Errorf("profile %q: delete generation %d: %w", p.name, g.Number, err)
			}
		}
	}
	return atomicfile.SyncDir(p.store.Profiles())
}

// locked takes the profile's lock and lists its generations.
func (p *Profile) locked(ctx context.Context) (unlock func(), gens []Generation, err error) {
	unlock, err = store.LockFile(ctx, p.path())
	if err != nil {
		return nil, nil, fmt.Errorf("profile %q: %w", p.name, err)
	}
	if gens, err = p.List(); err != nil {
		unlock()
		return nil, nil, err
	}
	return unlock, gens, nil
}

// change lets choose pick the number that becomes current, under the
// profile's lock. The paths new must be valid, and stay so.
func (p *Profile) change(ctx context.Context, choose func([]Generation) (int, error), g *Generation, new ...storepath.Path) error {
	for _, path := range new {
		if err := p.store.Keep(ctx, path); err != nil {
			return fmt.Errorf("profile %q: %w", p.name, err)
		}
	}
	unlock, gens, err := p.locked(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	n, err := choose(gens)
	if err != nil {
		return fmt.Errorf("profile %q: %w", p.name, err)
	}
	if err := store.ReplaceLink(LinkName(p.name, n), p.path()); err != nil {
		return fmt.Errorf("profile %q: make generation %d current: %w", p.name, n, err)
	}
	if gens, err = p.List(); err != nil {
		return err
	}
	at := slices.IndexFunc(gens, func(g Generation) bool { return g.Number == n })
	if at < 0 {
		return fmt.Errorf("profile %q: generation %d went away", p.name, n)
	}
	*g = gens[at]
	return nil
}

func numbers(gens []Generation) string {
	if len(gens) == 0 {
		return "none"
	}
	var list []string
	for _, g := range gens {
		list = append(list, strconv.Itoa(g.Number))
	}
	return strings.Join(list, ", ")
}
