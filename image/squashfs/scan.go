package squashfs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// scan lists the tree at dir. Of files it tells the kind and the size; their
// blocks come later. bytes is how many bytes the files have together.
func scan(ctx context.Context, dir string) (root *node, bytes int64, err error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, 0, err
	}
	return scanNode(ctx, dir, "", info, 0)
}

func scanNode(ctx context.Context, path, name string, info fs.FileInfo, depth int) (*node, int64, error) {
	n := &node{name: name, fragment: -1}
	switch info.Mode().Type() {
	case 0:
		if n.kind = kindFile; info.Mode()&0o100 != 0 {
			n.kind = kindExec
		}
		if n.size = info.Size(); n.size > maxFile {
			return nil, 0, fmt.Errorf("%q has %d bytes: at most %d are possible", path, n.size, int64(maxFile))
		}
		return n, n.size, nil
	case fs.ModeSymlink:
		n.kind = kindSymlink
		var err error
		if n.target, err = os.Readlink(path); err == nil {
			err = checkTarget(n.target)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%q: %w", path, err)
		}
		return n, 0, nil
	case fs.ModeDir:
		n.kind = kindDir
	default:
		return nil, 0, fmt.Errorf("%q is %s: a store holds files, directories and symlinks", path, described(info.Mode()))
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, context.Cause(ctx)
	}
	if depth >= maxDepth {
		return nil, 0, fmt.Errorf("%q is deeper than %d directories", path, maxDepth)
	}
	entries, err := os.ReadDir(path) // sorted bytewise
	if err != nil {
		return nil, 0, err
	}
	var bytes int64
	n.children = make([]*node, len(entries))
	for i, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, 0, err
		}
		child, size, err := scanNode(ctx, filepath.Join(path, e.Name()), e.Name(), info, depth+1)
		if err != nil {
			return nil, 0, err
		}
		n.children[i] = child
		bytes += size
	}
	return n, bytes, nil
}

func described(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return fmt.Sprintf("something else (%s)", mode)
}

// files calls do for each file below n, which lies at path, in the order of
// the names.
func (n *node) files(path string, do func(path string, n *node) error) error {
	if n.kind.isFile() {
		return do(path, n)
	}
	for _, c := range n.children {
		if err := c.files(filepath.Join(path, c.name), do); err != nil {
			return err
		}
	}
	return nil
}
