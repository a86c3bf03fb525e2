package squashfs

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"reprise/internal/atomicfile"
	"reprise/internal/progress"
)

// A packer compresses paths into cache files. Paths may be packed at the same
// time; their blocks share the compressor and the buffers.
type packer struct {
	options Options
	encoder *zstd.Encoder
	work    chan *job // to the compressors
	free    chan *job // buffers that nobody uses
	writers chan *bufio.Writer
}

// A job is one block on its way. Jobs are all the memory that content takes.
type job struct {
	in   []byte // the block; its length is what is in use
	out  []byte // compressed
	word uint32 // what compress found, see node.blocks
	done chan struct{}

	place func() // called in the order of the blocks, before this one is written
}

// newPacker starts as many compressors as there are cores. They end with stop.
func newPacker(o Options) (k *packer, stop func(), err error) {
	encoder, err := newEncoder(zstd.EncoderLevel(o.Level), o.BlockSize, o.Cores)
	if err != nil {
		return nil, nil, err
	}
	jobs := o.pathsAtOnce() + 2*o.Cores + 2
	k = &packer{options: o, encoder: encoder, work: make(chan *job, jobs), free: make(chan *job, jobs), writers: make(chan *bufio.Writer, o.pathsAtOnce())}
	for range o.pathsAtOnce() {
		k.writers <- bufio.NewWriterSize(nil, 256<<10)
	}
	for range jobs {
		k.free <- &job{in: make([]byte, 0, o.BlockSize), out: make([]byte, 0, o.BlockSize+1024), done: make(chan struct{}, 1)}
	}
	var compressors sync.WaitGroup
	for range o.Cores {
		compressors.Go(func() {
			for j := range k.work {
				k.compress(j)
				j.done <- struct{}{}
			}
		})
	}
	return k, func() { close(k.work); compressors.Wait() }, nil
}

// newEncoder returns the compressor of blocks or tables.
func newEncoder(level zstd.EncoderLevel, blockSize, cores int) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil,
		zstd.WithEncoderLevel(level),
		zstd.WithEncoderConcurrency(cores),
		// The kernel has room for a window of one block; a frame of one
		// segment has no window of its own, and squashfs knows sizes itself.
		zstd.WithWindowSize(blockSize),
		zstd.WithSingleSegment(true),
		zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true),
	)
}

// pathsAtOnce is how many paths are packed at the same time. Most are small,
// and more of them than cores hide the time that publishing a file takes.
func (o Options) pathsAtOnce() int { return 2 * o.Cores }

// compress makes the block's bytes on disk: in j.out, or j.in as it is.
func (k *packer) compress(j *job) {
	if zero(j.in) {
		j.word = 0
		return
	}
	j.out = k.encoder.EncodeAll(j.in, j.out[:0])
	if j.word = uint32(len(j.out)); len(j.out) >= len(j.in) {
		j.word = uint32(len(j.in)) | stored
	}
}

func (j *job) bytes() []byte {
	switch {
	case j.word == 0:
		return nil
	case j.word&stored != 0:
		return j.in
	}
	return j.out
}

func zero(b []byte) bool {
	for len(b) >= 64 {
		if [64]byte(b) != ([64]byte{}) {
			return false
		}
		b = b[64:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// pack makes the cache file of p, whose tree scan has read.
func (k *packer) pack(ctx context.Context, p Path, root *node, task progress.Task) error {
	err := atomicfile.Write(k.options.cacheFile(p), 0o644, func(f *os.File) error {
		buffered := <-k.writers
		buffered.Reset(f)
		defer func() { buffered.Reset(nil); k.writers <- buffered }()
		w := &pathWriter{packer: k, ctx: ctx, out: &summer{w: buffered}, task: task, index: &index{key: k.options.key(p), root: root}, equal: map[content]*node{}, same: map[inode]*node{}}
		if err := w.files(p.Dir); err != nil {
			w.abandon()
			return err
		}
		w.index.length, w.index.sums = w.out.n, w.out.finish()
		encoded := w.index.encode()
		if _, err := buffered.Write(encoded); err != nil {
			return err
		}
		if _, err := buffered.Write(footer(w.out.n, encoded)); err != nil {
			return err
		}
		return buffered.Flush()
	})
	if err != nil {
		return fmt.Errorf("pack %q: %w", p.Name, err)
	}
	return nil
}

// content is what a file holds.
type content struct {
	size int64
	sum  [sha256.Size]byte
}

// inode is which file of the machine it is.
type inode struct{ device, number uint64 }

// A pathWriter writes the blocks of one path in the order of its files.
type pathWriter struct {
	*packer
	ctx   context.Context
	out   *summer
	task  progress.Task
	index *index

	equal map[content]*node // the first file of each content, of those that mayShare
	same  map[inode]*node   // the first name of each file, to spare the reading
	twins [][2]*node        // a file and the earlier one that it is equal to

	waiting   []*job // given to the compressors, not yet written; oldest first
	fragment  *job   // being filled
	fragments int    // how many were begun
}

// files writes the content of all files of the tree at dir.
func (w *pathWriter) files(dir string) error {
	sizes := map[int64]int{}
	w.index.root.files(dir, func(_ string, n *node) error { sizes[n.size]++; return nil })
	err := w.index.root.files(dir, func(path string, n *node) error {
		if err := w.ctx.Err(); err != nil {
			return context.Cause(w.ctx)
		}
		if n.size == 0 {
			return nil
		}
		return w.file(path, n, sizes[n.size] > 1)
	})
	if err != nil {
		return err
	}
	w.endFragment()
	for len(w.waiting) > 0 {
		<-w.waiting[0].done
		if err := w.writeOldest(); err != nil {
			return err
		}
	}
	for _, t := range w.twins {
		t[0].start, t[0].blocks, t[0].fragment, t[0].offset = t[1].start, t[1].blocks, t[1].fragment, t[1].offset
	}
	return nil
}

// file writes one file. Where it may be equal to another of the path, which
// is to say that mayShare is true, it is read twice.
func (w *pathWriter) file(path string, n *node, mayShare bool) (err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if mayShare {
		shared, err := w.share(f, n)
		if shared || err != nil {
			return err
		}
	}
	blockSize := int64(w.options.BlockSize)
	if n.size < blockSize {
		if err := w.addToFragment(f, n); err != nil {
			return err
		}
	} else {
		n.blocks = make([]uint32, (n.size+blockSize-1)/blockSize)
		for i := range n.blocks {
			j, err := w.acquire()
			if err != nil {
				return err
			}
			j.in = j.in[:min(blockSize, n.size-int64(i)*blockSize)]
			if _, err := io.ReadFull(f, j.in); err != nil {
				w.free <- j
				return shrank(path, n.size, err)
			}
			w.submit(j, func() {
				if i == 0 {
					n.start = w.out.n
				}
				n.blocks[i] = j.word
			})
		}
	}
	var more [1]byte
	if n1, _ := f.Read(more[:]); n1 > 0 {
		return fmt.Errorf("%q grew while it was read: it had %d bytes", path, n.size)
	}
	return nil
}

// share finds an earlier file of equal content. When there is none, f is at
// its start again.
func (w *pathWriter) share(f *os.File, n *node) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	id := inode{uint64(st.Dev), st.Ino}
	if first := w.same[id]; first != nil {
		w.twins = append(w.twins, [2]*node{n, first})
		w.task.Add(n.size)
		return true, nil
	}
	h := sha256.New()
	j, err := w.acquire() // for its buffer
	if err != nil {
		return false, err
	}
	size, err := io.CopyBuffer(h, struct{ io.Reader }{f}, j.in[:cap(j.in)])
	w.free <- j
	if err != nil {
		return false, err
	} else if size != n.size {
		return false, fmt.Errorf("%q changed while it was read: it had %d bytes, now %d", f.Name(), n.size, size)
	}
	c := content{n.size, [sha256.Size]byte(h.Sum(nil))}
	first := w.equal[c]
	if first == nil {
		w.equal[c], w.same[id] = n, n
		_, err := f.Seek(0, io.SeekStart)
		return false, err
	}
	w.same[id] = first
	w.twins = append(w.twins, [2]*node{n, first})
	w.task.Add(n.size)
	return true, nil
}

// addToFragment puts a file that is smaller than a block behind the others.
func (w *pathWriter) addToFragment(f *os.File, n *node) error {
	size := int(n.size)
	if w.fragment != nil && len(w.fragment.in)+size > w.options.BlockSize {
		w.endFragment()
	}
	if w.fragment == nil {
		j, err := w.acquire()
		if err != nil {
			return err
		}
		j.in = j.in[:0]
		w.fragment = j
		w.fragments++
	}
	j := w.fragment
	at := len(j.in)
	j.in = j.in[:at+size]
	if _, err := io.ReadFull(f, j.in[at:]); err != nil {
		return shrank(f.Name(), n.size, err)
	}
	if zero(j.in[at:]) {
		j.in = j.in[:at]
		n.blocks = []uint32{0}
		w.task.Add(n.size)
		return nil
	}
	n.fragment, n.offset = w.fragments-1, at
	return nil
}

func (w *pathWriter) endFragment() {
	j := w.fragment
	if j == nil {
		return
	}
	w.fragment = nil
	if len(j.in) == 0 { // begun for a file that is all zeros
		w.fragments--
		w.free <- j
		return
	}
	w.submit(j, func() {
		w.index.fragments = append(w.index.fragments, piece{w.out.n, j.word})
	})
}

// acquire waits for a job that nobody uses. Meanwhile it writes what is
// compressed, so that paths never wait for each other in a circle: there are
// more jobs than paths at a time, and a path keeps one at most unsubmitted.
func (w *pathWriter) acquire() (*job, error) {
	for {
		var oldest chan struct{}
		if len(w.waiting) > 0 {
			oldest = w.waiting[0].done
		}
		select {
		case j := <-w.free:
			return j, nil
		case <-oldest:
			if err := w.writeOldest(); err != nil {
				return nil, err
			}
		case <-w.ctx.Done():
			return nil, context.Cause(w.ctx)
		}
	}
}

func (w *pathWriter) submit(j *job, place func()) {
	j.place = place
	w.waiting = append(w.waiting, j)
	w.work <- j
}

// writeOldest writes the oldest waiting block, which is done.
func (w *pathWriter) writeOldest() error {
	j := w.waiting[0]
	w.waiting = w.waiting[1:]
	j.place()
	_, err := w.out.Write(j.bytes())
	w.task.Add(int64(len(j.in)))
	w.free <- j
	return err
}

// abandon gives back all jobs without writing them.
func (w *pathWriter) abandon() {
	for _, j := range w.waiting {
		<-j.done
		w.free <- j
	}
	if w.fragment != nil {
		w.free <- w.fragment
	}
}

func shrank(path string, size int64, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%q shrank while it was read: it had %d bytes", path, size)
	}
	return err
}
