package systemdiff

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// AboutFile is where a system keeps its About.
const AboutFile = "about.json"

// AboutVersion is the version of about.json that this package writes.
const AboutVersion = 1

// MostAbout bounds an about.json, bytes. The studio's has 60,000.
const MostAbout = 16 << 20

// About is about.json: one option a line, one package a line.
//
//	{"version":1,"packages":[
//	{"name":"jackd2","for":[{"by":"services.jack.jackd.enable","at":":9:5"}]}
//	],"options":[
//	{"name":"networking.hostName","value":"rig","from":[{"at":":2:18"}]}
//	]}
type About struct {
	Version  int      `json:"version"`
	Packages []Asked  `json:"packages"` // sorted by name
	Options  []Option `json:"options"`  // sorted by name
}

// Asked is a package that the machine asks for by itself, not because another
// package needs it.
type Asked struct {
	Name string   `json:"name"`
	For  []Source `json:"for,omitempty"` // By is the option, At where it was set; none: every machine has it
}

// An Option is one option with its value.
type Option struct {
	Name  string          `json:"name"`            // "users.users.rig.uid"
	Value json.RawMessage `json:"value,omitempty"` // compact JSON; none of a long one
	Long  *Long           `json:"long,omitempty"`  // what stands for a long value
	From  []Source        `json:"from,omitempty"`  // none: a default
}

// Long stands for a value that would make about.json large; files of /etc and
// units have it in full.
type Long struct {
	Bytes  int    `json:"bytes"`  // of its JSON
	SHA256 string `json:"sha256"` // of its JSON, hex
}

// longest is the most bytes of a value that are kept.
const longest = 1024

// A Source gave a value, or one element of it.
type Source struct {
	Element string `json:"element,omitempty"` // index in a list, or name in an object
	At      string `json:"at,omitempty"`      // place, see the package's doc
	Near    bool   `json:"near,omitempty"`    // At is that of the nearest value around it
	By      string `json:"by,omitempty"`      // option
}

// SetValue gives the option a value, or what stands for it.
func (o *Option) SetValue(compact json.RawMessage) {
	if len(compact) <= longest {
		o.Value, o.Long = compact, nil
		return
	}
	sum := sha256.Sum256(compact)
	o.Value, o.Long = nil, &Long{len(compact), hex.EncodeToString(sum[:])}
}

// Encode writes about.json.
func (a *About) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"version":%d,"packages":[`, AboutVersion)
	for i, p := range a.Packages {
		if err := line(&b, i, p); err != nil {
			return nil, fmt.Errorf("package %q: %w", p.Name, err)
		}
	}
	b.WriteString("\n" + `],"options":[`)
	for i, o := range a.Options {
		if err := line(&b, i, o); err != nil {
			return nil, fmt.Errorf("option %q: %w", o.Name, err)
		}
	}
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}

func line(b *bytes.Buffer, i int, v any) error {
	if i > 0 {
		b.WriteByte(',')
	}
	b.WriteByte('\n')
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	b.Truncate(max(0, b.Len()-1)) // the line's end
	return err
}

// ParseAbout reads about.json.
func ParseAbout(data []byte) (*About, error) {
	if len(data) > MostAbout {
		return nil, fmt.Errorf("%s has %d bytes, want %d at most", AboutFile, len(data), MostAbout)
	}
	a := &About{}
	if err := json.Unmarshal(data, a); err != nil {
		return nil, fmt.Errorf("%s: %w", AboutFile, err)
	}
	if a.Version != AboutVersion {
		return nil, fmt.Errorf("%s has version %d, and this program reads %d", AboutFile, a.Version, AboutVersion)
	}
	for i, o := range a.Options {
		if (o.Value == nil) == (o.Long == nil) {
			return nil, fmt.Errorf("%s: option %q has no value, or two", AboutFile, o.Name)
		}
		if i > 0 && a.Options[i-1].Name >= o.Name {
			return nil, fmt.Errorf("%s: option %q is not in order", AboutFile, o.Name)
		}
		if o.Value != nil {
			var b bytes.Buffer
			if err := json.Compact(&b, o.Value); err != nil {
				return nil, fmt.Errorf("%s: option %q: %w", AboutFile, o.Name, err)
			}
			a.Options[i].Value = b.Bytes()
		}
	}
	return a, nil
}

// Option returns the option of this name.
func (a *About) Option(name string) (*Option, bool) {
	if a == nil {
		return nil, false
	}
	i, ok := slices.BinarySearchFunc(a.Options, name, func(o Option, name string) int { return strings.Compare(o.Name, name) })
	if !ok {
		return nil, false
	}
	return &a.Options[i], true
}
