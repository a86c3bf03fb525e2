package maint

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func (r *reader) call(c *syntax.CallExpr, redirs []*syntax.Redirect) status {
	args := r.words(c.Args)
	if len(args) == 0 {
		if len(c.Args) > 0 {
			return maybe // a command whose name is empty or unknown
		}
		for _, a := range c.Assigns {
			r.assign(a)
		}
		return success
	}
	switch args[0] {
	case "in_sysroot", "command", "exec", "env", "nice", "ionice":
		// in_sysroot is dbus's own; the rest run what follows.
		if len(args) > 1 && !strings.HasPrefix(args[1], "-") && r.funcs[args[0]] == nil {
			args = args[1:]
		}
	}
	if body, ok := r.funcs[args[0]]; ok {
		return r.function(body, args[1:])
	}
	args[0] = path.Base(args[0])
	result, known := r.builtin(args)
	if !known {
		result = r.answer(args)
	}
	var writes []string
	input := ""
	for _, d := range redirs {
		switch d.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			input = r.document(d)
		case syntax.RdrOut, syntax.AppOut, syntax.RdrAll, syntax.AppAll, syntax.RdrClob:
			if to := r.word(d.Word); to != "/dev/null" {
				writes = append(writes, to)
			}
		}
	}
	if !known || len(writes) > 0 {
		r.calls = append(r.calls, Call{Args: args, Writes: writes, Sure: r.sure, Input: input, Umask: r.umask})
	}
	return result
}

// document is the text of a here-document. One with backslashes is unknown:
// what they mean depends on what is behind them.
func (r *reader) document(d *syntax.Redirect) string {
	if d.Hdoc == nil {
		return ""
	}
	for _, part := range d.Hdoc.Parts {
		if l, ok := part.(*syntax.Lit); ok && strings.Contains(l.Value, `\`) {
			return Unknown
		}
	}
	text := r.word(d.Hdoc)
	if d.Op == syntax.DashHdoc {
		text = withoutTabs(text)
	}
	return text
}

// withoutTabs cuts the tabs that <<- lets lines begin with.
func withoutTabs(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}

func (r *reader) function(body *syntax.Stmt, args []string) status {
	if r.depth++; r.depth > maxDepth {
		panic(tooLong("functions that call each other without end"))
	}
	saved := r.args
	r.args = args
	result := r.stmt(body)
	r.args = saved
	r.depth--
	if r.ended == leaves {
		r.ended = onward
	}
	return result
}

// builtin does what the shell does itself.
func (r *reader) builtin(args []string) (result status, known bool) {
	switch args[0] {
	case "umask":
		if len(args) == 2 {
			if r.umask = args[1]; !r.sure {
				r.umask = Unknown
			}
		}
		return success, true
	case "true", ":", "set", "trap", "local", "export", "readonly", "printf", "echo", ".", "source":
		for _, a := range args[1:] {
			if name, value, ok := strings.Cut(a, "="); ok && args[0] != "echo" && args[0] != "printf" {
				r.vars[name] = value
			}
		}
		return success, true
	case "unset":
		for _, name := range args[1:] {
			delete(r.vars, name)
		}
		return success, true
	case "false":
		return failure, true
	case "exit":
		if r.sure {
			r.ended = exits
		}
		r.ended = max(r.ended, leaves)
		return maybe, true
	case "return", "break", "continue":
		r.ended = max(r.ended, leaves)
		if len(args) > 1 {
			return of(args[1] == "0"), true
		}
		return success, true
	case "shift":
		n := 1
		if len(args) > 1 {
			n, _ = strconv.Atoi(args[1])
		}
		r.args = r.args[min(max(n, 0), len(r.args)):]
		return success, true
	case "read":
		for _, name := range args[1:] {
			r.vars[name] = Unknown
		}
		return maybe, true
	case "[", "test":
		words := args[1:]
		if args[0] == "[" && len(words) > 0 && words[len(words)-1] == "]" {
			words = words[:len(words)-1]
		}
		return r.test(words), true
	}
	return maybe, false
}

// answer gives the status of a program on a first installation, when that is
// known.
func (r *reader) answer(args []string) status {
	has := func(s string) bool { return slices.Contains(args[1:], s) }
	switch args[0] {
	case "deb-systemd-helper":
		switch {
		case has("debian-installed"):
			return failure
		case has("was-enabled"), has("enable"), has("unmask"), has("update-state"):
			return success
		}
	case "dpkg-statoverride":
		return of(!has("--list"))
	case "getent", "id", "pidof", "pgrep":
		return failure
	case "dpkg":
		if len(args) == 5 && args[1] == "--compare-versions" && args[2] == "" {
			// dpkg(1): lt le eq ne ge gt take an empty version as the earliest,
			// those in -nl as the latest.
			switch args[3] {
			case "lt", "le", "ne", "ge-nl", "gt-nl":
				return success
			case "lt-nl", "le-nl", "eq", "ge", "gt":
				return failure
			}
		}
	case "db_get":
		if len(args) > 1 {
			if v, ok := r.world.Answer[args[1]]; ok {
				r.vars["RET"] = v
				return success
			}
		}
		r.vars["RET"] = Unknown
	case "which", "command":
		if last := args[len(args)-1]; r.world.Exists != nil && !strings.Contains(last, Unknown) {
			if _, isFunc := r.funcs[last]; isFunc {
				return success
			}
			return of(slices.ContainsFunc([]string{"/usr/sbin/", "/usr/bin/"}, func(dir string) bool { return r.exists(dir + last) }))
		}
	case "chmod", "chown", "chgrp", "ln", "mkdir", "cp", "mv", "rm", "install", "touch",
		"adduser", "addgroup", "useradd", "groupadd", "update-alternatives", "systemctl":
		return success
	}
	return maybe
}

// exists asks for a path, following the merged /usr.
func (r *reader) exists(p string) bool {
	p = path.Clean(p)
	if r.world.Exists(p) {
		return true
	}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib64"} {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return r.world.Exists("/usr" + p)
		}
	}
	return false
}

// test is test(1).
func (r *reader) test(w []string) status {
	if i := slices.Index(w, "-o"); i > 0 && len(w) > 3 {
		return or(r.test(w[:i]), r.test(w[i+1:]))
	}
	if i := slices.Index(w, "-a"); i > 0 && len(w) > 3 {
		return or(r.test(w[:i]).not(), r.test(w[i+1:]).not()).not()
	}
	if len(w) > 1 && w[0] == "!" {
		return r.test(w[1:]).not()
	}
	switch len(w) {
	case 0:
		return failure
	case 1:
		if strings.Contains(w[0], Unknown) {
			return maybe
		}
		return of(w[0] != "")
	case 2:
		return r.testUnary(w[0], w[1])
	case 3:
		return testBinary(w[0], w[1], w[2])
	}
	return maybe
}

func or(a, b status) status {
	switch {
	case a == success || b == success:
		return success
	case a == failure && b == failure:
		return failure
	}
	return maybe
}

func (r *reader) testUnary(op, value string) status {
	if strings.Contains(value, Unknown) {
		return maybe
	}
	switch op {
	case "-n":
		return of(value != "")
	case "-z":
		return of(value == "")
	case "-e", "-f", "-d", "-x", "-r", "-s", "-L", "-h", "-S":
		// The run-time directories are what a system that is being made lacks.
		if strings.HasPrefix(value, "/run/") || strings.HasPrefix(value, "/proc/") || strings.HasPrefix(value, "/sys/") {
			return failure
		}
		if r.world.Exists != nil && strings.HasPrefix(value, "/") {
			found := r.exists(value)
			if found && (op == "-L" || op == "-h" || op == "-s") {
				return maybe
			}
			return of(found)
		}
	}
	return maybe
}

func testBinary(a, op, b string) status {
	if strings.Contains(a, Unknown) || strings.Contains(b, Unknown) {
		return maybe
	}
	switch op {
	case "=", "==":
		return of(a == b)
	case "!=":
		return of(a != b)
	}
	x, err1 := strconv.Atoi(a)
	y, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil {
		return maybe
	}
	switch op {
	case "-eq":
		return of(x == y)
	case "-ne":
		return of(x != y)
	case "-lt":
		return of(x < y)
	case "-le":
		return of(x <= y)
	case "-gt":
		return of(x > y)
	case "-ge":
		return of(x >= y)
	}
	return maybe
}

// testExpr is [[ … ]].
func (r *reader) testExpr(x syntax.TestExpr) status {
	switch t := x.(type) {
	case *syntax.Word:
		return r.test([]string{r.word(t)})
	case *syntax.ParenTest:
		return r.testExpr(t.X)
	case *syntax.UnaryTest:
		if t.Op == syntax.TsNot {
			return r.testExpr(t.X).not()
		}
		if w, ok := t.X.(*syntax.Word); ok {
			return r.testUnary(t.Op.String(), r.word(w))
		}
	case *syntax.BinaryTest:
		switch t.Op {
		case syntax.OrTest:
			return or(r.testExpr(t.X), r.testExpr(t.Y))
		case syntax.AndTest:
			return or(r.testExpr(t.X).not(), r.testExpr(t.Y).not()).not()
		}
		a, ok1 := t.X.(*syntax.Word)
		b, ok2 := t.Y.(*syntax.Word)
		if ok1 && ok2 {
			pattern, text := r.pattern(b), r.word(a)
			if strings.Contains(pattern+text, Unknown) {
				return maybe
			}
			switch t.Op {
			case syntax.TsMatch, syntax.TsMatchShort:
				return of(Match(pattern, text))
			case syntax.TsNoMatch:
				return of(!Match(pattern, text))
			}
		}
	}
	return maybe
}
