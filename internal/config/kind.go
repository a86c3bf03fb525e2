package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// A kind is the type of an option: it checks a JSON value and returns it in
// the form that Config's fields have.
type kind interface {
	// name is the type in the documentation, such as "list of package names".
	name() string
	// want is what a problem asks for, such as "a list of package names".
	want() string
	// check returns the value to keep, or notes problems and returns !ok.
	check(c *checker, path string, v any) (value any, ok bool)
}

// boolean is true or false.
type boolean struct{}

func (boolean) name() string { return "boolean" }
func (boolean) want() string { return "true or false" }

func (k boolean) check(c *checker, path string, v any) (any, bool) {
	if b, ok := v.(bool); ok {
		return b, true
	}
	do := advise(path, "true")
	if s, ok := v.(string); ok && slices.Contains([]string{"no", "off", "false", "0", ""}, strings.ToLower(s)) || v == 0.0 {
		do = advise(path, "false")
	}
	c.fail(path, "is "+program.Describe(v), k.want(), do)
	return nil, false
}

// integer is a whole number from min to max.
type integer struct {
	min, max int
	unit     string // such as "MiB"; "" for a bare number
	example  int
}

func (k integer) name() string { return "integer" }
func (k integer) want() string {
	of := ""
	if k.unit != "" {
		of = " of " + k.unit
	}
	return fmt.Sprintf("a whole number%s, %d to %d", of, k.min, k.max)
}

func (k integer) check(c *checker, path string, v any) (any, bool) {
	n, ok := v.(float64)
	if ok && n == math.Trunc(n) && n >= float64(k.min) && n <= float64(k.max) {
		return int(n), true
	}
	suggestion := k.example
	if ok {
		suggestion = int(math.Round(math.Max(float64(k.min), math.Min(float64(k.max), n))))
	} else if s, isString := v.(string); isString {
		if n, err := strconv.Atoi(s); err == nil && n >= k.min && n <= k.max {
			suggestion = n
		}
	}
	c.fail(path, "is "+program.Describe(v), k.want(), advise(path, strconv.Itoa(suggestion)))
	return nil, false
}

// advise says how to write a value, given in Jsonnet, at a path.
func advise(path, value string) string {
	name := last(path)
	if name == "" {
		return "write " + value
	}
	return "write " + name + ": " + value
}

// last is the last part of a path, as it is written in a file: "" for an
// element of a list.
func last(path string) string {
	part := strings.TrimPrefix(strings.TrimPrefix(path, program.Parent(path)), ".")
	if inner, ok := strings.CutPrefix(part, "["); ok {
		inner = strings.TrimSuffix(inner, "]")
		if name, err := strconv.Unquote(inner); err == nil {
			return "'" + strings.ReplaceAll(name, "'", `\'`) + "'"
		}
		return ""
	}
	return part
}

// text is a string of some format.
type text struct{ format }

func (k text) name() string { return k.format.name }
func (k text) want() string { return k.format.want }

func (k text) check(c *checker, path string, v any) (any, bool) {
	s, ok := v.(string)
	if !ok {
		c.fail(path, "is "+program.Describe(v), k.format.want, k.advice(path, ""))
		return nil, false
	}
	if k.ok(s) {
		return s, true
	}
	got := "is " + program.Describe(v)
	if looksPrivate(s) {
		got = errPrivateKey.Error() // and is not shown
	}
	c.fail(path, got, k.format.want, k.advice(path, s))
	return nil, false
}

func (k text) advice(path, s string) string {
	better := k.example
	if k.mend != nil {
		if mended := k.mend(s); mended != "" && k.ok(mended) {
			better = mended
		}
	}
	return advise(path, "'"+better+"'")
}

// enum is one of a few strings.
type enum []string

func (k enum) name() string { return "one of " + strings.Join(quoteAll(k), ", ") }
func (k enum) want() string { return k.name() }

func (k enum) check(c *checker, path string, v any) (any, bool) {
	s, ok := v.(string)
	if ok && slices.Contains(k, s) {
		return s, true
	}
	better := k[0]
	if near := diag.Nearest(s, k); ok && len(near) > 0 {
		better = near[0]
	}
	c.fail(path, "is "+program.Describe(v), k.want(), advise(path, "'"+better+"'"))
	return nil, false
}

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "'" + n + "'"
	}
	return quoted
}

// list is a list of one kind. With unique, a value that comes again is left
// out: modules and people ask for the same package. Bad elements are left out,
// too, so that the good ones can still be compared with other options.
type list struct {
	of     kind
	plural string // of the elements: "package names"
	unique bool
}

func (k list) name() string { return "list of " + k.plural }
func (k list) want() string { return "a list of " + k.plural }

func (k list) check(c *checker, path string, v any) (any, bool) {
	elements, ok := v.([]any)
	if !ok {
		do := advise(path, "[]")
		if s, isString := v.(string); isString {
			if fields := strings.Fields(s); len(fields) > 0 {
				do = advise(path, "["+strings.Join(quoteAll(fields), ", ")+"]")
			}
		}
		c.fail(path, "is "+program.Describe(v), k.want(), do)
		return nil, false
	}
	kept := []any{}
	for i, e := range elements {
		if e == nil { // if condition then 'package' gives null without an else
			continue
		}
		value, ok := k.of.check(c, program.Join(path, i), e)
		if !ok || k.unique && slices.Contains(kept, value) {
			continue
		}
		if len(kept) < i {
			c.places.move(program.Join(path, i), program.Join(path, len(kept)))
		}
		kept = append(kept, value)
	}
	return kept, true
}

// attrs is an object with free names.
type attrs struct {
	key    format
	of     kind
	plural string // of the values: "strings"
}

func (k attrs) name() string { return "object of " + k.plural + ", by " + k.key.name }
func (k attrs) want() string { return "an object of " + k.plural }

func (k attrs) check(c *checker, path string, v any) (any, bool) {
	object, ok := v.(map[string]any)
	if !ok {
		c.fail(path, "is "+program.Describe(v), k.want(), advise(path, "{}"))
		return nil, false
	}
	kept := map[string]any{}
	for _, name := range sorted(object) {
		if object[name] == nil {
			continue
		}
		if !k.key.ok(name) {
			c.fail(program.Join(path, name), "is no good name", k.key.want, "write '"+k.key.example+"'")
			continue
		}
		if value, ok := k.of.check(c, program.Join(path, name), object[name]); ok {
			kept[name] = value
		}
	}
	return kept, true
}

// object is an object of another program's words, which are not checked here.
type object struct{}

func (object) name() string { return "object" }
func (object) want() string { return "an object" }

func (k object) check(c *checker, path string, v any) (any, bool) {
	if o, ok := v.(map[string]any); ok {
		return o, true
	}
	c.fail(path, "is "+program.Describe(v), k.want(), advise(path, "{}"))
	return nil, false
}

// record is an object with fixed fields, all wanted, as an element of a list.
type record []field

type field struct {
	name string
	kind kind
}

func (k record) name() string {
	names := make([]string, len(k))
	for i, f := range k {
		names[i] = f.name
	}
	return "{ " + strings.Join(names, ", ") + " }"
}
func (k record) want() string { return "an object " + k.name() }

func (k record) check(c *checker, path string, v any) (any, bool) {
	object, ok := v.(map[string]any)
	if !ok {
		c.fail(path, "is "+program.Describe(v), k.want(), "write an object with these fields")
		return nil, false
	}
	kept, whole := map[string]any{}, true
	var names []string
	for _, f := range k {
		names = append(names, f.name)
		if object[f.name] == nil {
			c.fail(path, "has no field "+strconv.Quote(f.name), k.want(), "add "+f.name+": …, "+f.kind.want())
			whole = false
			continue
		}
		value, ok := f.kind.check(c, program.Join(path, f.name), object[f.name])
		if whole = whole && ok; ok {
			kept[f.name] = value
		}
	}
	for _, name := range sorted(object) {
		if !slices.Contains(names, name) {
			c.fail(program.Join(path, name), "is no field of "+k.name(), k.want(), "remove it")
			whole = false
		}
	}
	return kept, whole
}

// scalar is what a file in /proc or /etc takes as text: a string, a whole
// number or a boolean, kept as a string. Booleans become yes and no of the
// place's own spelling.
type scalar struct {
	yes, no string
	format  format
}

func (k scalar) name() string { return "string or integer" }
func (k scalar) want() string { return k.format.want }

func (k scalar) check(c *checker, path string, v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		if k.yes == "" {
			break
		}
		if v {
			return k.yes, true
		}
		return k.no, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return program.Number(v), true
		}
	case string:
		if k.format.ok(v) {
			return v, true
		}
	}
	c.fail(path, "is "+program.Describe(v), k.want(), advise(path, k.format.example))
	return nil, false
}
