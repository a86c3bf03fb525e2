package tui

import (
	"bytes"
	"context"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/latency"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

// Actions are what the screens cannot do themselves. All but Run only look. They
// are called one at a time, never from where the screens are drawn.
type Actions struct {
	// Look reads the machine and its disks anew: disks come and go.
	Look func(context.Context) (Looked, error)
	// Plan decides the installation; its error may be diag.Problems.
	Plan func(context.Context, answers.Answers) (*plan.Plan, error)
	// Files makes what belongs into /etc/reprise, by name.
	Files func(context.Context, *plan.Plan) (map[string][]byte, error)
	// CheckFiles judges files that were edited. nil: they are not judged.
	CheckFiles func(context.Context, map[string][]byte) error
	// Run carries an order out; called again, it goes on where it stopped.
	Run func(context.Context, Order, progress.Sink, func(plan.Name, installer.Status)) (*installer.Result, error)
	// Hash makes of a password what crypt(5) reads.
	Hash func(password string) (string, error)
	// Keys reads public ssh keys from an https address, or from a file by its
	// name on the stick. nil: there is no way to.
	Keys func(ctx context.Context, place string) (text string, err error)
	// Edit hands a text to the editor that Options.Editor names. nil: there is
	// none but that of the screens.
	Edit func(name string, text []byte) (Outside, error)
	// Measure measures how late the machine comes, for latency.Seconds, and
	// tells what there is meanwhile. Stopped, it returns that. nil: it cannot.
	Measure func(ctx context.Context, profile string, watch func(latency.Result)) (Measured, error)
	// Keyboard makes the keys of this machine those of a key map at once. nil:
	// they are somebody else's, or stay as they are.
	Keyboard func(ctx context.Context, keyMap string) error
	// Report keeps a report of a failure and says where. nil: there is no place.
	Report func(text string) (place string, err error)
}

// An Outside is a program that has the terminal for a while, and a text.
type Outside interface {
	tea.ExecCommand
	// Text is what the program made of the text, once it has ended.
	Text() ([]byte, error)
}

// Looked is what machine and medium are found to be.
type Looked struct {
	Facts *hwdetect.Facts
	Disks []plan.Disk
	// Users are the people that a system has already, by its name.
	Users map[string][]string
}

// An Order is an installation that a person has agreed to.
type Order struct {
	Plan       *plan.Plan
	Files      map[string][]byte
	Passphrase []byte // nil without encryption
}

// An End is what a person wants at the end.
type End string

// The ends.
const (
	Reboot   End = "reboot"
	PowerOff End = "power off"
	Shell    End = "shell"
	Leave    End = "leave" // the installer only: the session goes on
)

// Options are what an installer for a person starts with.
type Options struct {
	Actions Actions
	Medium  *plan.Medium
	// Ends are what can be chosen at the end, the first one proposed.
	Ends []End
	// Log is where the full log is, for messages; "" when there is none.
	Log string
	// Editor is what a person calls the editor of Actions.Edit, such as "nano".
	Editor string
	// Zones, Locales and KeyMaps can be chosen; nil means what this package
	// knows of.
	Zones, Locales, KeyMaps []string
	// Accessible asks in plain lines.
	Accessible bool
	// Begun is called when somebody presses a first key. nil: nobody wants to know.
	Begun func()
	// Keyboard says whether the machine has one now; nil: what is typed comes
	// from elsewhere.
	Keyboard func() bool
	// Links says what the wired links of this machine are now, a line each;
	// none: that is not known yet. It is asked every second. nil: nothing is
	// known of them.
	Links func() []string
}

// A Session is what is known and what was said.
type Session struct {
	Options

	Looked  // Facts is nil until the machine was looked at
	LookErr error

	Said Said

	Measured Measured // Result is nil until somebody has measured

	// Plan and Files follow from what was said; nil until then.
	Plan  *plan.Plan
	Files map[string][]byte

	links        []string        // as Options.Links told them last
	pressed      string          // the key map that this machine was given here; "": none
	hash, hashOf string          // of the password that it was made from
	found        find            // ssh keys, where Said.Keys says
	edits        map[string]edit // by the name of the file
	proposed     struct{ host, user, keyMap, zone string }
	// member is what stands against the disk unless its group may lose it.
	member string
}

// Said is what a person has typed and chosen, as it was typed.
type Said struct {
	Locale, KeyMap string

	Network                                  string // netProfile or netFixed
	Interface, Address, Gateway, NameServers string

	Profile    string
	Disk       string // its path
	LoseMember string // yes or no: the group of the disk may lose it

	FileSystem, Encryption      string
	Passphrase, PassphraseAgain string

	Host, User, FullName    string
	Password, PasswordAgain string
	Keys                    string // public ssh keys, or where they are: see placeOf

	Zone   string
	Serial string // typed to agree to erase
}

const (
	netProfile = "profile"
	netFixed   = "fixed"
	yes        = "yes"
	no         = "no"
)

// newSession proposes what can be proposed.
func newSession(o Options) *Session {
	s := &Session{Options: o}
	s.Said = Said{
		Locale: oneOf(s.locales(), "en_US.UTF-8"), KeyMap: oneOf(s.keyMaps(), "us"), Network: netProfile, FileSystem: answers.Ext4, Encryption: answers.NoEncryption,
		LoseMember: no, Zone: "Etc/UTC",
	}
	if o.Medium != nil && len(o.Medium.Systems) > 0 {
		s.Said.Profile = o.Medium.Systems[0].Name
	}
	s.proposed.keyMap, s.proposed.zone = s.Said.KeyMap, s.Said.Zone
	s.proposePerson()
	return s
}

// oneOf is the wanted one of options, or the first.
func oneOf(options []option, want string) string {
	if len(options) == 0 || slices.ContainsFunc(options, func(o option) bool { return o.value == want }) {
		return want
	}
	return options[0].value
}

// proposePerson names host and user after the system, unless a person has
// named them otherwise than was proposed before.
func (s *Session) proposePerson() {
	host, user := "reprise", "musician"
	if s.Medium != nil {
		if system := s.Medium.System(s.Said.Profile); system != nil && system.Host != "" {
			host = system.Host
		}
	}
	if users := s.Users[s.Said.Profile]; len(users) > 0 {
		user = users[0]
	}
	if s.Said.Host == s.proposed.host {
		s.Said.Host = host
	}
	if s.Said.User == s.proposed.user {
		s.Said.User = user
	}
	s.proposed.host, s.proposed.user = host, user
}

// proposePlace proposes the keyboard and the time zone of a language's country,
// unless a person has chosen others than were proposed before.
func (s *Session) proposePlace() {
	place, ok := places[s.Said.Locale]
	if !ok {
		return
	}
	has := func(options []option, value string) bool {
		return slices.ContainsFunc(options, func(o option) bool { return o.value == value })
	}
	if s.Said.KeyMap == s.proposed.keyMap && has(s.keyMaps(), place.keyMap) {
		s.Said.KeyMap, s.proposed.keyMap = place.keyMap, place.keyMap
	}
	if s.Said.Zone == s.proposed.zone && has(s.zones(), place.zone) {
		s.Said.Zone, s.proposed.zone = place.zone, place.zone
	}
}

// disk is the one that was chosen; nil when none is.
func (s *Session) disk() *plan.Disk {
	for i := range s.Disks {
		if s.Disks[i].Path == s.Said.Disk {
			return &s.Disks[i]
		}
	}
	return nil
}

// advice is what the machine means for sound under the chosen profile.
func (s *Session) advice() advice.Advice {
	return advice.Advise(s.Facts, advice.ForProfile(s.Said.Profile))
}

// answers are what was said, as a file of answers would say it. The consent to
// erase is in it: whether it was given is asked for before Run.
func (s *Session) answers() answers.Answers {
	said := &s.Said
	a := answers.Default()
	a.Profile, a.Host = said.Profile, strings.TrimSpace(said.Host)
	a.FileSystem, a.Encryption = said.FileSystem, said.Encryption
	a.Locale, a.KeyMap, a.TimeZone = said.Locale, said.KeyMap, said.Zone
	a.EraseMember = s.member != "" && said.LoseMember == yes
	if d := s.disk(); d != nil {
		a.Disk, a.Erase = answers.List{d.Path}, answers.List{d.Word()}
		if d.Serial != "" && !slices.ContainsFunc(s.Disks, func(o plan.Disk) bool { return o.Serial == d.Serial && o.Path != d.Path }) {
			a.Disk = answers.List{d.Serial}
		}
	}
	a.User = &answers.User{Name: strings.TrimSpace(said.User), FullName: strings.TrimSpace(said.FullName), PasswordHash: s.hash, Keys: s.keys()}
	if said.Network == netFixed {
		a.Network = &answers.Network{Interface: said.Interface, Address: strings.TrimSpace(said.Address), Gateway: strings.TrimSpace(said.Gateway), NameServers: strings.FieldsFunc(said.NameServers, func(r rune) bool { return r == ' ' || r == ',' })}
	}
	return a
}

// probe are answers that only ask whether the disk will do.
func (s *Session) probe(loseMember bool) answers.Answers {
	a := s.answers()
	a.Host, a.User, a.Network = "probe", nil, nil
	a.Encryption, a.EraseMember = answers.LUKS2, loseMember
	return a
}

// An edit is what a person made of a file.
type edit struct{ from, to []byte }

// edited keeps what a person made of a file.
func (s *Session) edited(name string, to []byte) {
	from := s.Files[name]
	if before, ok := s.edits[name]; ok {
		from = before.from
	}
	if s.edits == nil {
		s.edits = map[string]edit{}
	}
	s.edits[name] = edit{from, to}
	s.Files[name] = to
}

// keepEdits applies edits to files that were made anew: to those that say what
// they said when they were edited. Others follow from other answers.
func (s *Session) keepEdits() {
	for name, e := range s.edits {
		if !bytes.Equal(s.Files[name], e.from) {
			delete(s.edits, name)
			continue
		}
		s.Files[name] = e.to
	}
}
