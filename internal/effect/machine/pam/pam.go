// Package pam makes the five /etc/pam.d/common-* files from the templates of
// libpam-runtime and the profiles that packages ship in /usr/share/pam-configs,
// as pam-auth-update does on a first installation, byte for byte.
//
// It is pure, and strict where pam-auth-update is not: a template that is
// missing or has lost a marker, a profile that cannot be read, and an
// authentication stack that no module decides are errors. A stack that nobody
// fills would permit everybody.
package pam

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Types are the kinds of stack, by the suffix of their file's name.
var types = []string{"auth", "account", "password", "session", "session-noninteractive"}

// Types returns the suffixes of the files: "auth" for common-auth and so on.
func Types() []string { return slices.Clone(types) }

// A Profile is a file of /usr/share/pam-configs.
type Profile struct {
	File      string // "unix"
	Name      string // what people are shown
	Default   bool
	Priority  int
	Conflicts []string
	stacks    map[string]stack // by type
}

// A stack is what a profile adds to one type.
type stack struct {
	kind    string // "Primary" or "Additional"; "" adds nothing
	lines   string
	initial string // instead of lines, when the profile comes first
}

var (
	field = regexp.MustCompile(`^(\S+):\s+(.*)\s*$`)
	// words of a stack's line: control, module, options
	moduleLine = regexp.MustCompile(`^((\[[^]]+\]|\w+)\s+\S+)\s*(.*)`)
	space      = regexp.MustCompile(`\s+`)
)

// removedModules are those that pam-auth-update takes for reason enough to
// pass a profile over.
const removedModules = "pam_tally"

// ParseProfile reads a profile. Nil without an error is one that is passed
// over.
func ParseProfile(file string, data []byte) (*Profile, error) {
	fields := map[string]string{}
	name := ""
	number := 0
	disabled := false
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if m := field.FindStringSubmatch(line); m != nil {
			name = strings.TrimSuffix(m[1], "-Final")
			fields[name] = m[2]
			continue
		}
		line = strings.TrimSpace(line)
		if name == "" {
			if line == "" {
				continue
			}
			return nil, fmt.Errorf("pam profile %q, line %d: %q belongs to no field", file, number, line)
		}
		// A field may stand alone on its line, "Auth:", its value below.
		if key, ok := strings.CutSuffix(line, ":"); ok && !strings.ContainsAny(key, " \t[") {
			name = strings.TrimSuffix(key, "-Final")
			fields[name] = ""
			continue
		}
		if line != "" {
			fields[name] += "\n" + line
		}
		disabled = disabled || strings.Contains(fields[name], removedModules)
		fields[name] = strings.TrimLeft(fields[name], "\n ")
	}
	if disabled {
		return nil, nil
	}
	p := &Profile{File: file, Name: fields["Name"], Default: fields["Default"] == "yes", stacks: map[string]stack{}}
	var err error
	if p.Priority, err = strconv.Atoi(fields["Priority"]); err != nil {
		return nil, fmt.Errorf("pam profile %q: priority is %q, want a number", file, fields["Priority"])
	}
	if p.Name == "" {
		return nil, fmt.Errorf("pam profile %q: no name", file)
	}
	if c := fields["Conflicts"]; c != "" {
		p.Conflicts = strings.Split(c, ", ")
	}
	for _, t := range types {
		from := title(t)
		if t == "session-noninteractive" {
			if fields["Session-Interactive-Only"] == "yes" {
				continue
			}
			from = "Session"
		}
		s := stack{fields[from+"-Type"], fields[from], fields[from+"-Initial"]}
		switch s.kind {
		case "Primary", "Additional":
		case "":
			if s.lines != "" {
				return nil, fmt.Errorf("pam profile %q: %s has lines but no type", file, from)
			}
			continue
		default:
			return nil, fmt.Errorf("pam profile %q: %s-Type is %q, want Primary or Additional", file, from, s.kind)
		}
		for _, line := range slices.Concat(split(s.lines), split(s.initial)) {
			if moduleLine.FindString(line) == "" {
				return nil, fmt.Errorf("pam profile %q: %s has the line %q", file, from, line)
			}
		}
		p.stacks[t] = s
	}
	return p, nil
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// split drops empty lines at the end, as Perl's split does.
func split(lines string) []string {
	lines = strings.TrimRight(lines, "\n")
	if lines == "" {
		return nil
	}
	return strings.Split(lines, "\n")
}

// at returns the lines of a stack for its place among the others.
func (s stack) at(position int) []string {
	if position == 0 && s.initial != "" {
		return split(s.initial)
	}
	return split(s.lines)
}

// Markers of the templates.
const (
	markPrimary    = `# here are the per-package modules (the "Primary" block)`
	markFallback   = `# here's the fallback if no module succeeds`
	markAdditional = `# and here are more per-package modules (the "Additional" block)`
	markEnd        = `# end of pam-auth-update config`
)

// Generate makes the files: by type, from the templates by type. Enable names
// profiles that are on although their default is off.
func Generate(templates map[string]string, profiles []*Profile, enable []string) (map[string]string, error) {
	enabled, err := choose(profiles, enable)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, t := range types {
		template, ok := templates[t]
		if !ok {
			return nil, fmt.Errorf("pam: there is no template common-%s", t)
		}
		if files[t], err = fill(t, template, enabled); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// choose orders the profiles that are on: highest priority first, then by
// name from the end of the alphabet.
func choose(profiles []*Profile, enable []string) ([]*Profile, error) {
	byFile := map[string]*Profile{}
	for _, p := range profiles {
		byFile[p.File] = p
	}
	for _, name := range enable {
		if byFile[name] == nil {
			return nil, fmt.Errorf("pam: there is no profile %q, only %q", name, slices.Sorted(maps.Keys(byFile)))
		}
	}
	var on []*Profile
	for _, p := range byFile {
		if p.Default || slices.Contains(enable, p.File) {
			on = append(on, p)
		}
	}
	slices.SortFunc(on, func(a, b *Profile) int {
		if a.Priority != b.Priority {
			return b.Priority - a.Priority
		}
		return strings.Compare(b.File, a.File)
	})
	for i := 0; i < len(on); i++ {
		for _, c := range on[i].Conflicts {
			on = slices.DeleteFunc(on, func(p *Profile) bool { return p.File == c })
		}
	}
	return on, nil
}

// fill puts the lines of the profiles between the markers of a template.
func fill(t, template string, enabled []*Profile) (string, error) {
	marks := []string{markPrimary, markFallback, markAdditional, markEnd}
	var b strings.Builder
	state := 0
	for line := range strings.Lines(template) {
		if state == len(marks) {
			b.WriteString(line)
			continue
		}
		found := strings.HasPrefix(line, marks[state])
		if state%2 == 1 { // between the markers of a block: what the template holds there is dropped
			if found {
				b.WriteString(line)
				state++
			}
			continue
		}
		b.WriteString(line)
		if !found {
			continue
		}
		kind := "Primary"
		if state == 2 {
			kind = "Additional"
		}
		block, err := block(t, kind, enabled)
		if err != nil {
			return "", err
		}
		b.WriteString(block)
		state++
	}
	if state < len(marks) {
		return "", fmt.Errorf("pam: template common-%s has no line %q", t, marks[state])
	}
	return b.String(), nil
}

// block writes one block. A jump to "end" becomes the number of lines from
// there to the end of the block.
func block(t, kind string, enabled []*Profile) (string, error) {
	var lines []string
	position := 0
	for _, p := range enabled {
		if s := p.stacks[t]; s.kind == kind {
			lines = append(lines, s.at(position)...)
			position++
		}
	}
	pamType := strings.TrimSuffix(t, "-noninteractive")
	if len(lines) == 0 {
		switch {
		case kind == "Additional":
			return "", nil
		case pamType == "session":
			// As pam-auth-update has it; a session decides nothing.
			return pamType + "\t[default=1]\t\t\tpam_permit.so\n", nil
		}
		return "", fmt.Errorf("pam: no profile decides %q: everybody would be let in; want at least the profile \"unix\" of libpam-runtime", t)
	}
	left := len(lines)
	if kind == "Additional" {
		left-- // a jump must not leave the stack
	}
	var b strings.Builder
	for _, line := range lines {
		m := moduleLine.FindStringSubmatch(line)
		head := strings.ReplaceAll(m[1], "end", strconv.Itoa(left))
		b.WriteString(pamType + "\t" + head + " " + strings.Join(options(m[3]), " ") + "\n")
		left--
	}
	return b.String(), nil
}

// options splits as Perl's split(/\s+/) does: empty fields at the end go.
func options(s string) []string {
	if s == "" {
		return nil
	}
	words := space.Split(s, -1)
	for len(words) > 0 && words[len(words)-1] == "" {
		words = words[:len(words)-1]
	}
	return words
}

// HasLimits reports whether the file of a service sets resource limits.
func HasLimits(service string) bool {
	for line := range strings.Lines(service) {
		words := strings.Fields(line)
		if len(words) >= 3 && strings.TrimPrefix(words[0], "-") == "session" && slices.ContainsFunc(words[2:], func(w string) bool {
			return strings.HasSuffix(w, "pam_limits.so")
		}) {
			return true
		}
	}
	return false
}

// AddLimits returns the file of a service with resource limits at its end.
func AddLimits(service string) string {
	if service != "" && !strings.HasSuffix(service, "\n") {
		service += "\n"
	}
	return service + "# Added by reprise: limits.conf(5) for every session.\nsession    required   pam_limits.so\n"
}
