package tui

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"reprise/installer"
	"reprise/installer/plan"
)

// A talk asks the same steps in plain lines, one question after the other, for
// screen readers and for terminals without a cursor. The model is that of the
// screens: what a line answers becomes what keys would have.
type talk struct {
	m   *Model
	in  input
	out io.Writer
}

// An input gives what is typed.
type input interface {
	line() (string, error)
	secret() (string, error) // not shown while it is typed
}

// Words that are typed instead of an answer.
const (
	wordBack  = "<"
	wordEmpty = "-"
	wordLeave = "!"
)

var (
	errBack  = errors.New("back")
	errLeave = errors.New("leave")
)

// columns is where plain lines wrap.
const columns = 80

func (t *talk) say(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

func (t *talk) run() (End, error) {
	m := t.m
	t.say("%s\n\nPlain questions: a line answers each. An empty line takes what stands in\nbrackets, %s empties it; %s goes back, %s leaves.\n", title, wordEmpty, wordBack, wordLeave)
	t.do(m.Init())
	for m.end == "" {
		p, ok := m.screen()
		if !ok {
			return "", errors.New("the installer has nothing to ask")
		}
		t.say("\n%s\n", p.title)
		if p.id == stepNetwork && m.s.Links != nil {
			m.s.links = m.s.Links()
		}
		if p.text != nil {
			if text := p.text(m.s, columns); text != "" {
				t.say("\n%s", text)
			}
		}
		if m.complain != "" {
			t.say("\n! %s\n", strings.TrimRight(fit(ascii(m.complain), columns-2), "\n"))
			m.complain = ""
		}
		err := t.step(p)
		switch {
		case errors.Is(err, errBack):
			m.back()
		case errors.Is(err, errLeave):
			m.ask("quit", pickStay)
		case err != nil:
			return "", err
		default:
			t.do(m.on(p))
		}
		if err := m.ctx.Err(); err != nil {
			return "", err
		}
	}
	return m.end, nil
}

// step asks every field. Which ones there are may depend on the answers.
func (t *talk) step(p step) error {
	if p.id == stepReview {
		return t.review()
	}
	if p.id == stepMachine && t.m.s.Actions.Measure != nil {
		return t.machine()
	}
	if len(p.list(t.m.s)) == 0 {
		_, err := t.answer("Empty line to go on")
		return err
	}
	for n := 0; ; n++ {
		fields := p.list(t.m.s)
		if n >= len(fields) {
			return nil
		}
		for {
			before := t.m.s.Said
			if err := t.field(fields[n]); err != nil {
				return err
			}
			if t.m.s.Said.Disk != before.Disk {
				t.m.s.member = ""
			}
			if t.m.s.Said.Profile != before.Profile {
				t.m.s.proposePerson()
			}
			if t.m.s.Said.Locale != before.Locale {
				t.m.s.proposePlace()
			}
			c := fields[n].complaint()
			if c == "" {
				t.hint(fields[n])
				break
			}
			t.say("! %s", hang(fields[n].label+" ", ascii(c), columns-2))
			if fields[n].repeats { // which of the two was meant, nobody knows
				*fields[n].value = ""
				n--
			}
		}
	}
}

func (t *talk) field(f field) error {
	switch f.kind {
	case choice:
		return t.choose(f, f.options)
	case search:
		return t.search(f)
	case secret:
		t.help(f)
		state := "nothing yet"
		if *f.value != "" {
			state = "as typed before"
		}
		t.say("%s [%s]: ", f.label, state)
		typed, err := t.in.secret()
		t.say("\n")
		if err != nil {
			return err
		}
		if word := words(typed); word != nil {
			return word
		}
		if typed != "" {
			*f.value = typed
		}
		return nil
	}
	t.help(f)
	typed, err := t.answer(fmt.Sprintf("%s [%s]", f.label, *f.value))
	if err != nil {
		return err
	}
	switch {
	case typed == wordEmpty:
		*f.value = ""
	case typed != "":
		*f.value = typed
	}
	return nil
}

func (t *talk) help(f field) {
	if f.help != "" {
		t.say("%s", hang("  ", f.help, columns))
	}
}

// hint tells what a screen shows below a field.
func (t *talk) hint(f field) {
	if f.hint == nil {
		return
	}
	if hint := f.hint(); hint != "" {
		t.say("%s", hang("  Weak: ", f.label+" "+hint+". "+wordBack+" goes back.", columns))
	}
}

// words are answers that mean something else.
func words(typed string) error {
	switch strings.TrimSpace(typed) {
	case wordBack:
		return errBack
	case wordLeave:
		return errLeave
	}
	return nil
}

func (t *talk) answer(prompt string) (string, error) {
	t.say("%s: ", prompt)
	typed, err := t.in.line()
	if err != nil {
		t.say("\n")
		return "", err
	}
	t.m.begin()
	return strings.TrimSpace(typed), words(typed)
}

// choose asks for the number of an option.
func (t *talk) choose(f field, options []option) error {
	t.say("%s\n", f.label)
	for n, o := range options {
		t.say("%s", fit(fmt.Sprintf("%3d. ", n+1)+strings.TrimRight(show(f, o), " "), columns))
		for _, d := range o.detail {
			t.say("%s", fit("       "+d, columns))
		}
	}
	now := slices.IndexFunc(options, func(o option) bool { return o.value == *f.value })
	prompt := fmt.Sprintf("A number from 1 to %d", len(options))
	if now >= 0 {
		prompt += fmt.Sprintf(" [%d]", now+1)
	}
	for {
		typed, err := t.answer(prompt)
		if err != nil {
			return err
		}
		if typed == "" && now >= 0 {
			return nil
		}
		if n, err := strconv.Atoi(typed); err == nil && n >= 1 && n <= len(options) {
			*f.value = options[n-1].value
			return nil
		}
	}
}

// found are how many finds of a search are listed.
const found = 20

// search asks for a part of the name.
func (t *talk) search(f field) error {
	prompt := fmt.Sprintf("%s, or a part of its name [%s]", f.label, *f.value)
	for {
		typed, err := t.answer(prompt)
		if err != nil || typed == "" {
			return err
		}
		options := f.narrowed(typed)
		if i := slices.IndexFunc(f.options, func(o option) bool { return strings.EqualFold(o.value, typed) }); i >= 0 {
			options = f.options[i : i+1]
		}
		switch n := len(options); {
		case n == 0:
			t.say("Nothing has %q in it.\n", typed)
		case n == 1:
			*f.value = options[0].value
			t.say("%s\n", show(f, options[0]))
			return nil
		case n > found:
			t.say("%d have that in them: type more of the name.\n", n)
		default:
			return t.choose(f, options)
		}
	}
}

// do carries a command out, and whatever it leads to.
func (t *talk) do(cmd tea.Cmd) {
	for cmd != nil && t.m.end == "" {
		msg := cmd()
		if batch, ok := msg.(tea.BatchMsg); ok { // an installation, and the ticks of its screen
			msg = t.watch(batch[0])
		}
		_, cmd = t.m.Update(msg)
	}
}

// watch tells how far an installation is, in lines.
func (t *talk) watch(install tea.Cmd) tea.Msg {
	end := make(chan tea.Msg, 1)
	go func() { end <- install() }()
	told := map[plan.Name]installer.Status{}
	tell := func() {
		s := t.m.watch.snapshot()
		for n, step := range t.m.s.Plan.Steps {
			status := s.steps[step.Name]
			if status == told[step.Name] {
				continue
			}
			told[step.Name] = status
			t.say("%s", hang(fmt.Sprintf("%2d. %s: ", n+1, status), step.Text, columns))
		}
		if s.task != "" && s.total > 0 {
			t.say("    %s: %s\n", s.task, amounts(s))
		}
	}
	every := time.NewTicker(5 * time.Second)
	defer every.Stop()
	for {
		select {
		case msg := <-end:
			tell()
			return msg
		case <-every.C:
			tell()
		}
	}
}

// A lineReader reads lines from a terminal or a file, and no byte more: what
// follows belongs to whoever reads next.
type lineReader struct{ file *os.File }

func (r *lineReader) line() (string, error) {
	var l []byte
	b := make([]byte, 1)
	for {
		n, err := r.file.Read(b)
		switch {
		case n == 1 && b[0] == '\n':
			return strings.TrimRight(string(l), "\r"), nil
		case n == 1 && len(l) < maxLine:
			l = append(l, b[0])
		case errors.Is(err, io.EOF) && len(l) > 0:
			return string(l), nil
		case err != nil:
			return "", err
		}
	}
}

func (r *lineReader) secret() (string, error) {
	fd := int(r.file.Fd())
	if !term.IsTerminal(fd) {
		return r.line()
	}
	typed, err := term.ReadPassword(fd)
	return string(typed), err
}
