package tui

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"reprise/installer"
	"reprise/installer/latency"
	"reprise/installer/plan"
)

// A mode is what the installer is about.
type mode int

const (
	asking    mode = iota // a step
	waiting               // for what a step wants to know
	editing               // a file of the configuration
	running               // the installation
	measuring             // the latency
	finished
	failed
)

// A Model is the whole installer as bubbletea drives it. Update and View touch
// nothing but the model; what takes time is a command.
type Model struct {
	s     *Session
	ctx   context.Context
	now   func() time.Time
	steps []step
	at    int
	forms map[string]*form

	width, height int // 0 until the terminal said so

	mode     mode
	complain string // about the step as a whole
	looking  bool   // Actions.Look is on its way
	leaving  bool   // the step is to be left as soon as it has ended
	gone     bool   // somebody went back while something was asked for
	stop     context.CancelFunc

	editing string // name of the file
	editor  *editor
	asked   string // "quit" or "drop": what is asked on top of all else
	picked  string // what is chosen where there is no value of the session

	watch    *watch
	far      snapshot
	result   *installer.Result
	err      error
	reported string

	meter   *meter
	metered latency.Result // as it is shown

	end  End // what was wanted at the end; "" before
	work gate
}

// New returns the installer on its first screen.
func New(ctx context.Context, o Options) *Model {
	if len(o.Ends) == 0 {
		o.Ends = []End{Leave}
	}
	return &Model{s: newSession(o), ctx: ctx, now: time.Now, steps: offerMeasure(steps(), o.Actions), forms: map[string]*form{}}
}

// End is what was chosen at the end; "" when nothing was.
func (m *Model) End() End { return m.end }

// Messages of commands.
type (
	lookedMsg struct {
		found Looked
		err   error
	}
	leftMsg struct {
		after     func(*Session)
		complaint string
	}
	checkedMsg struct{ complaint string }
	ranMsg     struct {
		result *installer.Result
		err    error
	}
	reportedMsg struct {
		place string
		err   error
	}
	outsideMsg struct {
		text []byte
		err  error
	}
	tickMsg  struct{}
	linksMsg []string
)

// tick is how often the screen of an installation is drawn. A serial line of
// 9600 baud has room for 240 characters in that time.
const tick = 250 * time.Millisecond

// Init looks at the machine while the first screen is read.
func (m *Model) Init() tea.Cmd { return m.look() }

func (m *Model) look() tea.Cmd {
	if m.looking {
		return nil
	}
	m.looking = true
	ctx, look := m.ctx, m.s.Actions.Look
	return func() tea.Msg {
		found, err := look(ctx)
		return lookedMsg{found, err}
	}
}

// Update takes one message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		m.begin()
		return m, m.key(msg)
	case tea.PasteMsg:
		m.begin()
		m.paste(msg.Content)
	case lookedMsg:
		return m, m.looked(msg)
	case leftMsg:
		m.left(msg)
	case checkedMsg:
		m.checked(msg)
	case tickMsg:
		if m.mode == running {
			m.far = m.watch.snapshot()
			return m, tea.Tick(tick, func(time.Time) tea.Msg { return tickMsg{} })
		}
		if m.mode == measuring {
			m.metered = m.meter.now()
			return m, tea.Tick(tick, func(time.Time) tea.Msg { return tickMsg{} })
		}
	case linksMsg:
		m.s.links = msg
	case measuredMsg:
		m.measured(msg)
	case ranMsg:
		m.ran(msg)
	case outsideMsg:
		m.outside(msg)
	case reportedMsg:
		m.reported = "The report is " + msg.place + "."
		if msg.err != nil {
			m.reported = "No report could be written: " + msg.err.Error()
		}
	}
	return m, nil
}

// begin tells, once, that somebody is there.
func (m *Model) begin() {
	if begun := m.s.Begun; begun != nil {
		m.s.Begun = nil
		begun()
	}
}

func (m *Model) looked(msg lookedMsg) tea.Cmd {
	m.looking = false
	m.s.LookErr = msg.err
	if msg.err == nil {
		m.s.Looked = msg.found
		m.s.proposePerson()
		if m.s.disk() == nil {
			m.s.Said.Disk, m.s.member = "", ""
		}
		if others := slices.DeleteFunc(slices.Clone(m.s.Disks), func(d plan.Disk) bool { return d.Medium }); len(others) == 1 && m.s.Said.Disk == "" {
			m.s.Said.Disk = others[0].Path
		}
	}
	if m.leaving {
		m.leaving, m.mode = false, asking
		if m.gone {
			m.gone = false
			return nil
		}
		return m.proceed()
	}
	return nil
}

// screen is what is asked at this moment; ok is false when nothing is.
func (m *Model) screen() (p step, ok bool) {
	switch {
	case m.asked == "quit":
		return m.quitStep(), true
	case m.asked == "drop":
		return m.dropStep(), true
	case m.asked == askedMeasured:
		return measuredStep(), true
	case m.mode == finished:
		return m.doneStep(), true
	case m.mode == failed:
		return m.failStep(), true
	case m.mode == asking:
		return m.steps[m.at], true
	}
	return step{}, false
}

func (m *Model) form(id string) *form {
	f := m.forms[id]
	if f == nil {
		f = newForm()
		m.forms[id] = f
	}
	return f
}

// small says that the terminal has no room for the screens.
func (m *Model) small() bool { return m.width < minWidth || m.height < minHeight }

func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.Keystroke()
	switch {
	case m.mode == measuring:
		if name == "ctrl+c" || name == "esc" {
			m.stop()
		}
		return nil
	case name == "ctrl+c":
		if m.asked != "quit" {
			m.ask("quit", pickStay)
		}
		return nil
	case m.small():
		return nil // nobody sees what a key would do
	case name == "esc":
		m.back()
		return nil
	case m.mode == editing && m.asked == "":
		return m.editKey(k)
	}
	p, ok := m.screen()
	if !ok {
		return nil
	}
	if m.mode == asking && m.asked == "" {
		if cmd, ok := m.stepKey(p.id, name); ok {
			return cmd
		}
	}
	m.complain = ""
	before, locale := m.s.Said.Profile, m.s.Said.Locale
	if disk := m.s.Said.Disk; m.form(p.id).key(k, p.list(m.s)) == on {
		return m.on(p)
	} else if disk != m.s.Said.Disk {
		m.s.member = ""
	}
	if before != m.s.Said.Profile {
		m.s.proposePerson()
	}
	if locale != m.s.Said.Locale {
		m.s.proposePlace()
	}
	return nil
}

// ask puts a question on top of what is shown.
func (m *Model) ask(what, proposed string) {
	m.asked, m.picked = what, proposed
	delete(m.forms, what)
}

// stepKey does what further keys of a step do.
func (m *Model) stepKey(id, key string) (tea.Cmd, bool) {
	switch {
	case (key == "f5" || key == "r") && (id == stepMachine || id == stepDisk):
		return m.look(), true
	case (key == "f6" || key == "m") && id == stepMachine:
		return m.measure(), true
	case (key == "f3" || key == "h") && id == stepReview:
		m.edit(plan.HardwareFile)
		return nil, true
	case (key == "f4" || key == "c") && id == stepReview:
		m.edit(installer.ConfigurationFile)
		return nil, true
	}
	return nil, false
}

// back goes one step back, from wherever somebody is.
func (m *Model) back() {
	switch {
	case m.asked != "":
		m.asked = ""
		m.propose()
	case m.mode == waiting:
		m.gone = true
		if m.stop != nil {
			m.stop()
		}
	case m.mode == editing && m.editor.changed():
		m.ask("drop", pickKeep)
	case m.mode == editing:
		m.mode, m.complain = asking, ""
	case m.mode == failed:
		m.change()
	case m.mode == asking && m.at > 0:
		m.at--
		m.complain = ""
	case m.mode == asking, m.mode == running: // nothing lies behind
		m.ask("quit", pickStay)
	}
}

// propose chooses the first thing of where an installer ends.
func (m *Model) propose() {
	switch m.mode {
	case failed:
		m.picked = pickRetry
	case finished:
		m.picked = string(m.s.Ends[0])
	}
}

// on is called when everything on a screen is answered.
func (m *Model) on(p step) tea.Cmd {
	switch {
	case m.asked == "drop":
		m.asked = ""
		switch m.picked {
		case pickKeep:
			return m.keep()
		case pickDrop:
			m.mode, m.complain = asking, ""
		}
		return nil
	case m.asked == askedMeasured:
		m.asked = ""
		return nil
	case m.asked == "" && m.mode == asking:
		return m.proceed()
	}
	picked := m.picked
	m.asked = ""
	m.propose()
	switch picked {
	case pickStay:
	case pickStop:
		m.stop()
	case pickRetry:
		return m.run()
	case pickChange:
		m.change()
	case pickReport:
		m.picked = pickReport
		report, text := m.s.Actions.Report, m.reportText()
		return func() tea.Msg {
			place, err := report(text)
			return reportedMsg{place, err}
		}
	default:
		m.end = End(picked)
		return tea.Quit
	}
	return nil
}

// change goes back to the plan after a failure.
func (m *Model) change() {
	m.mode, m.complain = asking, ""
	m.s.Said.Serial = ""
	m.goTo(stepReview)
}

func (m *Model) goTo(id string) {
	m.at = slices.IndexFunc(m.steps, func(p step) bool { return p.id == id })
}

func (m *Model) paste(content string) {
	switch {
	case m.small() || m.asked != "":
	case m.mode == editing:
		m.editor.insert(content)
	case m.mode == asking:
		p := m.steps[m.at]
		m.form(p.id).paste(content, p.list(m.s))
	}
}
