package program

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
//	"\u0001place hostName":: [[17, 0]]
//
// Wherever hostName is overridden, its companion is; where it is extended by
// +: the companion is extended by +: too and lists all places that took part,
// oldest first, each with how many elements it gave to a list. A program that walks the finished object then reads places
// off (placesProgram). Manifestation never shows hidden fields, but
// std.objectFieldsAll does, so values are evaluated from a second, untouched
// parse; nothing but places comes from the marked one.
//
// Objects that no source shows, such as those of std.mergePatch, have no
// companions, and laid over others they would leave the companions of what they
// hide in force. So whatever is added to an object goes through freshProgram
// first, which gives every field without a companion an empty one: its place is
// not known. So are the places of the library's own fields: nobody writes there.

const companion = "\x01place "

// freshName is how marked programs import freshProgram; only they can, see
// importer.Import.
const freshName = "\x01fresh"

// sizeName is the same for sizeProgram.
const sizeName = "\x01size"

const sizeProgram = `function(v) if std.isArray(v) then std.length(v) else 0`

const freshProgram = `
function(v)
  if !std.isObject(v) then v else
    local fields = std.objectFieldsAll(v);
    local bare = [f for f in fields if !std.startsWith(f, '\u0001place ') && !std.objectHasAll(v, '\u0001place ' + f)];
    std.foldl(function(object, f) object + { ['\u0001place ' + f]:: [] }, bare, v)
`

// A site is one field definition in the source.
type site struct {
	place   Place
	body    ast.Node
	scope   *scope
	library bool // in the library: places are not told
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
type marker struct {
	sites   []site
	library bool // the program being marked is of the library
}

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
	case *ast.Binary:
		m.mark(node.Left, s)
		m.mark(node.Right, s)
		if node.Op == ast.BopPlus {
			node.Right = fresh(node.Right)
		}
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
	for i, f := range object.Fields {
		if f.PlusSuper {
			object.Fields[i].Body = fresh(f.Body)
		}
		if f.LocRange.FileName == "" || !f.LocRange.Begin.IsSet() {
			continue
		}
		use := m.use(f.Body)
		m.sites = append(m.sites, site{place: placeOf(&f.LocRange), body: f.Body, scope: inner, library: m.library})
		fields = append(fields, ast.DesugaredObjectField{
			Hide:      ast.ObjectFieldHidden,
			Name:      companionName(f.Name),
			Body:      use,
			PlusSuper: f.PlusSuper,
			LocRange:  f.LocRange,
		})
	}
	object.Fields = fields
}

// fresh wraps an expression in freshProgram, unless it shows its own fields.
func fresh(node ast.Node) ast.Node {
	switch node.(type) {
	case *ast.DesugaredObject, *ast.Array, *ast.LiteralString, *ast.LiteralNumber, *ast.LiteralBoolean:
		return node
	}
	return call(freshName, node)
}

// call applies one of our programs. Its only variables are those of node, which
// every closure around it has captured already.
func call(program string, node ast.Node) ast.Node {
	apply := &ast.Apply{
		Target:    &ast.Import{File: &ast.LiteralString{Value: program}},
		Arguments: ast.Arguments{Positional: []ast.CommaSeparatedExpr{{Expr: node}}},
	}
	apply.SetFreeVariables(node.FreeVariables())
	return apply
}

// use is the value of a companion: [[number of the next site, size of body]].
func (m *marker) use(body ast.Node) ast.Node {
	var size ast.Node = &ast.LiteralNumber{OriginalString: "0"}
	switch stale(body).(type) {
	case *ast.DesugaredObject, *ast.LiteralString, *ast.LiteralNumber, *ast.LiteralBoolean, *ast.Function:
	default:
		size = call(sizeName, body)
	}
	number := &ast.LiteralNumber{OriginalString: strconv.Itoa(len(m.sites))}
	pair := &ast.Array{Elements: []ast.CommaSeparatedExpr{{Expr: number}, {Expr: size}}}
	pair.SetFreeVariables(size.FreeVariables())
	list := &ast.Array{Elements: []ast.CommaSeparatedExpr{{Expr: pair}}}
	list.SetFreeVariables(size.FreeVariables())
	return list
}

// stale returns what fresh wrapped, or node.
func stale(node ast.Node) ast.Node {
	if call, ok := node.(*ast.Apply); ok {
		if i, ok := call.Target.(*ast.Import); ok && i.File.Value == freshName {
			return call.Arguments.Positional[0].Expr
		}
	}
	return node
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

// elements returns the places of the elements of an array that the fields at
// uses put together. One that no source shows has no place.
func (m *marker) elements(uses []use) []Place {
	var places []Place
	for _, u := range uses {
		s := m.sites[u.site]
		own := make([]Place, u.size)
		if !s.library {
			spread(own, partsOf(s.body, s.scope, 0))
		}
		places = append(places, own...)
	}
	return places
}

// A use is one field definition that took part in a value.
type use struct {
	site int
	size int // elements it gave, when it is an array
}

// spread gives elements the places of the parts that make them, where lengths
// leave no doubt: at most one part is open.
func spread(places []Place, parts []part) {
	known, open := 0, 0
	for _, p := range parts {
		if p.closed {
			known += len(p.places)
		} else {
			open++
		}
	}
	if open > 1 || known > len(places) || open == 0 && known != len(places) {
		return
	}
	at := 0
	for _, p := range parts {
		if p.closed {
			at += copy(places[at:], p.places)
			continue
		}
		for range len(places) - known {
			places[at] = p.places[0]
			at++
		}
	}
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
	switch node := stale(node).(type) {
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
	return []part{{places: []Place{placeOf(stale(node).Loc())}}}
}
