// Package oracle says how a root file system of ours differs from one in which
// maintainer scripts ran, and why that is right. A root that Debian's own tools
// configured, from the same packages, is the judge: every path that it has must
// be on our machine too, with the same kind, mode, owner, target and content,
// or stand on a list here with its reason.
//
// Words: a Listing is what the judge has, read from mmdebstrap's archive, live
// or recorded in testdata; a Tree is a machine of ours: its view, read back from
// root.erofs, and the state that stage 1 and tmpfiles.d make at its first boot.
//
// A list is a text file with tabs between its columns; lines that begin with
// '#' are comments. absent.txt has the paths that we lack, differs.txt those
// that differ and in what:
//
//	/etc/rc?.d/*	systemd reads units; the links are for SysV init
//	/etc/group	content	ids come from our registry
//
// '*', '?' and '[a-z]' match within one name of a path as path.Match does, a
// last name "**" matches everything below, and the directory itself. A rule of
// no use is an error too, so the lists say no more than they have to. A pattern
// with the name of a set and a colon before it, "desktop:/etc/ld.so.cache",
// counts in that set alone.
//
// # Recordings
//
// A recorded listing is older than the packages of today. It holds what scripts
// made and what has an owner or mode out of the ordinary; plain packaged paths
// are checked against the packages themselves. Paths that carry the kernel's
// release are compared under the release of today. Where the packages that
// ship the directory above a path have other versions than in the recording,
// the path may have moved with them: it is counted and not judged. The content
// of indexes over everything (ld.so.cache, hwdb.bin) is judged only while all
// versions are those of the recording.
package oracle

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

//go:embed absent.txt differs.txt
var lists embed.FS

// A Rule explains the paths that match Pattern.
type Rule struct {
	Set     string // the set it is for, "" for every one
	Pattern string
	Aspects []Aspect // what may differ; empty: the path may be absent
	Reason  string
	Place   string // "absent.txt:12"
}

// An Aspect is one property of a path.
type Aspect string

// The aspects that are compared.
const (
	AspectKind    Aspect = "kind"
	AspectMode    Aspect = "mode"
	AspectOwner   Aspect = "owner" // and group
	AspectTarget  Aspect = "target"
	AspectContent Aspect = "content"
)

var aspects = []Aspect{AspectKind, AspectMode, AspectOwner, AspectTarget, AspectContent}

// Rules returns the rules of all lists.
func Rules() ([]Rule, error) {
	var rules []Rule
	for _, name := range []string{"absent.txt", "differs.txt"} {
		data, err := lists.ReadFile(name)
		if err != nil {
			return nil, err
		}
		more, err := Parse(name, data, name == "differs.txt")
		if err != nil {
			return nil, err
		}
		rules = append(rules, more...)
	}
	return rules, nil
}

// Parse reads one list. file is its name, for errors and Rule.Place; differs
// says that the second of three columns names aspects.
func Parse(file string, data []byte, differs bool) ([]Rule, error) {
	var rules []Rule
	columns := []string{"a pattern", "a reason"}
	if differs {
		columns = []string{"a pattern", "aspects", "a reason"}
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r := Rule{Place: fmt.Sprintf("%s:%d", file, number)}
		words := strings.Split(line, "\t")
		if len(words) != len(columns) || slices.ContainsFunc(words, func(w string) bool { return strings.TrimSpace(w) == "" }) {
			return nil, fmt.Errorf("%s: want %s with one tab between, got %q", r.Place, strings.Join(columns, ", "), line)
		}
		r.Pattern, r.Reason = words[0], words[len(words)-1]
		if differs {
			for word := range strings.SplitSeq(words[1], ",") {
				if !slices.Contains(aspects, Aspect(word)) {
					return nil, fmt.Errorf("%s: %q is none of %v", r.Place, word, aspects)
				}
				r.Aspects = append(r.Aspects, Aspect(word))
			}
		}
		if set, pattern, ok := strings.Cut(r.Pattern, ":/"); ok && !strings.Contains(set, "/") {
			r.Set, r.Pattern = set, "/"+pattern
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
