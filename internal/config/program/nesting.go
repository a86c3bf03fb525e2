package program

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"reprise/internal/diag"
)

// Bounds on one source file, checked before it is parsed. The parser is
// recursive: two million open brackets end a Go program for good.
const (
	maxSourceBytes = 1 << 20 // one file
	maxImportBytes = 8 << 20 // all files of one evaluation
	maxNesting     = 200     // open (, [ and { at one point; people stay below 20
)

// checkSource refuses a file that the parser must not see: too large, not
// UTF-8, or nested too deeply.
func checkSource(file string, src []byte) (diag.Problem, bool) {
	if len(src) > maxSourceBytes {
		return diag.Problem{File: file,
			Got:  fmt.Sprintf("is larger than %d bytes", maxSourceBytes),
			Want: "a configuration written by a person",
			Do:   "move large texts into files of their own and read them with importstr",
		}, false
	}
	if !utf8.Valid(src) {
		line, col := invalidAt(src)
		return diag.Problem{File: file, Line: line, Col: col,
			Got: "is not UTF-8", Want: "text in UTF-8", Do: "save the file as UTF-8",
		}, false
	}
	if line, col, deep := nestedTooDeeply(src); deep {
		return diag.Problem{File: file, Line: line, Col: col,
			Got:  fmt.Sprintf("is the bracket that nests more than %d deep", maxNesting),
			Want: "less nesting",
			Do:   "name the inner parts with local",
		}, false
	}
	return diag.Problem{}, true
}

func invalidAt(src []byte) (line, col int) {
	line, col = 1, 1
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		if r == utf8.RuneError && size == 1 {
			return line, col
		}
		if col += size; r == '\n' {
			line, col = line+1, 1
		}
		src = src[size:]
	}
	return line, col
}

// nestedTooDeeply finds the first bracket that opens beyond maxNesting. It
// knows the strings and comments of Jsonnet, so brackets in them do not count;
// where the source is not valid Jsonnet it may count too many, and the parser
// would have refused the file anyway.
func nestedTooDeeply(src []byte) (line, col int, deep bool) {
	depth, lineStart := 0, 0
	line = 1
	for i := 0; i < len(src); {
		end := i + 1
		switch c := src[i]; c {
		case '(', '[', '{':
			if depth++; depth > maxNesting {
				return line, i - lineStart + 1, true
			}
		case ')', ']', '}':
			depth = max(0, depth-1)
		case '#':
			end = endOfLine(src, i)
		case '/':
			switch {
			case bytes.HasPrefix(src[i:], []byte("//")):
				end = endOfLine(src, i)
			case bytes.HasPrefix(src[i:], []byte("/*")):
				end = after(src, i+2, "*/")
			}
		case '"', '\'':
			if i > 0 && src[i-1] == '@' {
				end = verbatimEnd(src, i)
			} else {
				end = stringEnd(src, i)
			}
		case '|':
			if bytes.HasPrefix(src[i:], []byte("|||")) {
				end = blockEnd(src, i)
			}
		}
		for ; i < end; i++ {
			if src[i] == '\n' {
				line, lineStart = line+1, i+1
			}
		}
	}
	return 0, 0, false
}

func endOfLine(src []byte, i int) int { return after(src, i, "\n") }

// after returns the offset behind the next mark at or behind i, or the end.
func after(src []byte, i int, mark string) int {
	if i > len(src) {
		return len(src)
	}
	if n := bytes.Index(src[i:], []byte(mark)); n >= 0 {
		return i + n + len(mark)
	}
	return len(src)
}

// stringEnd returns the offset behind the quoted string that opens at i.
func stringEnd(src []byte, i int) int {
	for j := i + 1; j < len(src); j++ {
		switch src[j] {
		case '\\':
			j++
		case src[i]:
			return j + 1
		}
	}
	return len(src)
}

// verbatimEnd is stringEnd for @'…', where a doubled quote is a quote.
func verbatimEnd(src []byte, i int) int {
	for j := i + 1; j < len(src); j++ {
		if src[j] != src[i] {
			continue
		}
		if j+1 < len(src) && src[j+1] == src[i] {
			j++
			continue
		}
		return j + 1
	}
	return len(src)
}

// blockEnd returns the offset behind the text block that opens at i: it ends
// at the first line that is less indented than the first and starts with |||.
func blockEnd(src []byte, i int) int {
	for at := endOfLine(src, i); at < len(src); at = endOfLine(src, at) {
		if bytes.HasPrefix(bytes.TrimLeft(src[at:endOfLine(src, at)], " \t"), []byte("|||")) {
			return after(src, at, "|||")
		}
	}
	return len(src)
}
