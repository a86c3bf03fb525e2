package drv

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"reprise/store/storepath"
)

// MaxBytes bounds the size of a .drv file that Parse takes.
const MaxBytes = 64 << 20

// Parse reads the bytes of a .drv file. It accepts exactly what Encode
// writes: a list out of order or a string escaped without need is an error,
// because another spelling would have another store path. Name is taken from
// the environment variable "name", as the file does not hold it; where that
// is missing it is "".
func Parse(data []byte) (*Derivation, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("parse derivation: %d bytes, more than %d", len(data), MaxBytes)
	}
	p := parser{in: data}
	d := p.derivation()
	if p.err == nil && p.at < len(p.in) {
		p.fail("the end of the file")
	}
	if p.err != nil {
		return nil, fmt.Errorf("parse derivation: %w", p.err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("parse derivation: %w", err)
	}
	if !bytes.Equal(d.Encode(), data) {
		return nil, fmt.Errorf("parse derivation: lists out of order, doubled entries or needless escapes")
	}
	d.Name = d.Env["name"]
	return d, nil
}

// ParseAt reads the bytes of the .drv file at path: Parse, with the name taken
// from the path and the path checked against the content.
func ParseAt(path storepath.Path, data []byte) (*Derivation, error) {
	name, ok := strings.CutSuffix(path.Name(), storepath.DrvSuffix)
	if !ok {
		return nil, fmt.Errorf("%q is no derivation: its name does not end in %q", path, storepath.DrvSuffix)
	}
	d, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	d.Name = name
	switch is, err := d.Path(); {
	case err != nil:
		return nil, fmt.Errorf("%q: %w", path, err)
	case is != path:
		return nil, fmt.Errorf("%q: its content belongs to %q", path, is)
	}
	return d, nil
}

// hashSizes holds the bytes of each algorithm's hash. Ours are SHA-256; the
// others occur in derivations that Nix has put in the store.
var hashSizes = map[string]int{"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}

// check refuses what no derivation of ours or of Nix's can hold.
func (d *Derivation) check() error {
	if len(d.Outputs) == 0 {
		return fmt.Errorf("no outputs")
	}
	for id, out := range d.Outputs {
		if err := storepath.CheckName(id); err != nil {
			return fmt.Errorf("output id: %w", err)
		}
		if !out.Fixed() {
			if out.Hash != "" {
				return fmt.Errorf("output %q has a hash but no hash algorithm", id)
			}
			continue
		}
		size, ok := hashSizes[strings.TrimPrefix(out.HashAlgo, "r:")]
		if !ok {
			return fmt.Errorf("output %q: hash algorithm %q is not known", id, out.HashAlgo)
		}
		if sum, err := hex.DecodeString(out.Hash); err != nil || len(sum) != size || strings.ToLower(out.Hash) != out.Hash {
			return fmt.Errorf("output %q: %q is no hash of %d bytes in lower-case hex", id, out.Hash, size)
		}
		if id != "out" || len(d.Outputs) != 1 {
			return fmt.Errorf("a fixed output must be the only one and be called %q", "out")
		}
	}
	for input, ids := range d.InputDrvs {
		if !input.IsDerivation() {
			return fmt.Errorf("input derivation %q does not end in %q", input, storepath.DrvSuffix)
		}
		if len(ids) == 0 {
			return fmt.Errorf("no output of the input derivation %q is used", input)
		}
		for _, id := range ids {
			if err := storepath.CheckName(id); err != nil {
				return fmt.Errorf("output of the input derivation %q: %w", input, err)
			}
		}
	}
	return nil
}

// parser reads the ATerm notation. After the first error it reads nothing
// more and every method returns a zero value.
type parser struct {
	in  []byte
	at  int
	err error
}

func (p *parser) fail(want string) {
	if p.err == nil {
		rest := p.in[p.at:]
		p.err = fmt.Errorf("byte %d: want %s, got %q", p.at, want, rest[:min(20, len(rest))])
		p.at = len(p.in)
	}
}

// accept reads s if it comes next.
func (p *parser) accept(s string) bool {
	if p.err == nil && bytes.HasPrefix(p.in[p.at:], []byte(s)) {
		p.at += len(s)
		return true
	}
	return false
}

func (p *parser) want(s string) {
	if !p.accept(s) {
		p.fail(fmt.Sprintf("%q", s))
	}
}

func (p *parser) str() string {
	p.want(`"`)
	if p.err != nil {
		return ""
	}
	rest := p.in[p.at:]
	end := bytes.IndexAny(rest, `"\`)
	if end >= 0 && rest[end] == '"' { // nothing escaped: the common case
		p.at += end + 1
		return string(rest[:end])
	}
	var out []byte
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '"':
			p.at += i + 1
			return string(out)
		case '\\':
			i++
			if i == len(rest) {
				break
			}
			switch c := rest[i]; c {
			case 'n':
				out = append(out, '\n')
			case 'r':
				out = append(out, '\r')
			case 't':
				out = append(out, '\t')
			default:
				out = append(out, c)
			}
		default:
			out = append(out, c)
		}
	}
	p.fail("a string that ends")
	return ""
}

func (p *parser) path() storepath.Path {
	start := p.at
	s := p.str()
	if p.err != nil {
		return ""
	}
	path, err := storepath.Parse(s)
	if err != nil {
		p.err = fmt.Errorf("byte %d: %w", start, err)
		p.at = len(p.in)
	}
	return path
}

// list reads "[", items separated by commas, and "]".
func (p *parser) list(item func()) {
	p.want("[")
	if p.accept("]") {
		return
	}
	for p.err == nil {
		item()
		if !p.accept(",") {
			break
		}
	}
	p.want("]")
}

func (p *parser) derivation() *Derivation {
	d := &Derivation{
		Outputs:   map[string]Output{},
		InputDrvs: map[storepath.Path][]string{},
		Env:       map[string]string{},
	}
	p.want("Derive(")
	p.list(func() {
		p.want("(")
		id := p.str()
		p.want(",")
		var out Output
		if !p.accept(`""`) {
			out.Path = p.path()
		}
		p.want(",")
		out.HashAlgo = p.str()
		p.want(",")
		out.Hash = p.str()
		p.want(")")
		d.Outputs[id] = out
	})
	p.want(",")
	p.list(func() {
		p.want("(")
		path := p.path()
		p.want(",")
		var ids []string
		p.list(func() { ids = append(ids, p.str()) })
		p.want(")")
		d.InputDrvs[path] = ids
	})
	p.want(",")
	p.list(func() { d.InputSrcs = append(d.InputSrcs, p.path()) })
	p.want(",")
	d.Platform = p.str()
	p.want(",")
	d.Builder = p.str()
	p.want(",")
	p.list(func() { d.Args = append(d.Args, p.str()) })
	p.want(",")
	p.list(func() {
		p.want("(")
		name := p.str()
		p.want(",")
		d.Env[name] = p.str()
		p.want(")")
	})
	p.want(")")
	return d
}
