package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"reprise/store/storepath"
)

// Sizes returns the NAR sizes of all valid paths of the store below root,
// bytes. It changes nothing and needs no right to: any user of a machine may
// ask.
func Sizes(ctx context.Context, root string) (map[storepath.Path]int64, error) {
	sizes, err := readSizes(ctx, filepath.Join(root, "nix/var/nix/db/db.sqlite"))
	if err != nil {
		return nil, fmt.Errorf("sizes in the store in %q: %w", root, err)
	}
	return sizes, nil
}

func readSizes(ctx context.Context, file string) (map[storepath.Path]int64, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	conn, err := openReadOnly(file)
	if err != nil {
		return nil, dbError(err)
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	sizes := map[storepath.Path]int64{}
	err = sqlitex.ExecuteTransient(conn, "SELECT path, narSize FROM ValidPaths", &sqlitex.ExecOptions{
		ResultFunc: func(row *sqlite.Stmt) error {
			sizes[storepath.Path(row.ColumnText(0))] = row.ColumnInt64(1)
			return nil
		},
	})
	return sizes, dbError(err)
}

// openReadOnly opens a database for reading. One that nobody has open has no
// log beside it, and somebody who may not write could not make one: SQLite is
// told then that nothing changes meanwhile.
func openReadOnly(file string) (*sqlite.Conn, error) {
	uri := (&url.URL{Scheme: "file", Path: file, RawQuery: "mode=ro"}).String()
	if _, err := os.Stat(file + "-wal"); errors.Is(err, fs.ErrNotExist) {
		uri += "&immutable=1"
	}
	conn, err := sqlite.OpenConn(uri, sqlite.OpenReadOnly, sqlite.OpenURI)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	return conn, nil
}
