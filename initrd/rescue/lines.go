package rescue

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// errIdle says that nobody has typed.
var errIdle = errors.New("nobody has typed")

// errAbandoned says that the person has taken back the line (Ctrl-C).
var errAbandoned = errors.New("line taken back")

// lines reads lines from a terminal, with editing and a history, or from a
// pipe as they come.
type lines struct {
	file     *os.File
	terminal *term.Terminal // nil when the input is no terminal
	source   *watched
	plain    *bufio.Reader
}

// watched remembers whether the input has ended, and ends it when nothing
// comes for a while.
type watched struct {
	*os.File
	io.Writer
	idle  time.Duration // 0: for ever
	ended bool
}

func (w *watched) Read(p []byte) (int, error) {
	if w.idle > 0 && !input(w.File, w.idle) {
		w.ended = true
		return 0, errIdle
	}
	n, err := w.File.Read(p)
	w.ended = w.ended || err != nil
	return n, err
}

func (w *watched) Write(p []byte) (int, error) { return w.Writer.Write(p) }

// newLines reads from in and prompts on out. When idle is not 0, it is how long
// the person may take for each key of the first line.
func newLines(in *os.File, out io.Writer, idle time.Duration) *lines {
	l := &lines{file: in, source: &watched{File: in, Writer: out, idle: idle}}
	if !term.IsTerminal(int(in.Fd())) {
		l.plain = bufio.NewReader(l.source)
		return l
	}
	l.terminal = term.NewTerminal(l.source, "")
	// A serial line says it has no size at all.
	width, height, err := term.GetSize(int(in.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	_ = l.terminal.SetSize(width, height)
	return l
}

// read returns one line without its end. io.EOF means that no more will come.
func (l *lines) read(prompt string) (string, error) {
	if l.terminal == nil {
		line, err := l.plain.ReadString('\n')
		if line == "" && err != nil {
			return "", err
		}
		l.source.idle = 0
		return trimEnd(line), nil
	}
	// Raw while a line is edited, cooked while commands run: Ctrl-C is theirs.
	state, err := term.MakeRaw(int(l.file.Fd()))
	if err != nil {
		return "", io.EOF
	}
	defer func() { _ = term.Restore(int(l.file.Fd()), state) }()
	l.terminal.SetPrompt(prompt)
	line, err := l.terminal.ReadLine()
	switch {
	case err == nil || errors.Is(err, term.ErrPasteIndicator):
		l.source.idle = 0
		return line, nil
	case l.source.ended:
		return "", err
	}
	// Ctrl-C and Ctrl-D look the same; leaving by accident would start the
	// machine again, so that takes the word exit.
	_, _ = l.terminal.Write([]byte("\n"))
	return "", errAbandoned
}

func trimEnd(line string) string {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}
