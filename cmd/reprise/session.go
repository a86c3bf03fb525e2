package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"reprise/internal/rootmount"
	"reprise/store"
	"reprise/store/realise"
	"reprise/store/sandbox"
	"reprise/store/storepath"
)

// session is one run against a store: what build, lock, update and run share.
type session struct {
	*app
	store    *store.Store
	realiser *realise.Realiser
	self     storepath.Path // this program, as the builder of derivations
}

// open opens the store, checks that sandboxes work here, and puts this program
// into the store as the builder.
func (a *app) open(ctx context.Context) (*session, error) {
	dir, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	if err := sandbox.Check(); err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, dir)
	if err != nil {
		return nil, err
	}
	self, err := realise.AddSelf(ctx, s, "reprise")
	if err != nil {
		return nil, fmt.Errorf("add this program to the store: %w", err)
	}
	if err := s.TempRoot(ctx, self); err != nil {
		return nil, err
	}
	jobs := a.jobs
	if jobs <= 0 {
		jobs = runtime.NumCPU()
	}
	return &session{a, s, &realise.Realiser{Store: s, Jobs: jobs, Sink: a.sink, Self: self}, self}, nil
}

// storeDir returns the directory that holds nix/store: for root of a machine
// that reprise made it is the machine's own, where that can be written.
func (a *app) storeDir() (string, error) {
	if a.store != "" {
		return filepath.Abs(a.store)
	}
	if dir := os.Getenv("REPRISE_STORE"); dir != "" {
		return filepath.Abs(dir)
	}
	// Closed to all but root; in a session from a medium it is read-only.
	if unix.Access(filepath.Join(rootmount.Disk, "nix/store"), unix.W_OK) == nil {
		return rootmount.Disk, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "reprise"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("where to keep the store: %w; pass --store DIR", err)
	}
	return filepath.Join(home, ".local", "share", "reprise"), nil
}
