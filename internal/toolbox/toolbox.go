// Package toolbox runs programs of the locked archive on the machine that
// builds: mke2fs, grub-mkimage, QEMU and the like, whatever distribution the
// machine itself has.
//
// A tool root is a directory tree of hard links into the store, merged from
// unpacked packages as a view is (internal/compose). It lies in the store's
// state directory and is made once for each set of packages:
//
//	nix/var/reprise/trees/<hash of the set>/
//	    usr/ etc/                      the view
//	    bin sbin lib lib32 lib64 libx32    links into usr, where usr has them
//	    proc/ dev/ sys/ tmp/ run/ var/tmp/ root/ home/ mnt/ opt/ srv/    empty
//	    etc/{passwd,group,hosts,resolv.conf,nsswitch.conf}    where no package has them
//
// Its files are the store's own inodes. That is safe because nobody is given
// a way to write to them: a sandbox shows the tree read-only, and the only
// programs that see it run in a sandbox. A store path's NAR does not tell how
// many links a file has. Collecting the store frees a path's files only when
// the trees that link them are removed as well, which Collect does; removing a
// tree costs only the time to make it again. Who uses a tree has a shared lock
// on its directory, who removes one an exclusive one.
//
// Left out: what maintainer scripts would do, alternatives above all. The
// caller names real programs: "mawk", not "awk".
package toolbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/compose"
	"reprise/internal/layer"
	"reprise/store"
	"reprise/store/sandbox"
	"reprise/store/storepath"
)

// format is hashed with the set of packages: it changes when the same
// packages are to make another tree.
const format = "reprise-tree 1\n"

// A Root is a tool root that is ready for use. It stays until Close, or the
// end of the process.
type Root struct {
	dir string
	// An open directory with a shared lock. No os.File, which would be closed
	// when nothing but a command refers to the tree.
	lock int
}

// ReadLayer returns the layer of an unpacked package in the store. name is
// the package's.
func ReadLayer(s *store.Store, name string, p storepath.Path) (compose.Layer, error) {
	data, err := os.ReadFile(filepath.Join(s.Real(p), layer.ManifestPath))
	if err != nil {
		return compose.Layer{}, fmt.Errorf("layer %s: %w", name, err)
	}
	m, err := layer.Parse(data)
	if err != nil {
		return compose.Layer{}, fmt.Errorf("layer %s: %q: %w", name, p, err)
	}
	return compose.Layer{Path: p, Manifest: m, Name: name}, nil
}

// Open returns the tool root of layers, all of which are valid in s, and
// makes it if it is not there yet. Two processes may do so at once.
func Open(ctx context.Context, s *store.Store, layers []compose.Layer) (*Root, error) {
	dir := filepath.Join(s.StateDir("trees"), setHash(layers))
	for {
		root, err := take(ctx, dir)
		if err == nil && root == nil {
			root, err = build(ctx, s, layers, dir)
		}
		if err != nil {
			return nil, fmt.Errorf("tool root: %w", err)
		}
		if root != nil {
			return root, nil
		}
	}
}

// take returns the tree at dir, or nil when there is none.
func take(ctx context.Context, dir string) (*Root, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	for {
		free, err := lock(fd, unix.LOCK_SH)
		if err == nil && !free { // it is being removed
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(5 * time.Millisecond):
				continue
			}
		}
		if err == nil && at(fd, dir) {
			return &Root{dir, fd}, nil
		}
		unix.Close(fd)
		return nil, err
	}
}

// lock takes the lock how unless another holder stands against it.
func lock(fd, how int) (bool, error) {
	for {
		switch err := unix.Flock(fd, how|unix.LOCK_NB); err {
		case nil:
			return true, nil
		case unix.EWOULDBLOCK:
			return false, nil
		case unix.EINTR:
		default:
			return false, fmt.Errorf("lock: %w", err)
		}
	}
}

// at says whether the open directory stands at dir now.
func at(fd int, dir string) bool {
	var open, there unix.Stat_t
	return unix.Fstat(fd, &open) == nil && unix.Lstat(dir, &there) == nil && open.Dev == there.Dev && open.Ino == there.Ino
}

// build makes the tree and puts it at dir. It returns nil when another process
// was faster.
func build(ctx context.Context, s *store.Store, layers []compose.Layer, dir string) (*Root, error) {
	plan, err := compose.Merge(layers)
	if err != nil {
		return nil, err
	}
	tmp, release, err := s.TempDir("tree-*")
	if err != nil {
		return nil, err
	}
	defer release()
	tree := filepath.Join(tmp, "tree")
	if err := plan.WriteTree(ctx, tree, s.Real); err != nil {
		return nil, err
	}
	if err := furnish(tree); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	fd, err := unix.Open(tree, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: tree, Err: err}
	}
	_, err = lock(fd, unix.LOCK_SH)
	if err == nil {
		// What is at dir is taken for whole for ever, after a power cut too.
		err = unix.Syncfs(fd)
	}
	if err == nil {
		err = os.Rename(tree, dir)
	}
	if err == nil {
		return &Root{dir, fd}, nil
	}
	unix.Close(fd)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTEMPTY) {
		return nil, nil
	}
	return nil, err
}

// Close lets the tree be removed. The root must not be used any more.
func (t *Root) Close() error { return unix.Close(t.lock) }

// setHash names a set of layers.
func setHash(layers []compose.Layer) string {
	h := sha256.New()
	h.Write([]byte(format))
	for _, l := range layers {
		fmt.Fprintf(h, "%s %q %v\n", l.Path, l.Replaces, l.Overrides)
	}
	return storepath.EncodeBase32(h.Sum(nil)[:20])
}

// The files that programs look for and no package brings, because its
// maintainer script writes them.
var files = []struct{ name, content string }{
	{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbuild:x:1000:100:build:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
	{"etc/group", "root:x:0:\nusers:x:100:\nnogroup:x:65534:\n"},
	{"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"},
	{"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
	{"etc/resolv.conf", ""},
}

// furnish adds to a view what a root file system has besides.
func furnish(tree string) error {
	for _, name := range []string{"etc", "proc", "dev", "sys", "tmp", "run", "var/tmp", "root", "home", "mnt", "opt", "srv"} {
		if err := os.MkdirAll(filepath.Join(tree, name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		if _, err := os.Stat(filepath.Join(tree, "usr", name)); err != nil {
			continue
		}
		if err := os.Symlink("usr/"+name, filepath.Join(tree, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, f := range files {
		name := filepath.Join(tree, f.name)
		if _, err := os.Lstat(name); err == nil {
			continue
		}
		if err := os.WriteFile(name, []byte(f.content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Dir is the tree on this machine. It must not be written to.
func (t *Root) Dir() string { return t.dir }

// Environment is what programs get unless the caller says otherwise.
func Environment() []string {
	return []string{"HOME=/tmp", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC"}
}

// Command returns what sandbox.Run needs to run a program of the root: as
// uid 0 of a user namespace, the tree read-only, /tmp, /run and /var/tmp
// empty in memory, no network. The caller adds binds, streams and what else
// its program needs.
func (t *Root) Command(argv ...string) sandbox.Spec {
	return sandbox.Spec{
		Root:   t.dir,
		Tmpfs:  []string{"/tmp", "/run", "/var/tmp"},
		Argv:   argv,
		Env:    Environment(),
		AsRoot: true,
	}
}

// Find returns the path inside of the first of names that the root has in
// its PATH. Debian moves programs between sbin and bin, and names some by
// their version.
func (t *Root) Find(names ...string) (string, error) {
	for _, name := range names {
		for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
			if info, err := os.Stat(filepath.Join(t.dir, dir, name)); err == nil && info.Mode().IsRegular() {
				return filepath.Join(dir, name), nil
			}
		}
	}
	return "", fmt.Errorf("the tool root has none of the programs %s", strings.Join(slices.Clone(names), ", "))
}
