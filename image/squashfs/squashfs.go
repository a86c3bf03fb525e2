package squashfs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"reprise/internal/progress"
)

// A Path is one store path of an image.
type Path struct {
	Name string // at the root of the image: "<hash>-bash-5.2.37-2"
	Dir  string // where its tree lies; it may also be one file or one symlink

	// Hash tells apart contents that had the same Name, such as the NAR hash.
	// It may be empty where a name has one content forever.
	Hash string
}

// Defaults and bounds of Options.
const (
	DefaultBlockSize = 128 << 10
	minBlockSize     = 4 << 10
	maxBlockSize     = 1 << 20

	// Levels are those of the zstd library.
	Fastest      = 1
	Smallest     = 4
	DefaultLevel = Smallest
)

// Options say how an image is made. The zero value of each but Cache is its
// default.
type Options struct {
	Cache     string // directory of the cache files; made if absent
	Level     int    // Fastest to Smallest
	BlockSize int    // bytes: a power of two, 4 KiB to 1 MiB
	Cores     int    // blocks compressed at once; as many as the machine has
	Sink      progress.Sink
}

func (o Options) withDefaults() (Options, error) {
	o.Level = cmp.Or(o.Level, DefaultLevel)
	o.BlockSize = cmp.Or(o.BlockSize, DefaultBlockSize)
	o.Cores = cmp.Or(o.Cores, runtime.GOMAXPROCS(0))
	if o.Sink == nil {
		o.Sink = progress.Discard
	}
	var problems []error
	if o.Cache == "" {
		problems = append(problems, errors.New("no directory is given for the cache"))
	}
	if o.Level < Fastest || o.Level > Smallest {
		problems = append(problems, fmt.Errorf("level is %d: want %d to %d", o.Level, Fastest, Smallest))
	}
	if o.BlockSize < minBlockSize || o.BlockSize > maxBlockSize || o.BlockSize&(o.BlockSize-1) != 0 {
		problems = append(problems, fmt.Errorf("block size is %d bytes: want a power of two from %d to %d", o.BlockSize, minBlockSize, maxBlockSize))
	}
	if o.Cores < 0 {
		problems = append(problems, fmt.Errorf("%d cores", o.Cores))
	}
	return o, errors.Join(problems...)
}

// An Image is decided: its size is known and it can be written, also several
// times, as long as the paths are where they were.
type Image struct {
	options    Options
	paths      []packed // in the order of the image
	superblock []byte
	tail       []byte // the tables and what fills the last 4 KiB
	size       int64
}

// packed is a path whose blocks are in the cache.
type packed struct {
	Path
	length int64             // bytes of its blocks
	sums   []uint32          // of its blocks, see index
	sum    [sha256.Size]byte // of its index
}

// Pack brings the blocks of all paths into the cache, where they are not there
// yet, and decides where everything lies. All paths that cannot be packed are
// told, wrong names before anything is done.
func Pack(ctx context.Context, paths []Path, o Options) (*Image, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	paths = slices.SortedFunc(slices.Values(paths), func(a, b Path) int { return strings.Compare(a.Name, b.Name) })
	if err := checkPaths(paths); err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return nil, fmt.Errorf("squashfs: make the cache: %w", err)
	}
	if err := fill(ctx, paths, o); err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	runtime.GC() // the tables may have the compressors' room
	m := &Image{options: o}
	t, err := newTables(o.BlockSize, len(paths))
	if err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		x, sum, err := o.readIndex(p)
		if err != nil {
			return nil, fmt.Errorf("squashfs: read the cache of %q: %w", p.Name, err)
		}
		if err := t.add(p.Name, x); err != nil {
			return nil, fmt.Errorf("squashfs: lay out %q: %w", p.Name, err)
		}
		m.paths = append(m.paths, packed{p, x.length, x.sums, sum})
	}
	if m.superblock, m.tail, err = t.finish(); err != nil {
		return nil, fmt.Errorf("squashfs: %w", err)
	}
	m.size = t.base + int64(len(m.tail))
	return m, nil
}

// checkPaths wants the paths sorted.
func checkPaths(paths []Path) error {
	var problems []error
	for i, p := range paths {
		if err := checkName(p.Name); err != nil {
			problems = append(problems, err)
		}
		if i > 0 && paths[i-1].Name == p.Name {
			problems = append(problems, fmt.Errorf("%q is there twice", p.Name))
		}
		if p.Dir == "" {
			problems = append(problems, fmt.Errorf("%q: no directory is given", p.Name))
		}
	}
	if len(paths) == 0 {
		problems = append(problems, errors.New("no paths are given"))
	}
	return errors.Join(problems...)
}

// fill packs the paths that the cache lacks.
func fill(ctx context.Context, paths []Path, o Options) error {
	var missing []Path
	for _, p := range paths {
		if _, _, err := o.readIndex(p); errors.Is(err, errStale) {
			missing = append(missing, p)
		} else if err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return packAll(ctx, missing, o)
}

// collectEvery is how many paths are packed between two collections. By
// itself the collector would let garbage grow to the size of the compressors'
// tables, which hold no pointers and so cost it next to nothing to pass.
const collectEvery = 16

// packAll makes the cache files of paths.
func packAll(ctx context.Context, paths []Path, o Options) (err error) {
	// The trees are read first, so that the bytes to do are known.
	trees := make([]*node, len(paths))
	var total int64
	var problems []error
	for i, p := range paths {
		root, bytes, err := scan(ctx, p.Dir)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			problems = append(problems, err)
		}
		trees[i] = root
		total += bytes
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	// No more compressors than there are blocks: each takes its memory.
	o.Cores = int(min(int64(o.Cores), total/int64(o.BlockSize)+1))
	task := o.Sink.Start("compress", progress.Bytes, total)
	defer func() { task.Done(err) }()
	k, stop, err := newPacker(o)
	if err != nil {
		return err
	}
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(o.pathsAtOnce())
	for i, p := range paths {
		group.Go(func() error {
			task.Detail(p.Name)
			root := trees[i]
			trees[i] = nil
			if i%collectEvery == collectEvery-1 {
				runtime.GC()
			}
			return k.pack(ctx, p, root, task)
		})
	}
	return group.Wait()
}

// Size is the size of the image in bytes, a multiple of 4 KiB.
func (m *Image) Size() int64 { return m.size }

// WriteTo writes the image, Size bytes, strictly one after the other. Blocks
// that are damaged in the cache, or gone from it, are made anew. The error is
// w's, ctx's, or says which path has changed since Pack.
func (m *Image) WriteTo(ctx context.Context, w io.Writer) error {
	if _, err := w.Write(m.superblock); err != nil {
		return err
	}
	buffer := make([]byte, sumBytes)
	for _, p := range m.paths {
		if err := m.writeBlocks(ctx, w, p, buffer); err != nil {
			return err
		}
	}
	_, err := w.Write(m.tail)
	return err
}

// writeBlocks copies the blocks of a path.
func (m *Image) writeBlocks(ctx context.Context, w io.Writer, p packed, buffer []byte) error {
	if p.length == 0 {
		return ctx.Err()
	}
	f, err := os.Open(m.options.cacheFile(p.Path))
	if err != nil {
		f = nil
	}
	defer func() { f.Close() }()
	for i, sum := range p.sums {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at := int64(i) * sumBytes
		b := buffer[:min(sumBytes, p.length-at)]
		if !readSummed(f, b, at, sum) {
			f.Close()
			if f, err = m.anew(ctx, p); err != nil {
				return fmt.Errorf("squashfs: %w", err)
			}
			if !readSummed(f, b, at, sum) {
				return fmt.Errorf("squashfs: %q reads otherwise than it was written", f.Name())
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// readSummed reads b from f and says whether it is what was summed.
func readSummed(f *os.File, b []byte, at int64, sum uint32) bool {
	if f == nil {
		return false
	}
	_, err := f.ReadAt(b, at)
	return err == nil && crc32.Checksum(b, castagnoli) == sum
}

// anew makes the cache file of p again and opens it.
func (m *Image) anew(ctx context.Context, p packed) (*os.File, error) {
	m.options.Sink.Note("the remembered blocks of %s are damaged or gone: compressing it again", p.Name)
	if err := packAll(ctx, []Path{p.Path}, m.options); err != nil {
		return nil, err
	}
	_, sum, err := m.options.readIndex(p.Path)
	if err != nil {
		return nil, err
	}
	if sum != p.sum {
		return nil, fmt.Errorf("%q has changed while the image was made", p.Dir)
	}
	return os.Open(m.options.cacheFile(p.Path))
}
