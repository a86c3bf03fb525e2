package systemdiff

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// Width is the columns that texts take, but for what cannot be cut: names,
// versions and places.
const Width = 80

// A printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// Place is what a source is called, in a system that calls its configuration
// config: "configuration.jsonnet:3:5", "by musnix.enable".
func (s Source) Place(config string) string {
	place := s.At
	switch {
	case strings.HasPrefix(place, ":") || place == "":
		place = config + place
	}
	if s.Near {
		place = "near " + place
	}
	switch {
	case strings.HasPrefix(s.By, "-"):
		return "by reprise build " + s.By
	case s.By != "" && s.At != "":
		return s.By + ", " + place
	case s.By != "":
		return "by " + s.By
	}
	return place
}

// Text writes a report for people.
func (r *Report) Text(w io.Writer, from, to *System) error {
	p := &printer{w: w}
	if head := from.Name + " → " + to.Name; utf8.RuneCountInString(head) <= Width {
		p.line("%s", head)
	} else {
		p.line("%s\n→ %s", from.Name, to.Name)
	}
	if r.Nothing() {
		switch {
		case r.Same:
			p.line("nothing changes: they are one system")
		case !r.FilesKnown || !r.OptionsKnown:
			p.line("nothing changes, as far as is known")
		default:
			p.line("nothing changes but how the configuration is written, or the program that built it")
		}
	}
	r.packages(p)
	r.options(p, from, to)
	r.boot(p)
	r.units(p)
	r.files(p)
	if r.SizesKnown && !r.Same {
		p.line("\nStore: %s", r.Bytes())
	}
	if !r.OptionsKnown {
		p.line("\nOptions are not known: one of the two was built before systems kept them.")
	}
	for _, s := range []*System{from, to} {
		if s.Note != "" {
			p.line("\n%s", s.Note)
		}
	}
	if !r.FilesKnown {
		p.line("\nUnits and files of /etc are known once it is built.")
	}
	return p.err
}

// Bytes says what the newer system needs beyond the older one.
func (r *Report) Bytes() string {
	text := fmt.Sprintf("%d new paths, %s (%d bytes)", r.AddedPaths, humanize.IBytes(uint64(r.AddedBytes)), r.AddedBytes)
	if r.RemovedPaths > 0 {
		text += fmt.Sprintf("; %d no longer needed, %s", r.RemovedPaths, humanize.IBytes(uint64(r.RemovedBytes)))
	}
	return text
}

func (r *Report) packages(p *printer) {
	if len(r.Packages) == 0 {
		return
	}
	p.line("\nPackages")
	for _, c := range r.Packages {
		p.line("  %s", c)
	}
}

// String is one line: "+ fluidsynth 2.4", "- …", "  bash 5.2 → 5.3".
func (c PackageChange) String() string {
	switch {
	case c.Kind == Added && c.To == "":
		return fmt.Sprintf("+ %s (not in the lock yet)", c.Name)
	case c.Kind == Added:
		return fmt.Sprintf("+ %s %s", c.Name, c.To)
	case c.Kind == Removed:
		return fmt.Sprintf("- %s %s", c.Name, c.From)
	case c.From == c.To:
		return fmt.Sprintf("  %s %s, built anew", c.Name, c.To)
	}
	return fmt.Sprintf("  %s %s → %s", c.Name, c.From, c.To)
}

func (r *Report) options(p *printer, from, to *System) {
	var follow []string
	told := map[string]bool{}
	for _, c := range r.Options {
		if !c.Follows {
			told[thing(c.Name)] = true
		}
	}
	title := "\nOptions"
	for _, c := range r.Options {
		if c.Follows {
			if name := thing(c.Name); !told[name] {
				told[name] = true
				follow = append(follow, name)
			}
			continue
		}
		if title != "" {
			p.line("%s", title)
			title = ""
		}
		c.text(p, from.Config, to.Config)
	}
	if len(follow) > 0 {
		if title != "" {
			p.line("%s", title)
		}
		wrapped(p, "  what follows:", ", ", follow)
	}
}

// thing is the file or unit that an option is about, else the option.
func thing(name string) string {
	for _, parent := range []string{"environment.etc", "systemd.units", "systemd.user.units"} {
		if rest, ok := strings.CutPrefix(name, parent); ok && strings.ContainsAny(rest, ".[") {
			return name[:strings.LastIndexByte(name, '.')]
		}
	}
	return name
}

// wrapped prints words in lines of Width, with between behind each but the
// last.
func wrapped(p *printer, head, between string, words []string) {
	line := head
	for i, word := range words {
		if i < len(words)-1 {
			word += strings.TrimRight(between, " ")
		}
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > Width && strings.TrimSpace(line) != "" {
			p.line("%s", line)
			line = "     "
		}
		line += " " + word
	}
	p.line("%s", line)
}

func (c OptionChange) text(p *printer, configA, configB string) {
	if len(c.Elements) > 0 {
		p.line("  %s", c.Name)
		for _, e := range c.Elements {
			name, config := "", configB
			if e.Name != "" {
				name = e.Name + ": "
			}
			var text string
			switch {
			case e.From == nil:
				text = "+ " + name + short(e.To, 60)
			case e.To == nil:
				text, config = "- "+name+short(e.From, 60), configA
			default:
				text = "  " + name + short(e.From, 30) + " → " + short(e.To, 30)
			}
			place := "default"
			if e.Source != nil {
				place = e.Source.Place(config)
			}
			if e.To == nil {
				place = "was " + place
			}
			beside(p, "    "+text, place)
		}
		return
	}
	was, is := "not set", "not set"
	place := ""
	if c.From != nil {
		was = c.From.Short(30)
		place = places(c.From.From, configA, "was ")
	}
	if c.To != nil {
		is = c.To.Short(30)
		if len(c.To.From) > 0 {
			place = places(c.To.From, configB, "")
		} else {
			is += ", the default"
		}
	}
	p.line("  %s", c.Name)
	beside(p, fmt.Sprintf("    %s → %s", was, is), place)
}

// places names the first source that is a file, else the first.
func places(from []Source, config, before string) string {
	if len(from) == 0 {
		return ""
	}
	at := max(0, slices.IndexFunc(from, func(s Source) bool { return s.By == "" }))
	return before + from[at].Place(config)
}

// beside prints a text and what it is from in one line, or in two.
func beside(p *printer, text, place string) {
	const column = 40
	switch n := utf8.RuneCountInString(text); {
	case place == "":
		p.line("%s", text)
	case n < column && column+utf8.RuneCountInString(place) <= Width:
		p.line("%s%s%s", text, strings.Repeat(" ", column-n), place)
	case n+2+utf8.RuneCountInString(place) <= Width:
		p.line("%s  %s", text, place)
	default:
		p.line("%s", text)
		p.line("        %s", place)
	}
}

// Short is the value in at most max columns or so.
func (o *Option) Short(max int) string {
	if o.Long != nil {
		return fmt.Sprintf("a text of %s", humanize.IBytes(uint64(o.Long.Bytes)))
	}
	return short(o.Value, max)
}

func short(value json.RawMessage, max int) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		runes := []rune(s)
		if len(runes) > max {
			return strconv.Quote(string(runes[:max-1]) + "…")
		}
		return strconv.Quote(s)
	}
	text := string(value)
	if utf8.RuneCountInString(text) > max {
		return string([]rune(text)[:max-1]) + "…"
	}
	return text
}

func (r *Report) boot(p *printer) {
	if r.Kernel == nil && len(r.Params.Added)+len(r.Params.Removed) == 0 && !r.Params.Moved {
		return
	}
	p.line("\nKernel (after a reboot)")
	if r.Kernel != nil {
		p.line("  %s → %s", r.Kernel.From, r.Kernel.To)
	}
	for _, w := range r.Params.Removed {
		p.line("  - %s", w)
	}
	for _, w := range r.Params.Added {
		p.line("  + %s", w)
	}
	if r.Params.Moved {
		p.line("  the same words in another order")
	}
}

var signs = map[Kind]string{Added: "+", Removed: "-", Changed: " "}

func (r *Report) units(p *printer) {
	if len(r.Units) == 0 {
		return
	}
	p.line("\nUnits")
	for _, u := range r.Units {
		text := "  " + signs[u.Kind] + " " + u.Name
		if u.Scope != "system" {
			text += " (" + u.Scope + ")"
		}
		if len(u.What) > 0 {
			text += ": " + strings.Join(u.What, ", ")
		}
		p.line("%s", text)
	}
}

func (r *Report) files(p *printer) {
	var patches []string
	title := "\nFiles"
	for _, f := range r.Files {
		if f.Unified != "" {
			patches = append(patches, f.Unified)
		}
		if scopeOf(f.Path) != "" {
			continue // told as units
		}
		if title != "" {
			p.line("%s", title)
			title = ""
		}
		text := "  " + signs[f.Kind] + " /" + f.Path
		if len(f.What) > 0 && !slices.Equal(f.What, []string{"contents"}) {
			text += ": " + strings.Join(f.What, ", ")
		}
		p.line("%s", text)
	}
	for _, text := range patches {
		p.line("\n%s", strings.TrimSuffix(text, "\n"))
	}
}

// Summary is a report in a few words: "+2 -1 ~3 packages, 4 options, kernel".
func (r *Report) Summary() string {
	var words []string
	count := map[Kind]int{}
	for _, c := range r.Packages {
		count[c.Kind]++
	}
	if len(r.Packages) == 1 {
		words = append(words, strings.TrimSpace(r.Packages[0].String()))
	} else if len(r.Packages) > 1 {
		var parts []string
		for _, k := range []struct {
			kind Kind
			sign string
		}{{Added, "+"}, {Removed, "-"}, {Changed, "~"}} {
			if count[k.kind] > 0 {
				parts = append(parts, fmt.Sprintf("%s%d", k.sign, count[k.kind]))
			}
		}
		words = append(words, strings.Join(parts, " ")+" packages")
	}
	if r.Kernel != nil {
		words = append(words, "kernel")
	}
	var said []string
	for _, o := range r.Options {
		if !o.Follows {
			said = append(said, o.Name)
		}
	}
	switch {
	case len(said) == 1:
		words = append(words, said[0])
	case len(said) > 1:
		words = append(words, fmt.Sprintf("%d options", len(said)))
	}
	if len(words) == 0 && (len(r.Params.Added)+len(r.Params.Removed) > 0 || r.Params.Moved) {
		words = append(words, "kernel line")
	}
	switch {
	case len(words) > 0:
	case r.Same:
		return "the same system"
	default:
		return "built anew"
	}
	return strings.Join(words, ", ")
}
