package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/config/program"
)

// A Setting is the value of one option of a Config, and who gave it.
type Setting struct {
	Name  string          // with the user's names in it: "users.users.rig.uid"
	Value json.RawMessage // as Canonical has it
	From  []Source        // nobody: the default, which may depend on other options
}

// A Source is what gave a value, or one element of it. It has an Option or a
// Place.
type Source struct {
	// Element is the index in a list or the name in an object, where the
	// elements of the value come one by one; else "".
	Element string
	// Place is where a file says so. Its file is relative to the directory of
	// the configuration, and "" for the configuration itself: what that is
	// called and where it lies changes nothing.
	Place Place
	// Near says that Place is that of the nearest value around it.
	Near bool
	// Option is the option that stands for this one, see Evaluate, or Added.
	Option string
}

// Added is the Source.Option of what came after evaluation, see Authorize.
const Added = "--authorize"

// A stage is the values of all options at one moment of the evaluation.
type stage struct {
	option string // whose module has just run; "" for what files and defaults say
	values map[string]any
}

// Settings returns all options of the machine with their values and sources,
// sorted by name.
func (c *Config) Settings() ([]Setting, error) {
	stages, err := c.stages()
	if err != nil {
		return nil, err
	}
	set := c.set()
	last := stages[len(stages)-1].values
	var settings []Setting
	for _, path := range slices.Sorted(maps.Keys(last)) {
		text, err := plainJSON(last[path])
		if err != nil {
			return nil, fmt.Errorf("option %q: %w", path, err)
		}
		settings = append(settings, Setting{path, text, c.sources(path, last[path], set[path], stages)})
	}
	return settings, nil
}

// set tells which options the files set.
func (c *Config) set() map[string]bool {
	set := map[string]bool{}
	eachOption(schema, "", c.said, func(path string, value any) {
		if value != nil {
			set[path] = true
		}
	})
	return set
}

// stages runs the modules again, one by one.
func (c *Config) stages() ([]stage, error) {
	again := &Config{origins: map[string]string{}}
	if err := json.Unmarshal(c.before, again); err != nil {
		return nil, fmt.Errorf("decode options: %w", err)
	}
	var stages []stage
	note := func(option string, c *Config) error {
		var tree any
		if err := json.Unmarshal(c.Canonical(), &tree); err != nil {
			return fmt.Errorf("decode options: %w", err)
		}
		values := map[string]any{}
		eachOption(schema, "", tree, func(path string, value any) { values[path] = value })
		stages = append(stages, stage{option, values})
		return nil
	}
	if err := note("", again); err != nil {
		return nil, err
	}
	was := again.Canonical()
	for _, m := range modules {
		m.apply(again)
		now := again.Canonical()
		if bytes.Equal(now, was) {
			continue
		}
		was = now
		if err := note(m.option, again); err != nil {
			return nil, err
		}
	}
	return stages, note(Added, c)
}

// sources tells who gave the value at path, which the last stage has.
func (c *Config) sources(path string, value any, said bool, stages []stage) []Source {
	var sources []Source
	switch value := value.(type) {
	case []any:
		for i, element := range value {
			// Modules put theirs behind, so the first stage that has it gave it.
			for _, s := range stages {
				at := index(s.values[path], i, element)
				if at < 0 {
					continue
				}
				if s.option == "" && !said {
					break // of the default
				}
				option := s.option
				if name, _ := element.(string); option != "" && path == "environment.systemPackages" && c.origins[name] != "" {
					option = c.origins[name] // one module may serve several
				}
				sources = append(sources, c.source(option, program.Join(path, at), strconv.Itoa(i)))
				break
			}
		}
		if len(value) > 0 {
			return sources
		}
	case map[string]any:
		for _, key := range sorted(value) {
			// The last stage that changed it gave it.
			from := slices.IndexFunc(stages, func(s stage) bool { return same(member(s.values[path], key), value[key]) })
			if option := stages[from].option; option != "" || said {
				sources = append(sources, c.source(option, program.Join(path, key), key))
			}
		}
		if len(value) > 0 {
			return sources
		}
	}
	if said {
		sources = append(sources, c.source("", path, ""))
	}
	for i, s := range stages[1:] {
		if !same(s.values[path], stages[i].values[path]) {
			sources = append(sources, Source{Option: s.option})
		}
	}
	return sources
}

func (c *Config) source(option, path, element string) Source {
	if option != "" {
		return Source{Element: element, Option: option}
	}
	place, exact := c.Place(path)
	return Source{Element: element, Place: c.relative(place), Near: !exact}
}

// relative is a place as Source has it.
func (c *Config) relative(place Place) Place {
	switch {
	case place.File == c.places.file && !strings.HasPrefix(place.File, program.BuiltinName("")):
		place.File = ""
	case len(c.files) > 0 && !strings.HasPrefix(place.File, program.BuiltinName("")):
		if rel, err := filepath.Rel(filepath.Dir(c.places.file), place.File); err == nil {
			place.File = rel
		}
	}
	return place
}

// Origins returns the options that ask for one of the packages of Roots, as
// Source.Option, with the places of those that files set. None: every machine
// has it.
func (c *Config) Origins(name string) []Source {
	var origins []Source
	set := c.set()
	add := func(option, path string) {
		s := Source{Option: option}
		if set[option] {
			s = c.source("", path, "")
			s.Option = option
		}
		origins = append(origins, s)
	}
	if option, ok := c.origins[name]; ok {
		add(option, option)
	} else if i := slices.Index(c.Environment.SystemPackages, name); i >= 0 {
		const option = "environment.systemPackages"
		add(option, program.Join(option, i))
	}
	if name == c.KernelPackage() {
		add("boot.kernelPackages", "boot.kernelPackages")
	}
	if name == "locales" && len(c.I18n.SupportedLocales) > 0 {
		add("i18n.supportedLocales", "i18n.supportedLocales")
	}
	return origins
}

// eachOption calls yield for every option that a tree of values holds.
func eachOption(n *node, path string, tree any, yield func(path string, value any)) {
	if n.option != nil {
		yield(path, tree)
		return
	}
	object, _ := tree.(map[string]any)
	for key, value := range object {
		next := n.children[key]
		if next == nil {
			next = n.free
		}
		if next != nil {
			eachOption(next, program.Join(path, key), value, yield)
		}
	}
}

// index finds an element of a list, first of all at the place where it is
// looked for: lists may hold it twice.
func index(list any, at int, element any) int {
	elements, _ := list.([]any)
	if at < len(elements) && same(elements[at], element) {
		return at
	}
	return slices.IndexFunc(elements, func(e any) bool { return same(e, element) })
}

func member(object any, key string) any {
	members, _ := object.(map[string]any)
	return members[key]
}

// same compares values of JSON.
func same(a, b any) bool { return reflect.DeepEqual(a, b) }

func plainJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
