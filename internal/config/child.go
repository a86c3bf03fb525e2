package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"
	"github.com/google/go-jsonnet/toolutils"
	"golang.org/x/sys/unix"

	"reprise/internal/diag"
)

// childVerb is the first argument that turns the program into the evaluator.
const childVerb = "eval-config"

// Bounds of the child that need no option. maxStackBytes is far below what
// RLIMIT_DATA leaves, so that endless recursion is told from hunger.
const (
	maxStackBytes    = 64 << 20
	maxOutputBytes   = 8 << 20
	maxProblems      = 40
	maxDepth         = 12  // levels below which a failing value is not taken apart; options have 7
	maxCallsDeep     = 500 // go-jsonnet's own default
	exitChildProblem = 7   // the child could not even start
	exitMemory       = 8   // the child saw that its memory runs out
)

// request is what the parent asks, on the child's standard input.
type request struct {
	File        string `json:"file"`    // as the user named it, or the shown name of a built-in profile
	Builtin     bool   `json:"builtin"` // File is in the binary
	MemoryBytes int64  `json:"memoryBytes"`
	CPUSeconds  int64  `json:"cpuSeconds"`
}

// response is what the child answers, on its standard output.
type response struct {
	Value    json.RawMessage  `json:"value,omitempty"` // object; parts that failed are left out
	Places   map[string]Place `json:"places,omitempty"`
	Failed   []string         `json:"failed,omitempty"` // paths of the parts left out
	Problems diag.Problems    `json:"problems,omitempty"`
}

// EvalMain is the evaluator's process: when the program was started as
// `reprise eval-config` it evaluates the configuration named on standard input
// and exits; otherwise it returns at once. It must be among the first calls of
// main, and of TestMain where tests evaluate.
func EvalMain() {
	if len(os.Args) != 2 || os.Args[1] != childVerb {
		return
	}
	if err := evalMain(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitChildProblem)
	}
	os.Exit(0)
}

func evalMain(stdin, stdout *os.File) error {
	var req request
	if err := json.NewDecoder(stdin).Decode(&req); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if err := bound(req); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(evaluate(req))
}

// bound lays the limits on this process. Go reserves far more address space
// than it uses, so RLIMIT_AS would hit the innocent; RLIMIT_DATA counts what is
// mapped writable, which is what the heap and the stacks have grown to.
// Source: Linux mm/mmap.c, may_expand_vm; Go runtime, malloc.go.
//
// At that wall the Go runtime dies in many ways, some of them unreadable, so
// the process watches itself and ends a little before it, with a code of its
// own.
func bound(req request) error {
	go watchMemory(uint64(req.MemoryBytes) / 4 * 3)
	debug.SetMaxStack(maxStackBytes)
	debug.SetMemoryLimit(req.MemoryBytes / 2) // collect harder before the wall is reached
	for _, limit := range []struct {
		resource int
		max      uint64
	}{
		{unix.RLIMIT_DATA, uint64(req.MemoryBytes)},
		{unix.RLIMIT_CPU, uint64(req.CPUSeconds)},
		{unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(limit.resource, &unix.Rlimit{Cur: limit.max, Max: limit.max}); err != nil {
			return fmt.Errorf("set resource limit %d to %d: %w", limit.resource, limit.max, err)
		}
	}
	return nil
}

// watchMemory ends the process when it has mapped more than limit bytes.
func watchMemory(limit uint64) {
	total := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	for {
		if metrics.Read(total); total[0].Value.Uint64() > limit {
			os.Exit(exitMemory)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// An evaluation is one configuration being evaluated.
type evaluation struct {
	im       *importer
	problems diag.Problems
	failed   []string
}

func evaluate(req request) response {
	im, err := newImporter(req.File, req.Builtin)
	if err != nil {
		return response{Problems: diag.Problems{{File: req.File, Got: "cannot be read: " + reason(err),
			Want: "a readable Jsonnet file", Do: "check the path and its permissions"}}}
	}
	e := &evaluation{im: im}
	plain := e.machine()
	e.parse(plain, nil)
	if len(e.problems) > 0 {
		return response{Problems: e.problems}
	}
	value := e.value(plain)
	if value == nil {
		return response{Problems: e.problems, Failed: e.failed}
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic("JSON value does not encode: " + err.Error())
	}
	if len(text) > maxOutputBytes/2 { // places and quoting want room, too
		return response{Problems: diag.Problems{tooLong(req.File)}}
	}
	return response{Value: text, Places: e.places(text), Failed: e.failed, Problems: e.problems}
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
			m.library = strings.HasPrefix(file, builtinName("lib/"))
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
		e.add(diag.Problem{File: e.im.main, Got: "gives " + kindOf(value), Want: "an object with options", Do: "write { networking: { hostName: 'live-rig' } }"})
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
			if v, ok := e.part(vm, expr+"["+quote(name)+"]", join(path, name), depth+1); ok {
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

// placesProgram walks a value along what is known to evaluate (good) and
// returns for each object {name: [site numbers, the same of its value]}.
const placesProgram = `
local marks(object, name) = local key = '\u0001place ' + name;
  if std.objectHasAll(object, key) then object[key] else [];
local walk(v, good) =
  if std.isObject(good) then { [name]: [marks(v, name), walk(v[name], good[name])] for name in std.objectFields(good) }
  else if std.isArray(good) then [null, [if std.isObject(good[i]) then walk(v[i], good[i]) else null for i in std.range(0, std.length(good) - 1)]]
  else null;
walk((import 'main'), `

// places finds where each part of a value was written. It gives none when the
// marked program fails where the plain one did not: a program can tell by
// asking for hidden fields.
func (e *evaluation) places(value []byte) map[string]Place {
	m := &marker{}
	vm := e.machine()
	e.parse(vm, m)
	text, err := e.run(vm, placesProgram+string(value)+")")
	if err != nil {
		return nil
	}
	var root map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		panic("places program gave no object: " + err.Error())
	}
	places := map[string]Place{}
	m.collect(places, "", root)
	return places
}

// collect reads one object of the answer of placesProgram. A user who defines
// a field with our secret name may bend its shape: then there is no place.
func (m *marker) collect(places map[string]Place, path string, object map[string]json.RawMessage) {
	for name, raw := range object {
		var entry [2]json.RawMessage
		if json.Unmarshal(raw, &entry) != nil || len(entry[1]) == 0 {
			continue
		}
		at := join(path, name)
		uses := m.uses(entry[0])
		if len(uses) > 0 {
			if s := m.sites[uses[len(uses)-1].site]; !s.library {
				places[at] = s.place
			}
		}
		var fields map[string]json.RawMessage
		var array [2]json.RawMessage
		switch entry[1][0] {
		case '{':
			if json.Unmarshal(entry[1], &fields) == nil {
				m.collect(places, at, fields)
			}
		case '[':
			if json.Unmarshal(entry[1], &array) == nil {
				m.collectArray(places, at, uses, array)
			}
		}
	}
}

// collectArray reads [null, elements]; elements that are no objects are null.
func (m *marker) collectArray(places map[string]Place, path string, uses []use, array [2]json.RawMessage) {
	var elements []map[string]json.RawMessage
	if json.Unmarshal(array[1], &elements) != nil {
		return
	}
	known := m.elements(uses)
	for i, element := range elements {
		if len(known) == len(elements) && known[i].Line > 0 {
			places[join(path, i)] = known[i]
		}
		m.collect(places, join(path, i), element)
	}
}

// uses decodes the value of a companion; nil when it is none of ours.
func (m *marker) uses(raw json.RawMessage) []use {
	var pairs [][2]int
	if json.Unmarshal(raw, &pairs) != nil {
		return nil
	}
	var uses []use
	for _, p := range pairs {
		if p[0] < 0 || p[0] >= len(m.sites) || p[1] < 0 || p[1] > maxOutputBytes {
			return nil
		}
		uses = append(uses, use{site: p[0], size: p[1]})
	}
	return uses
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case float64:
		return number(v)
	case string:
		return shorten(v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	panic(fmt.Sprintf("JSON value of type %T", v))
}

// syntaxProblem tells what the parser or the static checks found.
func syntaxProblem(file string, err error) diag.Problem {
	p := diag.Problem{File: file, Got: err.Error()}
	var static interface{ Loc() ast.LocationRange }
	if errors.As(err, &static) {
		loc := static.Loc()
		p.Line, p.Col = loc.Begin.Line, loc.Begin.Column
		p.Got = strings.TrimSpace(strings.TrimPrefix(p.Got, loc.String()))
	}
	p.Got = "is not Jsonnet: " + p.Got
	p.Want = "valid Jsonnet or JSON"
	p.Do = "mend it near this place; a comma or a closing bracket is the usual suspect"
	return p
}
