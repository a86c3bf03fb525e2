package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// edit opens a file of the configuration.
func (m *Model) edit(name string) {
	data, ok := m.s.Files[name]
	if !ok {
		m.complain = "The plan has no " + name + "."
		return
	}
	m.mode, m.editing, m.editor, m.complain = editing, name, newEditor(string(data)), ""
}

func (m *Model) editKey(k tea.KeyPressMsg) tea.Cmd {
	switch k.Keystroke() {
	case "ctrl+s":
		if !m.editor.changed() {
			m.mode, m.complain = asking, ""
			return nil
		}
		return m.keep()
	case "ctrl+o":
		return m.editOutside()
	}
	m.complain = ""
	m.editor.key(k, m.bodyHeight())
	return nil
}

// editOutside hands the text to the editor that a person has chosen, and takes
// back what that made of it.
func (m *Model) editOutside() tea.Cmd {
	work := m.program()
	if work == nil {
		return nil
	}
	return tea.Exec(settled{work}, func(err error) tea.Msg { return outsideMade(work, err) })
}

// settled runs a program once the renderer has come to its end. bubbletea 2.0.10
// only asks it to stop (stopRenderer in tea.go), and the goroutine that is asked
// stops the ticker that the next renderer goes by, at once or, on a busy
// machine, after that has started: the screen then stayed blank for good where
// the program was over soon, as one is that cannot be started.
type settled struct{ Outside }

func (s settled) Run() error {
	time.Sleep(settling)
	return s.Outside.Run()
}

// settling is long for a goroutine that is ready to run, and short for a person.
const settling = 100 * time.Millisecond

// program is the editor, ready to run; nil when there is none.
func (m *Model) program() Outside {
	if m.s.Actions.Edit == nil {
		return nil
	}
	work, err := m.s.Actions.Edit(m.editing, []byte(m.editor.value()))
	if err != nil {
		m.complain = err.Error()
		return nil
	}
	return work
}

func outsideMade(work Outside, err error) outsideMsg {
	text, readErr := work.Text()
	if err == nil {
		err = readErr
	}
	return outsideMsg{text, err}
}

func (m *Model) outside(msg outsideMsg) {
	if m.mode != editing {
		return
	}
	if msg.err == nil && !utf8.Valid(msg.text) {
		msg.err = errors.New("what it wrote is not UTF-8 text")
	}
	if msg.err != nil {
		m.complain = m.s.Editor + ": " + msg.err.Error()
		return
	}
	m.complain = ""
	m.editor.replace(string(msg.text))
}

// placeIn is where a complaint says that a file is wrong, both from 0.
func placeIn(complaint, file string) (row, column int, ok bool) {
	for line := range strings.Lines(complaint) {
		rest, found := strings.CutPrefix(strings.TrimSpace(line), file+":")
		if !found {
			continue
		}
		if n, _ := fmt.Sscanf(rest, "%d:%d", &row, &column); n > 0 {
			return max(0, row-1), max(0, column-1), true
		}
	}
	return 0, 0, false
}

// keep takes an edited file over when it is right.
func (m *Model) keep() tea.Cmd {
	files := map[string][]byte{}
	for name, data := range m.s.Files {
		files[name] = data
	}
	files[m.editing] = []byte(m.editor.value())
	check := m.s.Actions.CheckFiles
	if check == nil {
		return func() tea.Msg { return checkedMsg{} }
	}
	m.mode, m.gone = waiting, false
	ctx, stop := context.WithCancel(m.ctx)
	m.stop = stop
	return func() tea.Msg {
		defer stop()
		if err := check(ctx, files); err != nil {
			return checkedMsg{err.Error()}
		}
		return checkedMsg{}
	}
}

func (m *Model) checked(msg checkedMsg) {
	m.mode = editing
	if m.gone {
		m.gone = false
		return
	}
	m.complain = msg.complaint
	if row, column, ok := placeIn(msg.complaint, m.editing); ok {
		m.editor.goTo(row, column)
	}
	if msg.complaint == "" {
		m.s.edited(m.editing, []byte(m.editor.value()))
		m.mode = asking
	}
}
