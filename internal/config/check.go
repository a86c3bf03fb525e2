package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// A checker notes problems with values and remembers which paths are bad, so
// that one fault is told once.
type checker struct {
	places   placeIndex
	problems diag.Problems
	bad      map[string]bool
}

func (c *checker) fail(path, got, want, do string) {
	if p := c.places.problem(path, got, want, do); !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
	c.bad[path] = true
}

// sound reports whether nothing at, above or below path is bad: only then do
// comparisons with other values make sense.
func (c *checker) sound(paths ...string) bool {
	for _, path := range paths {
		for bad := range c.bad {
			if bad == path || strings.HasPrefix(bad, path+".") || strings.HasPrefix(bad, path+"[") {
				return false
			}
		}
		for at := program.Parent(path); at != ""; at = program.Parent(at) {
			if c.bad[at] {
				return false
			}
		}
	}
	return true
}

// A node is one level of the tree of option names.
type node struct {
	children map[string]*node
	free     *node   // what stands under <name>
	freeName string  // "<name>"
	option   *Option // set at a leaf
}

// schema is the tree of all options.
var schema = buildSchema(options)

func buildSchema(options []Option) *node {
	root := &node{children: map[string]*node{}}
	for i := range options {
		at := root
		for part := range strings.SplitSeq(options[i].Name, ".") {
			var next *node
			if strings.HasPrefix(part, "<") {
				if at.free == nil {
					at.free, at.freeName = &node{children: map[string]*node{}}, part
				}
				next = at.free
			} else {
				next = at.children[part]
				if next == nil {
					next = &node{children: map[string]*node{}}
					at.children[part] = next
				}
			}
			at = next
		}
		at.option = &options[i]
	}
	return root
}

// level checks one object against one level of the tree and returns the
// object with defaults filled in. name is the option path with <name> in it.
func (c *checker) level(n *node, path, name string, object map[string]any) map[string]any {
	kept := map[string]any{}
	for _, key := range sorted(object) {
		at, v := program.Join(path, key), object[key]
		switch next := n.children[key]; {
		case next != nil:
			if value, ok := c.child(next, at, program.Join(name, key), v); ok {
				kept[key] = value
			}
		case n.free == nil:
			c.unknown(at, n, name, key, v)
		case v == nil:
		case !freeNames[name].ok(key):
			f := freeNames[name]
			do := "write '" + f.example + "'"
			if f.mend != nil && f.ok(f.mend(key)) {
				do = "write '" + f.mend(key) + "'"
			}
			c.fail(at, "is no good name", f.want, do)
		default:
			if value, ok := c.child(n.free, at, name+"."+n.freeName, v); ok {
				kept[key] = value
			}
		}
	}
	for key, next := range n.children {
		if _, ok := kept[key]; ok {
			continue
		}
		if next.option != nil {
			kept[key] = next.option.value
			continue
		}
		kept[key] = c.level(next, program.Join(path, key), program.Join(name, key), nil)
	}
	return kept
}

// child checks the value of one known name. null means: not set.
func (c *checker) child(n *node, path, name string, v any) (any, bool) {
	if v == nil {
		return nil, false
	}
	if n.option != nil {
		return n.option.kind.check(c, path, v)
	}
	object, ok := v.(map[string]any)
	if !ok {
		c.fail(path, "is "+program.Describe(v), "an object with options", "write "+last(path)+": { "+strings.Join(some(n), ", ")+" }")
		return nil, false
	}
	return c.level(n, path, name, object), true
}

// some shows what may stand in an object.
func some(n *node) []string {
	if n.free != nil {
		return []string{n.freeName + ": …"}
	}
	names := slices.Sorted(maps.Keys(n.children))
	for i, name := range names {
		if names[i] = name + ": …"; i == 2 && len(names) > 3 {
			return append(names[:3], "…")
		}
	}
	return names
}

// unknown tells of an option that is not there, with the nearest that is.
func (c *checker) unknown(path string, n *node, name, key string, v any) {
	full := program.Join(name, key)
	if hint, ok := foreign[full]; ok {
		c.fail(path, "is an option of NixOS or musnix that reprise does not have", hint.want, hint.do)
		return
	}
	const want = "an option of docs/options.md"
	for _, near := range nearest(n, name, key) {
		c.fail(path, "is no option", want, "write "+near)
		return
	}
	if _, isObject := v.(map[string]any); isObject && len(n.children) > 0 {
		c.fail(path, "is no option", want, "write one of "+strings.Join(slices.Sorted(maps.Keys(n.children)), ", ")+" here, or remove it")
		return
	}
	c.fail(path, "is no option", want, "remove it; a value for your own use is a local, or a hidden field with ::")
}

// nearest returns the full names that the writer of key may have meant, best
// first: a sibling spelt alike or in part the same, the same name elsewhere, a
// full name spelt alike.
func nearest(n *node, name, key string) []string {
	var found []string
	for _, sibling := range diag.Nearest(key, slices.Sorted(maps.Keys(n.children))) {
		found = append(found, program.Join(name, sibling))
	}
	for _, sibling := range slices.Sorted(maps.Keys(n.children)) {
		a, b := strings.ToLower(sibling), strings.ToLower(key)
		if len(found) == 0 && len(key) >= 3 && (strings.Contains(a, b) || strings.Contains(b, a)) {
			found = append(found, program.Join(name, sibling))
		}
	}
	if len(found) > 0 {
		return found
	}
	var full []string
	for _, o := range options {
		full = append(full, o.Name)
		parts := strings.Split(o.Name, ".")
		if strings.EqualFold(parts[len(parts)-1], key) {
			found = append(found, o.Name)
		}
	}
	if len(found) > 0 {
		return found
	}
	return diag.Nearest(program.Join(name, key), full)
}

func sorted(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }

// build makes a Config of the evaluator's answer.
func build(file string, answer *program.Answer) (*Config, error) {
	if answer.Places == nil {
		answer.Places = map[string]Place{}
	}
	c := &checker{places: placeIndex{file: file, exact: answer.Places, named: map[string]string{}}, problems: answer.Problems, bad: map[string]bool{}}
	for _, path := range answer.Failed {
		c.bad[path] = true
	}
	if answer.Value == nil {
		return nil, c.problems.Err()
	}
	var object map[string]any
	if err := json.Unmarshal(answer.Value, &object); err != nil {
		return nil, fmt.Errorf("decode the value of %q: %w", file, err)
	}
	cfg, err := decode(c.level(schema, "", "", object))
	if err != nil {
		return nil, err
	}
	cfg.places, cfg.origins, cfg.files = c.places, map[string]string{}, answer.Files
	cfg.said = object
	c.relations(cfg)
	if len(c.problems) > 0 {
		return nil, c.problems.Err()
	}
	cfg.before = cfg.Canonical()
	for _, m := range modules {
		m.apply(cfg)
	}
	return cfg, nil
}

// decode turns the checked tree into a Config. Both have the same names; a
// test holds that.
func decode(tree map[string]any) (*Config, error) {
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("encode checked options: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	cfg := &Config{}
	if err := dec.Decode(cfg); err != nil {
		return nil, fmt.Errorf("decode checked options: %w", err)
	}
	return cfg, nil
}
