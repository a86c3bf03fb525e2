package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"reprise/internal/atomicfile"
	"reprise/store/drv"
	"reprise/store/storepath"
)

// WriteClosureDB writes to dst a fresh db.sqlite that holds closure and
// nothing else, for the store of an image. Every path must be valid here and
// its references in closure. The bytes depend on the paths, hashes, sizes,
// references and CAs alone: registration time 1, no deriver, not ultimate, no
// signatures, since those depend on how this store came by the path.
func (s *Store) WriteClosureDB(ctx context.Context, dst string, closure []storepath.Path) error {
	if err := s.writeClosureDB(ctx, dst, closure); err != nil {
		return fmt.Errorf("write the database %q: %w", dst, err)
	}
	return nil
}

func (s *Store) writeClosureDB(ctx context.Context, dst string, closure []storepath.Path) error {
	closure = slices.Clone(closure)
	slices.Sort(closure)
	closure = slices.Compact(closure)
	reg := &registration{outputs: map[storepath.Path]map[string]drv.Output{}}
	err := s.query(ctx, func(conn *sqlite.Conn) error {
		for _, p := range closure {
			info, err := readInfo(conn, p)
			if err != nil {
				return err
			}
			reg.infos = append(reg.infos, Info{
				Path: p, NarHash: info.NarHash, NarSize: info.NarSize, Refs: info.Refs, CA: info.CA,
				Registered: time.Unix(1, 0),
			})
			if p.IsDerivation() {
				d, err := s.readDerivation(p)
				if err != nil {
					return err
				}
				reg.outputs[p] = d.Outputs
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	dir, release, err := s.TempDir("closure-*")
	if err != nil {
		return err
	}
	defer release()
	file := filepath.Join(dir, "db.sqlite")
	if err := writeFreshDB(file, reg); err != nil {
		return err
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(dst, 0o644, content)
}

// writeFreshDB writes a database of one registration, without the help of a
// journal: there is nothing to save from a crash.
func writeFreshDB(file string, reg *registration) (err error) {
	conn, err := sqlite.OpenConn(file, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := conn.Close(); err == nil {
			err = closeErr
		}
	}()
	for _, pragma := range []string{
		"PRAGMA foreign_keys = 1", "PRAGMA journal_mode = off", "PRAGMA synchronous = off", "PRAGMA page_size = 4096",
	} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return err
		}
	}
	if err := sqlitex.ExecuteScript(conn, schemaSQL, nil); err != nil {
		return err
	}
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return insert(conn, reg, time.Time{})
}
