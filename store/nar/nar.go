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
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

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

// HashFile is HashPath for a regular file whose content is at hand.
func HashFile(content []byte, executable bool) (sum [sha256.Size]byte, size int64) {
	h := sha256.New()
	count := &counter{w: h}
	head := fileHead(executable)
	count.Write(head[:len(head)-8]) // all but the length, which is 0 there
	d := dumper{ctx: context.Background(), w: count, buf: make([]byte, 64)}
	d.length(int64(len(content)))
	d.flush()
	count.Write(content)
	d.pad(int64(len(content)))
	d.str(")")
	d.flush()
	h.Sum(sum[:0])
	return sum, count.n
}

// HashFlat returns the SHA-256 of the bytes of the plain file at path, and
// hash and size of its NAR as HashPath does, in one pass.
func HashFlat(ctx context.Context, path string) (flat, sum [sha256.Size]byte, size int64, err error) {
	var file os.FileInfo
	if file, err = os.Lstat(path); err != nil {
		return flat, sum, 0, err
	}
	if !file.Mode().IsRegular() {
		return flat, sum, 0, fmt.Errorf("%q is no regular file", path)
	}
	// The bytes of the file are one stretch of the archive.
	narHash, flatHash := sha256.New(), sha256.New()
	start := int64(len(fileHead(file.Mode()&0o100 != 0)))
	cut := &stretch{w: flatHash, skip: start, left: file.Size()}
	count := &counter{w: io.MultiWriter(narHash, cut)}
	if err := DumpPath(ctx, count, path); err != nil {
		return flat, sum, 0, err
	}
	narHash.Sum(sum[:0])
	flatHash.Sum(flat[:0])
	return flat, sum, count.n, nil
}

// fileHead returns the bytes before the content of an archive of one file.
func fileHead(executable bool) []byte {
	var head bytes.Buffer
	d := dumper{ctx: context.Background(), w: &head, buf: make([]byte, 512)}
	d.strs(magic, "(", "type", "regular")
	if executable {
		d.strs("executable", "")
	}
	d.str("contents")
	d.length(0)
	d.flush()
	return head.Bytes()
}

// stretch passes on left bytes after the first skip bytes.
type stretch struct {
	w          io.Writer
	skip, left int64
}

func (s *stretch) Write(p []byte) (int, error) {
	n := len(p)
	drop := min(s.skip, int64(len(p)))
	s.skip -= drop
	p = p[drop:]
	p = p[:min(s.left, int64(len(p)))]
	s.left -= int64(len(p))
	if len(p) > 0 {
		if _, err := s.w.Write(p); err != nil {
			return 0, err
		}
	}
	return n, nil
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
