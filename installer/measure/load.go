package measure

import (
	"cmp"
	"context"
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"reprise/installer/latency"
)

// A load is work beside a measurement.
type load struct {
	workers             int
	from                string
	hashed, wakes, read atomic.Int64
	cancel              context.CancelFunc
	running             sync.WaitGroup
}

const (
	// memory is what a worker copies and hashes, in bytes: more than the share
	// that a core has of its caches.
	memory = 4 << 20
	// chunk is what is done before another goroutine gets the processor: some
	// tens of microseconds.
	chunk = 64 << 10
)

// startLoad begins to work, unless o wants none.
func startLoad(o Options) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel}
	if o.NoLoad {
		return l
	}
	l.workers, l.from = runtime.GOMAXPROCS(0), cmp.Or(o.ReadName, o.Read)
	for range l.workers {
		l.running.Go(func() { l.hash(ctx) })
		l.running.Go(func() { l.wake(ctx) })
	}
	if o.Read != "" {
		l.running.Go(func() { l.reading(ctx, o.Read) })
	}
	return l
}

// stop ends the work and waits for that.
func (l *load) stop() {
	l.cancel()
	l.running.Wait()
}

// done is what was done up to now.
func (l *load) done() latency.Load {
	return latency.Load{Workers: l.workers, HashedBytes: l.hashed.Load(), Wakes: l.wakes.Load(), ReadFrom: l.from, ReadBytes: l.read.Load()}
}

// hash keeps a core and its memory busy.
func (l *load) hash(ctx context.Context) {
	from, to := make([]byte, memory/2), make([]byte, memory/2)
	for at := 0; ctx.Err() == nil; at = (at + chunk) % len(from) {
		copy(to[at:at+chunk], from[at:at+chunk])
		sum := sha256.Sum256(to[at : at+chunk])
		copy(from[at:], sum[:])
		l.hashed.Add(chunk)
		runtime.Gosched()
	}
}

// wake has two threads wake each other through pipes.
func (l *load) wake(ctx context.Context) {
	var there, back [2]int
	if unix.Pipe2(there[:], unix.O_CLOEXEC) != nil {
		return
	}
	if unix.Pipe2(back[:], unix.O_CLOEXEC) != nil {
		unix.Close(there[0])
		unix.Close(there[1])
		return
	}
	var other sync.WaitGroup
	other.Go(func() {
		defer unix.Close(there[0])
		defer unix.Close(back[1])
		pass(there[0], back[1], func() bool { return true })
	})
	if _, err := unix.Write(there[1], []byte{0}); err == nil {
		pass(back[0], there[1], func() bool { l.wakes.Add(2); return ctx.Err() == nil })
	}
	unix.Close(there[1]) // the other one reads the end
	other.Wait()
	unix.Close(back[0])
}

// pass writes to one pipe what comes from another, a byte at a time, on a
// thread of its own.
func pass(from, to int, more func() bool) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b := make([]byte, 1)
	for {
		n, err := unix.Read(from, b)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n == 0 || !more():
			return
		}
		for _, err = unix.Write(to, b); err == unix.EINTR; _, err = unix.Write(to, b) {
		}
		if err != nil {
			return
		}
	}
}

// reading reads the files below a place again and again. What cannot be read
// is passed over: it is load, nobody wants the content.
func (l *load) reading(ctx context.Context, place string) {
	for ctx.Err() == nil {
		before := l.read.Load()
		_ = filepath.WalkDir(place, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				l.readFile(ctx, name)
			}
			return ctx.Err()
		})
		if l.read.Load() == before {
			return // there is nothing to read
		}
	}
}

// readFile reads a file from the disk: what the kernel remembers of it, it is
// told to forget before and afterwards.
func (l *load) readFile(ctx context.Context, name string) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOATIME, 0)
	if err != nil {
		if f, err = os.Open(name); err != nil { // not the owner
			return
		}
	}
	defer f.Close()
	fd := int(f.Fd())
	_ = unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
	buffer := make([]byte, 16*chunk)
	for at := int64(0); ctx.Err() == nil; {
		n, err := f.Read(buffer)
		l.read.Add(int64(n))
		_ = unix.Fadvise(fd, at, int64(n), unix.FADV_DONTNEED)
		if at += int64(n); err != nil || n == 0 {
			return
		}
	}
}
