package tui

import (
	"slices"
	"strconv"
	"strings"
)

// review shows the plan, and the files to read and to change.
func (t *talk) review() error {
	const read, change = "read ", "change "
	what := ""
	f := field{kind: choice, label: "What now?", value: &what, options: []option{{value: "on", label: "Go on"}}}
	var names []string
	for name := range t.m.s.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, ".jsonnet") {
			f.options = append(f.options, option{value: read + name, label: "Read " + name}, option{value: change + name, label: "Change " + name})
		}
	}
	for {
		what = "on"
		if err := t.choose(f, f.options); err != nil {
			return err
		}
		if name, ok := strings.CutPrefix(what, read); ok {
			t.say("\n")
			for n, l := range newEditor(string(t.m.s.Files[name])).lines {
				t.say("%3d %s\n", n+1, l.value())
			}
			t.say("\n")
			continue
		}
		name, ok := strings.CutPrefix(what, change)
		if !ok {
			return nil
		}
		t.m.edit(name)
		err := t.change()
		t.m.mode = asking
		if err != nil {
			return err
		}
	}
}

// change changes the file that is open until it is right, or given up.
func (t *talk) change() error {
	m := t.m
	if work := m.program(); work != nil {
		m.outside(outsideMade(work, t.lend(work)))
	}
	const ask = "Number of the line to change; an empty line keeps the file; " + wordBack + " leaves it as it was"
	for {
		if m.complain != "" {
			t.say("! %s\n", strings.TrimRight(fit(ascii(m.complain), columns-2), "\n"))
			m.complain = ""
		}
		typed, err := t.answer(ask)
		if err == errBack {
			t.say("%s is as it was.\n", m.editing)
			return nil
		}
		if err != nil {
			return err
		}
		if typed == "" {
			if !m.editor.changed() {
				return nil
			}
			if t.do(m.keep()); m.complain == "" {
				t.say("The changes are kept.\n")
				return nil
			}
			m.mode = editing
			continue
		}
		n, err := strconv.Atoi(typed)
		if err != nil || n < 1 || n > len(m.editor.lines) {
			t.say("! A number from 1 to %d.\n", len(m.editor.lines))
			continue
		}
		if err := t.changeLine(n); err != nil {
			return err
		}
	}
}

// changeLine asks for the new text of a line, which is counted from 1.
func (t *talk) changeLine(n int) error {
	e := t.m.editor
	t.say("%3d %s\nThe new text; an empty line leaves it; %s takes it away; + and a text adds a line below: ", n, e.lines[n-1].value(), wordEmpty)
	typed, err := t.in.line()
	if err != nil {
		return err
	}
	more, adds := strings.CutPrefix(typed, "+")
	e.goTo(n-1, 0)
	switch {
	case strings.TrimSpace(typed) == "":
	case strings.TrimSpace(typed) == wordEmpty:
		e.cutLine()
	case adds:
		e.goTo(n-1, maxLine)
		e.insert("\n" + more)
	default:
		e.lines[e.row].remove(0, maxLine)
		e.insert(typed)
	}
	return nil
}

// lend runs a program on the terminal of the questions.
func (t *talk) lend(work Outside) error {
	if in, ok := t.in.(*lineReader); ok {
		work.SetStdin(in.file)
	}
	work.SetStdout(t.out)
	work.SetStderr(t.out)
	return work.Run()
}
