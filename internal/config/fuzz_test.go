package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-jsonnet"

	"reprise/internal/diag"
)

// corpus gives every test configuration to a fuzz test.
func corpus(f *testing.F, ext string) {
	f.Helper()
	for _, dir := range []string{"testdata/bad", "testdata/good", "testdata/bad/lib", "testdata/good/lib", "../../profiles", "../../profiles/lib"} {
		files, err := filepath.Glob(dir + "/*" + ext)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil { // one is a link to nowhere
				f.Add(data)
			}
		}
	}
}

// FuzzSource holds that a source that passes the door is parsed and marked
// without a crash, and that brackets are counted as the parser counts them.
func FuzzSource(f *testing.F) {
	corpus(f, "sonnet")
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

// FuzzValue holds that whatever JSON a configuration gives, there is a whole
// Config or there are problems.
func FuzzValue(f *testing.F) {
	corpus(f, "json")
	files, err := filepath.Glob("testdata/good/*.want")
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
	f.Fuzz(func(t *testing.T, data []byte) {
		var object map[string]any
		if json.Unmarshal(data, &object) != nil {
			return
		}
		value, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		c, err := build("x", &response{Value: value})
		var problems diag.Problems
		switch {
		case err == nil:
			if !json.Valid(c.Canonical()) || strings.Contains(string(c.Canonical()), ":null,") && !strings.Contains(string(c.Canonical()), `"gid":null,`) {
				t.Fatalf("Canonical is %s", c.Canonical())
			}
			c.Roots()
			c.WaysIn()
		case !errors.As(err, &problems):
			t.Fatalf("neither Config nor problems: %v", err)
		}
		for _, p := range problems {
			if p.Got == "" || p.Want == "" || p.Do == "" {
				t.Fatalf("problem without all its parts: %#v", p)
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add("a.b", "c", 3)
	f.Add("", `x"]["y`, 0)
	f.Fuzz(func(t *testing.T, first, second string, index int) {
		a := join("", first)
		if index < 0 {
			return
		}
		for _, part := range []any{second, index} {
			if b := join(a, part); parent(b) != a {
				t.Errorf("parent(%s) = %s, want %s", b, parent(b), a)
			}
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEk4S2xdQ8hnZyKxV0jXDXBk3EMzBJ8UWt3XhPvdNBqH me@studio")
	f.Add("-----BEGIN OPENSSH PRIVATE KEY-----")
	f.Add("# a comment\n\nno key\n")
	f.Fuzz(func(t *testing.T, key string) {
		c := &Config{Users: Users{Users: map[string]User{"rig": {IsNormalUser: true}}}, Services: Services{OpenSSH: OpenSSH{Enable: true}}}
		err := c.Authorize(key)
		keys := c.Users.Users["rig"].OpenSSH.AuthorizedKeys.Keys
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("error %v, keys %q", err, keys)
		}
		for _, k := range keys {
			if !oneLine(k) || checkKey(k) != nil {
				t.Errorf("takes %q", k)
			}
		}
	})
}
