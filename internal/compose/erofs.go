package compose

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/erofs/go-erofs"

	"reprise/internal/layer"
)

// The image holds names, modes, owners and extended attributes, and no byte of
// any file. A file that is not empty is a hole of the right size with two
// attributes that overlayfs understands when the image is the lower directory
// above the store as data-only layer:
//
//	mount -t erofs  root.erofs META  -o ro
//	mount -t overlay none ROOT -o ro,lowerdir=META::/nix/store,metacopy=on,redirect_dir=follow
//
//	trusted.overlay.metacopy   data is elsewhere; no digest
//	trusted.overlay.redirect   "/<hash>-bash-5.2.37-2/usr/bin/bash", from the top of the data layer
//
// The image is made by go-erofs v0.3.1. What it lacks, and what that costs:
//
//   - Hard links: every name is an inode of its own. Five packages of 680 have
//     any; programs then see st_nlink 1.
//   - Shared extended attributes and large chunks of holes: an entry takes about
//     300 bytes, and every MiB of file 2 KiB of chunk indexes. Its own library
//     would need 210 bytes and none.
//   - Superblock: UUID and checksum are left zero; seal fills them. A nil UUID
//     lets the kernel take file handles of one image for those of another.
//   - Chunk indexes are put straight behind the extended attributes, the kernel
//     reads them at the next multiple of 8: see metacopy.
//   - setuid and its like get lost in Mkdir, and owners need a call each;
//     CopyFrom with *erofs.Stat as Sys takes everything in one pass.
const (
	buildTime = 1 // seconds since 1970, as every file in the store

	metacopyXattr = "trusted.overlay.metacopy"
	redirectXattr = "trusted.overlay.redirect"

	// metacopyPlain is struct ovl_metacopy without a digest: version 0, length
	// 4, no flags, no digest algorithm. To the kernel (6.6 and later) it means
	// the same as an empty value.
	metacopyPlain = "\x00\x04\x00\x00"
)

// Superblock of EROFS: its place in the image and the offsets of the fields
// that seal writes. Source: fs/erofs/erofs_fs.h, Linux 6.12.
const (
	superOffset        = 1024
	superChecksum      = superOffset + 4
	superFeatureCompat = superOffset + 8
	superBlockBits     = superOffset + 12
	superUUID          = superOffset + 48
	superIncompat      = superOffset + 80

	featureChecksum    = 0x1 // compatible: the checksum is there
	featureChunkedFile = 0x4 // incompatible: some files are chunk based
)

// WriteEROFS writes the view as an EROFS image of metadata. The bytes depend
// on the plan alone. The image is built in memory: 300 bytes an entry.
func (p *Plan) WriteEROFS(w io.Writer) error {
	image, err := p.EROFS()
	if err != nil {
		return err
	}
	if _, err := w.Write(image); err != nil {
		return fmt.Errorf("write root image: %w", err)
	}
	return nil
}

// EROFS returns the image that WriteEROFS writes.
func (p *Plan) EROFS() ([]byte, error) {
	if len(p.Entries) == 0 {
		return nil, errors.New("compose root image: the view is empty")
	}
	out := &memory{data: make([]byte, 0, 512*len(p.Entries))}
	writer := erofs.Create(out, erofs.WithBuildTime(buildTime, 0))
	if err := writer.CopyFrom(newViewFS(p), erofs.MetadataOnly()); err != nil {
		return nil, fmt.Errorf("compose root image: %w", err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("compose root image: %w", err)
	}
	seal(out.data)
	return out.data, nil
}

// seal gives the image a UUID made from its content, says that files are
// chunk based, and sets the superblock's checksum.
func seal(image []byte) {
	le := binary.LittleEndian
	le.PutUint32(image[superIncompat:], le.Uint32(image[superIncompat:])|featureChunkedFile)
	le.PutUint32(image[superFeatureCompat:], le.Uint32(image[superFeatureCompat:])|featureChecksum)
	sum := sha256.Sum256(image)
	uuid := sum[:16]
	uuid[6] = uuid[6]&0x0f | 0x80 // version 8: made by the vendor's own rule (RFC 9562)
	uuid[8] = uuid[8]&0x3f | 0x80
	copy(image[superUUID:], uuid)

	// CRC-32C without the final inversion, from the superblock to the end of
	// its block, the checksum itself as zero.
	block := image[superOffset : 1<<image[superBlockBits]]
	le.PutUint32(image[superChecksum:], 0)
	le.PutUint32(image[superChecksum:], ^crc32.Checksum(block, crc32.MakeTable(crc32.Castagnoli)))
}

// metacopy returns the value of the metacopy attribute for a file with these
// other attributes. The two values mean the same and differ by 4 bytes, which
// puts the chunk index behind the attributes at a multiple of 8.
func metacopy(attributes map[string]string, uid, gid uint32) string {
	const (
		compactInode, extendedInode = 32, 64
		header, entry               = 12, 4 // of the attributes, of each of them
	)
	size := compactInode + header
	if uid > 0xffff || gid > 0xffff {
		size = extendedInode + header
	}
	for name, value := range attributes {
		_, suffix := splitXattr(name)
		size += (entry + len(suffix) + len(value) + 3) &^ 3
	}
	size += (entry + len("overlay.metacopy") + 3) &^ 3
	if size%8 == 0 {
		return ""
	}
	return metacopyPlain
}

// splitXattr cuts the prefix that EROFS keeps as a number.
func splitXattr(name string) (prefix, suffix string) {
	for _, prefix := range []string{"user.", "trusted.", "security."} {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			return prefix, name[len(prefix):]
		}
	}
	return "", name
}

// memory is a file in memory.
type memory struct {
	data []byte
	at   int64
}

func (m *memory) Write(p []byte) (int, error) {
	if end := m.at + int64(len(p)); end > int64(len(m.data)) {
		if m.at == int64(len(m.data)) {
			m.data = append(m.data, p...)
			m.at = end
			return len(p), nil
		}
		m.data = append(m.data, make([]byte, end-int64(len(m.data)))...)
	}
	copy(m.data[m.at:], p)
	m.at += int64(len(p))
	return len(p), nil
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += m.at
	case io.SeekEnd:
		offset += int64(len(m.data))
	}
	if offset < 0 {
		return m.at, fs.ErrInvalid
	}
	m.at = offset
	return offset, nil
}

// viewFS shows a plan to go-erofs as a file system without content.
type viewFS struct {
	nodes map[string]*node
}

type node struct {
	*Entry
	name     string
	children []fs.DirEntry
}

func newViewFS(p *Plan) *viewFS {
	v := &viewFS{nodes: make(map[string]*node, len(p.Entries)/4)}
	all := make([]node, len(p.Entries)+1)
	all[0] = node{Entry: &Entry{Entry: layer.Entry{Kind: layer.Dir, Mode: 0o755}}, name: "."}
	v.nodes["."] = &all[0]
	for i := range p.Entries {
		e := &p.Entries[i]
		n := &all[i+1]
		*n = node{Entry: e, name: path.Base(e.Path)}
		if e.Kind != layer.File {
			v.nodes[e.Path] = n
		}
		dir := v.nodes[path.Dir(e.Path)]
		dir.children = append(dir.children, n)
	}
	return v
}

func (v *viewFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

func (v *viewFS) Stat(name string) (fs.FileInfo, error) {
	n, ok := v.nodes[name]
	if !ok {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

func (v *viewFS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, ok := v.nodes[name]
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return n.children, nil
}

func (v *viewFS) ReadLink(name string) (string, error) {
	n, ok := v.nodes[name]
	if !ok {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrNotExist}
	}
	return n.Target, nil
}

func (n *node) Name() string               { return n.name }
func (n *node) IsDir() bool                { return n.Kind == layer.Dir }
func (n *node) Type() fs.FileMode          { return n.Mode().Type() }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) ModTime() time.Time         { return time.Unix(buildTime, 0) }

func (n *node) Size() int64 {
	if n.Kind == layer.File {
		return n.Entry.Size
	}
	return 0
}

func (n *node) Mode() fs.FileMode {
	mode := layer.FileMode(n.Entry.Mode)
	switch n.Kind {
	case layer.Dir:
		mode |= fs.ModeDir
	case layer.Symlink:
		mode |= fs.ModeSymlink
	}
	return mode
}

// Sys carries what fs.FileInfo has no method for; go-erofs looks for it.
func (n *node) Sys() any {
	stat := &erofs.Stat{UID: n.UID, GID: n.GID, Mtime: buildTime, Xattrs: n.Xattrs}
	if n.Kind == layer.File && n.Entry.Size > 0 {
		stat.Xattrs = make(map[string]string, len(n.Xattrs)+2)
		for name, value := range n.Xattrs {
			stat.Xattrs[name] = value
		}
		stat.Xattrs[redirectXattr] = n.Source
		stat.Xattrs[metacopyXattr] = metacopy(stat.Xattrs, n.UID, n.GID)
	}
	return stat
}
