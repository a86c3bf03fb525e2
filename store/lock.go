package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"reprise/store/storepath"
)

// openLock opens a lock file, made with mode 0600 where it is missing.
func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

// tryFlock takes the lock how (LOCK_SH or LOCK_EX) unless another holder
// stands against it.
func tryFlock(f *os.File, how int) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
	}
}

// longestNap bounds the time between two tries to take a lock.
const longestNap = 50 * time.Millisecond

// flock waits for the lock. It tries again and again rather than block in the
// kernel, where a cancelled context could not reach it.
func flock(ctx context.Context, f *os.File, how int) error {
	for nap := time.Millisecond; ; nap = min(2*nap, longestNap) {
		if ok, err := tryFlock(f, how); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the lock %q: %w", f.Name(), ctx.Err())
		case <-time.After(nap):
		}
	}
}

// Lock waits until no other process or goroutine makes p, and keeps them from
// it until unlock is called. Whoever wants to make p takes the lock, looks
// whether p has become valid meanwhile, and keeps the lock until p is
// registered. Make p a temp root before: that keeps the collector from the
// lock file too.
//
// The protocol is Nix's: an exclusive flock on <path>.lock; when done, the
// file is unlinked and a byte written to it, which tells those who wait for
// the same inode that it is a lock no more.
func (s *Store) Lock(ctx context.Context, p storepath.Path) (unlock func(), err error) {
	return LockFile(ctx, s.Real(p))
}

// LockFile takes Nix's lock on any path, as Lock does for a store path.
func LockFile(ctx context.Context, path string) (unlock func(), err error) {
	path += ".lock"
	for {
		f, err := openLock(path)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
		if err := flock(ctx, f, unix.LOCK_EX); err != nil {
			f.Close()
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.Size() == 0 {
			return func() {
				os.Remove(path)
				f.WriteString("d")
				f.Close()
			}, nil
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("lock: %w", err)
		}
	}
}
