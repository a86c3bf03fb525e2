package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// The least terminal that the screens are drawn on.
const minWidth, minHeight = 80, 24

// around is what head and foot of a screen take, in lines.
const around = 4

func (m *Model) bodyHeight() int { return max(1, m.height-around) }

// SGR sequences: bold, reverse and red say again what is said in letters.
func bold(s string) string    { return "\x1b[1m" + s + "\x1b[0m" }
func reverse(s string) string { return "\x1b[7m" + s + "\x1b[0m" }
func red(s string) string     { return "\x1b[31m" + s + "\x1b[0m" }

// A page is the body of a screen before it is cut to the height.
type page struct {
	lines      []string
	begin, end int // lines that have to be seen
	x, y       int // of the cursor; y < 0: there is none
}

// View draws the screen.
func (m *Model) View() tea.View {
	v := tea.NewView("")
	v.AltScreen = true
	switch {
	case m.width == 0:
		v.SetContent(title)
		return v
	case m.small():
		v.SetContent(fmt.Sprintf("%s\nThe terminal is too small:\n%d columns, %d lines.\nIt takes %d and %d.", title, m.width, m.height, minWidth, minHeight))
		return v
	}
	var foot []string
	if m.complain != "" {
		text := strings.TrimRight(fit(ascii(m.complain), m.width-2), "\n")
		for _, l := range strings.Split(text, "\n") {
			foot = append(foot, red("! "+l))
		}
		if most := m.bodyHeight() / 2; len(foot) > most {
			foot = append(foot[:most-1], red("! ..."))
		}
	}
	height := m.bodyHeight() - len(foot)
	head, keys, body := m.page(height)
	lines, above, below := m.window(&body, height)
	out := []string{m.head(head), strings.Repeat("-", m.width)}
	for _, l := range lines {
		out = append(out, ansi.Truncate(l, m.width, "~"))
	}
	for len(out) < 2+height {
		out = append(out, "")
	}
	out = append(out, foot...)
	out = append(out, m.rule(above, below), cut(keys, m.width))
	v.SetContent(strings.Join(out, "\n"))
	if body.y >= 0 {
		v.Cursor = tea.NewCursor(min(body.x, m.width-1), body.y+2)
		v.Cursor.Blink = false
	}
	return v
}

// head is the first line: what this is and where one is.
func (m *Model) head(where string) string {
	space := m.width - len(title) - ansi.StringWidth(where)
	return bold(title) + strings.Repeat(" ", max(1, space)) + where
}

// rule is the line above the keys. It says whether there is more.
func (m *Model) rule(above, below bool) string {
	more := map[[2]bool]string{{true, true}: " more above and below: PgUp PgDn ", {true, false}: " more above: PgUp ", {false, true}: " more below: PgDn "}[[2]bool{above, below}]
	return strings.Repeat("-", m.width-len(more)-2*min(1, len(more))) + more + strings.Repeat("-", 2*min(1, len(more)))
}

// page is what is to be seen: the heading, the keys and the body.
func (m *Model) page(height int) (head, keys string, body page) {
	if p, ok := m.screen(); ok {
		head = p.title
		keys = "Enter go on   Esc back   Ctrl-C leave"
		if m.asked == "" && m.mode == asking {
			head = fmt.Sprintf("%s (%d of %d)", p.title, m.at+1, len(m.steps))
			if m.at == 0 {
				keys = "Enter go on   Esc leave"
			}
		}
		if m.asked == "" && m.mode != asking {
			keys = "Enter choose   Ctrl-C leave"
		} else if m.asked != "" {
			keys = "Enter choose   Esc back"
		}
		if p.keys != "" {
			keys += "   " + p.keys
		}
		return head, keys, m.form(p.id).page(m.s, p, m.width, height)
	}
	switch m.mode {
	case editing:
		rows, x, y := m.editor.show(m.width, height)
		keys := "Ctrl-S keep   Esc back   PgUp PgDn move"
		if m.s.Actions.Edit != nil {
			keys += "   Ctrl-O open in " + m.s.Editor
		}
		return m.editing, keys, page{lines: rows, x: x, y: y, begin: 0, end: 0}
	case measuring:
		return "Measuring the latency", "Esc stop", page{lines: strings.Split(strings.TrimRight(m.measuringText(m.width, height), "\n"), "\n"), y: -1}
	case running:
		return "Installing", "Ctrl-C stop", page{lines: strings.Split(strings.TrimRight(runningText(m.s.Plan, m.far, m.width), "\n"), "\n"), y: -1}
	}
	return m.steps[m.at].title, "Esc back   Ctrl-C leave", page{lines: []string{"One moment ..."}, y: -1}
}

// page lays out text and fields.
func (f *form) page(s *Session, p step, width, height int) page {
	body := page{y: -1}
	if p.text != nil {
		if text := strings.TrimRight(p.text(s, width), "\n"); text != "" {
			body.lines = strings.Split(text, "\n")
		}
	}
	if p.hint != "" {
		body.lines = append(append(body.lines, ""), strings.Split(strings.TrimRight(wrap(p.hint, width), "\n"), "\n")...)
	}
	fields := p.list(s)
	f.focus = max(0, min(f.focus, len(fields)-1))
	for n, fd := range fields {
		if len(body.lines) > 0 && (fd.kind == choice || fd.kind == search || n == 0 || fields[n-1].kind != text && fields[n-1].kind != secret) {
			body.lines = append(body.lines, "")
		}
		f.field(&body, fd, n == f.focus, width, height)
	}
	return body
}

// field lays out one field. The one in focus sets the cursor.
func (f *form) field(body *page, fd field, focus bool, width, height int) {
	add := func(line string) { body.lines = append(body.lines, line) }
	begin := len(body.lines)
	mark := "  "
	if focus {
		mark = "> "
	}
	label := mark + fd.label
	switch fd.kind {
	case text, secret:
		label = fmt.Sprintf("%-20s", label+":") + " ["
		room := width - ansi.StringWidth(label) - 2
		shown, x := f.line(fd).show(room, fd.kind == secret && !f.reveal)
		if focus {
			body.x, body.y = ansi.StringWidth(label)+x, begin
			add(bold(label[:len(label)-2]) + " [" + shown + strings.Repeat(" ", max(0, room-ansi.StringWidth(shown))) + "]")
		} else {
			add(label + shown + strings.Repeat(" ", max(0, room-ansi.StringWidth(shown))) + "]")
		}
	default:
		if typed := f.typed[fd.id]; fd.kind == search {
			label += ": type to search [" + typed + "]"
		}
		if focus {
			label = bold(label)
		}
		add(label)
		f.options(body, fd, focus, width, height-len(body.lines)-1)
	}
	if focus {
		if fd.help != "" {
			for l := range strings.Lines(hang("    ", fd.help, width)) {
				add(strings.TrimRight(l, "\n"))
			}
		}
		if fd.hint != nil {
			if hint := fd.hint(); hint != "" {
				for l := range strings.Lines(hang("    Weak: ", "it "+hint+".", width)) {
					add(strings.TrimRight(l, "\n"))
				}
			}
		}
		body.begin, body.end = begin, len(body.lines)-1
		if (fd.kind == choice || fd.kind == search) && body.y >= 0 {
			body.begin = min(body.y, begin)
			if body.y-begin >= height {
				body.begin = body.y
			}
		}
	}
	wrong := f.wrong[fd.id]
	if fd.live != nil {
		if live := fd.live(); live != "" {
			wrong = live
		}
	}
	if wrong != "" {
		for _, l := range strings.Split(strings.TrimRight(hang("  ! ", fd.label+" "+ascii(wrong), width), "\n"), "\n") {
			add(red(l))
		}
		if focus {
			body.end = len(body.lines) - 1
		}
	}
}

// options lays out what can be chosen. Of a search, room lines are shown.
func (f *form) options(body *page, fd field, focus bool, width, room int) {
	options := fd.narrowed(f.typed[fd.id])
	at := slices.IndexFunc(options, func(o option) bool { return o.value == *fd.value })
	if fd.kind == search {
		room = max(3, room)
		from := max(0, min(at-room/2, len(options)-room))
		options = options[from:min(from+room, len(options))]
		at -= from
	}
	first := len(body.lines)
	for n, o := range options {
		line := "    ( ) "
		if n == at {
			line = "    (*) "
			if focus {
				line = "  > (*) "
			}
		}
		line = cut(line+show(fd, o), width)
		if n == at && focus {
			body.x, body.y = 2, len(body.lines)
			line = line[:4] + reverse(line[4:])
		}
		body.lines = append(body.lines, line)
		for _, d := range o.detail {
			body.lines = append(body.lines, cut("          "+d, width))
		}
	}
	if focus && body.y < 0 {
		body.x, body.y = 5, min(first, len(body.lines)-1)
	}
}

// show is the line of an option: of a search, with its name.
func show(fd field, o option) string {
	switch {
	case fd.kind != search:
		return o.label
	case o.label == "":
		return o.value
	}
	return fmt.Sprintf("%-22s %s", o.value, o.label)
}

// window cuts a body to the height, around what has to be seen, and moves it as
// far as somebody has scrolled.
func (m *Model) window(b *page, height int) (lines []string, above, below bool) {
	top := 0
	if b.end >= height {
		top = b.end - height + 1
	}
	if b.begin < top {
		top = b.begin
	}
	most := max(0, len(b.lines)-height)
	if p, ok := m.screen(); ok {
		f := m.form(p.id)
		f.scroll = max(-top, min(f.scroll, most-top))
		top += f.scroll
	}
	top = max(0, min(top, most))
	end := min(top+height, len(b.lines))
	if b.y -= top; b.y >= height {
		b.y = -1
	}
	return b.lines[top:end], top > 0, end < len(b.lines)
}
