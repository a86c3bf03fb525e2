package nar

import (
	"context"
	"errors"
	"io"
)

var errUnwritten = errors.New("nar: body follows")

// DumpPath writes the NAR of the file, symlink or directory at path.
func DumpPath(ctx context.Context, w io.Writer, path string) error { return errUnwritten }

// Restore writes the tree of the archive to dst, which must not exist.
func Restore(ctx context.Context, r io.Reader, dst string, lim Limits) error { return errUnwritten }
