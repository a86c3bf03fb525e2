package flash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"reprise/internal/deb"
	"reprise/internal/diag"
	"reprise/internal/progress"
)

// maxWindow bounds what a zstd stream may ask to be held in memory: that of
// zstd --long=27 and --ultra.
const maxWindow = 256 << 20 // bytes

// Compressions, known by the first bytes of a file.
var compressions = []struct{ name, magic string }{
	{"zst", "\x28\xb5\x2f\xfd"},
	{"xz", "\xfd7zXZ\x00"},
	{"gz", "\x1f\x8b\x08"},
}

// Archives that an image may be packed in, and are none.
var archives = []struct{ name, magic, unpack string }{
	{"a bzip2 file", "BZh", "bunzip2"},
	{"a zip archive", "PK\x03\x04", "unzip"},
	{"a 7z archive", "7z\xbc\xaf\x27\x1c", "7z x"},
	{"a qcow2 image", "QFI\xfb", "qemu-img convert -O raw"},
}

// An Image is a file to write. Close must be called.
type Image struct {
	Path        string
	Compression string // "zst", "xz", "gz" or ""
	FileBytes   int64  // of the file
	Size        int64  // bytes of the image; not known before Measure when it is compressed

	file *os.File
	head []byte // the image's first headBytes, after Measure
}

// OpenImage opens an image and looks at what it is. What cannot be an image is
// a diag.Problem.
func OpenImage(path string) (*Image, error) {
	refused := func(got, do string) (*Image, error) {
		return nil, diag.Problem{File: path, Got: got, Want: "a disk image or an ISO, also one compressed as .zst, .xz or .gz", Do: do}
	}
	info, err := os.Stat(path)
	if err != nil {
		return refused("cannot be read: "+reason(err), "name an image, such as reprise build writes")
	}
	if !info.Mode().IsRegular() {
		return refused("is no regular file", "name an image, such as reprise build writes")
	}
	f, err := os.Open(path)
	if err != nil {
		return refused("cannot be read: "+reason(err), "run this as a user who may read it")
	}
	im := &Image{Path: path, FileBytes: info.Size(), file: f}
	first := make([]byte, 16)
	n, err := f.ReadAt(first, 0)
	if err != nil && err != io.EOF {
		f.Close()
		return refused("cannot be read: "+reason(err), "copy it to another disk first")
	}
	if n == 0 {
		f.Close()
		return refused("is empty", "make or download it again")
	}
	for _, a := range archives {
		if bytes.HasPrefix(first, []byte(a.magic)) {
			f.Close()
			return refused("is "+a.name, "unpack it first: "+a.unpack+" "+path)
		}
	}
	for _, c := range compressions {
		if bytes.HasPrefix(first, []byte(c.magic)) {
			im.Compression = c.name
		}
	}
	if im.Compression == "" {
		im.Size = im.FileBytes
	}
	return im, nil
}

// Close closes the file.
func (im *Image) Close() error { return im.file.Close() }

// Name is the file's base name.
func (im *Image) Name() string { return filepath.Base(im.Path) }

// Measure reads a compressed image to its end, which tells its size and
// whether it is whole before anything is erased for it; of others it reads the
// start. An image that is damaged or was cut short is a diag.Problem.
func (im *Image) Measure(ctx context.Context, sink progress.Sink) (err error) {
	r, err := im.open(ctx)
	if err != nil {
		return im.damaged(err)
	}
	defer r.Close()
	im.head = make([]byte, headBytes)
	n, err := io.ReadFull(r, im.head)
	im.head = im.head[:n]
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return im.damaged(err)
	}
	if im.Compression != "" {
		task := sink.Start("read "+im.Name(), progress.Bytes, 0)
		task.Add(int64(n))
		rest, err := io.CopyBuffer(io.Discard, onlyReader{&interruptible{ctx, progress.Reader(r, task)}}, make([]byte, 1<<20))
		task.Done(err)
		if err != nil {
			return im.damaged(err)
		}
		im.Size = int64(n) + rest
		if im.Size == 0 {
			return im.damaged(errors.New("there is nothing in it"))
		}
	}
	return im.whole()
}

// whole compares the image's size with what is written in it.
func (im *Image) whole() error {
	end, who := isoEnd(im.head), "ISO 9660 volume"
	if t, err := parseGPT(im.head); err == nil && t != nil && t.end() > end {
		end, who = t.end(), "partition table"
	}
	if end <= im.Size {
		return nil
	}
	return diag.Problem{File: im.Path, Got: fmt.Sprintf("is cut short: %s of its %s are missing", size(end-im.Size), who),
		Want: "an image of " + size(end), Do: "make or download it again"}
}

func (im *Image) damaged(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	kind := "image"
	if im.Compression != "" {
		kind = im.Compression + " file"
	}
	got := "is a damaged " + kind + ": " + reason(err)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		got = "needs more than " + size(maxWindow) + " of memory to decompress"
	}
	return diag.Problem{File: im.Path, Got: got, Want: "a whole image", Do: "make or download it again"}
}

// Starts says whether firmware would find boot code or a partition table in
// the image. It is known after Measure.
func (im *Image) Starts() bool { return starts(im.head) }

// open returns the image's bytes from the start. Several readers may be used
// one after the other.
func (im *Image) open(ctx context.Context) (io.ReadCloser, error) {
	section := io.NewSectionReader(im.file, 0, im.FileBytes)
	switch im.Compression {
	case "zst":
		z, err := zstd.NewReader(section, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(min(2, runtime.GOMAXPROCS(0))))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case "xz":
		return deb.NewXZ(ctx, section, im.FileBytes)
	case "gz":
		return gzip.NewReader(section)
	}
	return io.NopCloser(section), nil
}

// interruptible is a reader that ends when ctx does.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// onlyReader hides that a reader can write itself out.
type onlyReader struct{ io.Reader }

// reason returns why an operation on a file went wrong, without its name.
func reason(err error) string {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
