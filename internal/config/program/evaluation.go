package program

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"
	"github.com/google/go-jsonnet/toolutils"

	"reprise/internal/diag"
)

// An evaluation is one configuration being evaluated.
type evaluation struct {
	im       *importer
	problems diag.Problems
	failed   []string
}

func evaluate(req request) Answer {
	im, err := newImporter(req.File, req.Builtin)
	if err != nil {
		return Answer{Problems: diag.Problems{{File: req.File, Got: "cannot be read: " + Reason(err),
			Want: "a readable Jsonnet file", Do: "check the path and its permissions"}}}
	}
	e := &evaluation{im: im}
	plain := e.machine()
	e.parse(plain, nil)
	if len(e.problems) > 0 {
		return Answer{Problems: e.problems}
	}
	value := e.value(plain)
	if value == nil {
		return Answer{Problems: e.problems, Failed: e.failed}
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic("JSON value does not encode: " + err.Error())
	}
	if len(text) > maxOutputBytes/2 { // places and quoting want room, too
		return Answer{Problems: diag.Problems{tooLong(req.File)}}
	}
	return Answer{Value: text, Places: e.places(text), Failed: e.failed, Files: e.im.files(), Problems: e.problems}
}

func tooLong(file string) diag.Problem {
	return diag.Problem{File: file, Got: fmt.Sprintf("gives more than %d bytes of JSON", maxOutputBytes/2),
		Want: "a configuration written by a person", Do: "look for a list or string that grows without need"}
}

func (e *evaluation) machine() *jsonnet.VM {
	vm := jsonnet.MakeVM()
	vm.MaxStack = maxCallsDeep
	vm.Importer(e.im)
	vm.SetTraceOut(discard{}) // std.trace would write into our protocol
	return vm
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// parse reads the configuration and all it imports, so that syntax errors of
// every file are told at once and no unchecked file reaches the parser. A file
// that cannot be read is left for evaluation: it may never be asked for. With
// m, it also marks the programs.
func (e *evaluation) parse(vm *jsonnet.VM, m *marker) {
	seen := map[string]bool{}
	var visit func(from, imported string)
	visit = func(from, imported string) {
		contents, file, err := e.im.Import(from, imported)
		if err != nil {
			if from == "" {
				e.add(e.importProblem(err))
			}
			return
		}
		if seen[file] {
			return
		}
		seen[file] = true
		if p, ok := checkSource(file, contents.Data()); !ok {
			e.add(p)
			return
		}
		node, _, err := vm.ImportAST(from, imported)
		if err != nil {
			e.add(syntaxProblem(file, err))
			return
		}
		imports := importsOf(node)
		if m != nil {
			m.library = strings.HasPrefix(file, BuiltinName("lib/"))
			m.mark(node, nil)
		}
		for _, next := range imports {
			visit(file, next)
		}
	}
	visit("", e.im.main)
}

// importsOf lists the files that a program imports as code.
func importsOf(node ast.Node) []string {
	var files []string
	var walk func(ast.Node)
	walk = func(n ast.Node) {
		if i, ok := n.(*ast.Import); ok {
			files = append(files, i.File.Value)
		}
		for _, child := range toolutils.Children(n) {
			walk(child)
		}
	}
	walk(node)
	return files
}

func (e *evaluation) add(p diag.Problem) {
	if !slices.Contains(e.problems, p) && len(e.problems) < maxProblems {
		e.problems = append(e.problems, p)
	}
}

// run evaluates a program of ours around the configuration.
func (e *evaluation) run(vm *jsonnet.VM, program string) (string, error) {
	node, err := jsonnet.SnippetToAST("", program)
	if err != nil {
		panic("our own program does not parse: " + err.Error() + "\n" + program)
	}
	return vm.Evaluate(node)
}

// value evaluates the configuration. When a part of it fails, the problem is
// noted and the rest is still evaluated, so that all problems are told.
func (e *evaluation) value(vm *jsonnet.VM) map[string]any {
	value, ok := e.part(vm, "(import 'main')", "", 0)
	if !ok {
		return nil
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		e.add(diag.Problem{File: e.im.main, Got: "gives " + Describe(value), Want: "an object with options", Do: "write { networking: { hostName: 'live-rig' } }"})
		return nil
	}
	return object
}

// part evaluates the expression expr, which stands at path, depth levels down.
func (e *evaluation) part(vm *jsonnet.VM, expr, path string, depth int) (any, bool) {
	text, err := e.run(vm, expr)
	if err == nil {
		var value any
		if json.Unmarshal([]byte(text), &value) == nil {
			return value, true
		}
		// go-jsonnet's JSON is good; our decoder stops 10,000 levels deep.
		e.add(diag.Problem{File: e.im.main, Field: path, Got: "nests more than 10000 deep", Want: "a configuration", Do: "look for a list or object that holds itself"})
		e.failed = append(e.failed, path)
		return nil, false
	}
	names, shapeErr := e.run(vm, "local v = "+expr+"; if std.isObject(v) then std.objectFields(v) else if std.isFunction(v) then 'function' else null")
	var fields []string
	if shapeErr == nil && depth < maxDepth && json.Unmarshal([]byte(names), &fields) == nil && fields != nil {
		object := map[string]any{}
		for _, name := range fields {
			if len(e.problems) >= maxProblems {
				break
			}
			if v, ok := e.part(vm, expr+"["+quote(name)+"]", Join(path, name), depth+1); ok {
				object[name] = v
			}
		}
		return object, true
	}
	if shapeErr == nil && strings.HasPrefix(names, `"function"`) {
		p := diag.Problem{File: e.im.main, Field: path, Got: "is a function", Want: "a value", Do: "call it with its arguments"}
		e.add(p)
	} else {
		e.add(e.runtimeProblem(err, path))
	}
	e.failed = append(e.failed, path)
	return nil, false
}

// quote writes a string as a Jsonnet literal; JSON's form is one.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic("string does not encode: " + err.Error())
	}
	return string(text)
}
