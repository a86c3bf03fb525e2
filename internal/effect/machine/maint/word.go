package maint

import (
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// word expands one word to one string; it may hold Unknown.
func (r *reader) word(w *syntax.Word) string {
	if w == nil {
		return ""
	}
	return r.parts(w.Parts, false)
}

// words expands words as a command line does: unquoted expansions are split
// at white space and vanish when they are empty.
func (r *reader) words(list []*syntax.Word) []string {
	var out []string
	for _, w := range list {
		if len(out) > maxWords {
			panic(tooLong("more words than any maintainer script has"))
		}
		if fields, ok := r.argumentList(w); ok {
			out = append(out, fields...)
			continue
		}
		if len(w.Parts) == 1 && !quoted(w.Parts[0]) {
			if _, literal := w.Parts[0].(*syntax.Lit); !literal {
				out = append(out, strings.Fields(r.word(w))...)
				continue
			}
		}
		out = append(out, r.word(w))
	}
	return out
}

// argumentList expands "$@" and $*, which are several words.
func (r *reader) argumentList(w *syntax.Word) ([]string, bool) {
	if len(w.Parts) != 1 {
		return nil, false
	}
	part := w.Parts[0]
	if dq, ok := part.(*syntax.DblQuoted); ok && len(dq.Parts) == 1 {
		part = dq.Parts[0]
	}
	p, ok := part.(*syntax.ParamExp)
	if !ok || p.Param == nil || (p.Param.Value != "@" && p.Param.Value != "*") {
		return nil, false
	}
	return r.args, true
}

func quoted(p syntax.WordPart) bool {
	switch p.(type) {
	case *syntax.SglQuoted, *syntax.DblQuoted:
		return true
	}
	return false
}

func (r *reader) parts(parts []syntax.WordPart, inQuotes bool) string {
	var b strings.Builder
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			b.WriteString(unescape(p.Value, inQuotes))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			b.WriteString(r.parts(p.Parts, true))
		case *syntax.ParamExp:
			b.WriteString(r.param(p))
		case *syntax.CmdSubst:
			b.WriteString(r.substitute(p))
		default:
			b.WriteString(Unknown)
		}
	}
	return b.String()
}

// pattern expands a word of a case: quoted parts match as they are.
func (r *reader) pattern(w *syntax.Word) string {
	if w == nil {
		return ""
	}
	var b strings.Builder
	for _, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			b.WriteString(p.Value)
		default:
			for _, c := range r.parts([]syntax.WordPart{p}, false) {
				if strings.ContainsRune(`*?[]\`, c) {
					b.WriteByte('\\')
				}
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

func unescape(s string, inQuotes bool) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == '\n' {
			continue
		}
		if inQuotes && !strings.ContainsRune("$`\"\\", rune(s[i])) {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// lookup returns a parameter's value and whether it is set.
func (r *reader) lookup(name string) (string, bool) {
	switch name {
	case "@", "*":
		return strings.Join(r.args, " "), len(r.args) > 0
	case "#":
		return strconv.Itoa(len(r.args)), true
	case "0":
		return "postinst", true
	case "?", "$", "!", "-":
		return Unknown, true
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n >= 1 && n <= len(r.args) {
			return r.args[n-1], true
		}
		return "", false
	}
	v, ok := r.vars[name]
	return v, ok
}

func (r *reader) param(p *syntax.ParamExp) string {
	if p.Param == nil || p.Excl || p.Width || p.Index != nil || p.Slice != nil || p.Repl != nil {
		return Unknown
	}
	value, set := r.lookup(p.Param.Value)
	unknown := strings.Contains(value, Unknown)
	if p.Length {
		if unknown {
			return Unknown
		}
		return strconv.Itoa(len(value))
	}
	if p.Exp == nil {
		return value
	}
	other := func() string { return r.word(p.Exp.Word) }
	switch p.Exp.Op {
	case syntax.AlternateUnset:
		if set {
			return other()
		}
		return ""
	case syntax.AlternateUnsetOrNull:
		if unknown {
			return Unknown
		}
		if value != "" {
			return other()
		}
		return ""
	case syntax.DefaultUnset, syntax.AssignUnset:
		if set {
			return value
		}
		return other()
	case syntax.DefaultUnsetOrNull, syntax.AssignUnsetOrNull:
		if unknown {
			return Unknown
		}
		if value != "" {
			return value
		}
		return other()
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		return value
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		pattern := r.pattern(p.Exp.Word)
		if unknown || strings.Contains(pattern, Unknown) {
			return Unknown
		}
		return trim(value, pattern, p.Exp.Op)
	}
	return Unknown
}

func trim(value, pattern string, op syntax.ParExpOperator) string {
	n := len(value)
	for i := range n + 1 {
		k := i
		switch op {
		case syntax.RemLargePrefix:
			k = n - i
			fallthrough
		case syntax.RemSmallPrefix:
			if Match(pattern, value[:k]) {
				return value[k:]
			}
		case syntax.RemLargeSuffix:
			if Match(pattern, value[k:]) {
				return value[:k]
			}
		case syntax.RemSmallSuffix:
			if Match(pattern, value[n-k:]) {
				return value[:n-k]
			}
		}
	}
	return value
}

// substitute answers the few programs whose output is known.
func (r *reader) substitute(c *syntax.CmdSubst) string {
	if len(c.Stmts) != 1 || c.Stmts[0].Negated {
		return Unknown
	}
	call, ok := c.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return Unknown
	}
	args := r.words(call.Args)
	line := strings.Join(args, " ")
	switch {
	case strings.Contains(line, Unknown) || len(args) == 0:
		return Unknown
	case line == "dpkg --print-architecture" && r.world.Arch != "":
		return r.world.Arch
	case args[0] == "echo" && len(args) > 1 && !strings.HasPrefix(args[1], "-"):
		return strings.Join(args[1:], " ")
	case args[0] == "dirname" && len(args) == 2:
		return path.Dir(args[1])
	case args[0] == "basename" && len(args) == 2:
		return path.Base(args[1])
	}
	return Unknown
}

// Match reports whether text matches a shell pattern as case does: * and ?
// match any character, '/' included.
func Match(pattern, text string) bool {
	// Backtracking to the last star only: linear in practice, no recursion.
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, mark = p, t
				p++
				continue
			}
			if next, ok := matchOne(pattern, p, text[t]); ok {
				p, t = next, t+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, t = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches one character and returns where the pattern goes on.
func matchOne(pattern string, p int, c byte) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '\\':
		if p+1 < len(pattern) {
			return p + 2, pattern[p+1] == c
		}
		return p + 1, c == '\\'
	case '[':
		end := strings.IndexByte(pattern[p+1:], ']')
		if end <= 0 {
			return p + 1, c == '['
		}
		set := pattern[p+1 : p+1+end]
		negate := set[0] == '!' || set[0] == '^'
		if negate {
			set = set[1:]
		}
		in := false
		for i := 0; i < len(set); i++ {
			if i+2 < len(set) && set[i+1] == '-' {
				in = in || set[i] <= c && c <= set[i+2]
				i += 2
			} else {
				in = in || set[i] == c
			}
		}
		return p + end + 2, in != negate
	}
	return p + 1, pattern[p] == c
}
