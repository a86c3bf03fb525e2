package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// wrap breaks text at spaces into lines of width columns. Line ends stay.
func wrap(text string, width int) string { return hang("", text, width) }

// hang writes text behind first; further lines are indented as far as it.
func hang(first, text string, width int) string {
	var b strings.Builder
	indent := strings.Repeat(" ", ansi.StringWidth(first))
	for n, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		at, fresh := indent, true
		if n == 0 {
			at = first
		}
		for _, word := range strings.Fields(line) {
			if !fresh && ansi.StringWidth(at)+1+ansi.StringWidth(word) > width {
				b.WriteString(at + "\n")
				at, fresh = indent, true
			}
			if !fresh {
				at += " "
			}
			at, fresh = at+word, false
		}
		b.WriteString(strings.TrimRight(at, " ") + "\n")
	}
	return b.String()
}

// fit breaks the lines of a text that is laid out already and that are longer
// than width; what follows keeps the line's indent.
func fit(text string, width int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if ansi.StringWidth(line) <= width {
			b.WriteString(line + "\n")
			continue
		}
		body := strings.TrimLeft(line, " ")
		indent := strings.Repeat(" ", min(len(line)-len(body), width/2))
		b.WriteString(hang(indent, body, width))
	}
	return b.String()
}

// cut shortens a line to width columns.
func cut(line string, width int) string { return ansi.Truncate(line, width, "~") }

// ascii writes signs of other packages' messages as every terminal has them.
func ascii(text string) string {
	return strings.NewReplacer("\u2026", "...", "\u2013", "-", "\u2014", "-", "\u2192", "->", "\u00d7", "x", "\t", "  ").Replace(text)
}
