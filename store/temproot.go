package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reprise/store/storepath"
)

// tempRoots is this Store's file of temp roots: the paths that must not be
// collected while it is open, each followed by a zero byte. The file is locked
// exclusively for as long; one that is not locked belongs to nobody.
type tempRoots struct {
	dir string // nix/var/nix/temproots

	mu   sync.Mutex
	file *os.File // nil until the first TempRoot
	gc   *os.File // gc.lock, open but not locked
	has  map[storepath.Path]bool
}

// TempRoot keeps paths, valid or not, from being collected until the store is
// closed. While another process collects garbage it waits for a moment. A path
// may have been collected just before: look whether it is valid afterwards,
// not before.
//
// The protocol is Nix's: a path is appended to the file of temp roots while
// gc.lock is held shared. A collector holds that exclusively and has read the
// files already; it is told through its socket first.
func (s *Store) TempRoot(ctx context.Context, ps ...storepath.Path) error {
	r := &s.roots
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []byte
	var added []storepath.Path
	for _, p := range ps {
		if !r.has[p] {
			lines = append(append(lines, p...), 0)
			added = append(added, p)
		}
	}
	if len(added) == 0 {
		return nil
	}
	if err := s.openTempRoots(); err != nil {
		return fmt.Errorf("add temp roots: %w", err)
	}
	for nap := time.Millisecond; ; nap = min(2*nap, longestNap) {
		free, err := tryFlock(r.gc, unix.LOCK_SH)
		if err != nil {
			return fmt.Errorf("add temp roots: %w", err)
		}
		if free {
			break
		}
		// A collector is at work and has read the temp roots already.
		if s.tellCollector(ctx, added) == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("add temp roots: %w", ctx.Err())
		case <-time.After(nap):
		}
	}
	_, err := r.file.Write(lines)
	unix.Flock(int(r.gc.Fd()), unix.LOCK_UN)
	if err != nil {
		return fmt.Errorf("add temp roots: %w", err)
	}
	for _, p := range added {
		r.has[p] = true
	}
	return nil
}

// openTempRoots makes the file of temp roots. Its name starts with the process
// id, as Nix has it; a second Store of one process, or a process of the same
// id in another pid namespace, appends a number.
func (s *Store) openTempRoots() error {
	r := &s.roots
	if r.file != nil {
		return nil
	}
	gc, err := openLock(s.state("gc.lock"))
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		name := strconv.Itoa(os.Getpid())
		if n > 0 {
			name += "-" + strconv.Itoa(n)
		}
		f, err := openTempRootsFile(filepath.Join(r.dir, name))
		if err != nil {
			gc.Close()
			return err
		}
		if f != nil {
			r.file, r.gc, r.has = f, gc, map[storepath.Path]bool{}
			return nil
		}
	}
}

// openTempRootsFile makes and locks the file at path. It returns nil when that
// belongs to a living process.
func openTempRootsFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		ok, err := tryFlock(f, unix.LOCK_EX)
		if err != nil || !ok {
			f.Close()
			return nil, err
		}
		// What a dead process left there has no meaning. A collector that
		// found it first has unlinked it.
		if sameFile(f, path) {
			if err := f.Truncate(0); err != nil {
				f.Close()
				return nil, err
			}
			return f, nil
		}
		f.Close()
	}
}

// tellCollector hands new temp roots to the process that collects garbage and
// waits until it has taken note of each.
func (s *Store) tellCollector(ctx context.Context, ps []storepath.Path) error {
	conn, err := dialUnix(ctx, s.state("gc-socket", "socket"))
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for _, p := range ps {
		if _, err := conn.Write([]byte(string(p) + "\n")); err != nil {
			return err
		}
		var answer [1]byte
		if _, err := conn.Read(answer[:]); err != nil {
			return err
		}
		if answer[0] != '1' {
			return fmt.Errorf("the collector answered %q", answer)
		}
	}
	return nil
}

// dialUnix connects to the socket at path, whose name may be longer than the
// 107 bytes that a socket address takes: it goes through a descriptor of the
// directory then.
func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", socketAddress(dir, path))
}

// socketAddress returns an address for the socket path in the open directory
// dir: path itself when it is short enough.
func socketAddress(dir *os.File, path string) string {
	const longest = 107 // sun_path of Linux, less its final zero
	if len(path) <= longest {
		return path
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
}

func (r *tempRoots) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := errors.Join(os.Remove(r.file.Name()), r.file.Close(), r.gc.Close())
	r.file = nil
	return err
}
