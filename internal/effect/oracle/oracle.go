// Package oracle says what a root file system lacks when no maintainer script
// runs, and why that is right. A root that Debian's own tools configured, from
// the same packages, is the judge: every path that it has must be in our view
// or state, or on a list here with its reason.
//
// A list is a text file of two columns, a pattern and a reason, with one tab
// between them; lines that begin with '#' are comments:
//
//	/etc/rc?.d/*	systemd reads units; the links are for SysV init
//	/var/lib/dpkg/**	there is no dpkg on the machine
//
// '*', '?' and '[a-z]' match within one name of a path as path.Match does, a
// last name "**" matches everything below, and the directory itself.
package oracle

import (
	"bufio"
	"bytes"
	"embed"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

//go:embed *.txt
var lists embed.FS

// A Rule explains the paths that match Pattern.
type Rule struct {
	Pattern string
	Reason  string
	Place   string // "absent.txt:12"
}

// Rules returns the rules of all lists.
func Rules() ([]Rule, error) {
	entries, err := lists.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var rules []Rule
	for _, entry := range entries {
		data, err := lists.ReadFile(entry.Name())
		if err != nil {
			return nil, err
		}
		more, err := Parse(entry.Name(), data)
		if err != nil {
			return nil, err
		}
		rules = append(rules, more...)
	}
	return rules, nil
}

// Parse reads one list. file is its name, for errors and Rule.Place.
func Parse(file string, data []byte) ([]Rule, error) {
	var rules []Rule
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r := Rule{Place: fmt.Sprintf("%s:%d", file, number)}
		var ok bool
		if r.Pattern, r.Reason, ok = strings.Cut(line, "\t"); !ok || strings.TrimSpace(r.Reason) == "" || strings.Contains(r.Reason, "\t") {
			return nil, fmt.Errorf("%s: want a pattern, one tab and a reason, got %q", r.Place, line)
		}
		if !strings.HasPrefix(r.Pattern, "/") {
			return nil, fmt.Errorf("%s: pattern %q is not absolute", r.Place, r.Pattern)
		}
		if _, err := path.Match(r.Pattern, "/"); err != nil {
			return nil, fmt.Errorf("%s: pattern %q: %w", r.Place, r.Pattern, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// Match reports whether the rule explains name, an absolute path.
func (r Rule) Match(name string) bool {
	dir, deep := strings.CutSuffix(r.Pattern, "/**")
	if !deep {
		ok, err := path.Match(r.Pattern, name)
		return err == nil && ok
	}
	// As many names of the path as the pattern has.
	want := strings.Count(dir, "/")
	for i := range len(name) {
		if name[i] == '/' {
			if want--; want < 0 {
				name = name[:i]
				break
			}
		}
	}
	ok, err := path.Match(dir, name)
	return err == nil && ok
}

// A Verdict is the outcome of a comparison.
type Verdict struct {
	Unexplained []string // paths of the judge that we lack, without a rule; sorted
	Explained   int      // paths that we lack with a rule
	Idle        []Rule   // rules that explain no path of this judge
}

// Compare compares a listing of the judge (absolute paths) with ours: have
// reports whether our machine has a path, in the view or in its state.
func Compare(judge []string, have func(name string) bool, rules []Rule) Verdict {
	var v Verdict
	used := make([]bool, len(rules))
	for _, name := range judge {
		if have(name) {
			continue
		}
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.Match(name) })
		if i < 0 {
			v.Unexplained = append(v.Unexplained, name)
			continue
		}
		used[i] = true
		v.Explained++
	}
	slices.Sort(v.Unexplained)
	for i, r := range rules {
		if !used[i] {
			v.Idle = append(v.Idle, r)
		}
	}
	return v
}

// ReadListing reads one path a line, as `find -printf '/%P\n'` or tar prints
// them: a leading "." and a trailing slash are cut, and so is "/" itself.
func ReadListing(r io.Reader) ([]string, error) {
	var names []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name := path.Clean("/" + string(bytes.TrimPrefix(lines.Bytes(), []byte("."))))
		if name != "/" {
			names = append(names, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read listing: %w", err)
	}
	return names, nil
}
