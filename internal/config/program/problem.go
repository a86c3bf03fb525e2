package program

import (
	"errors"
	"strings"

	"github.com/google/go-jsonnet"
	"github.com/google/go-jsonnet/ast"

	"reprise/internal/diag"
)

// runtimeProblem tells why evaluating the value at path failed: at the
// innermost place of the user's own files, or of the library when none of
// theirs took part.
func (e *evaluation) runtimeProblem(err error, path string) diag.Problem {
	var failure jsonnet.RuntimeError
	if !errors.As(err, &failure) {
		return diag.Problem{File: e.im.main, Field: path, Got: "cannot be evaluated: " + err.Error(),
			Want: "a value", Do: "change what this field is made of"}
	}
	p := diag.Problem{File: e.im.main}
	if loc := innermost(failure.StackTrace); loc != nil {
		p.File, p.Line, p.Col = loc.FileName, loc.Begin.Line, loc.Begin.Column
	}
	if known, ok := e.im.problems[failure.Msg]; ok {
		p.Got, p.Want, p.Do = known.Got, known.Want, known.Do
		return p
	}
	p.Field = path
	p.Got, p.Want, p.Do = explain(failure.Msg)
	return p
}

// innermost returns the last frame in a user's file, else in our library.
func innermost(trace []jsonnet.TraceFrame) *ast.LocationRange {
	var library *ast.LocationRange
	for i := len(trace) - 1; i >= 0; i-- {
		loc := &trace[i].Loc
		switch {
		case loc.FileName == "" || !loc.Begin.IsSet() || strings.HasPrefix(loc.FileName, "<std>"):
		case !strings.HasPrefix(loc.FileName, BuiltinName("lib/")):
			return loc
		case library == nil:
			library = loc
		}
	}
	return library
}

// explain puts go-jsonnet's message into a problem.
func explain(msg string) (got, want, do string) {
	switch {
	case msg == "max stack frames exceeded.":
		return "calls itself without end (stopped 500 calls deep)", "a computation that ends",
			"look for a function or field that uses itself, or use self only for other fields"
	case strings.HasPrefix(msg, "Infinite recursion"), strings.Contains(msg, "infinite"):
		return "needs itself to be computed", "a value that does not use itself", "use super for the value that is extended"
	case strings.HasPrefix(msg, "Field does not exist: "):
		name := strings.TrimPrefix(msg, "Field does not exist: ")
		return "asks for field " + name + ", which its object does not have", "a field that exists", "check the spelling of " + name
	case strings.HasPrefix(msg, "Duplicate field name: "):
		return "sets " + strings.TrimPrefix(msg, "Duplicate field name: ") + " twice in one object", "each field once",
			"join the two, or extend one of them in another object with +:"
	case msg == "couldn't manifest function as JSON":
		return "is a function", "a value", "call it with its arguments"
	}
	return "cannot be evaluated: " + strings.TrimSuffix(msg, "."), "a value", "mend the expression at this place"
}

// importProblem tells why the configuration itself cannot be read.
func (e *evaluation) importProblem(err error) diag.Problem {
	p := diag.Problem{File: e.im.main, Want: "a readable Jsonnet file", Do: "check the path and its permissions"}
	var known diag.Problem
	if errors.As(err, &known) {
		p.Got, p.Want, p.Do = known.Got, known.Want, known.Do
		return p
	}
	p.Got = "cannot be read: " + Reason(err)
	return p
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
