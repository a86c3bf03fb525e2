// Package maint reads Debian maintainer scripts as data. No script is ever
// run: Calls follows the text of one as a first installation would, and
// returns the commands it meets, for others to look for the few that matter
// (adduser, update-alternatives, deb-systemd-helper, chmod …).
//
// Words: a value that the text alone does not decide is unknown, and so is a
// condition built on one. Both branches of an unknown condition are followed,
// and the calls in them are not Sure.
//
// Left out: arithmetic, arrays, job control, $(…) but for a few programs whose
// answer is known.
package maint

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Unknown stands in a word for a part that the text does not decide. It is
// not a character that a script may hold: scripts with a NUL are refused.
const Unknown = "\x00"

// A Call is one command of a script.
type Call struct {
	Args   []string // the words, Args[0] without its directory; parts may be Unknown
	Writes []string // files that its redirections make
	Sure   bool     // on every first installation, as far as the text decides
	Input  string   // text of its here-document; parts may be Unknown
	Umask  string   // octal, as the script has set it; "" is the usual 022
}

// Known reports whether each word of the call is decided.
func (c Call) Known() bool {
	for _, a := range c.Args {
		if strings.Contains(a, Unknown) {
			return false
		}
	}
	return true
}

// A World answers what scripts ask of the machine they run on.
type World struct {
	Args   []string          // $1 …: "configure", "" for a postinst's first run
	Arch   string            // what dpkg --print-architecture says: "amd64"
	Exists func(string) bool // whether an absolute path is there; nil: not known
	Answer map[string]string // debconf questions and their answers
	Vars   map[string]string // the environment: DPKG_MAINTSCRIPT_PACKAGE …
}

// Bounds of one script, against text that makes itself long. The longest
// postinst of trixie has 900 commands.
const (
	maxSteps = 50_000
	maxDepth = 32
	maxWords = 10_000
	maxValue = 64 << 10 // bytes of a variable
)

// IsShell reports whether a script begins as a shell script does. Others
// (Perl, a program) cannot be read as data.
func IsShell(script []byte) bool {
	line, _, _ := bytes.Cut(script, []byte("\n"))
	rest, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return false
	}
	fields := strings.Fields(string(rest))
	if len(fields) == 0 {
		return false
	}
	program := path.Base(fields[0])
	if program == "env" && len(fields) > 1 {
		program = path.Base(fields[1])
	}
	switch program {
	case "sh", "bash", "dash":
		return true
	}
	return false
}

// Calls returns the commands of a script in the order of the text. Name is
// used in errors only.
func Calls(name string, script []byte, w World) (calls []Call, err error) {
	if !IsShell(script) {
		return nil, fmt.Errorf("%s: not a shell script", name)
	}
	if bytes.IndexByte(script, 0) >= 0 {
		return nil, fmt.Errorf("%s: holds a zero byte", name)
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(script), name)
	if err != nil {
		return nil, fmt.Errorf("read maintainer script: %w", err)
	}
	r := &reader{world: w, funcs: map[string]*syntax.Stmt{}, vars: map[string]string{}, args: w.Args, sure: true}
	for k, v := range w.Vars {
		r.vars[k] = v
	}
	r.vars["DPKG_ROOT"] = ""
	defer func() {
		if p := recover(); p != nil {
			long, ok := p.(tooLong)
			if !ok {
				panic(p)
			}
			calls, err = nil, fmt.Errorf("%s: %s", name, string(long))
		}
	}()
	r.stmts(file.Stmts)
	return r.calls, nil
}

// tooLong ends the reading of a script that is out of bounds.
type tooLong string

// status of a command: three-valued.
type status int

const (
	maybe status = iota
	success
	failure
)

func of(ok bool) status {
	if ok {
		return success
	}
	return failure
}

func (s status) not() status {
	switch s {
	case success:
		return failure
	case failure:
		return success
	}
	return maybe
}

// flow says how a list of commands ended.
type flow int

const (
	onward flow = iota
	leaves      // return, break, continue
	exits       // the script is over
)

type reader struct {
	world World
	funcs map[string]*syntax.Stmt
	vars  map[string]string // a value may hold Unknown; absent is unset
	args  []string
	umask string
	sure  bool
	depth int
	steps int
	calls []Call
	ended flow
}

func (r *reader) stmts(list []*syntax.Stmt) status {
	last := success
	for _, s := range list {
		last = r.stmt(s)
		if r.ended != onward {
			break
		}
	}
	return last
}

func (r *reader) stmt(s *syntax.Stmt) status {
	if r.steps++; r.steps > maxSteps {
		panic(tooLong("more commands than any maintainer script has"))
	}
	var result status
	switch c := s.Cmd.(type) {
	case nil:
		result = success
	case *syntax.CallExpr:
		result = r.call(c, s.Redirs)
	case *syntax.Block:
		result = r.stmts(c.Stmts)
	case *syntax.Subshell:
		saved, umask := r.copyVars(), r.umask
		result = r.stmts(c.Stmts)
		r.vars, r.umask = saved, umask
		r.ended = onward
	case *syntax.IfClause:
		result = r.ifClause(c)
	case *syntax.CaseClause:
		result = r.caseClause(c)
	case *syntax.ForClause:
		result = r.forClause(c)
	case *syntax.WhileClause:
		result = r.while(c)
	case *syntax.BinaryCmd:
		result = r.binary(c)
	case *syntax.FuncDecl:
		if c.Name != nil {
			r.funcs[c.Name.Value] = c.Body
		}
		result = success
	case *syntax.DeclClause:
		for _, a := range c.Args {
			r.assign(a)
		}
		result = success
	case *syntax.TestClause:
		result = r.testExpr(c.X)
	}
	if s.Negated {
		result = result.not()
	}
	return result
}

func (r *reader) binary(c *syntax.BinaryCmd) status {
	left := r.stmt(c.X)
	if r.ended != onward {
		return left
	}
	switch c.Op {
	case syntax.AndStmt, syntax.OrStmt:
		goOn := left
		if c.Op == syntax.OrStmt {
			goOn = left.not()
		}
		switch goOn {
		case failure:
			return left
		case success:
			return r.stmt(c.Y)
		}
		var right status
		r.unsure(func() { right = r.stmt(c.Y) })
		if c.Op == syntax.OrStmt && right == success {
			return success
		}
		if c.Op == syntax.AndStmt && right == failure {
			return failure
		}
		return maybe
	}
	// A pipe: the right side's status, its variables lost.
	saved := r.copyVars()
	result := r.stmt(c.Y)
	r.vars = saved
	if r.ended != onward {
		r.ended = onward
	}
	return result
}

// unsure follows commands that may not run: what they assign is unknown
// after, and they do not end the script.
func (r *reader) unsure(do func()) {
	before, sure, ended := r.copyVars(), r.sure, r.ended
	r.sure = false
	do()
	r.sure, r.ended = sure, ended
	r.merge(before)
}

// merge makes unknown what differs between the variables now and other.
func (r *reader) merge(other map[string]string) {
	for k, v := range r.vars {
		if o, ok := other[k]; !ok || o != v {
			r.vars[k] = Unknown
		}
	}
	for k := range other {
		if _, ok := r.vars[k]; !ok {
			r.vars[k] = Unknown
		}
	}
}

func (r *reader) copyVars() map[string]string {
	c := make(map[string]string, len(r.vars))
	for k, v := range r.vars {
		c[k] = v
	}
	return c
}

func (r *reader) ifClause(c *syntax.IfClause) status {
	if c == nil {
		return success
	}
	if len(c.Cond) == 0 { // the else of a chain
		return r.stmts(c.Then)
	}
	cond := r.stmts(c.Cond)
	if r.ended != onward {
		return cond
	}
	switch cond {
	case success:
		return r.stmts(c.Then)
	case failure:
		return r.ifClause(c.Else)
	}
	before := r.copyVars()
	r.unsure(func() { r.stmts(c.Then) })
	after := r.vars
	r.vars = before
	r.unsure(func() { r.ifClause(c.Else) })
	r.merge(after)
	return maybe
}

func (r *reader) caseClause(c *syntax.CaseClause) status {
	word := r.word(c.Word)
	if strings.Contains(word, Unknown) {
		for _, item := range c.Items {
			r.unsure(func() { r.stmts(item.Stmts) })
		}
		return maybe
	}
	for _, item := range c.Items {
		for _, p := range item.Patterns {
			pattern := r.pattern(p)
			switch {
			case strings.Contains(pattern, Unknown):
				r.unsure(func() { r.stmts(item.Stmts) })
			case Match(pattern, word):
				return r.stmts(item.Stmts)
			}
		}
	}
	return success
}

func (r *reader) forClause(c *syntax.ForClause) status {
	loop, ok := c.Loop.(*syntax.WordIter)
	if !ok {
		r.unsure(func() { r.stmts(c.Do) })
		return maybe
	}
	items := r.args
	if loop.InPos.IsValid() {
		items = r.words(loop.Items)
	}
	for _, item := range items {
		if strings.Contains(item, Unknown) || strings.ContainsAny(item, "*?[") {
			r.unsure(func() {
				r.vars[loop.Name.Value] = Unknown
				r.stmts(c.Do)
			})
			continue
		}
		r.vars[loop.Name.Value] = item
		r.stmts(c.Do)
		if r.ended == exits {
			return maybe
		}
		r.ended = onward
	}
	return maybe
}

// while follows its body once: how often it runs is never decided.
func (r *reader) while(c *syntax.WhileClause) status {
	cond := r.stmts(c.Cond)
	if c.Until {
		cond = cond.not()
	}
	if cond != failure {
		r.unsure(func() { r.stmts(c.Do) })
	}
	return maybe
}

func (r *reader) assign(a *syntax.Assign) {
	if a.Name == nil {
		return
	}
	value := ""
	switch {
	case a.Naked && a.Value == nil:
		return
	case a.Array != nil || a.Index != nil:
		value = Unknown
	case a.Value != nil:
		value = r.word(a.Value)
	}
	if a.Append {
		value = r.vars[a.Name.Value] + value
	}
	if len(value) > maxValue {
		panic(tooLong("a variable that is longer than any maintainer script's"))
	}
	r.vars[a.Name.Value] = value
}
