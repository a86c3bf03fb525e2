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
// the trees that link them are removed as well; removing a tree is always
// safe and costs only the time to make it again.
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

	"reprise/internal/compose"
	"reprise/internal/layer"
	"reprise/store"
	"reprise/store/sandbox"
	"reprise/store/storepath"
)

// format is hashed with the set of packages: it changes when the same
// packages are to make another tree.
const format = "reprise-tree 1\n"

// A Root is a tool root that is ready for use.
type Root struct {
	dir string
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
	trees := s.StateDir("trees")
	root := &Root{filepath.Join(trees, setHash(layers))}
	if _, err := os.Lstat(root.dir); err == nil {
		return root, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tool root: %w", err)
	}
	plan, err := compose.Merge(layers)
	if err != nil {
		return nil, fmt.Errorf("tool root: %w", err)
	}
	tmp, release, err := s.TempDir("tree-*")
	if err != nil {
		return nil, fmt.Errorf("tool root: %w", err)
	}
	defer release()
	tree := filepath.Join(tmp, "tree")
	if err := plan.WriteTree(ctx, tree, s.Real); err != nil {
		return nil, fmt.Errorf("tool root: %w", err)
	}
	if err := furnish(tree); err != nil {
		return nil, fmt.Errorf("tool root: %w", err)
	}
	if err := os.MkdirAll(trees, 0o755); err != nil {
		return nil, fmt.Errorf("tool root: %w", err)
	}
	err = os.Rename(tree, root.dir)
	if _, there := os.Lstat(root.dir); err != nil && there != nil {
		return nil, fmt.Errorf("tool root: %w", err)
	}
	return root, nil // made by us, or by another process just before
}

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
