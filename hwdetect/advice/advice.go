package advice

import (
	"slices"
	"strings"

	"reprise/hwdetect"
)

// Server is the sound server of the system that the advice is for.
type Server string

// The servers. With NoServer only what helps both is set; start values are
// given for both.
const (
	NoServer Server = ""
	JACK     Server = "jack"     // services.jack.jackd
	PipeWire Server = "pipewire" // services.pipewire
)

// Wants is what the machine is to be.
type Wants struct {
	Server Server `json:"server"`
	// Carried are the Debian packages that are at hand, without a network: an
	// option that needs another one is offered and not set. Nil: any package is
	// at hand.
	Carried []string `json:"carried,omitempty"`
}

// ForProfile returns what a profile that reprise ships asks for.
func ForProfile(name string) Wants {
	switch name {
	case "live-rig":
		return Wants{Server: JACK}
	case "studio":
		return Wants{Server: PipeWire}
	}
	return Wants{}
}

// Advice is all there is to say about a machine and sound.
type Advice struct {
	Machine string `json:"machine"` // one line: maker, product, processor
	Wants   Wants  `json:"wants"`
	// Settings in the order of hardware.jsonnet. Those that are Offered stand
	// there as comments.
	Settings []Setting `json:"settings"`
	// Starts are the cards, the studio card first.
	Starts    []Start `json:"starts"`
	Grades    []Grade `json:"grades"`
	Hands     []Note  `json:"hands"`     // to do with one's hands: ports, cables, slots
	Conflicts []Note  `json:"conflicts"` // two things one may want that do not go together
	Notes     []Note  `json:"notes"`     // what is good to know
	Unknown   []Note  `json:"unknown"`   // what could not be told, and what would
}

// Setting is one option with a value, or one more element of a list or line of
// a text.
type Setting struct {
	// Option is a path as problems of configurations write it:
	// boot.kernel.sysctl["vm.dirty_bytes"].
	Option string `json:"option"`
	// Value is a bool, int, string, or a list or object of these.
	Value any `json:"value"`
	// Add: Value comes after what the option holds already. Several settings
	// may add to one option.
	Add     bool     `json:"add,omitempty"`
	Reasons []string `json:"reasons"` // plain sentences that name the hardware
	Rule    string   `json:"rule"`
	Source  string   `json:"source"`
	// Offered: explained, never chosen silently.
	Offered bool `json:"offered,omitempty"`
	// Risk is what an offer costs. It is never empty for an offer.
	Risk string `json:"risk,omitempty"`
	// Lacks are the Debian packages for want of which it is only offered.
	Lacks []string `json:"lacks,omitempty"`
}

// Driver is what carries sound between a server and a card.
type Driver string

// The drivers.
const (
	ALSA  Driver = "alsa"
	FFADO Driver = "ffado" // JACK's firewire back end
	Dummy Driver = "dummy" // no sound at all
)

// Start is where to begin with a card. Frames of a buffer are Period×Periods,
// but where Buffer says that the hardware has it otherwise.
type Start struct {
	Device  string `json:"device"` // "USB 1-5.2", "PCI 0000:03:00.0", "FireWire fw1.0"; "" for the dummy
	Name    string `json:"name"`   // with ids: "Focusrite Scarlett 2i2 (1235:8210)"
	ID      string `json:"id"`     // ALSA's, for hw:ID; "" when the card is not there yet and nothing names it
	PCM     int    `json:"pcm"`    // device of the card: hw:ID,PCM
	Studio  bool   `json:"studio"`
	Driver  Driver `json:"driver"`
	Rate    int    `json:"rate"`             // Hz
	Period  int    `json:"period"`           // frames: JACK's -p, PipeWire's quantum
	Periods int    `json:"periods"`          // JACK's -n
	Buffer  int    `json:"buffer,omitempty"` // frames, where the hardware allows one size only
	// Playback and Capture say what the card has.
	Playback bool     `json:"playback"`
	Capture  bool     `json:"capture"`
	Sync     bool     `json:"sync,omitempty"` // JACK's synchronous mode, -S before the back end
	Why      []string `json:"why"`
	Trouble  []string `json:"trouble,omitempty"` // what to do, and not to do, about dropouts
	// Other is the other driver for a unit that has two.
	Other *Start `json:"other,omitempty"`

	role hwdetect.CardRole
	card *hwdetect.Card // nil: not there yet
	usb  *hwdetect.USBDevice
	unit *hwdetect.FireWireUnit
	pci  *hwdetect.PCIDevice
}

// GradeLevel is how far a device can be trusted with sound.
type GradeLevel string

// The grades.
const (
	Good   GradeLevel = "good"
	Usable GradeLevel = "usable"
	Avoid  GradeLevel = "avoid"
)

// Grade is a judgement on one FireWire controller or unit.
type Grade struct {
	Device string     `json:"device"` // "PCI 0000:05:00.0", "FireWire fw1.0"
	Name   string     `json:"name"`
	Grade  GradeLevel `json:"grade"`
	Why    string     `json:"why"`
	Source string     `json:"source"`
}

// Note is a thing to say, with the devices it is about.
type Note struct {
	Text    string   `json:"text"`
	Devices []string `json:"devices,omitempty"`
	// Places are USB controllers or ports that would serve better, if it is
	// about a place.
	Places []string `json:"places,omitempty"`
	Rule   string   `json:"rule"`
	Source string   `json:"source"`
}

// Chosen returns the settings that are not offers.
func (a Advice) Chosen() []Setting { return a.pick(false) }

// Offers returns the settings that are left to people.
func (a Advice) Offers() []Setting { return a.pick(true) }

// Missing says what this machine should have and cannot have here for want of
// packages: one text for each reason, for the person who installs.
func (a Advice) Missing() []string {
	var texts []string
	for _, group := range together(a.Offers()) {
		if len(group[0].Lacks) > 0 {
			texts = append(texts, strings.Join(append(slices.Clone(group[0].Reasons), group[0].Risk), " ")+" It stands as a comment in hardware.jsonnet.")
		}
	}
	return texts
}

func (a Advice) pick(offered bool) []Setting {
	var some []Setting
	for _, s := range a.Settings {
		if s.Offered == offered {
			some = append(some, s)
		}
	}
	return some
}

// Studio returns the start value of the studio card.
func (a Advice) Studio() (Start, bool) {
	if len(a.Starts) > 0 && a.Starts[0].Studio {
		return a.Starts[0], true
	}
	return Start{}, false
}

// Advise judges a machine.
func Advise(f *hwdetect.Facts, want Wants) Advice {
	m := look(f, want)
	for _, r := range rules {
		r.do(m, &adding{m: m, rule: r})
	}
	m.withhold()
	m.order()
	return m.Advice
}
