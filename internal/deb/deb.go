package deb

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Limits bounds what a .deb may make of itself. A zero field means its
// default.
type Limits struct {
	// Control bounds the uncompressed control archive. Default 64 MiB: the
	// md5sums of a package of 500,000 files fit.
	Control int64
	// Floor and Factor bound the uncompressed data archive: Floor bytes, or
	// Factor times Installed-Size where that is more. Installed-Size counts
	// whole KiB for every file, a tar archive 512 bytes for every header and
	// whole 512 for every content, so an honest archive stays below twice
	// Installed-Size unless names are very long. Defaults 64 MiB and 3.
	Floor  int64
	Factor int64
	// Bytes bounds the uncompressed data archive whatever Installed-Size
	// says. Default 64 GiB.
	Bytes int64
	// Entries bounds the number of files, directories and links. Default
	// 1,000,000.
	Entries int
}

func (l Limits) orDefaults() Limits {
	fill := func(field *int64, value int64) {
		if *field <= 0 {
			*field = value
		}
	}
	fill(&l.Control, 64<<20)
	fill(&l.Floor, 64<<20)
	fill(&l.Factor, 3)
	fill(&l.Bytes, 64<<30)
	if l.Entries <= 0 {
		l.Entries = 1_000_000
	}
	return l
}

// data returns the bound for a package that says it installs that many KiB.
func (l Limits) data(installedKiB int64) int64 {
	if installedKiB >= l.Bytes/1024/l.Factor {
		return l.Bytes
	}
	return min(l.Bytes, max(l.Floor, installedKiB*1024*l.Factor))
}

// A ControlFile is one file of the control archive: "control", "postinst",
// "conffiles" and so on.
type ControlFile struct {
	Name       string
	Executable bool
	Content    []byte
}

// A Deb is an opened .deb: its control files are read, its data archive is
// not.
type Deb struct {
	Package Package // what the control file says

	source io.ReaderAt
	files  []ControlFile
	data   member
}

// OpenDeb reads the structure and the control archive of the .deb r of the
// given size in bytes.
func OpenDeb(r io.ReaderAt, size int64) (*Deb, error) {
	return openDeb(context.Background(), r, size, Limits{}.orDefaults())
}

func openDeb(ctx context.Context, r io.ReaderAt, size int64, lim Limits) (*Deb, error) {
	control, data, err := findMembers(r, size)
	if err != nil {
		return nil, fmt.Errorf("read .deb: %w", err)
	}
	d := &Deb{source: r, data: data}
	if d.files, err = readControl(ctx, r, control, lim); err != nil {
		return nil, fmt.Errorf("read member %q: %w", control.name, err)
	}
	for _, f := range d.files {
		if f.Name == "control" {
			if d.Package, err = ParseControl(f.Content); err != nil {
				return nil, fmt.Errorf("read member %q: %w", control.name, err)
			}
			return d, nil
		}
	}
	return nil, fmt.Errorf("read member %q: no control file in it", control.name)
}

// Control returns the control files, sorted by name.
func (d *Deb) Control() []ControlFile { return slices.Clone(d.files) }

// Data returns the data archive as it stands in the .deb, and how it is
// compressed: "xz", "zst", "gz" or "" for not at all.
func (d *Deb) Data() (r *io.SectionReader, compression string, err error) {
	compression, err = compressionOf(d.data.name)
	return io.NewSectionReader(d.source, d.data.offset, d.data.size), compression, err
}

// compressionOf maps the name of a member to its compression. dpkg dropped
// bzip2 and lzma for building in 2014; Debian's archive holds none.
func compressionOf(name string) (string, error) {
	_, ending, ok := strings.Cut(name, ".tar")
	switch {
	case ok && ending == "":
		return "", nil
	case ok && (ending == ".xz" || ending == ".zst" || ending == ".gz"):
		return ending[1:], nil
	}
	return "", fmt.Errorf("member %q: compression is not one of none, .gz, .xz, .zst", name)
}

func readControl(ctx context.Context, r io.ReaderAt, m member, lim Limits) ([]ControlFile, error) {
	compression, err := compressionOf(m.name)
	if err != nil {
		return nil, err
	}
	plain, err := decompress(ctx, io.NewSectionReader(r, m.offset, m.size), compression, nil)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	in := newTarStream(plain, lim.Control)
	var files []ControlFile
	for {
		h, err := in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(h.Name, "./")
		switch {
		case h.Typeflag == tar.TypeDir && (name == "" || name == "."):
			continue
		case h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("entry %q is not a regular file", h.Name)
		case !validControlName(name):
			return nil, fmt.Errorf("entry name %q", h.Name)
		}
		content, err := io.ReadAll(in.tar)
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", h.Name, tarFault(err))
		}
		files = append(files, ControlFile{name, h.Mode&0o100 != 0, content})
	}
	if err := in.finish(); err != nil {
		return nil, err
	}
	if err := plain.Close(); err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b ControlFile) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(files); i++ {
		if files[i].Name == files[i-1].Name {
			return nil, fmt.Errorf("entry %q stands there twice", files[i].Name)
		}
	}
	return files, nil
}

// validControlName allows the names that dpkg gives control files. "manifest"
// is ours.
func validControlName(name string) bool {
	if name == "" || name[0] == '.' || name == "manifest" || len(name) > 255 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !isDigit(c) && !isLetter(c) && strings.IndexByte("._+-", c) < 0 {
			return false
		}
	}
	return true
}

// A tarStream reads a tar archive whose length is bounded and whose end must
// be there: two blocks of zeros, then zeros only.
type tarStream struct {
	tar     *tar.Reader
	in      *countedReader
	entries int
}

func newTarStream(r io.Reader, limit int64) *tarStream {
	in := &countedReader{r: r, limit: limit}
	return &tarStream{tar: tar.NewReader(in), in: in}
}

// A countedReader fails once more than limit bytes were read through it.
type countedReader struct {
	r        io.Reader
	n, limit int64
}

var errTooLarge = errors.New("too large")

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.n += int64(n); c.n > c.limit {
		return 0, fmt.Errorf("%w: the archive unpacks to more than %d bytes", errTooLarge, c.limit)
	}
	return n, err
}

// next returns the next entry, or io.EOF after a proper end.
func (s *tarStream) next() (*tar.Header, error) {
	// Content of the last entry must be skipped before the position tells
	// where the next header starts.
	if _, err := io.Copy(io.Discard, s.tar); err != nil {
		return nil, tarFault(err)
	}
	start := (s.in.n + 511) / 512 * 512
	h, err := s.tar.Next()
	if err == io.EOF && s.in.n < start+1024 {
		return nil, fmt.Errorf("the tar archive has no end: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, tarFault(err)
	}
	s.entries++
	if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeDir {
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return nil, fmt.Errorf("entry %q is a sparse file", h.Name)
			}
		}
	}
	if h.Size > s.in.limit-s.in.n {
		return nil, fmt.Errorf("%w: entry %q of %d bytes; the archive may unpack to %d bytes", errTooLarge, h.Name, h.Size, s.in.limit)
	}
	return h, nil
}

// finish reads what follows the end, which must be zeros, up to the end of
// the compressed stream, so that its checksums are looked at.
func (s *tarStream) finish() error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := s.in.Read(buffer)
		for _, c := range buffer[:n] {
			if c != 0 {
				return errors.New("bytes after the end of the tar archive")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tarFault turns the bare io.EOF of a cut stream into an error that says so.
func tarFault(err error) error {
	if errors.Is(err, io.EOF) && err != io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
