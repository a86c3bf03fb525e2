// Package lock reads and writes reprise.lock: the exact packages that a
// configuration was resolved to. The same configuration and lock always give
// the same bytes.
//
// The file is text in stanzas of "Field: value" lines, as Debian's own control
// files, so that a change of one package is a change of a few lines and
// git diff shows it:
//
//	Lock: 1
//	Architecture: amd64
//	Archive: trixie 2026-09-12T07:55:41Z <sha256 of its InRelease>
//	Archive: trixie-security 2026-11-21T00:53:03Z <sha256>
//
//	Set: system
//	Roots: bash jackd2 linux-image-rt-amd64
//	Recommends: no
//	Essential: yes
//	Depends: yes
//
//	Package: bash
//	Version: 5.2.37-2+b5
//	Architecture: amd64
//	Suite: trixie
//	Path: pool/main/b/bash/bash_5.2.37-2+b5_amd64.deb
//	Size: 1498688
//	SHA256: <64 hex digits of the .deb>
//	NarHash: sha256:<52 base32 digits of the unpacked package>
//	Sets: system
//
// A set is one answer of the resolver: "system" is what the machine consists
// of, "tool/NAME" are programs that build its image. The order is fixed:
// header, sets by name, packages by name. NarHash is absent until the package
// was unpacked once. Invariant: a package of a given name stands once, however
// many sets hold it.
package lock

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/internal/deb"
	"reprise/internal/diag"
	"reprise/store/storepath"
)

// Format is the version of the file format that this package writes.
const Format = 1

// A Lock is the content of a lock file.
type Lock struct {
	Architecture string
	Archive      []Suite
	Sets         []Set
	Packages     []Package
}

// A Suite is the state of one suite of the archive that was resolved against.
type Suite struct {
	Name            string
	Date            time.Time // of its Release file, UTC
	InReleaseSHA256 string    // hex
}

// A Set is one request to the resolver.
type Set struct {
	Name       string
	Roots      []string // sorted
	Recommends bool
	Essential  bool
	Alone      bool // the roots only, without what they depend on: files to copy, not programs to run
}

// A Package is one exact binary package.
type Package struct {
	Name, Version, Architecture string
	Suite                       string
	Path                        string // below the archive's root: pool/…
	Size                        int64  // bytes of the .deb
	SHA256                      string // of the .deb, hex
	NarHash                     string // "sha256:" and 52 base32 digits, or "" before it was unpacked
	Sets                        []string
}

// Set returns the named set.
func (l *Lock) Set(name string) (Set, bool) {
	i := slices.IndexFunc(l.Sets, func(s Set) bool { return s.Name == name })
	if i < 0 {
		return Set{}, false
	}
	return l.Sets[i], true
}

// In returns the packages of the named set, by name.
func (l *Lock) In(set string) []Package {
	var in []Package
	for _, p := range l.Packages {
		if slices.Contains(p.Sets, set) {
			in = append(in, p)
		}
	}
	return in
}

// Encode writes the lock in its canonical form.
func (l *Lock) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Lock: %d\nArchitecture: %s\n", Format, l.Architecture)
	for _, s := range sorted(l.Archive, func(s Suite) string { return s.Name }) {
		fmt.Fprintf(&b, "Archive: %s %s %s\n", s.Name, s.Date.UTC().Format(time.RFC3339), s.InReleaseSHA256)
	}
	for _, s := range sorted(l.Sets, func(s Set) string { return s.Name }) {
		fmt.Fprintf(&b, "\nSet: %s\nRoots: %s\nRecommends: %s\nEssential: %s\nDepends: %s\n",
			s.Name, strings.Join(s.Roots, " "), yes(s.Recommends), yes(s.Essential), yes(!s.Alone))
	}
	for _, p := range sorted(l.Packages, func(p Package) string { return p.Name }) {
		fmt.Fprintf(&b, "\nPackage: %s\nVersion: %s\nArchitecture: %s\nSuite: %s\nPath: %s\nSize: %d\nSHA256: %s\n",
			p.Name, p.Version, p.Architecture, p.Suite, p.Path, p.Size, p.SHA256)
		if p.NarHash != "" {
			fmt.Fprintf(&b, "NarHash: %s\n", p.NarHash)
		}
		fmt.Fprintf(&b, "Sets: %s\n", strings.Join(p.Sets, " "))
	}
	return b.Bytes()
}

func sorted[T any](s []T, name func(T) string) []T {
	return slices.SortedStableFunc(slices.Values(s), func(a, b T) int { return cmp.Compare(name(a), name(b)) })
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// Parse reads a lock file. file is its name in messages. The error is
// diag.Problems with every fault at its line: a lock edited by hand must not
// build something that nobody asked for.
func Parse(file string, data []byte) (*Lock, error) {
	p := &parser{file: file, lock: &Lock{}, sets: map[string]bool{}, packages: map[string]bool{}, paths: map[string]bool{}}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		p.line(line, strings.TrimSuffix(text, "\n"))
	}
	p.end()
	if p.lock.Architecture == "" && len(p.problems) == 0 {
		p.problem(1, "", "the file is empty", "a lock written by reprise", "remove the file and run reprise lock")
	}
	for _, at := range p.uses {
		if !p.sets[at.value] {
			p.problem(at.line, "Sets", fmt.Sprintf("names the set %q, which the file does not have", at.value), "one of the sets above", "undo the change, or remove the file and run reprise lock")
		}
	}
	return p.lock, p.problems.Err()
}

type field struct {
	value string
	line  int
}

type parser struct {
	file           string
	lock           *Lock
	first          string // name of the stanza's first field
	at             int
	fields         map[string][]field
	sets, packages map[string]bool
	paths          map[string]bool
	uses           []field
	problems       diag.Problems
}

func (p *parser) problem(line int, name, got, want, do string) {
	p.problems = append(p.problems, diag.Problem{File: p.file, Line: line, Field: name, Got: got, Want: want, Do: do})
}

func (p *parser) line(number int, text string) {
	if text == "" {
		p.end()
		return
	}
	name, value, ok := strings.Cut(text, ": ")
	if !ok || name == "" || strings.ContainsAny(name, " \t") {
		p.problem(number, "", fmt.Sprintf("%.60q is no field", text), `a line "Field: value"`, "undo the change, or remove the file and run reprise lock")
		return
	}
	if p.fields == nil {
		p.fields, p.first, p.at = map[string][]field{}, name, number
	}
	if len(p.fields[name]) > 0 && name != "Archive" {
		p.problem(number, name, "stands twice in one stanza", "each field once", "remove one of the two lines")
	}
	p.fields[name] = append(p.fields[name], field{value, number})
}

var (
	hex64     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nameWords = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*$`)
	setName   = regexp.MustCompile(`^[a-z0-9][a-z0-9+./-]*$`)
)

// end finishes the current stanza.
func (p *parser) end() {
	if p.fields == nil {
		return
	}
	known := map[string][]string{
		"Lock":    {"Lock", "Architecture", "Archive"},
		"Set":     {"Set", "Roots", "Recommends", "Essential", "Depends"},
		"Package": {"Package", "Version", "Architecture", "Suite", "Path", "Size", "SHA256", "NarHash", "Sets"},
	}[p.first]
	if known == nil {
		p.problem(p.at, p.first, "starts a stanza", "Lock, Set or Package first", "undo the change, or remove the file and run reprise lock")
	}
	for name, at := range p.fields {
		if known != nil && !slices.Contains(known, name) {
			p.problem(at[0].line, name, "is not known in this stanza", "one of "+strings.Join(known, ", "), "remove the line")
		}
	}
	header := p.lock.Architecture != ""
	switch {
	case p.first == "Lock":
		p.header()
	case !header:
		p.problem(p.at, p.first, "comes before the header", "Lock: "+strconv.Itoa(Format)+" first", "remove the file and run reprise lock")
	case p.first == "Set":
		p.set()
	case p.first == "Package":
		p.pkg()
	}
	p.fields = nil
}

// want returns the value of a field of the stanza, checked.
func (p *parser) want(name, want string, good func(string) bool) string {
	at := p.fields[name]
	if len(at) == 0 {
		p.problem(p.at, name, "is missing", want, "undo the change, or remove the file and run reprise lock")
		return ""
	}
	if !good(at[0].value) {
		p.problem(at[0].line, name, fmt.Sprintf("is %.80q", at[0].value), want, "undo the change, or remove the file and run reprise lock")
		return ""
	}
	return at[0].value
}

func isArchitecture(s string) bool { return nameWords.MatchString(s) }

func isYesNo(s string) bool { return s == "yes" || s == "no" }

func (p *parser) header() {
	if p.lock.Architecture != "" {
		p.problem(p.at, "Lock", "stands twice", "one header", "remove one of the two")
		return
	}
	p.want("Lock", fmt.Sprintf("%d, the format that this reprise reads", Format), func(s string) bool { return s == strconv.Itoa(Format) })
	p.lock.Architecture = p.want("Architecture", "a Debian architecture", isArchitecture)
	for _, at := range p.fields["Archive"] {
		words := strings.Split(at.value, " ")
		var date time.Time
		err := fmt.Errorf("not three words")
		if len(words) == 3 && nameWords.MatchString(words[0]) && hex64.MatchString(words[2]) {
			date, err = time.Parse(time.RFC3339, words[1])
		}
		if err != nil {
			p.problem(at.line, "Archive", fmt.Sprintf("is %.120q", at.value), "suite, date and SHA-256 of its InRelease", "undo the change")
			continue
		}
		p.lock.Archive = append(p.lock.Archive, Suite{words[0], date.UTC(), words[2]})
	}
}

func (p *parser) set() {
	name := p.want("Set", "a name", setName.MatchString)
	roots := p.want("Roots", "package names with one space between", func(s string) bool {
		words := strings.Split(s, " ")
		return slices.IsSorted(words) && !slices.ContainsFunc(words, func(w string) bool { return !nameWords.MatchString(w) })
	})
	s := Set{Name: name, Roots: strings.Split(roots, " ")}
	s.Recommends = p.want("Recommends", "yes or no", isYesNo) == "yes"
	s.Essential = p.want("Essential", "yes or no", isYesNo) == "yes"
	s.Alone = p.want("Depends", "yes or no", isYesNo) == "no"
	if p.sets[name] {
		p.problem(p.at, "Set", fmt.Sprintf("%q stands twice", name), "each set once", "remove one of the two")
	}
	p.sets[name] = true
	p.lock.Sets = append(p.lock.Sets, s)
}

func (p *parser) pkg() {
	q := Package{
		Name:         p.want("Package", "a package name", nameWords.MatchString),
		Version:      p.want("Version", "a Debian version", func(s string) bool { return deb.ValidVersion(s) == nil }),
		Architecture: p.want("Architecture", "a Debian architecture", isArchitecture),
		Suite:        p.want("Suite", "a suite", nameWords.MatchString),
		Path: p.want("Path", "a path pool/….deb", func(s string) bool {
			return strings.HasPrefix(s, "pool/") && strings.HasSuffix(s, ".deb") && path.Clean(s) == s && !strings.ContainsAny(s, " \t%?#")
		}),
		SHA256: p.want("SHA256", "64 hex digits", hex64.MatchString),
	}
	size := p.want("Size", "bytes", func(s string) bool { n, err := strconv.ParseInt(s, 10, 64); return err == nil && n > 0 })
	q.Size, _ = strconv.ParseInt(size, 10, 64)
	if len(p.fields["NarHash"]) > 0 {
		q.NarHash = p.want("NarHash", "sha256: and 52 base32 digits", func(s string) bool {
			_, err := ParseNarHash(s)
			return err == nil
		})
	}
	sets := p.want("Sets", "the sets that hold the package", func(s string) bool { return s != "" })
	for _, s := range strings.Fields(sets) {
		p.uses = append(p.uses, field{s, p.fields["Sets"][0].line})
		q.Sets = append(q.Sets, s)
	}
	if p.packages[q.Name] && q.Name != "" {
		p.problem(p.at, "Package", fmt.Sprintf("%q stands twice", q.Name), "each package once", "remove one of the two stanzas")
	}
	if p.paths[q.Path] && q.Path != "" {
		p.problem(p.at, "Path", fmt.Sprintf("%q stands twice", q.Path), "one file for each package", "undo the change, or remove the file and run reprise lock")
	}
	p.packages[q.Name], p.paths[q.Path] = true, true
	p.lock.Packages = append(p.lock.Packages, q)
}

// ParseNarHash returns the 32 bytes of "sha256:<base32>".
func ParseNarHash(s string) (hash [32]byte, err error) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(digits) != 52 {
		return hash, fmt.Errorf("nar hash %.80q is not sha256: and 52 base32 digits", s)
	}
	raw, err := storepath.DecodeBase32(digits)
	if err != nil {
		return hash, fmt.Errorf("nar hash %q: %w", s, err)
	}
	copy(hash[:], raw)
	return hash, nil
}

// FormatNarHash is the inverse of ParseNarHash.
func FormatNarHash(hash [32]byte) string { return "sha256:" + storepath.EncodeBase32(hash[:]) }

// Digest returns the 32 bytes of a package's SHA-256.
func (p Package) Digest() (digest [32]byte) {
	raw, _ := hex.DecodeString(p.SHA256) // Parse and the index reader checked it
	copy(digest[:], raw)
	return digest
}
