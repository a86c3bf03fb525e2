package answers

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"reprise/installer/latency"
	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// A File is answers with the places where they stand.
type File struct {
	Answers
	Name   string
	data   []byte
	places map[string]int // field → offset
}

// Parse reads a file of answers. Whatever is wrong with it is in diag.Problems,
// everything at once, each at its line and column. name is how problems name
// the file.
func Parse(name string, data []byte) (*File, error) {
	root, failed := parseTree(data)
	if failed != nil {
		return nil, diag.Problems{problem(name, data, failed.at, diag.Problem{Got: failed.got, Want: failed.want, Do: "mend it near this place; a comma or a quote is the usual suspect"})}
	}
	r := &reader{file: &File{Answers: Default(), Name: name, data: data, places: map[string]int{}}, bad: map[string]bool{}}
	r.answers(root)
	for _, p := range Check(r.file.Answers) {
		if !r.bad[p.Field] && !r.bad[program.Parent(p.Field)] {
			r.problems = append(r.problems, p)
		}
	}
	if err := r.file.At(r.problems).Err(); err != nil {
		return nil, err
	}
	return r.file, nil
}

// At gives problems of answers the places where the answers stand. A field
// that is not in the file gets the file alone.
func (f *File) At(problems diag.Problems) diag.Problems {
	placed := slices.Clone(problems)
	for i, p := range placed {
		if p.File != "" {
			continue
		}
		placed[i].File = f.Name
		for at := p.Field; at != ""; at = program.Parent(at) {
			if offset, ok := f.places[at]; ok {
				placed[i].Line, placed[i].Col = place(f.data, offset)
				break
			}
		}
	}
	return placed
}

// reader fills answers from nodes and notes what does not fit.
type reader struct {
	file     *File
	problems diag.Problems
	bad      map[string]bool // fields whose value is not told twice
}

func (r *reader) fail(field string, at int, got, want, do string) {
	r.bad[field] = true
	r.problems = append(r.problems, problem(r.file.Name, r.file.data, at, diag.Problem{Field: field, Got: got, Want: want, Do: do}))
}

// fields are the names that an object may have.
type fields map[string]func(field string, n node)

func (r *reader) answers(n node) {
	a := &r.file.Answers
	r.object("", n, fields{
		"version":        r.version(&a.Version),
		"profile":        r.text(&a.Profile),
		"disk":           r.list((*[]string)(&a.Disk)),
		"erase":          r.list((*[]string)(&a.Erase)),
		"eraseMember":    r.boolean(&a.EraseMember),
		"again":          r.boolean(&a.Again),
		"fileSystem":     r.text(&a.FileSystem),
		"encryption":     r.text(&a.Encryption),
		"passphraseFile": r.text(&a.PassphraseFile),
		"host":           r.text(&a.Host),
		"machines":       r.list(&a.Machines),
		"user": func(field string, n node) {
			a.User = &User{}
			r.object(field, n, fields{
				"name": r.text(&a.User.Name), "fullName": r.text(&a.User.FullName),
				"passwordHash": r.secret(&a.User.PasswordHash), "keys": r.list(&a.User.Keys),
			})
		},
		"timeZone": r.text(&a.TimeZone),
		"locale":   r.text(&a.Locale),
		"keyMap":   r.text(&a.KeyMap),
		"network": func(field string, n node) {
			a.Network = &Network{}
			r.object(field, n, fields{
				"interface": r.text(&a.Network.Interface), "address": r.text(&a.Network.Address),
				"gateway": r.text(&a.Network.Gateway), "nameServers": r.list(&a.Network.NameServers),
			})
		},
		"measure": r.seconds(&a.Measure),
		"then":    r.text(&a.Then),
	})
}

// foreign answers names that people may bring along.
var foreign = map[string]string{
	"password":   "a password is never in the file: write passwordHash with what mkpasswd prints",
	"passphrase": "a passphrase is never in the file: write passphraseFile, or be asked",
	"hostname":   "write host", "hostName": "write host", "timezone": "write timeZone", "keyboard": "write keyMap",
	"sshKeys": "write keys", "authorizedKeys": "write keys", "username": "write name",
}

func (r *reader) object(field string, n node, known fields) {
	if n.kind != '{' {
		r.fail(field, n.at, "is "+n.describe(), "an object with answers", "write { … }; reprise answers prints an example")
		return
	}
	seen := map[string]bool{}
	for _, m := range n.object {
		at := program.Join(field, m.name)
		read, ok := known[m.name]
		switch {
		case !ok:
			r.unknown(at, m, known)
			continue
		case seen[m.name]:
			r.fail(at, m.at, "is answered twice", "one answer", "remove one of them")
			continue
		}
		seen[m.name] = true
		if m.node.value == nil && m.node.kind == 0 {
			continue // null: not answered
		}
		r.file.places[at] = m.node.at
		read(at, m.node)
	}
}

func (r *reader) unknown(at string, m member, known fields) {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	do := "write one of " + strings.Join(names, ", ") + ", or remove it"
	if near := diag.Nearest(m.name, names); len(near) > 0 {
		do = "write " + strings.Join(near, " or ")
	}
	if hint := foreign[m.name]; hint != "" {
		do = hint
	}
	r.fail(at, m.at, "is no answer", "an answer that reprise answers prints", do)
}

func (r *reader) version(into *int) func(string, node) {
	return func(field string, n node) {
		if n.value != float64(Version) || n.kind != 0 {
			r.fail(field, n.at, "is "+n.describe(), fmt.Sprintf("%d, the version that this program reads", Version), fmt.Sprintf("write \"version\": %d, and look whether reprise answers prints anything new", Version))
			return
		}
		*into = Version
	}
}

func (r *reader) text(into *string) func(string, node) {
	return func(field string, n node) {
		s, ok := n.value.(string)
		if !ok || n.kind != 0 {
			r.fail(field, n.at, "is "+n.describe(), "a text in double quotes", "write \"…\"")
			return
		}
		*into = s
	}
}

// secret is text whose value is never shown.
func (r *reader) secret(into *string) func(string, node) {
	return func(field string, n node) {
		s, ok := n.value.(string)
		if !ok || n.kind != 0 {
			r.fail(field, n.at, "is no text", "a text in double quotes", "write \"…\"")
			return
		}
		*into = s
	}
}

func (r *reader) boolean(into *bool) func(string, node) {
	return func(field string, n node) {
		b, ok := n.value.(bool)
		if !ok || n.kind != 0 {
			r.fail(field, n.at, "is "+n.describe(), "true or false", "write true or false, without quotes")
			return
		}
		*into = b
	}
}

// seconds takes true or false, too.
func (r *reader) seconds(into *Seconds) func(string, node) {
	return func(field string, n node) {
		switch v := n.value.(type) {
		case bool:
			if *into = 0; v {
				*into = latency.Seconds
			}
			return
		case float64:
			if n.kind == 0 && v == math.Trunc(v) && v >= 1 && v <= latency.MaxSeconds {
				*into = Seconds(v)
				return
			}
		}
		r.fail(field, n.at, "is "+n.describe(), fmt.Sprintf("true, false, or a whole number of seconds from 1 to %d", latency.MaxSeconds), fmt.Sprintf("write true for %d seconds", latency.Seconds))
	}
}

// list takes one text, too.
func (r *reader) list(into *[]string) func(string, node) {
	return func(field string, n node) {
		elements := n.list
		if n.kind == 0 {
			elements = []node{n}
		}
		if n.kind == '{' {
			r.fail(field, n.at, "is an object", "a text, or a list of texts", "write \"…\" or [\"…\", \"…\"]")
			return
		}
		for i, e := range elements {
			at := field
			if n.kind == '[' {
				at = program.Join(field, i)
			}
			r.file.places[at] = e.at
			s, ok := e.value.(string)
			if !ok || e.kind != 0 {
				r.fail(at, e.at, "is "+e.describe(), "a text in double quotes", "write \"…\"")
				continue
			}
			*into = append(*into, s)
		}
	}
}
