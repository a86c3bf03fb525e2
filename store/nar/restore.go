package nar

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"reprise/store/tree"
)

// Restore writes the tree of the archive to dst, which must not exist, in
// canonical form: modes 0444 and 0555, modification time 1. r must end where
// the archive ends. After an error dst does not exist.
//
// Names that are empty, ".", "..", hold "/" or NUL, are longer than 255 bytes
// or are not in ascending order are errors, and so is every deviation from
// the one spelling that DumpPath writes. Files are made through os.Root and
// never through a symlink.
func Restore(ctx context.Context, r io.Reader, dst string, lim Limits) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("unpack an archive to %q: %w", dst, err)
		}
	}()
	parent, err := os.OpenRoot(filepath.Dir(dst))
	if err != nil {
		return err
	}
	defer parent.Close()
	if _, err := parent.Lstat(filepath.Base(dst)); err == nil {
		return os.ErrExist
	}
	u := restorer{ctx: ctx, parser: newParser(r), lim: lim.orDefault(), buf: make([]byte, 256<<10)}
	u.want(magic)
	dir, err := openAt(parent)
	if err != nil {
		return err
	}
	defer dir.close()
	if err = u.node(dir, filepath.Base(dst), 0); err == nil {
		err = u.end()
	}
	if err != nil {
		err = errors.Join(err, tree.Remove(dst))
	}
	return err
}

// place is a directory to write in: as a root that nothing escapes, and as a
// file, for the calls that need its descriptor.
type place struct {
	root *os.Root
	file *os.File
}

func openAt(root *os.Root) (place, error) {
	file, err := root.Open(".")
	return place{root, file}, err
}

func (p place) close() { p.file.Close() }

// setTime gives the entry the canonical time, without following a symlink.
func (p place) setTime(name string) error {
	if err := unix.UtimesNanoAt(int(p.file.Fd()), name, tree.Times(), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "set the time of", Path: name, Err: err}
	}
	return nil
}

type restorer struct {
	*parser
	ctx     context.Context
	lim     Limits
	buf     []byte
	entries int64
	bytes   int64
}

// node reads one node and makes it at the name below dir.
func (u *restorer) node(dir place, name string, depth int) error {
	if u.entries++; u.entries > u.lim.Entries {
		return fmt.Errorf("more than %d files and directories", u.lim.Entries)
	}
	if err := u.ctx.Err(); err != nil {
		return err
	}
	u.want("(")
	u.want("type")
	var err error
	switch kind := u.str(len("directory")); kind {
	case "regular":
		err = u.regular(dir, name)
	case "symlink":
		err = u.symlink(dir, name)
	case "directory":
		return u.directory(dir, name, depth)
	default:
		u.fail(fmt.Errorf("unknown type %q", kind))
	}
	if err == nil {
		u.want(")")
	}
	return errors.Join(err, u.err)
}

func (u *restorer) regular(dir place, name string) error {
	mode := os.FileMode(tree.FileMode)
	next := u.str(len("executable"))
	if next == "executable" {
		mode = tree.ExecMode
		u.want("")
		next = u.str(len("contents"))
	}
	if next != "contents" {
		u.fail(fmt.Errorf("%q where the contents of %q should begin", next, name))
	}
	size := u.length()
	if u.err != nil {
		return u.err
	}
	if u.bytes += size; size < 0 || u.bytes < 0 || u.bytes > u.lim.Bytes {
		return fmt.Errorf("the files hold more than %d bytes", u.lim.Bytes)
	}
	file, err := dir.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for left := size; left > 0; {
		n, err := u.read(u.buf[:min(left, int64(len(u.buf)))])
		if err != nil {
			return fmt.Errorf("contents of %q, %d of %d bytes missing: %w", name, left, size, err)
		}
		if _, err := file.Write(u.buf[:n]); err != nil {
			return err
		}
		left -= int64(n)
		if err := u.ctx.Err(); err != nil {
			return err
		}
	}
	u.padding(size)
	if err := file.Chmod(mode); err != nil {
		return err
	}
	return dir.setTime(name)
}

func (u *restorer) symlink(dir place, name string) error {
	u.want("target")
	target := u.str(maxTarget)
	switch {
	case u.err != nil:
		return u.err
	case target == "" || strings.ContainsRune(target, 0):
		return fmt.Errorf("target %q of the symlink %q", target, name)
	}
	if err := dir.root.Symlink(target, name); err != nil {
		return err
	}
	return dir.setTime(name)
}

func (u *restorer) directory(dir place, name string, depth int) error {
	if depth++; depth > u.lim.Depth {
		return fmt.Errorf("more than %d directories below each other", u.lim.Depth)
	}
	if err := dir.root.Mkdir(name, 0o700); err != nil {
		return err
	}
	if err := dir.root.Chmod(name, 0o700); err != nil { // against the umask
		return err
	}
	root, err := dir.root.OpenRoot(name)
	if err != nil {
		return err
	}
	defer root.Close()
	below, err := openAt(root)
	if err != nil {
		return err
	}
	defer below.close()
	last := ""
	for u.another() {
		u.want("(")
		u.want("name")
		entry := u.str(maxName)
		u.want("node")
		if u.err != nil {
			return u.err
		}
		if err := checkEntry(entry, last); err != nil {
			return err
		}
		last = entry
		if err := u.node(below, entry, depth); err != nil {
			return err
		}
		u.want(")")
	}
	if u.err != nil {
		return u.err
	}
	if err := below.file.Chmod(tree.DirMode); err != nil {
		return err
	}
	return dir.setTime(name)
}

// checkEntry says why a directory cannot hold name after last.
func checkEntry(name, last string) error {
	switch {
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("%q as the name of a file", name)
	case name <= last:
		return fmt.Errorf("the name %q after %q: want ascending order", name, last)
	}
	return nil
}

// parser reads the strings of an archive. After the first error, kept in err,
// it returns zero values.
type parser struct {
	in  *bufio.Reader
	err error
}

func newParser(r io.Reader) *parser {
	return &parser{in: bufio.NewReaderSize(r, bufferSize)}
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// read is io.Reader's, but the end of the input is always unexpected.
func (p *parser) read(buf []byte) (int, error) {
	n, err := p.in.Read(buf)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (p *parser) full(buf []byte) {
	if p.err != nil {
		return
	}
	if _, err := io.ReadFull(p.in, buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		p.fail(fmt.Errorf("the archive is cut off: %w", err))
	}
}

// length reads a string's length.
func (p *parser) length() int64 {
	var word [8]byte
	p.full(word[:])
	n := binary.LittleEndian.Uint64(word[:])
	if n > 1<<62 {
		p.fail(fmt.Errorf("a length of %d bytes", n))
		return 0
	}
	return int64(n)
}

// padding reads the zeros that follow n bytes.
func (p *parser) padding(n int64) {
	var zeros [8]byte
	p.full(zeros[:-n&7])
	if zeros != [8]byte{} {
		p.fail(errors.New("the padding holds something else than zeros"))
	}
}

// str reads a string of limit bytes at most.
func (p *parser) str(limit int) string {
	n := p.length()
	if p.err == nil && n > int64(limit) {
		p.fail(fmt.Errorf("a string of %d bytes where %d are the most", n, limit))
	}
	if p.err != nil {
		return ""
	}
	buf := make([]byte, n)
	p.full(buf)
	p.padding(n)
	if p.err != nil {
		return ""
	}
	return string(buf)
}

func (p *parser) want(s string) {
	if got := p.str(max(len(s), 64)); p.err == nil && got != s {
		p.fail(fmt.Errorf("%q where %q should stand", got, s))
	}
}

// another says whether a directory has one more entry, and reads its keyword
// or the parenthesis that ends the directory.
func (p *parser) another() bool {
	switch word := p.str(len("entry")); {
	case p.err != nil:
		return false
	case word == "entry":
		return true
	case word != ")":
		p.fail(fmt.Errorf("%q where an entry or the end of the directory should stand", word))
	}
	return false
}

// end checks that the archive ends here.
func (p *parser) end() error {
	if p.err != nil {
		return p.err
	}
	switch _, err := p.in.ReadByte(); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("bytes follow the end of the archive")
	default:
		return err
	}
}
