package store

import (
	"bufio"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"

	"reprise/store/storepath"
)

// collector is one collection at work. Between begin and finish the paths of
// a batch are about to go; whoever asks to keep one of them, or something
// that refers to one, is answered after that. All others are answered at once
// and what they asked for stays.
type collector struct {
	s      *Store
	report Report

	mu     sync.Mutex
	idle   sync.Cond               // signalled by finish
	graph  *graph                  // nil before it is read
	alive  map[storepath.Path]bool // what stays
	early  []storepath.Path        // asked for before graph was read
	wanted map[string]bool         // hash parts of the temp roots
	batch  map[storepath.Path]bool // what is about to go
}

// begin claims those of paths that nobody wants, and returns them.
func (c *collector) begin(paths []storepath.Path) []storepath.Path {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batch = make(map[storepath.Path]bool, len(paths))
	var claimed []storepath.Path
	for _, p := range paths {
		if !c.alive[p] && !c.wanted[p.Hash()] {
			c.batch[p] = true
			claimed = append(claimed, p)
		}
	}
	return claimed
}

func (c *collector) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batch = nil
	c.idle.Broadcast()
}

// want notes a new temp root and returns when the collector is past
// everything that the root reaches: it stays or is gone for good.
func (c *collector) want(p storepath.Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted[p.Hash()] = true
	if c.graph == nil {
		c.early = append(c.early, p)
		return
	}
	reached := map[storepath.Path]bool{}
	c.graph.mark(p, reached)
	for q := range reached {
		c.alive[q] = true
	}
	reached[p] = true
	for c.touches(reached) {
		c.idle.Wait()
	}
}

// touches says whether the batch holds one of paths.
func (c *collector) touches(paths map[storepath.Path]bool) bool {
	for p := range c.batch {
		if paths[p] {
			return true
		}
	}
	return false
}

// serve takes new temp roots at nix/var/nix/gc-socket/socket until stop is
// called: a path and a newline are answered with "1".
func (c *collector) serve() (stop func(), err error) {
	dir, err := os.Open(c.s.state("gc-socket"))
	if err != nil {
		return nil, err
	}
	path := c.s.state("gc-socket", "socket")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		dir.Close()
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketAddress(dir, path), Net: "unix"})
	if err != nil {
		dir.Close()
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o666); err != nil {
		listener.Close()
		dir.Close()
		return nil, err
	}
	var clients sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	clients.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			clients.Go(func() {
				c.answer(conn)
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
				conn.Close()
			})
		}
	})
	return func() {
		os.Remove(path)
		listener.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		clients.Wait()
		dir.Close()
	}, nil
}

func (c *collector) answer(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if p, err := storepath.Parse(strings.TrimSpace(lines.Text())); err == nil {
			c.want(p)
		}
		if _, err := conn.Write([]byte("1")); err != nil {
			return
		}
	}
}
