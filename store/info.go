package store

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"reprise/store/storepath"
)

// ErrNotFound says that a store path is not valid here.
var ErrNotFound = errors.New("not in the store")

// Info is what the database knows of a valid path.
type Info struct {
	Path       storepath.Path
	NarHash    [32]byte         // SHA-256 of the NAR
	NarSize    int64            // bytes of the NAR
	Deriver    storepath.Path   // the derivation that made it, or ""
	Refs       []storepath.Path // sorted; may hold Path itself
	CA         string           // "text:sha256:<b32>", "fixed:[r:]sha256:<b32>" or "": see the CA functions
	Ultimate   bool             // built here rather than copied from elsewhere
	Sigs       []string         // "name:base64"
	Registered time.Time        // zero when not known; Register then takes the time of the clock
}

// CAText is the CA of a text file, such as a derivation, with this SHA-256.
func CAText(sum [32]byte) string { return "text:sha256:" + storepath.EncodeBase32(sum[:]) }

// CAFixed is the CA of a source or fixed output with this SHA-256, of the NAR
// when recursive and of the bytes of the one file otherwise.
func CAFixed(recursive bool, sum [32]byte) string {
	if recursive {
		return "fixed:r:sha256:" + storepath.EncodeBase32(sum[:])
	}
	return "fixed:sha256:" + storepath.EncodeBase32(sum[:])
}

const selectInfo = `SELECT id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca FROM ValidPaths`

// Info returns what is known of p, or ErrNotFound when p is not valid.
func (s *Store) Info(ctx context.Context, p storepath.Path) (*Info, error) {
	var info *Info
	err := s.query(ctx, func(conn *sqlite.Conn) (err error) {
		info, err = readInfo(conn, p)
		return err
	})
	return info, err
}

func readInfo(conn *sqlite.Conn, p storepath.Path) (*Info, error) {
	var info *Info
	var id int64
	err := each(conn, selectInfo+" WHERE path = ?", func(row *sqlite.Stmt) (err error) {
		id = row.ColumnInt64(0)
		info, err = scanInfo(row)
		return err
	}, string(p))
	if err != nil {
		return nil, err
	}
	if info == nil {
		return nil, fmt.Errorf("%q: %w", p, ErrNotFound)
	}
	err = each(conn, `SELECT path FROM Refs JOIN ValidPaths ON id = reference WHERE referrer = ? ORDER BY path`,
		func(row *sqlite.Stmt) error {
			info.Refs = append(info.Refs, storepath.Path(row.ColumnText(0)))
			return nil
		}, id)
	return info, err
}

// scanInfo reads a row of selectInfo, all but the references.
func scanInfo(row *sqlite.Stmt) (*Info, error) {
	info := &Info{
		NarSize:  row.ColumnInt64(5),
		Deriver:  storepath.Path(row.ColumnText(4)),
		Ultimate: row.ColumnInt64(6) == 1,
		Sigs:     strings.Fields(row.ColumnText(7)),
		CA:       row.ColumnText(8),
	}
	if at := row.ColumnInt64(3); at != 0 {
		info.Registered = time.Unix(at, 0)
	}
	var err error
	if info.Path, err = storepath.Parse(row.ColumnText(1)); err != nil {
		return nil, damaged(fmt.Errorf("the store's database: %w", err))
	}
	if info.NarHash, err = parseHash(row.ColumnText(2)); err != nil {
		return nil, damaged(fmt.Errorf("the store's database: %q: %w", info.Path, err))
	}
	return info, nil
}

// parseHash reads a hash column: "sha256:" and hex, or one of the other two
// ways in which Nix has written it.
func parseHash(text string) (sum [32]byte, err error) {
	digits, ok := strings.CutPrefix(text, "sha256:")
	var bytes []byte
	switch {
	case !ok:
		err = fmt.Errorf("hash %q is no SHA-256", text)
	case len(digits) == 64:
		bytes, err = hex.DecodeString(digits)
	case len(digits) == 52:
		bytes, err = storepath.DecodeBase32(digits)
	default:
		bytes, err = base64.StdEncoding.DecodeString(digits)
	}
	if err == nil && len(bytes) != len(sum) {
		err = fmt.Errorf("hash %q is no SHA-256", text)
	}
	copy(sum[:], bytes)
	return sum, err
}

// Valid says of each path whether it is valid. The map has an entry for every
// path asked for.
func (s *Store) Valid(ctx context.Context, ps ...storepath.Path) (map[storepath.Path]bool, error) {
	valid := make(map[storepath.Path]bool, len(ps))
	err := s.query(ctx, func(conn *sqlite.Conn) error {
		for _, p := range ps {
			id, err := pathID(conn, p)
			if err != nil {
				return err
			}
			valid[p] = id != 0
		}
		return nil
	})
	return valid, err
}

// pathID returns the row of p, or 0 when p is not valid.
func pathID(conn *sqlite.Conn, p storepath.Path) (id int64, err error) {
	err = each(conn, "SELECT id FROM ValidPaths WHERE path = ?", func(row *sqlite.Stmt) error {
		id = row.ColumnInt64(0)
		return nil
	}, string(p))
	return id, err
}

// Closure returns ps and everything they refer to, directly or not, sorted. A
// path that is not valid is ErrNotFound.
func (s *Store) Closure(ctx context.Context, ps ...storepath.Path) ([]storepath.Path, error) {
	seen := make(map[storepath.Path]bool, len(ps))
	var closure []storepath.Path
	add := func(p storepath.Path) {
		if !seen[p] {
			seen[p] = true
			closure = append(closure, p)
		}
	}
	err := s.query(ctx, func(conn *sqlite.Conn) error {
		for _, p := range ps {
			add(p)
		}
		for at := 0; at < len(closure); at++ { // closure grows on the way
			id, err := pathID(conn, closure[at])
			if err != nil {
				return err
			}
			if id == 0 {
				return fmt.Errorf("closure: %q: %w", closure[at], ErrNotFound)
			}
			err = each(conn, `SELECT path FROM Refs JOIN ValidPaths ON id = reference WHERE referrer = ?`,
				func(row *sqlite.Stmt) error {
					add(storepath.Path(row.ColumnText(0)))
					return nil
				}, id)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(closure)
	return closure, nil
}
