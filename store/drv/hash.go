package drv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"reprise/store/storepath"
)

// A Hasher computes output paths. It remembers the modulo hash of every
// derivation it has seen, so a graph costs one hash per derivation when it is
// filled inputs first. It is safe for concurrent use; the zero value works for
// graphs that are filled inputs first.
type Hasher struct {
	// Load reads a derivation that was not filled before. When it is nil such
	// an input is an error.
	Load func(storepath.Path) (*Derivation, error)

	mu     sync.Mutex
	modulo map[storepath.Path]map[string][sha256.Size]byte // by .drv path, then output id
}

// Fill computes the output paths of d and writes them to d.Outputs and to the
// environment variables of the same names. d's inputs must be known (filled
// before, added with Add, or readable through Load).
func (h *Hasher) Fill(d *Derivation) error {
	if err := h.fill(d); err != nil {
		return fmt.Errorf("output paths of %q: %w", d.Name, err)
	}
	return h.Add(d)
}

// Check recomputes the output paths of d and says which differ. d is not
// changed. A derivation that fails must not be built: its outputs would be
// taken for another build's.
func (h *Hasher) Check(d *Derivation) error {
	want := d.Clone()
	if err := h.fill(want); err != nil {
		return fmt.Errorf("output paths of %q: %w", d.Name, err)
	}
	for id, out := range want.Outputs {
		if got := d.Outputs[id]; got != out {
			return fmt.Errorf("output %q of the derivation %q is %q, want %q", id, d.Name, got.Path, out.Path)
		}
		if d.Env[id] != string(out.Path) {
			return fmt.Errorf("environment variable %q of the derivation %q is %q, want the output path %q", id, d.Name, d.Env[id], out.Path)
		}
	}
	return nil
}

// Add remembers d, whose output paths are filled in.
func (h *Hasher) Add(d *Derivation) error {
	path, err := d.Path()
	if err != nil {
		return err
	}
	_, err = h.remember(path, d, 0)
	return err
}

func (h *Hasher) fill(d *Derivation) error {
	if err := d.check(); err != nil {
		return err
	}
	if d.Env == nil {
		d.Env = map[string]string{}
	}
	if out, ok := d.Fixed(); ok {
		path, err := storepath.MakeFixedHex(d.Name, out.HashAlgo, out.Hash)
		if err != nil {
			return err
		}
		out.Path = path
		d.Outputs["out"] = out
		d.Env["out"] = string(path)
		return nil
	}
	for id := range d.Outputs {
		d.Env[id] = "" // must exist before hashing
	}
	sum, err := h.hash(d, true, 0)
	if err != nil {
		return err
	}
	for id, out := range d.Outputs {
		if out.Path, err = storepath.MakeOutput(d.Name, id, sum); err != nil {
			return err
		}
		d.Outputs[id] = out
		d.Env[id] = string(out.Path)
	}
	return nil
}

// maxDepth bounds the chain of inputs that Load is asked for, so that a chain
// that never ends is an error and no full stack.
const maxDepth = 10_000

// inputs returns the modulo hashes of the outputs of the derivation at path.
func (h *Hasher) inputs(path storepath.Path, depth int) (map[string][sha256.Size]byte, error) {
	h.mu.Lock()
	known, ok := h.modulo[path]
	h.mu.Unlock()
	switch {
	case ok:
		return known, nil
	case h.Load == nil:
		return nil, fmt.Errorf("input derivation %q is not known", path)
	case depth > maxDepth:
		return nil, fmt.Errorf("input derivation %q: more than %d levels of inputs", path, maxDepth)
	}
	d, err := h.Load(path)
	if err != nil {
		return nil, fmt.Errorf("input derivation %q: %w", path, err)
	}
	return h.remember(path, d, depth)
}

// remember computes and keeps the modulo hashes of d, which is at path.
func (h *Hasher) remember(path storepath.Path, d *Derivation, depth int) (map[string][sha256.Size]byte, error) {
	hashes := make(map[string][sha256.Size]byte, len(d.Outputs))
	if out, ok := d.Fixed(); ok {
		hashes["out"] = sha256.Sum256([]byte("fixed:out:" + out.HashAlgo + ":" + out.Hash + ":" + string(out.Path)))
	} else {
		sum, err := h.hash(d, false, depth)
		if err != nil {
			return nil, err
		}
		for id := range d.Outputs {
			hashes[id] = sum
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.modulo == nil {
		h.modulo = map[storepath.Path]map[string][sha256.Size]byte{}
	}
	h.modulo[path] = hashes
	return hashes, nil
}

// hash returns the SHA-256 of d with every input derivation replaced by its
// modulo hash. Inputs with equal hashes become one, with the union of the
// outputs used.
func (h *Hasher) hash(d *Derivation, masked bool, depth int) ([sha256.Size]byte, error) {
	replaced := make(map[string][]string, len(d.InputDrvs))
	for path, ids := range d.InputDrvs {
		known, err := h.inputs(path, depth+1)
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		for _, id := range ids {
			sum, ok := known[id]
			if !ok {
				return sum, fmt.Errorf("input derivation %q has no output %q", path, id)
			}
			key := hex.EncodeToString(sum[:])
			replaced[key] = append(replaced[key], id)
		}
	}
	return sha256.Sum256(d.encode(replaced, masked)), nil
}
