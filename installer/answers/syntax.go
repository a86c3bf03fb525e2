package answers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// Bounds of a file that is read.
const (
	maxBytes = 1 << 20
	maxDepth = 16
)

// A node is a value of the file with the place where it begins.
type node struct {
	at     int // offset in bytes
	value  any // nil, bool, float64 or string; of objects and lists nothing
	object []member
	list   []node
	kind   byte // '{', '[' or 0
}

type member struct {
	name string
	at   int
	node node
}

// describe shows a value as problems do.
func (n node) describe() string {
	switch n.kind {
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return program.Describe(n.value)
}

// A syntaxError is the first place where the file is no JSON.
type syntaxError struct {
	at        int
	got, want string
}

func (e *syntaxError) Error() string { return e.got }

// parseTree reads the one value of a file.
func parseTree(data []byte) (node, *syntaxError) {
	switch {
	case len(data) > maxBytes:
		return node{}, &syntaxError{0, fmt.Sprintf("is %d bytes", len(data)), fmt.Sprintf("%d bytes at most", maxBytes)}
	case !utf8.Valid(data):
		at := 0
		for at < len(data) {
			r, size := utf8.DecodeRune(data[at:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			at += size
		}
		return node{}, &syntaxError{at, "holds bytes that are no UTF-8", "a text in UTF-8"}
	}
	plain, err := plainJSON(data)
	if err != nil {
		return node{}, err
	}
	t := &tree{data: plain, tokens: json.NewDecoder(bytes.NewReader(plain))}
	n, failed := t.next(0)
	if failed == nil {
		if _, err := t.token(); err != io.EOF {
			return node{}, &syntaxError{t.at, "goes on after the end of its value", "one object and nothing after it"}
		}
	}
	return n, failed
}

// plainJSON puts spaces for comments and for commas before a closing bracket.
// Offsets and lines stay what they are.
func plainJSON(data []byte) ([]byte, *syntaxError) {
	plain := bytes.Clone(data)
	if bytes.HasPrefix(plain, []byte("\ufeff")) { // editors of Windows write it
		copy(plain, "   ")
	}
	comma := -1 // of a comma that nothing has followed yet
	for i := 0; i < len(plain); i++ {
		switch c := plain[i]; {
		case c == '"':
			comma = -1
			for i++; i < len(plain) && plain[i] != '"'; i++ {
				if plain[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(plain) && (plain[i+1] == '/' || plain[i+1] == '*'):
			end := bytes.IndexByte(plain[i:], '\n')
			if plain[i+1] == '*' {
				if end = bytes.Index(plain[i+2:], []byte("*/")); end < 0 {
					return nil, &syntaxError{i, "begins a comment that does not end", "*/ at its end"}
				}
				end += 4
			}
			if end < 0 {
				end = len(plain) - i
			}
			for j := i; j < i+end; j++ {
				if plain[j] != '\n' {
					plain[j] = ' '
				}
			}
			i += end - 1
		case c == ',':
			comma = i
		case c == ']' || c == '}':
			if comma >= 0 {
				plain[comma] = ' '
			}
			comma = -1
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			comma = -1
		}
	}
	return plain, nil
}

// tree builds nodes of tokens.
type tree struct {
	data   []byte
	tokens *json.Decoder
	at     int // where the last token begins
}

func (t *tree) token() (json.Token, error) {
	at := int(t.tokens.InputOffset())
	for at < len(t.data) && strings.IndexByte(" \t\r\n,:", t.data[at]) >= 0 {
		at++
	}
	t.at = at
	return t.tokens.Token()
}

func (t *tree) next(depth int) (node, *syntaxError) {
	token, err := t.token()
	if err != nil {
		return node{}, t.failure(err)
	}
	return t.node(token, depth)
}

func (t *tree) node(token json.Token, depth int) (node, *syntaxError) {
	n := node{at: t.at}
	if depth > maxDepth {
		return n, &syntaxError{t.at, fmt.Sprintf("nests more than %d deep", maxDepth), "an object with answers"}
	}
	switch token {
	case json.Delim('{'):
		n.kind = '{'
		for t.tokens.More() {
			name, err := t.token()
			if err != nil {
				return n, t.failure(err)
			}
			m := member{at: t.at}
			m.name, _ = name.(string)
			var failed *syntaxError
			if m.node, failed = t.next(depth + 1); failed != nil {
				return n, failed
			}
			n.object = append(n.object, m)
		}
	case json.Delim('['):
		n.kind = '['
		for t.tokens.More() {
			e, failed := t.next(depth + 1)
			if failed != nil {
				return n, failed
			}
			n.list = append(n.list, e)
		}
	default:
		n.value = token
		return n, nil
	}
	if _, err := t.token(); err != nil { // the closing bracket
		return n, t.failure(err)
	}
	return n, nil
}

func (t *tree) failure(err error) *syntaxError {
	const want = "JSON; comments and a last comma are fine"
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &syntaxError{len(t.data), "ends too early", want}
	case errors.As(err, &syntax):
		return &syntaxError{t.at, "is no JSON: " + syntax.Error(), want}
	}
	return &syntaxError{t.at, "is no JSON: " + err.Error(), want}
}

// place turns an offset into a line and a column, which counts characters.
func place(data []byte, at int) (line, col int) {
	before := data[:min(at, len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// problem puts a problem at an offset.
func problem(file string, data []byte, at int, p diag.Problem) diag.Problem {
	p.File = file
	p.Line, p.Col = place(data, at)
	return p
}
