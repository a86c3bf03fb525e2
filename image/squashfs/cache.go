package squashfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"reprise/internal/atomicfile"
)

// formatVersion is of the cache files: of the index and of how files are cut
// into blocks and fragments.
const formatVersion = 1

// encoderVersion is the compressor. Its next version may compress otherwise.
const encoderVersion = "github.com/klauspost/compress v1.20.3"

// A footer ends a cache file: the bytes of blocks and of the index, the
// index's SHA-256, and the magic.
const (
	footerBytes = 8 + 8 + sha256.Size + len(footerMagic)
	footerMagic = "rpsqcach"
)

// key is what a cache file is for. What follows the first newline is the
// same for all files of equal options.
func (o Options) key(p Path) string {
	return fmt.Sprintf("%q %q\nreprise-squashfs %d\n%s\nlevel %d\nblock %d\n", p.Name, p.Hash, formatVersion, encoderVersion, o.Level, o.BlockSize)
}

// cacheFile is where the blocks of p are remembered.
func (o Options) cacheFile(p Path) string {
	return filepath.Join(o.Cache, fmt.Sprintf("%x", sha256.Sum256([]byte(o.key(p)))))
}

// errStale says that a cache file is not there or does not serve.
var errStale = errors.New("no cache file that serves")

// readIndex reads the index of a cache file and its SHA-256. The error is
// errStale when the file is absent, cut off, damaged or for another key.
func (o Options) readIndex(p Path) (*index, [sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	f, err := os.Open(o.cacheFile(p))
	if errors.Is(err, os.ErrNotExist) {
		return nil, sum, errStale
	}
	if err != nil {
		return nil, sum, err
	}
	defer f.Close()
	raw, blocks, err := readRawIndex(f)
	if err != nil {
		return nil, sum, err
	}
	x, err := parseIndex(raw, o.BlockSize)
	if err != nil || x.key != o.key(p) || x.length != blocks {
		return nil, sum, errStale
	}
	return x, sha256.Sum256(raw), nil
}

// readRawIndex returns the index of a cache file, which has the sum that the
// footer says, and the number of bytes before it.
func readRawIndex(f *os.File) (raw []byte, blocks int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() || size < int64(footerBytes) {
		return nil, 0, errStale
	}
	var footer [footerBytes]byte
	if _, err := f.ReadAt(footer[:], size-int64(footerBytes)); err != nil {
		return nil, 0, errStale
	}
	blocks = int64(binary.LittleEndian.Uint64(footer[0:]))
	length := int64(binary.LittleEndian.Uint64(footer[8:]))
	if string(footer[16+sha256.Size:]) != footerMagic || blocks < 0 || length < 0 || blocks > size || length > size || blocks+length+int64(footerBytes) != size {
		return nil, 0, errStale
	}
	raw = make([]byte, length)
	if _, err := f.ReadAt(raw, blocks); err != nil {
		return nil, 0, errStale
	}
	if sha256.Sum256(raw) != [sha256.Size]byte(footer[16:]) {
		return nil, 0, errStale
	}
	return raw, blocks, nil
}

func footer(blocks int64, index []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(blocks))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(index)))
	sum := sha256.Sum256(index)
	return append(append(b, sum[:]...), footerMagic...)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A summer sums what is written to w, each sumBytes by themselves.
type summer struct {
	w    io.Writer
	sums []uint32
	sum  uint32
	n    int64 // bytes so far
}

func (s *summer) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	for q := p[:n]; len(q) > 0; {
		part := q[:min(int64(len(q)), sumBytes-s.n%sumBytes)]
		s.sum = crc32.Update(s.sum, castagnoli, part)
		s.n += int64(len(part))
		if s.n%sumBytes == 0 {
			s.sums, s.sum = append(s.sums, s.sum), 0
		}
		q = q[len(part):]
	}
	return n, err
}

// finish returns the sums, that of a last, shorter part too.
func (s *summer) finish() []uint32 {
	if s.n%sumBytes != 0 {
		s.sums = append(s.sums, s.sum)
	}
	return s.sums
}

// abandoned is the age from which an unfinished file is nobody's any more.
const abandoned = 24 * time.Hour

// Pruned is what Prune removed, or would remove.
type Pruned struct {
	Files int
	Bytes int64
}

// Prune removes the cache files in the directory cache of paths that keep
// does not want, those that another version of this package made, those that
// are damaged, and what was left unfinished a day ago; with dryRun it only
// counts them. A Pack or WriteTo that runs at the same time makes anew what it
// misses.
func Prune(ctx context.Context, cache string, dryRun bool, keep func(name string) bool) (Pruned, error) {
	var gone Pruned
	entries, err := os.ReadDir(cache)
	if errors.Is(err, os.ErrNotExist) {
		return gone, nil
	}
	if err != nil {
		return gone, err
	}
	var problems []error
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return gone, context.Cause(ctx)
		}
		file := filepath.Join(cache, e.Name())
		var size int64
		var err error
		switch {
		case !e.Type().IsRegular():
			continue
		case strings.HasPrefix(e.Name(), atomicfile.TempPrefix):
			var info os.FileInfo
			if info, err = e.Info(); err == nil {
				if time.Since(info.ModTime()) < abandoned {
					continue
				}
				size = info.Size()
			}
		case len(e.Name()) == 2*sha256.Size:
			var name string
			if name, size, err = nameIn(file); err == nil && keep(name) {
				continue
			}
		default: // not ours
			continue
		}
		if err == nil || errors.Is(err, errStale) {
			if err = nil; !dryRun {
				err = os.Remove(file)
			}
			if err == nil {
				gone.Files++
				gone.Bytes += size
			}
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			problems = append(problems, err)
		}
	}
	return gone, errors.Join(problems...)
}

// nameIn returns the name of the path that a cache file is for, and the
// file's size in bytes.
func nameIn(file string) (name string, size int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	raw, _, err := readRawIndex(f)
	if err != nil {
		return "", info.Size(), err
	}
	p := &parser{rest: raw}
	key := p.text()
	first, rest, _ := strings.Cut(key, "\n")
	quoted, err := strconv.QuotedPrefix(first)
	if err == nil {
		name, err = strconv.Unquote(quoted)
	}
	if p.bad || err != nil || !strings.HasPrefix(rest, fmt.Sprintf("reprise-squashfs %d\n%s\n", formatVersion, encoderVersion)) {
		return "", info.Size(), errStale
	}
	return name, info.Size(), nil
}
