package store

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"reprise/internal/atomicfile"
	"reprise/internal/diag"
)

// schemaVersion is what Nix writes to db/schema, with no newline behind it.
const schemaVersion = "10"

//go:embed schema.sql
var schemaSQL string

// busyTimeout is how long a statement waits for another process's transaction.
const busyTimeout = time.Minute

// readers is the number of connections for queries.
const readers = 4

// database is db.sqlite: one connection that writes, a few that read.
type database struct {
	write *sqlite.Conn  // guarded by commit
	read  *sqlitex.Pool // opened as needed

	commit  sync.Mutex // held by whoever writes
	waiting sync.Mutex // guards queue
	queue   []*registration
}

// openDatabase opens db.sqlite under the shared big-lock and makes it where
// it is missing.
func (s *Store) openDatabase(ctx context.Context) (err error) {
	if s.bigLock, err = openLock(s.state("db", "big-lock")); err != nil {
		return err
	}
	if err := flock(ctx, s.bigLock, unix.LOCK_SH); err != nil {
		return err
	}
	fresh, err := s.checkSchema()
	if err != nil {
		return err
	}
	if fresh { // look again when nobody else can be making it
		if err := flock(ctx, s.bigLock, unix.LOCK_EX); err != nil {
			return err
		}
		if fresh, err = s.checkSchema(); err != nil {
			return err
		}
	}
	file := s.state("db", "db.sqlite")
	if !fresh {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return damaged(fmt.Errorf("%q is missing", file))
		}
	}
	if fresh { // SQLite would go by the umask, for this file and those beside it
		f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
			return err
		}
	}
	write, err := sqlite.OpenConn(file, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return dbError(err)
	}
	s.db = &database{write: write}
	if err := prepare(write); err != nil {
		return dbError(err)
	}
	// What is registered stays so after a power cut: profiles will name it.
	if err := sqlitex.ExecuteTransient(write, "PRAGMA synchronous = full", nil); err != nil {
		return dbError(err)
	}
	if fresh {
		if err := s.createSchema(); err != nil {
			return err
		}
	}
	if err := flock(ctx, s.bigLock, unix.LOCK_SH); err != nil {
		return err
	}
	s.db.read, err = sqlitex.NewPool(file, sqlitex.PoolOptions{
		Flags:       sqlite.OpenReadWrite,
		PoolSize:    readers,
		PrepareConn: prepare,
	})
	return dbError(err)
}

// checkSchema reads db/schema. fresh is true when there is none yet.
func (s *Store) checkSchema() (fresh bool, err error) {
	file := s.state("db", "schema")
	version, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case string(version) == schemaVersion:
		return false, nil
	case strings.Trim(string(version), "0123456789") != "" || len(version) == 0 || len(version) > 4:
		return false, damaged(fmt.Errorf("%q holds %q, want %q", file, version, schemaVersion))
	}
	return false, fmt.Errorf("the store has Nix's schema %s, and this program knows schema %s only", version, schemaVersion)
}

// createSchema makes the tables and then, when they are there for good, the
// file that says so.
func (s *Store) createSchema() (err error) {
	if err := s.step("create the schema"); err != nil {
		return err
	}
	if err := sqlitex.ExecuteScript(s.db.write, schemaSQL, nil); err != nil {
		return dbError(err)
	}
	if err := sqlitex.ExecuteTransient(s.db.write, "PRAGMA wal_checkpoint(truncate)", nil); err != nil {
		return dbError(err)
	}
	if err := s.step("write the schema version"); err != nil {
		return err
	}
	return atomicfile.WriteBytes(s.state("db", "schema"), 0o644, []byte(schemaVersion))
}

// prepare sets up a connection as Nix does.
func prepare(conn *sqlite.Conn) error {
	conn.SetBusyTimeout(busyTimeout)
	for _, pragma := range []string{
		"PRAGMA foreign_keys = 1",
		"PRAGMA synchronous = normal",
		"PRAGMA journal_mode = wal",
		"PRAGMA wal_autocheckpoint = 4000", // 16 MB; Nix lets the log grow to 160
	} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) close() error {
	d.commit.Lock()
	defer d.commit.Unlock()
	var readErr error
	if d.read != nil {
		readErr = d.read.Close()
	}
	return errors.Join(readErr, d.write.Close())
}

// query hands a connection to fn. It may be used until fn returns.
func (s *Store) query(ctx context.Context, fn func(*sqlite.Conn) error) error {
	conn, err := s.db.read.Take(ctx)
	if err != nil {
		return dbError(err)
	}
	defer s.db.read.Put(conn)
	return dbError(fn(conn))
}

// transaction runs fn in one immediate transaction of the writing connection,
// whose lock the caller holds, and commits it. It does not stop half way
// through for a cancelled context: transactions are short.
func (s *Store) transaction(fn func(*sqlite.Conn) error) (err error) {
	if err := s.step("begin"); err != nil {
		return err
	}
	conn := s.db.write
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return dbError(err)
	}
	defer func() {
		end(&err)
		err = dbError(err)
	}()
	if err := fn(conn); err != nil {
		return err
	}
	return s.step("commit")
}

// each runs a cached statement with these arguments and hands its rows to fn,
// which may be nil.
func each(conn *sqlite.Conn, query string, fn func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: fn})
}

// dbError marks an error of a damaged database with the exit code for that,
// and an interrupted query with the context's error.
func dbError(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultFormat:
		return damaged(fmt.Errorf("the store's database: %w", err))
	case sqlite.ResultInterrupt:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return err
}

// reservedSize is how much db/reserved takes from the disk, in bytes.
const reservedSize = 8 << 20

// reserve makes db/reserved, which holds nothing: on a full disk Collect gives
// it up, so that the database has room to forget what is removed. A disk that
// has no room for it now is no error.
func (s *Store) reserve() {
	path := s.state("db", "reserved")
	if info, err := os.Stat(path); err == nil && info.Size() == reservedSize {
		return
	}
	f, err := openLock(path)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Fallocate(int(f.Fd()), 0, 0, reservedSize) != nil {
		os.Remove(path)
	}
}

// damaged marks err as damage to the store.
func damaged(err error) error {
	return &diag.Failure{Code: diag.ExitStore, Err: err}
}
