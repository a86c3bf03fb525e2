package advice

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A rule adds what it has to say about a machine.
type rule struct {
	name   string
	source string
	do     func(*machine, *adding)
}

// adding is how a rule speaks.
type adding struct {
	m    *machine
	rule rule
}

// set chooses a value.
func (a *adding) set(option string, value any, reasons ...string) {
	a.setting(Setting{Option: option, Value: value, Reasons: reasons})
}

// add chooses one more element of a list, or line of a text.
func (a *adding) add(option string, value any, reasons ...string) {
	a.setting(Setting{Option: option, Value: value, Add: true, Reasons: reasons})
}

// offer explains a value and leaves it to people; risk is what it costs.
func (a *adding) offer(option string, value any, add bool, risk string, reasons ...string) {
	a.setting(Setting{Option: option, Value: value, Add: add, Reasons: reasons, Offered: true, Risk: risk})
}

// setting keeps one. The same element asked for twice is there once, with the
// reasons of both; of two values of one option the first rule's stands.
func (a *adding) setting(s Setting) {
	s.Rule, s.Source = a.rule.name, a.rule.source
	for i := range a.m.Settings {
		old := &a.m.Settings[i]
		if old.Option != s.Option || old.Offered != s.Offered || old.Add && !reflect.DeepEqual(old.Value, s.Value) {
			continue
		}
		if reflect.DeepEqual(old.Value, s.Value) {
			for _, r := range s.Reasons {
				if !slices.Contains(old.Reasons, r) {
					old.Reasons = append(old.Reasons, r)
				}
			}
		}
		return
	}
	a.m.Settings = append(a.m.Settings, s)
}

func (a *adding) note(to *[]Note, text string, devices ...string) *Note {
	n := Note{Text: text, Devices: devices, Rule: a.rule.name, Source: a.rule.source}
	for i := range *to {
		if (*to)[i].Text == text {
			return &(*to)[i]
		}
	}
	*to = append(*to, n)
	return &(*to)[len(*to)-1]
}

func (a *adding) hand(text string, devices ...string) *Note {
	return a.note(&a.m.Hands, text, devices...)
}
func (a *adding) conflict(text string, devices ...string) {
	a.note(&a.m.Conflicts, text, devices...)
}
func (a *adding) say(text string, devices ...string) { a.note(&a.m.Notes, text, devices...) }
func (a *adding) unknown(text string, devices ...string) {
	a.note(&a.m.Unknown, text, devices...)
}

func (a *adding) grade(device, name string, level GradeLevel, why string) {
	a.m.Grades = append(a.m.Grades, Grade{Device: device, Name: name, Grade: level, Why: why, Source: a.rule.source})
}

// has says whether a setting is chosen; value nil is any.
func (m *machine) has(option string, value any) bool {
	return slices.ContainsFunc(m.Settings, func(s Setting) bool {
		return s.Option == option && !s.Offered && (value == nil || reflect.DeepEqual(s.Value, value))
	})
}

// carried says whether packages are at hand.
func (m *machine) carried(packages []string) bool {
	return m.Wants.Carried == nil || !slices.ContainsFunc(packages, func(p string) bool { return !slices.Contains(m.Wants.Carried, p) })
}

// withhold turns settings whose packages are not at hand into offers: without
// a network they would stop the installation. What is only offered says so.
func (m *machine) withhold() {
	for i := range m.Settings {
		s := &m.Settings[i]
		switch need := PackagesFor(*s); {
		case m.carried(need):
		case s.Offered && len(s.Lacks) == 0:
			// All that is offered together keeps its one explanation.
			risk := s.Risk
			for j := range m.Settings {
				if o := &m.Settings[j]; o.Offered && o.Rule == s.Rule && o.Risk == risk && slices.Equal(o.Reasons, s.Reasons) {
					o.Risk += " " + lacking(need)
				}
			}
		case !s.Offered:
			s.Offered, s.Risk, s.Lacks = true, lacking(need), need
		}
	}
}

// lacking is what it costs to choose what needs packages that are not at hand.
func lacking(packages []string) string {
	return fmt.Sprintf("It needs %s, which %s not at hand here: choose it where there is a network.",
		list(packages), map[bool]string{true: "is", false: "are"}[len(packages) == 1])
}

// order sorts settings by option. What adds to one option keeps the order of
// the rules.
func (m *machine) order() {
	slices.SortStableFunc(m.Settings, func(a, b Setting) int {
		if a.Offered != b.Offered {
			return map[bool]int{true: 1, false: -1}[a.Offered]
		}
		return cmp.Or(strings.Compare(a.Option, b.Option), 0)
	})
}

// key writes a step of an option's path that is no plain name.
func key(name string) string { return fmt.Sprintf("[%q]", name) }
