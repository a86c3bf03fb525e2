package advice

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// columns is where hardware.jsonnet wraps.
const columns = 100

// Jsonnet writes hardware.jsonnet: an object to join to a configuration with
// +, each value below its reasons. What is offered stands behind it, each
// joined with + of its own once the slashes before it are taken away.
func (a Advice) Jsonnet() []byte {
	w := &writer{}
	w.comment(0, "The hardware of this machine: "+a.Machine+".")
	w.comment(0, "Written by reprise from what it found. Each value stands below its reasons; change what you know better. The configuration joins this to its profile with +.")
	for _, part := range []struct {
		title string
		notes []Note
	}{
		{"To do by hand:", a.Hands}, {"What does not go together:", a.Conflicts},
		{"Good to know:", a.Notes}, {"Not known:", a.Unknown},
	} {
		if len(part.notes) == 0 {
			continue
		}
		w.comment(0, "")
		w.comment(0, part.title)
		for _, n := range part.notes {
			w.item(0, n.Text)
		}
	}
	if len(a.Grades) > 0 {
		w.comment(0, "")
		w.comment(0, "FireWire:")
		for _, g := range a.Grades {
			w.item(0, g.sentence())
		}
	}
	if len(a.Starts) > 1 {
		w.comment(0, "")
		w.comment(0, "Where to begin with the other cards:")
		for _, s := range a.Starts[1:] {
			w.item(0, s.sentence())
		}
	}
	w.object(0, "", tree(a.Chosen()))
	w.line(0, "")
	if offers := a.Offers(); len(offers) > 0 {
		w.line(0, "")
		w.comment(0, "Offered, and not chosen:")
		for _, group := range together(offers) {
			w.comment(0, "")
			for _, r := range group[0].Reasons {
				w.comment(0, r)
			}
			w.comment(0, group[0].Risk)
			for _, s := range group {
				w.line(0, "// + "+oneLine(s))
			}
		}
	}
	return w.b.Bytes()
}

// together groups offers that belong together: those of one rule with the same
// reasons and the same risk.
func together(offers []Setting) [][]Setting {
	var groups [][]Setting
	for _, s := range offers {
		i := slices.IndexFunc(groups, func(g []Setting) bool {
			return g[0].Rule == s.Rule && g[0].Risk == s.Risk && slices.Equal(g[0].Reasons, s.Reasons)
		})
		if i < 0 {
			groups = append(groups, []Setting{s})
			continue
		}
		groups[i] = append(groups[i], s)
	}
	return groups
}

// A node is an object of hardware.jsonnet, or a value with its reasons.
type node struct {
	name     string
	children []*node
	settings []Setting // of a value: one, or several that add to it
}

// tree arranges settings by their paths, in their order.
func tree(settings []Setting) *node {
	root := &node{}
	for _, s := range settings {
		at := root
		for _, name := range Path(s.Option) {
			i := slices.IndexFunc(at.children, func(n *node) bool { return n.name == name })
			if i < 0 {
				at.children = append(at.children, &node{name: name})
				i = len(at.children) - 1
			}
			at = at.children[i]
		}
		at.settings = append(at.settings, s)
	}
	return root
}

// Path splits an option into its names: a.b["c.d"] is a, b and c.d.
func Path(option string) []string {
	var names []string
	for option != "" {
		if rest, ok := strings.CutPrefix(option, "["); ok {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				panic("bad option " + option)
			}
			name, _ := strconv.Unquote(quoted)
			names, option = append(names, name), strings.TrimPrefix(rest[len(quoted):], "]")
			continue
		}
		option = strings.TrimPrefix(option, ".")
		end := strings.IndexAny(option, ".[")
		if end < 0 {
			end = len(option)
		}
		names, option = append(names, option[:end]), option[end:]
	}
	return names
}

type writer struct{ b bytes.Buffer }

func (w *writer) line(indent int, text string) {
	if text != "" {
		w.b.WriteString(strings.Repeat("  ", indent) + text)
	}
	w.b.WriteByte('\n')
}

// comment writes sentences as a comment, wrapped.
func (w *writer) comment(indent int, text string) { w.wrap(indent, "//", "//", text) }

// item writes one of a list in a comment.
func (w *writer) item(indent int, text string) { w.wrap(indent, "// -", "//  ", text) }

func (w *writer) wrap(indent int, first, next, text string) {
	at := first
	for _, word := range strings.Fields(strings.ToValidUTF8(text, "")) {
		if len(at) > len(next) && runes(at)+1+runes(word)+2*indent > columns {
			w.line(indent, at)
			at = next
		}
		at += " " + word
	}
	w.line(indent, at)
}

func runes(s string) int { return len([]rune(s)) }

// object writes a node and all below it, without a line break at the end.
func (w *writer) object(indent int, before string, n *node) {
	if len(n.children) == 0 {
		w.b.WriteString(strings.Repeat("  ", indent) + before + "{}")
		return
	}
	w.line(indent, before+"{")
	for _, child := range n.children {
		w.field(indent+1, child)
	}
	w.b.WriteString(strings.Repeat("  ", indent) + "}")
}

func (w *writer) field(indent int, n *node) {
	name := fieldName(n.name)
	if len(n.settings) == 0 {
		w.object(indent, name+"+: ", n)
		w.b.WriteString(",\n")
		return
	}
	first := n.settings[0]
	if !first.Add {
		w.reasons(indent, first)
		w.b.WriteString(strings.Repeat("  ", indent) + name + ": " + value(first.Value, indent, len(name)+2) + ",\n")
		return
	}
	if _, text := first.Value.(string); text && isText(first.Option) {
		// The text before may lack its last line break.
		w.line(indent, name+"+: '\\n'")
		for i, s := range n.settings {
			w.reasons(indent+1, s)
			w.b.WriteString(strings.Repeat("  ", indent+1) + "+ " + value(s.Value, indent+1, 2))
			w.b.WriteString(map[bool]string{true: ",\n", false: "\n"}[i == len(n.settings)-1])
		}
		return
	}
	w.line(indent, name+"+: [")
	for _, s := range n.settings {
		w.reasons(indent+1, s)
		w.b.WriteString(strings.Repeat("  ", indent+1) + value(s.Value, indent+1, 0) + ",\n")
	}
	w.line(indent, "],")
}

// isText says that an option is one text of many lines, not a list.
func isText(option string) bool {
	return option == "boot.extraModprobeConfig" || option == "services.udev.extraRules"
}

func (w *writer) reasons(indent int, s Setting) {
	for _, r := range s.Reasons {
		w.comment(indent, r)
	}
}

var plainField = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// keywords of Jsonnet cannot be names of fields without quotes.
var keywords = []string{"assert", "else", "error", "false", "for", "function", "if", "import", "importstr", "importbin", "in", "local", "null", "tailstrict", "then", "self", "super", "true"}

func fieldName(name string) string {
	if plainField.MatchString(name) && !slices.Contains(keywords, name) {
		return name
	}
	return quote(name)
}

// quote writes a string of Jsonnet.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range strings.ToValidUTF8(s, "") {
		switch {
		case r == '\'' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// value writes a value at an indent; used is what stands before it on its line.
func value(v any, indent, used int) string {
	short := compact(v)
	if 2*indent+used+runes(short)+1 <= columns {
		return short
	}
	pad := strings.Repeat("  ", indent+1)
	switch v := v.(type) {
	case string:
		// Broken behind commas and spaces, into a sum of strings.
		var parts []string
		part := ""
		for _, word := range strings.SplitAfter(v, " ") {
			before := 2*indent + used
			if len(parts) > 0 {
				before = 2*(indent+1) + len("+ ")
			}
			if part != "" && before+runes(quote(part+word))+len(",") > columns {
				parts, part = append(parts, part), ""
			}
			part += word
		}
		parts = append(parts, part)
		for i := range parts {
			parts[i] = quote(parts[i])
		}
		return strings.Join(parts, "\n"+pad+"+ ")
	case []any:
		// Words stand side by side, objects below each other.
		var lines []string
		at := ""
		for _, e := range v {
			word := value(e, indent+1, 0) + ","
			if _, short := e.(string); !short || at == "" || len(pad)+runes(at)+1+runes(word) > columns {
				if at != "" {
					lines = append(lines, at)
				}
				at = word
				continue
			}
			at += " " + word
		}
		lines = append(lines, at)
		return "[\n" + pad + strings.Join(lines, "\n"+pad) + "\n" + strings.Repeat("  ", indent) + "]"
	case map[string]any:
		var b strings.Builder
		b.WriteString("{\n")
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(pad + fieldName(k) + ": " + value(v[k], indent+1, runes(fieldName(k))+2) + ",\n")
		}
		return b.String() + strings.Repeat("  ", indent) + "}"
	}
	return short
}

// compact writes a value on one line.
func compact(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case string:
		return quote(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = compact(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, fieldName(k)+": "+compact(v[k]))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	panic(fmt.Sprintf("a setting has a value of type %T", v))
}

// oneLine writes a setting as an object of its own.
func oneLine(s Setting) string {
	names := Path(s.Option)
	text := compact(s.Value)
	plus := ": "
	if s.Add {
		if plus = "+: "; !isText(s.Option) {
			text = "[" + text + "]"
		} else {
			text = `'\n' + ` + text
		}
	}
	text = fieldName(names[len(names)-1]) + plus + text
	for i := len(names) - 2; i >= 0; i-- {
		text = fieldName(names[i]) + "+: { " + text + " }"
	}
	return "{ " + text + " }"
}
