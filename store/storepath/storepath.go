// Package storepath makes and checks the names of the store: paths such as
//
//	/nix/store/0c5b8vw40d0g3k4z1mlqcyx0rw8ckdvm-bash-5.2.37-2
//	           └──────────── hash ────────────┘ └─── name ──┘
//
// A store path's hash is 160 bits in Nix's base 32. It is made of what the
// path holds or of how it was built, never of both, so equal inputs give equal
// paths on every machine. The package is pure: it reads no file.
//
// Source: Nix 2.26 manual, "Complete Store Path Calculation".
package storepath

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Dir is the directory of all store paths. It is part of every hash, so a
// store that stands elsewhere on the disk still names its paths below Dir.
const Dir = "/nix/store"

const (
	// HashLen is the number of base-32 digits of a path's hash part.
	HashLen = 32
	// MaxName is the longest name in bytes: 255, the longest file name of
	// Linux, less hash, dash and ".lock" and a reserve that Nix keeps.
	// Source: Nix 2.26, libstore/path.hh, StorePath::MaxPathLen.
	MaxName = 211
	// DrvSuffix ends the names of derivations, and of nothing else.
	DrvSuffix = ".drv"
)

// A Path is an absolute store path, "/nix/store/<hash>-<name>", with nothing
// behind it. Values come from Parse or a Make function. The zero value names
// no path.
type Path string

// Parse checks that s is a store path.
func Parse(s string) (Path, error) {
	base, ok := strings.CutPrefix(s, Dir+"/")
	if !ok {
		return "", fmt.Errorf("%q is no store path: it does not lie directly in %s", s, Dir)
	}
	return ParseBase(base)
}

// ParseBase checks that base is "<hash>-<name>", a store path without its
// directory.
func ParseBase(base string) (Path, error) {
	if len(base) < HashLen+1 || base[HashLen] != '-' || !isHash(base[:HashLen]) {
		return "", fmt.Errorf("%q is no store path: want %d base-32 digits, a dash and a name", base, HashLen)
	}
	if err := CheckName(base[HashLen+1:]); err != nil {
		return "", fmt.Errorf("%q is no store path: %w", base, err)
	}
	return Path(Dir + "/" + base), nil
}

// In returns the store path that s is or lies in, and what follows it
// ("/bin/sh" or ""). ok is false when s is not in the store.
func In(s string) (p Path, rest string, ok bool) {
	base, ok := strings.CutPrefix(s, Dir+"/")
	if !ok {
		return "", "", false
	}
	end := strings.IndexByte(base, '/')
	if end < 0 {
		end = len(base)
	}
	p, err := ParseBase(base[:end])
	return p, base[end:], err == nil
}

// Base returns "<hash>-<name>".
func (p Path) Base() string { return strings.TrimPrefix(string(p), Dir+"/") }

// Hash returns the 32 digits of the hash part.
func (p Path) Hash() string {
	base := p.Base()
	return base[:min(HashLen, len(base))]
}

// Name returns what follows the hash and its dash.
func (p Path) Name() string {
	base := p.Base()
	return base[min(HashLen+1, len(base)):]
}

// IsDerivation says whether p names a derivation.
func (p Path) IsDerivation() bool { return strings.HasSuffix(string(p), DrvSuffix) }

func (p Path) String() string { return string(p) }

// Compare orders paths as Nix prints them, by bytes.
func Compare(a, b Path) int { return cmp.Compare(a, b) }

// CheckName says why name cannot be the name of a store path, or returns nil.
// Letters, digits and + - . _ ? = are allowed, MaxName bytes at most; "." and
// ".." and names that start with ".-" or "..-" are not.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is empty")
	case len(name) > MaxName:
		return fmt.Errorf("name %q has %d bytes, more than %d", name, len(name), MaxName)
	case name == "." || name == ".." || strings.HasPrefix(name, ".-") || strings.HasPrefix(name, "..-"):
		return fmt.Errorf(`name %q is ".", ".." or starts with ".-" or "..-"`, name)
	}
	for i := range len(name) {
		if c := name[i]; !nameByte(c) {
			return fmt.Errorf("name %q holds %q: only letters, digits and + - . _ ? = are allowed", name, c)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return true
	}
	return strings.IndexByte("+-._?=", c) >= 0
}

// NameVersion joins a Debian package's name and version to a store name:
// "name-version" with ":" (the epoch) written "_" and "~" written "__".
// Neither Debian names nor versions hold "_" and a digit follows the epoch, so
// no two versions share a name.
func NameVersion(name, version string) string {
	return name + "-" + strings.NewReplacer(":", "_", "~", "__").Replace(version)
}

// MakeText returns the path of a text file, such as a derivation, with this
// content and these references.
func MakeText(name string, content []byte, refs []Path) (Path, error) {
	return makePath(withRefs("text", refs), sha256.Sum256(content), name)
}

// MakeFixed returns the path of content that is known by its SHA-256. With
// recursive the hash is that of the NAR, and the path may have references
// (but none to itself); without, it is that of the bytes of one plain file,
// which cannot have any.
func MakeFixed(name string, recursive bool, sum [sha256.Size]byte, refs ...Path) (Path, error) {
	if recursive {
		return makePath(withRefs("source", refs), sum, name)
	}
	if len(refs) > 0 {
		return "", fmt.Errorf("store path of %q: a flat fixed output has no references, but these were given: %q", name, refs)
	}
	return MakeFixedHex(name, "sha256", hex.EncodeToString(sum[:]))
}

// MakeFixedHex returns the path of a fixed output from its hash algorithm as
// derivations write it ("sha256", "r:sha1" …) and its hash in lower-case hex.
// It exists for other people's derivations; ours have a SHA-256 and MakeFixed.
func MakeFixedHex(name, algo, digits string) (Path, error) {
	if algo == "r:sha256" {
		var sum [sha256.Size]byte
		if n, err := hex.Decode(sum[:], []byte(digits)); err != nil || n != len(sum) {
			return "", fmt.Errorf("store path of %q: %q is no SHA-256 in hex", name, digits)
		}
		return MakeFixed(name, true, sum)
	}
	return makePath("output:out", sha256.Sum256([]byte("fixed:out:"+algo+":"+digits+":")), name)
}

// MakeOutput returns the path of the output with this id ("out", "dev" …) of
// a derivation with this name and this hash modulo its fixed outputs.
func MakeOutput(drvName, id string, modulo [sha256.Size]byte) (Path, error) {
	name := drvName
	if id != "out" {
		name += "-" + id
	}
	return makePath("output:"+id, modulo, name)
}

// withRefs appends the sorted references, each once.
func withRefs(kind string, refs []Path) string {
	sorted := slices.Clone(refs)
	slices.Sort(sorted)
	for _, ref := range slices.Compact(sorted) {
		kind += ":" + string(ref)
	}
	return kind
}

func makePath(kind string, inner [sha256.Size]byte, name string) (Path, error) {
	if err := CheckName(name); err != nil {
		return "", fmt.Errorf("make a store path: %w", err)
	}
	sum := sha256.Sum256([]byte(kind + ":sha256:" + hex.EncodeToString(inner[:]) + ":" + Dir + ":" + name))
	return Path(Dir + "/" + EncodeBase32(fold(sum)) + "-" + name), nil
}

// fold shortens a SHA-256 to the 160 bits of a path's hash by XOR.
func fold(sum [sha256.Size]byte) []byte {
	short := make([]byte, HashLen*5/8)
	for i, b := range sum {
		short[i%len(short)] ^= b
	}
	return short
}
