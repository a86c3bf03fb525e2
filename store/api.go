package store

import (
	"context"
	"errors"
	"time"

	"reprise/internal/progress"
	"reprise/store/drv"
	"reprise/store/storepath"
)

var errUnwritten = errors.New("store: body follows")

type Store struct{ root string }

var ErrNotFound = errors.New("not in the store")

type Info struct {
	Path       storepath.Path
	NarHash    [32]byte
	NarSize    int64
	Deriver    storepath.Path
	Refs       []storepath.Path
	CA         string
	Ultimate   bool
	Sigs       []string
	Registered time.Time
}

func Open(ctx context.Context, root string) (*Store, error)                { return nil, errUnwritten }
func (s *Store) Close() error                                              { return errUnwritten }
func (s *Store) Root() string                                              { return s.root }
func (s *Store) Real(p storepath.Path) string                              { return s.root + string(p) }
func (s *Store) Profiles() string                                          { return s.root + "/nix/var/nix/profiles" }
func (s *Store) StateDir(name string) string                               { return s.root + "/nix/var/reprise/" + name }
func (s *Store) TempDir(pattern string) (string, func(), error)            { return "", nil, errUnwritten }
func (s *Store) Info(ctx context.Context, p storepath.Path) (*Info, error) { return nil, errUnwritten }
func (s *Store) Valid(ctx context.Context, ps ...storepath.Path) (map[storepath.Path]bool, error) {
	return nil, errUnwritten
}
func (s *Store) AddText(ctx context.Context, name string, content []byte, refs []storepath.Path) (storepath.Path, error) {
	return "", errUnwritten
}
func (s *Store) AddFile(ctx context.Context, name, src string) (storepath.Path, error) {
	return "", errUnwritten
}
func (s *Store) AddFlat(ctx context.Context, name string, sha256 [32]byte, src string) (storepath.Path, error) {
	return "", errUnwritten
}

// AddDerivations is AddDerivation for many, inputs before users, in one transaction.
func (s *Store) AddDerivations(ctx context.Context, ds ...*drv.Derivation) ([]storepath.Path, error) {
	return nil, errUnwritten
}
func (s *Store) AddDerivation(ctx context.Context, d *drv.Derivation) (storepath.Path, error) {
	return "", errUnwritten
}

// Derivation reads a .drv of the store.
func (s *Store) Derivation(ctx context.Context, p storepath.Path) (*drv.Derivation, error) {
	return nil, errUnwritten
}

// Place moves a finished, canonical tree from a TempDir to its store path; what lay there unregistered is removed. The caller holds Lock(p).
func (s *Store) Place(ctx context.Context, tmp string, p storepath.Path) error { return errUnwritten }
func (s *Store) Register(ctx context.Context, infos ...Info) error             { return errUnwritten }
func (s *Store) Lock(ctx context.Context, p storepath.Path) (unlock func(), err error) {
	return nil, errUnwritten
}
func (s *Store) TempRoot(ctx context.Context, ps ...storepath.Path) error { return errUnwritten }

type Root struct {
	Link   string // where it stands: a symlink's path, or "temp root of process 12"
	Target storepath.Path
}

func (s *Store) SetRoot(name string, target storepath.Path) error { return errUnwritten }
func (s *Store) RemoveRoot(name string) error                     { return errUnwritten }

// SetIndirectRoot makes the symlink at link (anywhere, such as ./result) point to target and keeps target alive while link is there.
func (s *Store) SetIndirectRoot(ctx context.Context, link string, target storepath.Path) error {
	return errUnwritten
}
func (s *Store) Roots(ctx context.Context) ([]Root, error) { return nil, errUnwritten }
func (s *Store) Closure(ctx context.Context, ps ...storepath.Path) ([]storepath.Path, error) {
	return nil, errUnwritten
}

type VerifyOptions struct {
	Contents bool // hash every path
	Jobs     int  // 0: one per processor
	Sink     progress.Sink
}

type Damage struct {
	Path   storepath.Path // "" when it is no path's
	Kind   string
	Detail string
}

func (s *Store) Verify(ctx context.Context, opt VerifyOptions) ([]Damage, error) {
	return nil, errUnwritten
}

type CollectOptions struct {
	DryRun bool
	Sink   progress.Sink
}

type Report struct {
	Paths []Dead
	Bytes int64
}

type Dead struct {
	Path  string // base name below the store directory
	Bytes int64
}

func (s *Store) Collect(ctx context.Context, opt CollectOptions) (Report, error) {
	return Report{}, errUnwritten
}
func Canonicalise(path string) error { return errUnwritten }

// RemoveAll removes a tree whose directories may be read-only.
func RemoveAll(path string) error { return errUnwritten }
func (s *Store) WriteClosureDB(ctx context.Context, dst string, closure []storepath.Path) error {
	return errUnwritten
}
