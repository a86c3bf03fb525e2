package deb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A Package is what a Packages index, or the control file of a .deb, tells
// about one binary package. Strings may share memory with each other.
type Package struct {
	Name, Version, Architecture string
	Source                      string // name only; "" means Name
	MultiArch                   string // "", "no", "same", "foreign", "allowed"
	Filename                    string // pool path, "pool/main/b/bash/bash_5.2.37-2_amd64.deb"; "" in a control file
	SHA256                      string // 64 lower-case hex digits; "" in a control file
	Section, Priority           string
	Suite                       string // where it was found; the index reader of package archive sets it
	Size                        int64  // bytes of the .deb
	InstalledSize               int64  // KiB
	Essential                   bool

	PreDepends, Depends, Recommends, Suggests []Clause
	Conflicts, Breaks, Replaces, Provides     []Clause
}

// ReadPackages reads a whole Packages index. Trixie's main has 68,000 stanzas
// and 56 MB of text; of these only the fields of Package stay in memory.
func ReadPackages(r io.Reader) ([]Package, error) {
	p := packageParser{relations: relationParser{pooled: true}, common: map[string]string{}}
	var list []Package
	err := splitStanzas(r, func(text []byte, line int) error {
		pkg, err := p.parse(text)
		if err != nil {
			return fmt.Errorf("stanza at line %d: %w", line, err)
		}
		if pkg.Filename == "" || len(pkg.SHA256) != 64 || pkg.Size <= 0 {
			return fmt.Errorf("stanza at line %d: package %q lacks Filename, Size or SHA256", line, pkg.Name)
		}
		list = append(list, pkg)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("packages index: %w", err)
	}
	return list, nil
}

// ParseControl reads the control file of one package.
func ParseControl(text []byte) (Package, error) {
	if _, err := ParseStanza(text); err != nil {
		return Package{}, fmt.Errorf("control file: %w", err)
	}
	var p packageParser
	pkg, err := p.parse(bytes.TrimLeft(text, "\r\n\t "))
	if err != nil {
		return Package{}, fmt.Errorf("control file: %w", err)
	}
	return pkg, nil
}

type packageParser struct {
	relations relationParser
	common    map[string]string // values that many stanzas share; nil: none kept
	kept      []byte            // values of the stanza being read
	spans     [fieldCount]span
}

// span is where a value stands in kept.
type span struct{ start, end int }

// Fields of a Package in the order of their names below.
const (
	fieldPackage = iota
	fieldVersion
	fieldSource
	fieldFilename
	fieldSHA256
	fieldPreDepends
	fieldDepends
	fieldRecommends
	fieldSuggests
	fieldConflicts
	fieldBreaks
	fieldReplaces
	fieldProvides
	fieldArchitecture // from here on, values that many stanzas share or numbers
	fieldMultiArch
	fieldSection
	fieldPriority
	fieldSize
	fieldInstalledSize
	fieldEssential
	fieldCount
)

// fieldOf returns the number of a field name, or -1. A switch on the bytes
// keeps the reader from allocating a string for each of a million lines.
func fieldOf(name []byte) int {
	switch string(name) {
	case "Package":
		return fieldPackage
	case "Version":
		return fieldVersion
	case "Source":
		return fieldSource
	case "Filename":
		return fieldFilename
	case "SHA256":
		return fieldSHA256
	case "Pre-Depends":
		return fieldPreDepends
	case "Depends":
		return fieldDepends
	case "Recommends":
		return fieldRecommends
	case "Suggests":
		return fieldSuggests
	case "Conflicts":
		return fieldConflicts
	case "Breaks":
		return fieldBreaks
	case "Replaces":
		return fieldReplaces
	case "Provides":
		return fieldProvides
	case "Architecture":
		return fieldArchitecture
	case "Multi-Arch":
		return fieldMultiArch
	case "Section":
		return fieldSection
	case "Priority":
		return fieldPriority
	case "Size":
		return fieldSize
	case "Installed-Size":
		return fieldInstalledSize
	case "Essential":
		return fieldEssential
	}
	return -1
}

func (p *packageParser) parse(text []byte) (Package, error) {
	var pkg Package
	if err := p.scan(text); err != nil {
		return pkg, err
	}
	// One string holds all own values of the stanza.
	all := string(p.kept[:p.spans[fieldProvides].end])
	own := func(field int) string { return all[p.spans[field].start:p.spans[field].end] }
	raw := func(field int) []byte { return p.kept[p.spans[field].start:p.spans[field].end] }
	pkg.Name, pkg.Version, pkg.Source = own(fieldPackage), own(fieldVersion), own(fieldSource)
	pkg.Filename, pkg.SHA256 = own(fieldFilename), own(fieldSHA256)
	pkg.Architecture, pkg.MultiArch = p.share(raw(fieldArchitecture)), p.share(raw(fieldMultiArch))
	pkg.Section, pkg.Priority = p.share(raw(fieldSection)), p.share(raw(fieldPriority))
	pkg.Essential = string(raw(fieldEssential)) == "yes"
	for i := range len(pkg.Source) {
		if pkg.Source[i] == ' ' { // "linux-signed-amd64 (6.12.107+1)"
			pkg.Source = pkg.Source[:i]
			break
		}
	}
	if pkg.Name == "" || pkg.Version == "" || pkg.Architecture == "" {
		return pkg, fmt.Errorf("package %q lacks Package, Version or Architecture", pkg.Name)
	}
	if err := checkName(pkg.Name); err != nil {
		return pkg, err
	}
	if err := ValidVersion(pkg.Version); err != nil {
		return pkg, fmt.Errorf("package %q: %w", pkg.Name, err)
	}
	var err error
	for _, number := range []struct {
		to    *int64
		field int
	}{{&pkg.Size, fieldSize}, {&pkg.InstalledSize, fieldInstalledSize}} {
		text := raw(number.field)
		if len(text) == 0 {
			continue
		}
		if *number.to, err = strconv.ParseInt(string(text), 10, 64); err != nil || *number.to < 0 {
			return pkg, fmt.Errorf("package %q: size %q is not a number", pkg.Name, text)
		}
	}
	for _, relation := range []struct {
		to    *[]Clause
		field int
	}{
		{&pkg.PreDepends, fieldPreDepends}, {&pkg.Depends, fieldDepends},
		{&pkg.Recommends, fieldRecommends}, {&pkg.Suggests, fieldSuggests},
		{&pkg.Conflicts, fieldConflicts}, {&pkg.Breaks, fieldBreaks},
		{&pkg.Replaces, fieldReplaces}, {&pkg.Provides, fieldProvides},
	} {
		if *relation.to, err = p.relations.parse(own(relation.field)); err != nil {
			return pkg, fmt.Errorf("package %q: %w", pkg.Name, err)
		}
	}
	return pkg, nil
}

// scan collects the values that Package wants into p.kept, in field order.
func (p *packageParser) scan(text []byte) error {
	var found [fieldCount]span // in text
	last := -1
	for at := 0; at < len(text); {
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += at
		}
		line := text[at:end]
		switch {
		case len(line) == 0 || line[0] == '#':
			// A comment inside a folded value would end up in it.
			last = -1
		case line[0] == ' ' || line[0] == '\t':
			if last >= 0 {
				found[last].end = end
			}
		default:
			colon := bytes.IndexByte(line, ':')
			if colon <= 0 {
				return fmt.Errorf("%.60q is no \"Field: value\"", line)
			}
			if last = fieldOf(line[:colon]); last >= 0 {
				if found[last].end != 0 {
					return fmt.Errorf("field %q stands there twice", line[:colon])
				}
				found[last] = span{at + colon + 1, end}
			}
		}
		at = end + 1
	}
	p.kept = p.kept[:0]
	for field, f := range found {
		start := len(p.kept)
		p.kept = append(p.kept, bytes.TrimSpace(text[f.start:f.end])...)
		p.spans[field] = span{start, len(p.kept)}
	}
	return nil
}

func (p *packageParser) share(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	if s, ok := p.common[string(value)]; ok {
		return s
	}
	s := string(value)
	// Bounded, because an index from outside may make each value differ.
	if p.common != nil && len(p.common) < 1<<12 {
		p.common[s] = s
	}
	return s
}

func checkName(name string) error {
	for i := range len(name) {
		if !isNameByte(name[i]) {
			return fmt.Errorf("package name %.80q holds %q", name, name[i])
		}
	}
	if len(name) < 2 || name[0] == '.' || name[0] == '-' || name[0] == '+' {
		return errors.New("package name " + strconv.Quote(name) + " is no name")
	}
	return nil
}
