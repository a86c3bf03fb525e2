package systree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Limits of an archive that is read: a snapshot of a big machine has some
// thousands of files and a megabyte.
const (
	maxNodes = 200_000
	maxBytes = 128 << 20 // unpacked, all together
	maxName  = 4096      // bytes
)

// Write writes the tree as a tar archive, compressed with zstd: names sorted,
// no times, no owners. The same tree gives the same bytes.
func (t *Tree) Write(w io.Writer) error {
	// One worker: with more the blocks depend on how fast they are.
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	a := tar.NewWriter(z)
	for _, name := range t.Names() {
		n := t.nodes[name]
		h := &tar.Header{Name: name, Mode: int64(n.mode.Perm()), Format: tar.FormatPAX}
		switch {
		case n.mode.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, name+"/"
		case n.mode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname = tar.TypeSymlink, string(n.data)
		default:
			h.Typeflag, h.Size = tar.TypeReg, int64(len(n.data))
		}
		if err := a.WriteHeader(h); err != nil {
			return fmt.Errorf("pack %q: %w", name, err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := a.Write(n.data); err != nil {
				return fmt.Errorf("pack %q: %w", name, err)
			}
		}
	}
	return errors.Join(a.Close(), z.Close())
}

// Read reads what Write writes; archives made by tar and zstd will do as well.
func Read(r io.Reader) (*Tree, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBytes))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	t := New()
	a := tar.NewReader(io.LimitReader(z, maxBytes+maxNodes*1024))
	total := int64(0)
	for count := 0; ; count++ {
		h, err := a.Next()
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(path.Clean(strings.TrimPrefix(h.Name, "/")), "./")
		switch {
		case !fs.ValidPath(name) || len(name) > maxName:
			return nil, fmt.Errorf("%.80q is no path in a snapshot", h.Name)
		case count >= maxNodes:
			return nil, fmt.Errorf("more than %d files", maxNodes)
		case name == ".":
			continue
		}
		switch h.Typeflag {
		case tar.TypeDir:
			t.Mkdir(name)
		case tar.TypeSymlink:
			if len(h.Linkname) > maxName {
				return nil, fmt.Errorf("link %q has a target of %d bytes", name, len(h.Linkname))
			}
			t.Link(name, h.Linkname)
		case tar.TypeReg:
			if total += h.Size; total > maxBytes {
				return nil, fmt.Errorf("more than %d bytes", maxBytes)
			}
			var b bytes.Buffer
			if _, err := io.Copy(&b, a); err != nil {
				return nil, fmt.Errorf("unpack %q: %w", name, err)
			}
			t.Put(name, b.Bytes())
		default:
			return nil, fmt.Errorf("%q is neither file, directory nor link", name)
		}
	}
}
