package systemdiff

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// fewChains is how many chains a text has when not all are wanted.
const fewChains = 3

// Text writes why a package of system is there.
func (w Why) Text(out io.Writer, system *System, all bool) error {
	p := &printer{w: out}
	p.line("%s %s, in %s", w.Package.Name, w.Package.Version, system.Name)
	asked(p, w.Package.Name, w.Asked, w.For, w.Essential, system)
	chains := w.Chains
	if len(chains) > fewChains && !all {
		chains = chains[:fewChains]
	}
	for _, c := range chains {
		asked(p, c.Asked, !c.Essential, c.For, c.Essential, system)
		for _, l := range c.Links {
			wrapped(p, "    "+l.From+" "+l.Kind, " ", alternatives(l))
		}
	}
	if n := len(w.Chains) - len(chains); n > 0 {
		p.line("  and %d more packages need it: see them with --all", n)
	}
	if !w.Asked && !w.Essential && len(w.Chains) == 0 {
		if system.About == nil {
			p.line("  nothing needs it, but the system was built before systems kept what they are asked for")
		} else {
			p.line("  nothing needs it: it came with the lock, and goes with the next reprise lock")
		}
	}
	return p.err
}

// asked says who asks for a package, a line each.
func asked(p *printer, name string, asked bool, sources []Source, essential bool, system *System) {
	for _, s := range sources {
		place := ""
		if s.At != "" {
			place = Source{At: s.At, Near: s.Near}.Place(system.Config)
		} else if o, ok := system.About.Option(s.By); ok {
			place = o.Short(40) + ", the default"
		}
		beside(p, "  "+s.By+" asks for "+name, place)
	}
	switch {
	case essential:
		p.line("  Debian marks %s essential: every machine has it", name)
	case asked && len(sources) == 0:
		p.line("  every machine has %s", name)
	}
}

// alternatives are the words of a dependency, with what meets it where that
// has another name.
func alternatives(l Link) []string {
	words := strings.Split(l.Dependency, " | ")
	for i := range words {
		if i > 0 {
			words[i] = "| " + words[i]
		}
	}
	if !slices.ContainsFunc(words, func(w string) bool {
		return w == l.To || strings.HasPrefix(w, l.To+" ") || strings.HasPrefix(w, l.To+":") || strings.HasPrefix(w, "| "+l.To)
	}) {
		words = append(words, "("+l.To+" is one)")
	}
	return words
}

// Text writes the value of an option and who gave it. fallback tells where a
// default comes from, in a few words.
func (o *Option) Text(out io.Writer, system *System, fallback string) error {
	p := &printer{w: out}
	var list []json.RawMessage
	var object map[string]json.RawMessage
	switch {
	case o.Long == nil && len(o.From) > 0 && o.From[0].Element != "":
		p.line("%s", o.Name)
		json.Unmarshal(o.Value, &list)
		json.Unmarshal(o.Value, &object)
		for i, e := range list {
			o.element(p, system, strconv.Itoa(i), "", e)
		}
		for _, name := range slices.Sorted(maps.Keys(object)) {
			o.element(p, system, name, name+": ", object[name])
		}
	case o.Long != nil:
		p.line("%s = a text of %d bytes", o.Name, o.Long.Bytes)
	default:
		p.line("%s = %s", o.Name, short(o.Value, 600))
	}
	if len(o.From) == 0 {
		p.line("  %s", fallback)
	}
	for _, s := range o.From {
		if s.Element != "" {
			continue
		}
		p.line("  %s%s", s.verb(), s.Place(system.Config))
		o.chain(p, system, s, map[string]bool{})
	}
	return p.err
}

func (s Source) verb() string {
	if s.By != "" {
		return "made "
	}
	return "set at "
}

// chain follows options to the lines that set them.
func (o *Option) chain(p *printer, system *System, s Source, seen map[string]bool) {
	by, ok := system.About.Option(s.By)
	if !ok || seen[by.Name] {
		return
	}
	seen[by.Name] = true
	for _, next := range by.From {
		p.line("    %s = %s, %s%s", by.Name, by.Short(30), next.verb(), next.Place(system.Config))
		by.chain(p, system, next, seen)
	}
	if len(by.From) == 0 {
		p.line("    %s = %s, the default", by.Name, by.Short(30))
	}
}

func (o *Option) element(p *printer, system *System, element, name string, value json.RawMessage) {
	place := "default"
	if s := o.source(element); s != nil {
		place = s.Place(system.Config)
		if by, ok := system.About.Option(s.By); ok && s.At == "" {
			place += root(system, by)
		}
	}
	beside(p, "  "+name+short(value, 60), place)
}

// root says where the option was set that made another one.
func root(system *System, by *Option) string {
	for range 8 {
		if len(by.From) == 0 {
			return ", the default"
		}
		s := by.From[0]
		if s.By == "" {
			return ", " + s.Place(system.Config)
		}
		next, ok := system.About.Option(s.By)
		if !ok {
			return ""
		}
		by = next
	}
	return ""
}
