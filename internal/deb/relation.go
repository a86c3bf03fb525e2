package deb

import (
	"fmt"
	"strings"
)

// A Relation is one alternative of a clause: "libc6 (>= 2.38)",
// "python3:any".
type Relation struct {
	Name    string
	Arch    string // after the colon: "any", "native", an architecture, or ""
	Op      string // "<<", "<=", "=", ">=", ">>", or "" for any version
	Version string // "" when Op is ""
}

// A Clause is met when one of its alternatives is; they are in the order of
// preference.
type Clause []Relation

// Allows reports whether version satisfies the relation's bound. For a
// provided name without a version, ask only when Op is "".
func (r Relation) Allows(version string) bool {
	if r.Op == "" {
		return true
	}
	c := CompareVersions(version, r.Version)
	switch r.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	}
	return c > 0
}

// String prints the relation as a control file has it.
func (r Relation) String() string {
	s := r.Name
	if r.Arch != "" {
		s += ":" + r.Arch
	}
	if r.Op != "" {
		s += " (" + r.Op + " " + r.Version + ")"
	}
	return s
}

// String prints the alternatives with " | " between them.
func (c Clause) String() string {
	words := make([]string, len(c))
	for i, r := range c {
		words[i] = r.String()
	}
	return strings.Join(words, " | ")
}

// ParseDepends reads the value of a relation field of a binary package:
// Depends, Conflicts, Provides and their like. Names and versions share the
// memory of s. Architecture restrictions ("[amd64]") and build profiles
// belong to source packages and are refused.
//
// The deprecated operators "<" and ">" are read as "<=" and ">=", which is
// what dpkg makes of them.
func ParseDepends(s string) ([]Clause, error) {
	var p relationParser
	return p.parse(s)
}

// slabSize is how many relations or clauses are taken from the heap at once
// while a whole index is read.
const slabSize = 4096

// A relationParser hands out clauses from slabs, because an index holds some
// 500,000 of them and one allocation each would cost more than the parsing.
type relationParser struct {
	relations []Relation
	clauses   []Clause
	pooled    bool
	current   []Clause
	one       []Relation
}

func (p *relationParser) parse(s string) ([]Clause, error) {
	p.current = p.current[:0]
	for rest, more := s, true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		item = trim(item)
		if item == "" {
			continue // Debian's tools write none, but accept a trailing comma.
		}
		p.one = p.one[:0]
		for alternatives, again := item, true; again; {
			var word string
			word, alternatives, again = strings.Cut(alternatives, "|")
			r, err := parseRelation(trim(word))
			if err != nil {
				return nil, err
			}
			p.one = append(p.one, r)
		}
		p.current = append(p.current, p.keepRelations())
	}
	if len(p.current) == 0 {
		return nil, nil
	}
	return p.keepClauses(), nil
}

func (p *relationParser) keepRelations() Clause {
	n := len(p.one)
	if !p.pooled {
		return append(make(Clause, 0, n), p.one...)
	}
	if len(p.relations)+n > cap(p.relations) {
		p.relations = make([]Relation, 0, max(n, slabSize))
	}
	start := len(p.relations)
	p.relations = append(p.relations, p.one...)
	return Clause(p.relations[start : start+n : start+n])
}

func (p *relationParser) keepClauses() []Clause {
	n := len(p.current)
	if !p.pooled {
		return append(make([]Clause, 0, n), p.current...)
	}
	if len(p.clauses)+n > cap(p.clauses) {
		p.clauses = make([]Clause, 0, max(n, slabSize))
	}
	start := len(p.clauses)
	p.clauses = append(p.clauses, p.current...)
	return p.clauses[start : start+n : start+n]
}

func parseRelation(s string) (Relation, error) {
	var r Relation
	i := 0
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	r.Name = s[:i]
	if len(r.Name) < 2 || !isDigit(r.Name[0]) && (r.Name[0] < 'a' || r.Name[0] > 'z') {
		return r, fmt.Errorf("relation %.80q does not start with a package name", s)
	}
	rest := s[i:]
	if rest != "" && rest[0] == ':' {
		j := 1
		for j < len(rest) && (isDigit(rest[j]) || isLetter(rest[j]) || rest[j] == '-') {
			j++
		}
		if r.Arch = rest[1:j]; r.Arch == "" {
			return r, fmt.Errorf("relation %.80q names no architecture after the colon", s)
		}
		rest = rest[j:]
	}
	rest = trim(rest)
	if rest == "" {
		return r, nil
	}
	if rest[0] != '(' || rest[len(rest)-1] != ')' {
		return r, fmt.Errorf("relation %.80q: want (operator version) after the name", s)
	}
	bound := trim(rest[1 : len(rest)-1])
	n := 0
	for n < len(bound) && (bound[n] == '<' || bound[n] == '>' || bound[n] == '=') {
		n++
	}
	switch bound[:n] {
	case "<<", "<=", "=", ">=", ">>":
		r.Op = bound[:n]
	case "<":
		r.Op = "<="
	case ">":
		r.Op = ">="
	default:
		return r, fmt.Errorf("relation %.80q: %q is no operator", s, bound[:n])
	}
	r.Version = trim(bound[n:])
	for i := range len(r.Version) {
		if c := r.Version[i]; !isDigit(c) && !isLetter(c) && strings.IndexByte(".+-~:", c) < 0 {
			return r, fmt.Errorf("relation %.80q: character %q in the version", s, c)
		}
	}
	if r.Version == "" {
		return r, fmt.Errorf("relation %.80q: the version is missing", s)
	}
	return r, nil
}

// isNameByte allows what Debian Policy 5.6.7 allows, and capitals, which a
// few old third-party packages have.
func isNameByte(c byte) bool {
	return isDigit(c) || isLetter(c) || c == '+' || c == '-' || c == '.'
}

// trim takes blanks, tabs and line ends off both ends.
func trim(s string) string {
	i, j := 0, len(s)
	for i < j && isBlank(s[i]) {
		i++
	}
	for j > i && isBlank(s[j-1]) {
		j--
	}
	return s[i:j]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
