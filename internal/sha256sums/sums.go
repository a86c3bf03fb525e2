// Package sha256sums reads and writes lists of checksums as sha256sum(1) has
// them, and compares files with such a list: how an installation medium is
// checked before anything on it is trusted.
package sha256sums

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"reprise/internal/progress"
)

// A Sum is one line: a file and what it holds.
type Sum struct {
	Path   string // relative and clean: "reprise/medium.json"
	Digest [sha256.Size]byte
}

// maxFiles bounds a list; a medium has a dozen files.
const maxFiles = 1 << 20

// Parse reads a list: "<64 digits>  <path>", one a line. Anything else in it is
// an error, for a list that is damaged says nothing.
func Parse(data []byte) ([]Sum, error) {
	var sums []Sum
	seen := map[string]bool{}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		digits, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		digest, err := hex.DecodeString(digits)
		switch {
		case !ok || err != nil || len(digest) != sha256.Size || !fs.ValidPath(path) || path == ".":
			return nil, fmt.Errorf("line %d of the checksums is %.100q: want 64 digits, two spaces and a path", number, line)
		case seen[path]:
			return nil, fmt.Errorf("line %d of the checksums names %q again", number, path)
		case number > maxFiles:
			return nil, fmt.Errorf("more than %d checksums", maxFiles)
		}
		seen[path] = true
		sums = append(sums, Sum{path, [sha256.Size]byte(digest)})
	}
	if len(sums) == 0 {
		return nil, errors.New("the list of checksums is empty")
	}
	return sums, nil
}

// Encode prints a list as Parse reads it.
func Encode(sums []Sum) []byte {
	var b strings.Builder
	for _, s := range sums {
		fmt.Fprintf(&b, "%x  %s\n", s.Digest, s.Path)
	}
	return []byte(b.String())
}

// A Bad is a file that is not what the list says.
type Bad struct {
	Path string
	Err  error // it cannot be read; nil when it can, and holds something else
}

func (b Bad) Error() string {
	if b.Err != nil {
		return fmt.Sprintf("%s: %v", b.Path, b.Err)
	}
	return b.Path + ": its content is not what was written"
}

func (b Bad) Unwrap() error { return b.Err }

// A Result is what Verify found.
type Result struct {
	Files int   // compared
	Bytes int64 // read
	Bad   []Bad // in the order of the list
}

// blockSize is what is read at a time: large, for slow CD drives.
const blockSize = 1 << 20 // bytes

// Verify reads every file of the list and compares. The task gets the total and
// what is read; it is not ended. Files that are damaged are no error, they are
// in the result; the error is ctx's.
func Verify(ctx context.Context, fsys fs.FS, sums []Sum, task progress.Task) (Result, error) {
	var total int64
	for _, s := range sums {
		if info, err := fs.Stat(fsys, s.Path); err == nil {
			total += info.Size()
		}
	}
	task.SetTotal(total)
	var r Result
	buffer := make([]byte, blockSize)
	for _, s := range sums {
		task.Detail(s.Path)
		digest, read, err := digestOf(ctx, fsys, s.Path, buffer, task)
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		r.Files++
		r.Bytes += read
		if err != nil || digest != s.Digest {
			r.Bad = append(r.Bad, Bad{s.Path, err})
		}
	}
	return r, nil
}

func digestOf(ctx context.Context, fsys fs.FS, path string, buffer []byte, task progress.Task) (digest [sha256.Size]byte, read int64, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return digest, 0, err
	}
	defer f.Close()
	h := sha256.New()
	for ctx.Err() == nil {
		n, err := f.Read(buffer)
		h.Write(buffer[:n])
		read += int64(n)
		task.Add(int64(n))
		if err == io.EOF {
			return [sha256.Size]byte(h.Sum(nil)), read, nil
		}
		if err != nil {
			return digest, read, err
		}
	}
	return digest, read, ctx.Err()
}
