// Package generation keeps the generations of a profile in Nix's layout, so
// that nix-env lists, sets and rolls back the same ones:
//
//	nix/var/nix/profiles/system          -> system-2-link
//	nix/var/nix/profiles/system-1-link   -> /nix/store/…-system-rig
//	nix/var/nix/profiles/system-2-link   -> /nix/store/…-system-rig
package generation

import (
	"context"
	"errors"
	"time"

	"reprise/store"
	"reprise/store/storepath"
)

var errUnwritten = errors.New("generation: body follows")

// A Generation is the Nth store path of a profile.
type Generation struct {
	Number  int
	Path    storepath.Path
	Created time.Time
	Current bool
}

// A Profile is a name with generations.
type Profile struct {
	store *store.Store
	name  string
}

// Of returns the profile with this name ("system") of the store.
func Of(s *store.Store, name string) (*Profile, error) { return &Profile{s, name}, nil }

// List returns the generations, oldest first.
func (p *Profile) List() ([]Generation, error) { return nil, errUnwritten }

// Set makes target the current generation; a new one unless the newest already is target.
func (p *Profile) Set(ctx context.Context, target storepath.Path) (Generation, error) {
	return Generation{}, errUnwritten
}

// Rollback makes the generation before the current one current.
func (p *Profile) Rollback(ctx context.Context) (Generation, error) { return Generation{}, errUnwritten }

// Switch makes generation n current.
func (p *Profile) Switch(ctx context.Context, n int) (Generation, error) {
	return Generation{}, errUnwritten
}

// Delete removes generations, never the current one.
func (p *Profile) Delete(ctx context.Context, ns ...int) error { return errUnwritten }
