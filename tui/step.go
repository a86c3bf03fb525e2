package tui

import (
	"context"
	"strings"
)

// A kind is how a field is answered.
type kind int

const (
	choice kind = iota // one of several, below each other
	search             // one of many: typing narrows them down
	text               // a line
	secret             // a line that is not shown
)

// A field asks for one thing.
type field struct {
	id      string
	kind    kind
	label   string
	help    string
	options []option
	value   *string
	repeats bool // the field before it
	// check says what is wrong with the value, "" when nothing is. It is asked
	// when somebody leaves the field.
	check func() string
	// live says what is wrong already while it is being typed.
	live func() string
	// hint is advice on the value, "" when there is none. It stops nobody.
	hint func() string
}

// An option can be chosen.
type option struct {
	value, label string
	detail       []string // lines below it
}

// complaint judges the field as it stands.
func (f field) complaint() string {
	if f.live != nil {
		if c := f.live(); c != "" {
			return c
		}
	}
	if f.check != nil {
		return f.check()
	}
	return ""
}

// narrowed are the options that have what was typed in them.
func (f field) narrowed(typed string) []option {
	if typed == "" {
		return f.options
	}
	fold := func(s string) string { return strings.NewReplacer("_", " ", "-", " ").Replace(strings.ToLower(s)) }
	var some []option
	for _, o := range f.options {
		if strings.Contains(fold(o.value+" "+o.label), fold(typed)) {
			some = append(some, o)
		}
	}
	return some
}

// A step is one screen.
type step struct {
	id, title string
	// text stands above the fields, for a screen of so many columns.
	text func(s *Session, width int) string
	// fields may depend on what was said.
	fields func(s *Session) []field
	// leave is asked before going on, when all fields are right: something that
	// takes a while. It returns what to do on the session afterwards, and a
	// complaint that keeps the person here.
	leave func(s *Session) func(context.Context) (after func(*Session), complaint string)
	keys  string // further keys, for the last line
	hint  string // about keys; stands below the text of a screen
}

func (p step) list(s *Session) []field {
	if p.fields == nil {
		return nil
	}
	return p.fields(s)
}
