package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// A form is where somebody is on one step.
type form struct {
	focus  int
	lines  map[string]*line  // of text fields
	typed  map[string]string // into the searches
	wrong  map[string]string // complaints, by field
	reveal bool              // secrets are shown
	scroll int               // lines that the text was moved up by hand
}

func newForm() *form {
	return &form{lines: map[string]*line{}, typed: map[string]string{}, wrong: map[string]string{}}
}

func (f *form) line(fd field) *line {
	l := f.lines[fd.id]
	if l == nil || l.value() != *fd.value {
		l = newLine(*fd.value)
		f.lines[fd.id] = l
	}
	return l
}

// An answer of a form to a key.
type answer int

const (
	stay answer = iota
	on          // every field is answered
)

// key does what a key does to the fields. It changes what they point to.
func (f *form) key(k tea.KeyPressMsg, fields []field) answer {
	if len(fields) == 0 {
		if k.Keystroke() == "enter" {
			return on
		}
		f.move(k)
		return stay
	}
	f.focus = min(f.focus, len(fields)-1)
	fd := fields[f.focus]
	switch k.Keystroke() {
	case "enter":
		return f.next(fields, true)
	case "tab":
		f.next(fields, false)
		return stay
	case "shift+tab":
		f.leave(fd)
		f.focus = max(f.focus-1, 0)
		return stay
	case "f2", "ctrl+t":
		f.reveal = !f.reveal
		return stay
	case "pgup", "pgdown":
		if fd.kind != search {
			f.move(k)
			return stay
		}
	}
	f.scroll = 0
	switch fd.kind {
	case text, secret:
		switch k.Keystroke() {
		case "up":
			f.leave(fd)
			f.focus = max(f.focus-1, 0)
		case "down":
			f.leave(fd)
			f.focus = min(f.focus+1, len(fields)-1)
		default:
			if l := f.line(fd); l.key(k) {
				*fd.value = l.value()
				delete(f.wrong, fd.id)
			}
		}
	default:
		f.choose(k, fd, len(fields))
	}
	return stay
}

// choose moves within a choice; at its ends to the fields beside it.
func (f *form) choose(k tea.KeyPressMsg, fd field, fields int) {
	options := fd.narrowed(f.typed[fd.id])
	at := slices.IndexFunc(options, func(o option) bool { return o.value == *fd.value })
	to, page := at, 10
	switch key := k.Keystroke(); key {
	case "up":
		if to--; at <= 0 && f.focus > 0 {
			f.focus--
			return
		}
	case "down":
		if to++; at == len(options)-1 && f.focus < fields-1 {
			f.leave(fd)
			f.focus++
			return
		}
	case "pgup":
		to -= page
	case "pgdown":
		to += page
	case "home":
		to = 0
	case "end":
		to = len(options) - 1
	case "backspace", "ctrl+h":
		if typed := []rune(f.typed[fd.id]); len(typed) > 0 {
			f.typed[fd.id] = string(typed[:len(typed)-1])
		}
		return
	case "ctrl+u":
		f.typed[fd.id] = ""
		return
	default:
		if fd.kind == search {
			f.search(fd, k.Text)
		} else if k.Text == " " && at < 0 {
			to = 0
			break
		}
		return
	}
	if len(options) > 0 {
		*fd.value = options[max(0, min(to, len(options)-1))].value
		delete(f.wrong, fd.id)
	}
}

// search adds to what the options are narrowed by. Letters that would leave
// none are not taken.
func (f *form) search(fd field, letters string) {
	typed := f.typed[fd.id] + letters
	options := fd.narrowed(typed)
	if letters == "" || len(options) == 0 {
		return
	}
	f.typed[fd.id] = typed
	if i := slices.IndexFunc(options, func(o option) bool { return strings.EqualFold(o.value, typed) }); i >= 0 {
		*fd.value = options[i].value
	}
	if !slices.ContainsFunc(options, func(o option) bool { return o.value == *fd.value }) {
		*fd.value = options[0].value
	}
	delete(f.wrong, fd.id)
}

// next leaves the field for the one below. From the last one it goes on when
// every field is right, else to the first that is not.
func (f *form) next(fields []field, done bool) answer {
	f.scroll = 0
	fd := fields[f.focus]
	if !f.leave(fd) && done {
		return stay
	}
	if f.focus < len(fields)-1 {
		f.focus++
		return stay
	}
	if !done {
		return stay
	}
	for i, fd := range fields {
		if !f.leave(fd) {
			f.focus = i
			return stay
		}
	}
	return on
}

// leave judges a field.
func (f *form) leave(fd field) bool {
	c := fd.complaint()
	if c == "" {
		delete(f.wrong, fd.id)
		return true
	}
	f.wrong[fd.id] = c
	return false
}

// paste inserts text where typing goes.
func (f *form) paste(content string, fields []field) {
	if f.focus >= len(fields) {
		return
	}
	switch fd := fields[f.focus]; fd.kind {
	case text, secret:
		l := f.line(fd)
		l.insert(strings.ReplaceAll(strings.TrimRight(content, "\r\n"), "\n", " "))
		*fd.value = l.value()
		delete(f.wrong, fd.id)
	case search:
		f.search(fd, strings.TrimSpace(content))
	}
}

// move scrolls text.
func (f *form) move(k tea.KeyPressMsg) {
	switch k.Keystroke() {
	case "up":
		f.scroll--
	case "down":
		f.scroll++
	case "pgup":
		f.scroll -= 16
	case "pgdown", "space":
		f.scroll += 16
	case "home":
		f.scroll = 0
	case "end":
		f.scroll = 1 << 20
	}
}
