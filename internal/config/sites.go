package config

import (
	"strconv"

	"github.com/google/go-jsonnet/ast"
	"github.com/google/go-jsonnet/toolutils"
)

// How places are found. Which of the user's lines a value comes from is decided
// by evaluation: objects merge, functions return them, conditions choose. So
// evaluation itself carries the answer. Beside every field
//
//	hostName: 'rig'
//
// of the parsed program stands a hidden one of a name that nobody can clash
// with by accident, whose value is the number of the place in a table of ours:
//
//	"\u0001place hostName":: [17]
//
// Wherever hostName is overridden, its companion is; where it is extended by
// +: the companion is extended by +: too and lists all places that took part,
// oldest first. A program that walks the finished object then reads places
// off (placesProgram). Manifestation never shows hidden fields, but
// std.objectFieldsAll does, so values are evaluated from a second, untouched
// parse; nothing but places comes from the marked one.

const companion = "\x01place "

// A site is one field definition in the source.
type site struct {
	place Place
	body  ast.Node
	scope *scope
}

// scope binds names to their definitions, innermost first, as far as they are
// locals; a parameter binds its name to nil.
type scope struct {
	outer *scope
	name  ast.Identifier
	node  ast.Node
}

func (s *scope) bind(name ast.Identifier, node ast.Node) *scope {
	return &scope{outer: s, name: name, node: node}
}

// lookup returns the definition of a name and the scope it stands in.
func (s *scope) lookup(name ast.Identifier) ast.Node {
	for ; s != nil; s = s.outer {
		if s.name == name {
			return s.node
		}
	}
	return nil
}

// marker adds companions to programs and collects their sites.
type marker struct{ sites []site }

// mark walks a desugared program and adds companions to its objects in place.
func (m *marker) mark(node ast.Node, s *scope) {
	switch node := node.(type) {
	case nil:
	case *ast.Local:
		for _, b := range node.Binds {
			s = s.bind(b.Variable, b.Body)
		}
		for _, b := range node.Binds {
			m.mark(b.Body, s)
		}
		m.mark(node.Body, s)
	case *ast.Function:
		for _, p := range node.Parameters {
			s = s.bind(p.Name, nil)
		}
		for _, p := range node.Parameters {
			if p.DefaultArg != nil {
				m.mark(p.DefaultArg, s)
			}
		}
		m.mark(node.Body, s)
	case *ast.DesugaredObject:
		m.markObject(node, s)
	default:
		for _, child := range toolutils.Children(node) {
			m.mark(child, s)
		}
	}
}

func (m *marker) markObject(object *ast.DesugaredObject, s *scope) {
	inner := s
	for _, l := range object.Locals {
		inner = inner.bind(l.Variable, l.Body)
	}
	for _, l := range object.Locals {
		m.mark(l.Body, inner)
	}
	for _, a := range object.Asserts {
		m.mark(a, inner)
	}
	for _, f := range object.Fields {
		m.mark(f.Name, s)
		m.mark(f.Body, inner)
	}
	fields := object.Fields
	for _, f := range object.Fields {
		if f.LocRange.FileName == "" || !f.LocRange.Begin.IsSet() {
			continue
		}
		number := &ast.LiteralNumber{OriginalString: strconv.Itoa(len(m.sites))}
		m.sites = append(m.sites, site{place: placeOf(&f.LocRange), body: f.Body, scope: inner})
		fields = append(fields, ast.DesugaredObjectField{
			Hide:      ast.ObjectFieldHidden,
			Name:      companionName(f.Name),
			Body:      &ast.Array{Elements: []ast.CommaSeparatedExpr{{Expr: number}}},
			PlusSuper: f.PlusSuper,
			LocRange:  f.LocRange,
		})
	}
	object.Fields = fields
}

// companionName is the expression for the companion of the field that name
// names. A name of null leaves its field out; the companion then stands alone,
// and nobody looks for it. Other types fail with the field itself, first.
func companionName(name ast.Node) ast.Node {
	if literal, ok := name.(*ast.LiteralString); ok {
		return &ast.LiteralString{Value: companion + literal.Value}
	}
	sum := &ast.Binary{Left: &ast.LiteralString{Value: companion}, Op: ast.BopPlus, Right: name}
	sum.SetFreeVariables(name.FreeVariables())
	return sum
}

func placeOf(loc *ast.LocationRange) Place {
	return Place{File: loc.FileName, Line: loc.Begin.Line, Col: loc.Begin.Column}
}

// elements returns the places of n array elements that the fields at sites
// put together, oldest first. An element that no literal shows has no place.
func (m *marker) elements(numbers []int, n int) []Place {
	var parts []part
	for _, number := range numbers {
		s := m.sites[number]
		parts = append(parts, partsOf(s.body, s.scope, 0)...)
	}
	known, open := 0, 0
	for _, p := range parts {
		if p.closed {
			known += len(p.places)
		} else {
			open++
		}
	}
	places := make([]Place, n)
	switch {
	case open == 0 && known == n:
		at := 0
		for _, p := range parts {
			at += copy(places[at:], p.places)
		}
	case open == 1 && known <= n:
		at := 0
		for _, p := range parts {
			if !p.closed {
				for range n - known {
					places[at] = p.places[0]
					at++
				}
				continue
			}
			at += copy(places[at:], p.places)
		}
	}
	return places
}

// A part is a run of array elements: closed, as a literal shows them one by
// one, or open, made by an expression at the one place.
type part struct {
	closed bool
	places []Place
}

// maxAliases bounds how many names are followed from an array to its literal.
const maxAliases = 50

func partsOf(node ast.Node, s *scope, aliases int) []part {
	switch node := node.(type) {
	case *ast.Array:
		p := part{closed: true}
		for _, e := range node.Elements {
			p.places = append(p.places, placeOf(e.Expr.Loc()))
		}
		return []part{p}
	case *ast.Local:
		for _, b := range node.Binds {
			s = s.bind(b.Variable, b.Body)
		}
		return partsOf(node.Body, s, aliases)
	case *ast.Binary:
		if node.Op == ast.BopPlus {
			return append(partsOf(node.Left, s, aliases), partsOf(node.Right, s, aliases)...)
		}
	case *ast.Var:
		// The definition is read in the scope of its use, which may bind one of
		// its names anew; only literals and sums are read, so names matter
		// little, and lengths are compared afterwards.
		if array, ok := s.lookup(node.Id).(*ast.Array); ok && aliases < maxAliases {
			return partsOf(array, s, aliases+1)
		}
	}
	return []part{{places: []Place{placeOf(node.Loc())}}}
}
