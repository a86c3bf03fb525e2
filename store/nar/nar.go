// Package nar writes, reads and hashes NAR archives, Nix's format for the
// tree below one store path.
//
// A NAR holds names, contents, the executable bit and symlink targets, and
// nothing else: no owner, no time, no other mode bit, no extended attribute,
// no hard link. Names are sorted by bytes, so a tree has exactly one NAR and
// the NAR's SHA-256 stands for the tree. Every item is a string: its length
// as 64 bits little endian, its bytes, and zeros up to a multiple of eight.
//
//	"nix-archive-1" node
//	node      = "(" "type" body ")"
//	body      = "regular" ["executable" ""] "contents" bytes
//	          | "symlink" "target" bytes
//	          | "directory" { "entry" "(" "name" bytes "node" node ")" }
//
// Invariants: Restore writes below its destination only, whatever the archive
// says, and within its Limits; what Restore accepts, Dump gives back byte for
// byte.
//
// Source: Nix 2.26 manual, "Nix Archive (NAR) format".
package nar

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"reprise/store/storepath"
)

const magic = "nix-archive-1"

// maxTarget bounds a symlink's target: PATH_MAX of Linux.
const maxTarget = 4096

// maxName is the longest name of a directory entry: NAME_MAX of Linux.
const maxName = 255

// Limits bound what Restore writes. A field that is 0 stands for the default.
type Limits struct {
	Bytes   int64 // sum of the file sizes; default 64 GiB
	Entries int64 // files, directories and symlinks; default 16 million
	Depth   int   // directories below each other; default 256
}

func (l Limits) orDefault() Limits {
	if l.Bytes == 0 {
		l.Bytes = 64 << 30
	}
	if l.Entries == 0 {
		l.Entries = 16 << 20
	}
	if l.Depth == 0 {
		l.Depth = 256
	}
	return l
}

// HashPath returns the SHA-256 of the NAR of path and the NAR's size in bytes.
func HashPath(ctx context.Context, path string) (sum [sha256.Size]byte, size int64, err error) {
	h := sha256.New()
	count := &counter{w: h}
	if err := DumpPath(ctx, count, path); err != nil {
		return sum, 0, err
	}
	h.Sum(sum[:0])
	return sum, count.n, nil
}

// HashAndScan is HashPath that also says which candidates the NAR refers to:
// those whose 32-digit hash part stands anywhere in it. refs is sorted.
func HashAndScan(ctx context.Context, path string, candidates []storepath.Path) (sum [sha256.Size]byte, size int64, refs []storepath.Path, err error) {
	h := sha256.New()
	scan := NewScanner(candidates)
	count := &counter{w: io.MultiWriter(h, scan)}
	if err := DumpPath(ctx, count, path); err != nil {
		return sum, 0, nil, fmt.Errorf("scan: %w", err)
	}
	h.Sum(sum[:0])
	return sum, count.n, scan.Found(), nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
