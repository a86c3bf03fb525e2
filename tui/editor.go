package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// maxText bounds a text that is edited, in bytes.
const maxText = 1 << 20

// An editor changes a text of several lines.
type editor struct {
	lines  []*line
	row    int
	top    int // first row that is shown
	before string
	size   int
}

func newEditor(value string) *editor {
	e := &editor{before: value, size: len(value)}
	for _, l := range strings.Split(strings.TrimSuffix(value, "\n"), "\n") {
		at := newLine("")
		at.runes = []rune(strings.ReplaceAll(l, "\t", "  "))
		e.lines = append(e.lines, at)
	}
	return e
}

func (e *editor) value() string {
	var b strings.Builder
	for _, l := range e.lines {
		b.WriteString(l.value() + "\n")
	}
	return b.String()
}

func (e *editor) changed() bool { return e.value() != newEditor(e.before).value() }

// replace exchanges the whole text and stays near the row.
func (e *editor) replace(text string) {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	fresh := newEditor(text)
	e.lines, e.size, e.row = fresh.lines, fresh.size, min(e.row, len(fresh.lines)-1)
}

// goTo puts the cursor at a row and column, or as near as there is text.
func (e *editor) goTo(row, column int) {
	e.row = max(0, min(row, len(e.lines)-1))
	e.lines[e.row].at = max(0, min(column, len(e.lines[e.row].runes)))
}

// to moves to a row and keeps the column.
func (e *editor) to(row int) {
	column := e.lines[e.row].at
	e.row = max(0, min(row, len(e.lines)-1))
	e.lines[e.row].at = min(column, len(e.lines[e.row].runes))
}

// key does what a key does to the text. page is how many rows are shown.
func (e *editor) key(k tea.KeyPressMsg, page int) {
	l := e.lines[e.row]
	key := k.Keystroke()
	switch key {
	case "up":
		e.to(e.row - 1)
		return
	case "down":
		e.to(e.row + 1)
		return
	case "pgup":
		e.to(e.row - page + 1)
		return
	case "pgdown":
		e.to(e.row + page - 1)
		return
	case "ctrl+home":
		e.to(0)
		return
	case "ctrl+end":
		e.to(len(e.lines) - 1)
		return
	}
	switch {
	case key == "enter":
		e.split()
	case (key == "backspace" || key == "ctrl+h") && l.at == 0:
		if e.row > 0 {
			e.join(e.row - 1)
		}
	case (key == "delete" || key == "ctrl+d") && l.at == len(l.runes):
		if e.row < len(e.lines)-1 {
			e.join(e.row)
		}
	case key == "ctrl+k" && l.at == len(l.runes) && e.row < len(e.lines)-1:
		e.join(e.row)
	case key == "tab":
		e.insert("  ")
	case k.Text != "":
		e.insert(k.Text)
	default:
		l.key(k)
	}
}

// insert puts text at the cursor, line ends too.
func (e *editor) insert(text string) {
	if e.size+len(text) > maxText {
		return
	}
	e.size += len(text)
	for i, part := range strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n") {
		if i > 0 {
			e.split()
		}
		e.lines[e.row].insert(strings.ReplaceAll(part, "\t", "  "))
	}
}

func (e *editor) split() {
	l := e.lines[e.row]
	rest := &line{runes: append([]rune(nil), l.runes[l.at:]...)}
	l.runes = l.runes[:l.at]
	e.lines = append(e.lines[:e.row+1], append([]*line{rest}, e.lines[e.row+1:]...)...)
	e.row++
}

// cutLine takes the row of the cursor away.
func (e *editor) cutLine() {
	if len(e.lines) == 1 {
		e.lines[0] = newLine("")
		return
	}
	e.lines = append(e.lines[:e.row], e.lines[e.row+1:]...)
	e.row = min(e.row, len(e.lines)-1)
}

// join appends the row below to a row.
func (e *editor) join(row int) {
	l, below := e.lines[row], e.lines[row+1]
	l.at = len(l.runes)
	l.runes = append(l.runes, below.runes...)
	e.lines = append(e.lines[:row+1], e.lines[row+2:]...)
	e.row = row
}

// show returns the rows that height lines have room for, and where the cursor
// is in them. A row that goes on ends in >.
func (e *editor) show(width, height int) (rows []string, column, row int) {
	e.top = max(min(e.top, e.row), e.row-height+1)
	e.top = max(0, min(e.top, len(e.lines)-height))
	digits := len(fmt.Sprint(len(e.lines)))
	room := width - digits - 1
	from := e.lines[e.row].left(room) // all rows are moved as far as that of the cursor
	for n := e.top; n < min(e.top+height, len(e.lines)); n++ {
		runes := e.lines[n].runes
		shown := string(runes[min(from, len(runes)):])
		if ansi.StringWidth(shown) > room {
			shown = ansi.Truncate(shown, room-1, "") + ">"
		}
		number := fmt.Sprintf("%*d ", digits, n+1)
		if n == e.row {
			column, row = ansi.StringWidth(number)+ansi.StringWidth(string(runes[from:e.lines[n].at])), n-e.top
		}
		rows = append(rows, number+shown)
	}
	return rows, column, row
}
