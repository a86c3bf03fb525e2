package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-jsonnet"
)

// FuzzSource holds that a source that passes the door is parsed and marked
// without a crash, and that brackets are counted as the parser counts them.
func FuzzSource(f *testing.F) {
	for _, pattern := range []string{"../testdata/*/*sonnet", "../testdata/*/lib/*sonnet", "../../../profiles/*sonnet", "../../../profiles/lib/*sonnet"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte("@'it''s [' + |||\n  [[[\n||| + \"\\\"[\" /* [ */ # [\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 { // deep trees of other things than brackets are the child's business
			return
		}
		_, ok := checkSource("x", src)
		line, col, deep := nestedTooDeeply(src)
		if deep && ok {
			t.Fatalf("nested too deeply at %d:%d, and let in", line, col)
		}
		if deep {
			lines := strings.Split(string(src), "\n")
			if line > len(lines) || col > len(lines[line-1]) || !strings.ContainsRune("([{", rune(lines[line-1][col-1])) {
				t.Fatalf("no bracket at %d:%d", line, col)
			}
		}
		if !ok {
			return
		}
		node, err := jsonnet.SnippetToAST("x", string(src))
		if err != nil {
			return
		}
		m := &marker{}
		m.mark(node, nil)
		for i := range m.sites {
			m.elements([]use{{i, 3}})
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add("a.b", "c", 3)
	f.Add("", `x"]["y`, 0)
	f.Fuzz(func(t *testing.T, first, second string, index int) {
		a := Join("", first)
		if index < 0 {
			return
		}
		for _, part := range []any{second, index} {
			if b := Join(a, part); Parent(b) != a {
				t.Errorf("Parent(%s) = %s, want %s", b, Parent(b), a)
			}
		}
	})
}
