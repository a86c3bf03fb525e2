package tui

import (
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// maxLine bounds what a line takes, in characters: a public key of RSA with
// 16384 bits has 2,800.
const maxLine = 4096

// A line is one that is being typed.
type line struct {
	runes []rune
	at    int // the cursor stands before this one
}

func newLine(value string) *line {
	runes := []rune(value)
	return &line{runes, len(runes)}
}

func (l *line) value() string { return string(l.runes) }

// insert puts text at the cursor. Control characters are left out: a pasted
// key ends in a line end.
func (l *line) insert(text string) {
	for _, r := range text {
		if unicode.IsControl(r) || len(l.runes) >= maxLine {
			continue
		}
		l.runes = append(l.runes[:l.at], append([]rune{r}, l.runes[l.at:]...)...)
		l.at++
	}
}

func (l *line) remove(from, to int) {
	from, to = max(from, 0), min(to, len(l.runes))
	if from < to {
		l.runes = append(l.runes[:from], l.runes[to:]...)
		l.at = from
	}
}

// key does what a key does to a line, and says whether it does anything.
func (l *line) key(k tea.KeyPressMsg) bool {
	switch k.Keystroke() {
	case "left", "ctrl+b":
		l.at = max(l.at-1, 0)
	case "right", "ctrl+f":
		l.at = min(l.at+1, len(l.runes))
	case "home", "ctrl+a":
		l.at = 0
	case "end", "ctrl+e":
		l.at = len(l.runes)
	case "backspace", "ctrl+h":
		l.remove(l.at-1, l.at)
	case "delete", "ctrl+d":
		l.remove(l.at, l.at+1)
	case "ctrl+u":
		l.remove(0, l.at)
	case "ctrl+k":
		l.remove(l.at, len(l.runes))
	case "ctrl+w":
		from := l.at
		for from > 0 && l.runes[from-1] == ' ' {
			from--
		}
		for from > 0 && l.runes[from-1] != ' ' {
			from--
		}
		l.remove(from, l.at)
	default:
		if k.Text == "" {
			return false
		}
		l.insert(k.Text)
	}
	return true
}

// left is how many characters do not fit before the cursor in width columns.
func (l *line) left(width int) int {
	from := l.at
	for columns := 0; from > 0; from-- { // from the cursor back: a line may be long
		if columns += ansi.StringWidth(string(l.runes[from-1])); columns > width-1 {
			break
		}
	}
	for from < l.at && ansi.StringWidth(string(l.runes[from:l.at])) > width-1 {
		from++ // signs that are wider together
	}
	return from
}

// show is the part of the line around the cursor that width columns have room
// for, and the column of the cursor in it. hidden shows a star for each
// character.
func (l *line) show(width int, hidden bool) (shown string, column int) {
	runes := l.runes
	if hidden {
		runes = []rune(strings.Repeat("*", len(l.runes)))
	}
	from := (&line{runes, l.at}).left(width)
	return ansi.Truncate(string(runes[from:]), width, ""), ansi.StringWidth(string(runes[from:l.at]))
}
