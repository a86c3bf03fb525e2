package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"reprise/store/drv"
	"reprise/store/storepath"
)

// Register makes paths valid, all or none. Their trees are in place and
// canonical; their references are valid already or among infos. References
// that form a cycle, other than a path to itself, are an error, and so is
// another hash for a path that is valid. Registering a valid path again
// updates its signatures, CA and Ultimate.
//
// Before the rows are committed everything the store holds is brought to
// stable storage. Registrations that arrive at the same time from several
// goroutines share that one sync and one transaction.
func (s *Store) Register(ctx context.Context, infos ...Info) error {
	if err := ctx.Err(); err != nil || len(infos) == 0 {
		return err
	}
	reg := &registration{infos: infos, outputs: map[storepath.Path]map[string]drv.Output{}}
	for _, info := range infos {
		if _, err := os.Lstat(s.Real(info.Path)); err != nil {
			return fmt.Errorf("register %q: %w", info.Path, err)
		}
		if info.Path.IsDerivation() {
			d, err := s.readDerivation(info.Path)
			if err != nil {
				return fmt.Errorf("register %q: %w", info.Path, err)
			}
			reg.outputs[info.Path] = d.Outputs
		}
	}
	return s.register(reg)
}

// A registration is one call of Register.
type registration struct {
	infos   []Info
	outputs map[storepath.Path]map[string]drv.Output // of the derivations among infos
	done    bool
	err     error
}

// register queues reg. Whoever gets the commit lock first commits all that
// wait; the others find their result when they get it.
func (s *Store) register(reg *registration) error {
	if err := checkCycles(reg.infos); err != nil {
		return err
	}
	d := s.db
	d.waiting.Lock()
	d.queue = append(d.queue, reg)
	d.waiting.Unlock()

	d.commit.Lock()
	defer d.commit.Unlock()
	if reg.done {
		return reg.err
	}
	d.waiting.Lock()
	batch := d.queue
	d.queue = nil
	d.waiting.Unlock()
	err := s.commitBatch(batch)
	for _, r := range batch {
		r.done = true
		if err != nil {
			r.err = fmt.Errorf("register %q: %w", r.infos[0].Path, err)
		}
	}
	return reg.err
}

// commitBatch syncs and commits. A registration that is wrong fails alone; an
// error returned means that none of the batch was committed.
func (s *Store) commitBatch(batch []*registration) error {
	if err := s.step("sync"); err != nil {
		return err
	}
	if err := unix.Syncfs(int(s.storeDir.Fd())); err != nil {
		return fmt.Errorf("bring the store to stable storage: %w", err)
	}
	now := time.Now()
	return s.transaction(func(conn *sqlite.Conn) error {
		for _, reg := range batch {
			if err := s.step("insert"); err != nil {
				return err
			}
			reg.err = insert(conn, reg, now)
			if isFatal(reg.err) {
				return reg.err
			}
		}
		return nil
	})
}

// isFatal says whether err is one after which SQLite may have rolled the whole
// transaction back, so that nothing of a batch can be kept.
func isFatal(err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultNoMem, sqlite.ResultBusy,
		sqlite.ResultInterrupt, sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return true
	}
	return false
}

// insert writes the rows of one registration, or none.
func insert(conn *sqlite.Conn, reg *registration, now time.Time) (err error) {
	defer sqlitex.Save(conn)(&err)
	ids := make(map[storepath.Path]int64, len(reg.infos))
	for _, info := range reg.infos {
		id, err := insertInfo(conn, info, now)
		if err != nil {
			return fmt.Errorf("register %q: %w", info.Path, err)
		}
		ids[info.Path] = id
		outputs := reg.outputs[info.Path]
		for _, name := range slices.Sorted(maps.Keys(outputs)) {
			err := each(conn, `INSERT OR REPLACE INTO DerivationOutputs (drv, id, path) VALUES (?, ?, ?)`,
				nil, id, name, string(outputs[name].Path))
			if err != nil {
				return fmt.Errorf("register %q: %w", info.Path, err)
			}
		}
	}
	for _, info := range reg.infos {
		for _, ref := range info.Refs {
			if ids[ref] == 0 {
				if ids[ref], err = pathID(conn, ref); err != nil {
					return err
				}
			}
			if ids[ref] == 0 {
				return fmt.Errorf("register %q: its reference %q: %w", info.Path, ref, ErrNotFound)
			}
			err := each(conn, `INSERT OR IGNORE INTO Refs (referrer, reference) VALUES (?, ?)`,
				nil, ids[info.Path], ids[ref])
			if err != nil {
				return fmt.Errorf("register %q: %w", info.Path, err)
			}
		}
	}
	return nil
}

func insertInfo(conn *sqlite.Conn, info Info, now time.Time) (id int64, err error) {
	if info.NarHash == [32]byte{} {
		return 0, errors.New("the NAR hash is missing")
	}
	hash := "sha256:" + hex.EncodeToString(info.NarHash[:])
	known := ""
	err = each(conn, `SELECT id, hash FROM ValidPaths WHERE path = ?`, func(row *sqlite.Stmt) error {
		id, known = row.ColumnInt64(0), row.ColumnText(1)
		return nil
	}, string(info.Path))
	if err != nil {
		return 0, err
	}
	ultimate, sigs, ca := orNull(info.Ultimate, int64(1)), strings.Join(info.Sigs, " "), info.CA
	if id != 0 {
		if sum, err := parseHash(known); err == nil && sum != info.NarHash && sum != [32]byte{} {
			return 0, fmt.Errorf("it is valid with the hash %s, and now comes %s", known, hash)
		}
		return id, each(conn, `UPDATE ValidPaths SET hash = ?, narSize = ?, ultimate = ?, sigs = ?, ca = ? WHERE id = ?`,
			nil, hash, info.NarSize, ultimate, orNull(sigs != "", sigs), orNull(ca != "", ca), id)
	}
	if !info.Registered.IsZero() {
		now = info.Registered
	}
	err = each(conn, `INSERT INTO ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, nil,
		string(info.Path), hash, now.Unix(), orNull(info.Deriver != "", string(info.Deriver)), info.NarSize,
		ultimate, orNull(sigs != "", sigs), orNull(ca != "", ca))
	return conn.LastInsertRowID(), err
}

// orNull returns value, or SQL's null when there is none.
func orNull(there bool, value any) any {
	if there {
		return value
	}
	return nil
}

// checkCycles says which of infos refer to each other in a circle. Valid paths
// cannot take part: what they refer to was valid before them.
func checkCycles(infos []Info) error {
	refs := make(map[storepath.Path][]storepath.Path, len(infos))
	for _, info := range infos {
		refs[info.Path] = info.Refs
	}
	const active, finished = 1, 2
	state := make(map[storepath.Path]int, len(infos))
	var visit func(chain []storepath.Path) error
	visit = func(chain []storepath.Path) error {
		p := chain[len(chain)-1]
		state[p] = active
		for _, ref := range refs[p] {
			switch {
			case ref == p || state[ref] == finished || refs[ref] == nil:
			case state[ref] == active:
				circle := append(chain[slices.Index(chain, ref):], ref)
				return fmt.Errorf("register %q: the references go round in a circle: %q", p, circle)
			default:
				if err := visit(append(chain, ref)); err != nil {
					return err
				}
			}
		}
		state[p] = finished
		return nil
	}
	for _, info := range infos {
		if state[info.Path] == 0 {
			if err := visit([]storepath.Path{info.Path}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Invalidate takes paths out of the database and leaves their trees, which the
// next Place or collection removes. Paths that are not valid are passed over;
// one that a valid path outside ps refers to is an error.
func (s *Store) Invalidate(ctx context.Context, ps ...storepath.Path) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.db.commit.Lock()
	defer s.db.commit.Unlock()
	return s.transaction(func(conn *sqlite.Conn) error { return deleteRows(conn, ps) })
}

// deleteRows deletes the rows of ps, in whatever order the references allow.
func deleteRows(conn *sqlite.Conn, ps []storepath.Path) error {
	for _, p := range ps {
		// The references among ps go first, then nothing keeps the rows.
		err := each(conn, `DELETE FROM Refs WHERE referrer = (SELECT id FROM ValidPaths WHERE path = ?)`, nil, string(p))
		if err != nil {
			return err
		}
	}
	for _, p := range ps {
		if err := each(conn, `DELETE FROM ValidPaths WHERE path = ?`, nil, string(p)); err != nil {
			return fmt.Errorf("take %q out of the store: a valid path refers to it: %w", p, err)
		}
	}
	return nil
}
