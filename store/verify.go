package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"

	"reprise/internal/progress"
	"reprise/store/nar"
	"reprise/store/storepath"
)

// VerifyOptions say how thoroughly to look.
type VerifyOptions struct {
	Contents bool          // read every path and compare its hash
	Jobs     int           // paths read at once; 0: as many as there are processors
	Sink     progress.Sink // nil: no reports
}

// DamageKind says what is wrong.
type DamageKind string

const (
	Missing      DamageKind = "missing"      // valid, but there is no such file
	Modified     DamageKind = "modified"     // valid, but the content has another hash
	Database     DamageKind = "database"     // the database contradicts itself
	Unregistered DamageKind = "unregistered" // not valid: left by interrupted work, does no harm
)

// A Damage is one thing that Verify found.
type Damage struct {
	Path   storepath.Path // "" when it is no path's
	Kind   DamageKind
	Detail string // one line
}

func (d Damage) String() string {
	if d.Path == "" {
		return fmt.Sprintf("%s: %s", d.Kind, d.Detail)
	}
	return fmt.Sprintf("%s: %s: %s", d.Path, d.Kind, d.Detail)
}

// DamageError returns an error, of the exit code for a damaged store, that
// lists found, or nil when there is nothing worse in it than Unregistered.
func DamageError(found []Damage) error {
	var lines []string
	for _, d := range found {
		if d.Kind != Unregistered {
			lines = append(lines, d.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return damaged(fmt.Errorf("the store is damaged in %d places\n  %s", len(lines), strings.Join(lines, "\n  ")))
}

// Verify compares the store with its database: every valid path is there (and
// with opt.Contents unchanged), its references are valid, the database is
// sound, and nothing else lies in the store directory. It changes nothing.
// The error is about looking, not about what was found.
func (s *Store) Verify(ctx context.Context, opt VerifyOptions) ([]Damage, error) {
	found, err := s.verify(ctx, opt)
	if err != nil {
		return found, fmt.Errorf("verify the store in %q: %w", s.root, err)
	}
	return found, nil
}

func (s *Store) verify(ctx context.Context, opt VerifyOptions) ([]Damage, error) {
	if opt.Sink == nil {
		opt.Sink = progress.Discard
	}
	if opt.Jobs == 0 {
		opt.Jobs = runtime.GOMAXPROCS(0)
	}
	lock, err := openLock(s.state("gc.lock")) // no collector meanwhile
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := flock(ctx, lock, unix.LOCK_SH); err != nil {
		return nil, err
	}
	infos, found, err := s.verifyDatabase(ctx)
	if err != nil {
		return found, err
	}
	broken, err := s.verifyPaths(ctx, infos, opt)
	if err != nil {
		return found, err
	}
	rest, err := s.verifyRest(ctx, infos)
	found = append(append(found, broken...), rest...)
	slices.SortStableFunc(found, func(a, b Damage) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return found, err
}

// verifyDatabase checks the database alone and returns its rows.
func (s *Store) verifyDatabase(ctx context.Context) (infos []*Info, found []Damage, err error) {
	note := func(p storepath.Path, format string, args ...any) {
		found = append(found, Damage{p, Database, fmt.Sprintf(format, args...)})
	}
	err = s.query(ctx, func(conn *sqlite.Conn) error {
		err := each(conn, "PRAGMA integrity_check", func(row *sqlite.Stmt) error {
			if line := row.ColumnText(0); line != "ok" {
				note("", "%s", line)
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = each(conn, "PRAGMA foreign_key_check", func(row *sqlite.Stmt) error {
			note("", "row %d of %s names a row of %s that is not there", row.ColumnInt64(1), row.ColumnText(0), row.ColumnText(2))
			return nil
		})
		if err != nil {
			return err
		}
		err = each(conn, selectInfo+" ORDER BY path", func(row *sqlite.Stmt) error {
			info, err := scanInfo(row)
			if err != nil {
				note("", "row %d of ValidPaths: %v", row.ColumnInt64(0), err)
				return nil
			}
			infos = append(infos, info)
			return nil
		})
		if err != nil {
			return err
		}
		return each(conn, `SELECT path FROM ValidPaths WHERE path LIKE '%.drv'
			AND NOT EXISTS (SELECT 1 FROM DerivationOutputs WHERE drv = ValidPaths.id) ORDER BY path`,
			func(row *sqlite.Stmt) error {
				note(storepath.Path(row.ColumnText(0)), "no outputs of this derivation are known")
				return nil
			})
	})
	return infos, found, err
}

// verifyPaths checks that every path is there and, if wanted, its hash.
func (s *Store) verifyPaths(ctx context.Context, infos []*Info, opt VerifyOptions) ([]Damage, error) {
	name, unit, total := "verify paths", progress.Items, int64(len(infos))
	if opt.Contents {
		name, unit, total = "verify contents", progress.Bytes, 0
		for _, info := range infos {
			total += info.NarSize
		}
	}
	task := opt.Sink.Start(name, unit, total)
	var mu sync.Mutex
	var found []Damage
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(opt.Jobs)
	for _, info := range infos {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			damage, err := s.verifyPath(groupCtx, info, opt.Contents)
			if damage != nil {
				mu.Lock()
				found = append(found, *damage)
				mu.Unlock()
			}
			if opt.Contents {
				task.Add(info.NarSize)
			} else {
				task.Add(1)
			}
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		err = ctx.Err()
	}
	task.Done(err)
	return found, err
}

func (s *Store) verifyPath(ctx context.Context, info *Info, contents bool) (*Damage, error) {
	path := s.Real(info.Path)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return &Damage{info.Path, Missing, "the database says it is valid"}, nil
	} else if err != nil {
		return nil, err
	}
	if !contents {
		return nil, nil
	}
	sum, size, err := nar.HashPath(ctx, path)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return &Damage{info.Path, Modified, err.Error()}, nil
	case sum != info.NarHash:
		return &Damage{info.Path, Modified, fmt.Sprintf("its NAR has the hash sha256:%s, want sha256:%s",
			storepath.EncodeBase32(sum[:]), storepath.EncodeBase32(info.NarHash[:]))}, nil
	case size != info.NarSize && info.NarSize != 0:
		return &Damage{info.Path, Database, fmt.Sprintf("its NAR has %d bytes, the database says %d", size, info.NarSize)}, nil
	}
	return nil, nil
}

// verifyRest lists what else lies in the store directory and is not in use.
func (s *Store) verifyRest(ctx context.Context, infos []*Info) ([]Damage, error) {
	g := &graph{nodes: make(map[storepath.Path]*node, len(infos))}
	for _, info := range infos {
		g.nodes[info.Path] = &node{}
	}
	names, err := s.unregistered(g)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	temp, err := s.tempRootsOfAll()
	if err != nil {
		return nil, err
	}
	c := &collector{s: s, wanted: map[string]bool{}}
	for _, root := range temp {
		c.wanted[root.Target.Hash()] = true
	}
	var found []Damage
	for _, name := range names {
		p, notPath := storepath.ParseBase(name)
		if notPath == nil {
			valid, err := s.Valid(ctx, p) // it may be by now
			if err != nil {
				return found, err
			}
			if valid[p] {
				continue
			}
		}
		if !c.inUse(name) {
			found = append(found, Damage{p, Unregistered, fmt.Sprintf("%q in the store directory is no valid path", name)})
		}
	}
	return found, nil
}
