package systemdiff

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An OptionChange is one option: its values in the two systems and who gave
// them.
type OptionChange struct {
	Name     string
	From, To *Option // nil: there is no such option in that system
	// Follows is true when other options made the difference: none of it was
	// set in a file, in either system.
	Follows bool
	// Elements are the differences one by one, when both values are lists, or
	// objects.
	Elements []ElementChange
}

// An ElementChange is one element of a list or object that only one system has,
// or has so.
type ElementChange struct {
	Name     string // in an object; "" in a list
	From, To json.RawMessage
	Source   *Source // of To, or of From where that is gone; nil: a default
}

func compareOptions(from, to *About) []OptionChange {
	var changes []OptionChange
	i, j := 0, 0
	for i < len(from.Options) || j < len(to.Options) {
		var a, b *Option
		switch {
		case j == len(to.Options) || i < len(from.Options) && from.Options[i].Name < to.Options[j].Name:
			a = &from.Options[i]
			i++
		case i == len(from.Options) || to.Options[j].Name < from.Options[i].Name:
			b = &to.Options[j]
			j++
		default:
			a, b = &from.Options[i], &to.Options[j]
			i, j = i+1, j+1
			if a.same(b) {
				continue
			}
		}
		changes = append(changes, compareOption(a, b))
	}
	return changes
}

// same compares values, not who gave them.
func (o *Option) same(other *Option) bool {
	if o.Long != nil && other.Long != nil {
		return *o.Long == *other.Long
	}
	return o.Long == nil && other.Long == nil && bytes.Equal(o.Value, other.Value)
}

func compareOption(a, b *Option) OptionChange {
	c := OptionChange{From: a, To: b}
	var said []Source
	for _, o := range []*Option{a, b} {
		if o != nil {
			c.Name = o.Name
			said = append(said, o.From...)
		}
	}
	c.Elements = elements(a, b)
	if len(c.Elements) > 0 {
		said = nil
		for _, e := range c.Elements {
			if e.Source != nil {
				said = append(said, *e.Source)
			}
		}
	}
	// A value that became a default, or was one, was set in the other system;
	// with no source in either it follows from others.
	c.Follows = !slices.ContainsFunc(said, func(s Source) bool { return s.By == "" || strings.HasPrefix(s.By, "-") })
	return c
}

// elements compares two lists or two objects; it is empty for anything else.
func elements(a, b *Option) []ElementChange {
	if a == nil || b == nil || a.Long != nil || b.Long != nil {
		return nil
	}
	var listA, listB []json.RawMessage
	if json.Unmarshal(a.Value, &listA) == nil && json.Unmarshal(b.Value, &listB) == nil && listA != nil && listB != nil {
		return slices.Concat(missing(a, listA, listB, false), missing(b, listB, listA, true))
	}
	var objectA, objectB map[string]json.RawMessage
	if json.Unmarshal(a.Value, &objectA) != nil || json.Unmarshal(b.Value, &objectB) != nil || objectA == nil || objectB == nil {
		return nil
	}
	all := maps.Clone(objectA)
	maps.Copy(all, objectB)
	var changes []ElementChange
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, is := objectA[name], objectB[name]
		if bytes.Equal(was, is) {
			continue
		}
		e := ElementChange{Name: name, From: was, To: is}
		if is != nil {
			e.Source = b.source(name)
		} else {
			e.Source = a.source(name)
		}
		changes = append(changes, e)
	}
	return changes
}

// missing lists the elements of list, which is o's, that other does not have
// as often.
func missing(o *Option, list, other []json.RawMessage, added bool) []ElementChange {
	count := map[string]int{}
	for _, e := range other {
		count[string(e)]++
	}
	var changes []ElementChange
	for i, e := range list {
		if count[string(e)]--; count[string(e)] >= 0 {
			continue
		}
		c := ElementChange{Source: o.source(strconv.Itoa(i))}
		if added {
			c.To = e
		} else {
			c.From = e
		}
		changes = append(changes, c)
	}
	return changes
}

// source returns who gave an element, or the whole value.
func (o *Option) source(element string) *Source {
	for i := range o.From {
		if s := &o.From[i]; s.Element == element || s.Element == "" {
			return s
		}
	}
	return nil
}
