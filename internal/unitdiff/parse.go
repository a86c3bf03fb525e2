package unitdiff

import (
	"slices"
	"strings"
)

// settings are what a unit says: "Service.ExecStart" → its values in order.
// An empty assignment has emptied the list before it, as systemd.syntax(7) has
// it; nothing else is interpreted.
type settings map[string][]string

// read adds the text of a unit file or drop-in.
func (s settings) read(text string) {
	section := ""
	var line strings.Builder
	flush := func() {
		defer line.Reset()
		key, value, ok := strings.Cut(line.String(), "=")
		if key = strings.TrimSpace(key); !ok || key == "" || section == "" {
			return
		}
		key = section + "." + key
		if value = strings.TrimSpace(value); value == "" {
			s[key] = nil
			return
		}
		s[key] = append(slices.Clip(s[key]), value)
	}
	for raw := range strings.SplitSeq(text, "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		trimmed := strings.TrimSpace(raw)
		if trimmed != "" && (trimmed[0] == '#' || trimmed[0] == ';') {
			continue // also between the lines of one value
		}
		if line.Len() == 0 {
			if trimmed == "" {
				continue
			}
			if trimmed[0] == '[' {
				section = strings.TrimSuffix(trimmed[1:], "]")
				continue
			}
		}
		if head, more := strings.CutSuffix(raw, `\`); more {
			line.WriteString(head + " ")
			continue
		}
		line.WriteString(raw)
		flush()
	}
	flush()
}

// last is the value that counts of a setting that holds one.
func (s settings) last(key string) string {
	if v := s[key]; len(v) > 0 {
		return v[len(v)-1]
	}
	return ""
}

// yes reads a boolean; what is none is otherwise.
func (s settings) yes(key string, otherwise bool) bool {
	switch strings.ToLower(s.last(key)) {
	case "1", "yes", "y", "true", "t", "on":
		return true
	case "0", "no", "n", "false", "f", "off":
		return false
	}
	return otherwise
}

// words are the values of a list of names.
func (s settings) words(key string) []string {
	var all []string
	for _, v := range s[key] {
		for _, w := range strings.Fields(v) {
			all = append(all, strings.Trim(w, `"'`))
		}
	}
	return all
}

// command splits a command line at blanks, with the quotes and escapes of
// systemd.service(5) as far as paths have them, and without the prefixes that
// say how it is run.
func command(line string) []string {
	var words []string
	var word strings.Builder
	quote, in := rune(0), false
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '"' || r == '\'':
			quote, in = r, true
		case r == ' ' || r == '\t':
			if in {
				words = append(words, word.String())
			}
			word.Reset()
			in = false
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	if len(words) > 0 {
		words[0] = strings.TrimLeft(words[0], "@-:+!|")
	}
	return words
}

// specifiers fills in what a unit's own name decides: systemd.unit(5),
// "Specifiers". The others depend on the machine and stay.
func specifiers(name string) func(string) string {
	base, suffix := cutSuffix(name)
	prefix, instance, _ := strings.Cut(base, "@")
	return strings.NewReplacer("%%", "%", "%n", name, "%N", base, "%p", prefix, "%P", unescape(prefix),
		"%i", instance, "%I", unescape(instance), "%j", prefix[strings.LastIndexByte(prefix, '-')+1:], "%Q", suffix).Replace
}

func cutSuffix(name string) (base, suffix string) {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return name[:dot], name[dot:]
	}
	return name, ""
}
