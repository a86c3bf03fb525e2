package advice

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reprise/hwdetect"
)

// A buffer is a start value, by what a card is.
type buffer struct {
	match   func(*machine, *Start) bool
	period  int // frames
	periods int
	why     string
	source  string
}

// buffers are sought from the first on. Fewer frames are tried from here by
// measuring; what does not start at all, or was seen to fail, is not here.
var buffers = []buffer{
	{func(m *machine, s *Start) bool { return m.guest() }, 1024, 3,
		"In a virtual machine sound goes through the host's buffers, too.", "PipeWire 1.4.2 pipewire.conf"},
	{func(m *machine, s *Start) bool { return s.role == hwdetect.RoleHDMI }, 512, 3,
		"A display's sound is known to need 512 frames and three periods.", "jackaudio/jack2#707"},
	{func(m *machine, s *Start) bool { return s.role == hwdetect.RoleWebcam }, 512, 3,
		"A webcam's microphone is no studio interface.", "linux-fcp#45"},

	// FireWire by its ALSA driver: all want three periods. The Fireface 802
	// takes 32x2, 64x2, 256x2, 128x3 and 128x4, but not 128x2.
	{func(m *machine, s *Start) bool { return s.unit != nil && m.unitModule(s) == "snd_dice" }, 64, 3,
		"ALSA's driver for DICE adds about four periods of its own, so periods are short.", "takaswie/linux-firewire-dkms#47"},
	{func(m *machine, s *Start) bool { return s.unit != nil && m.unitModule(s) == "snd_bebob" }, 256, 3,
		"BeBoB units are slow: 256 frames and three periods, and six periods for the oldest.", "takaswie/linux-firewire-dkms#25"},
	{func(m *machine, s *Start) bool { return s.unit != nil }, 128, 3,
		"ALSA's FireWire drivers do not work well with two periods; with three, 128 frames were seen to hold.", "takaswie/linux-firewire-dkms#26, #46"},

	{func(m *machine, s *Start) bool { return s.usb != nil && fullSpeed(s) }, 256, 3,
		"USB at full speed moves sound once a millisecond, so the buffer is larger.", "USB Audio Class 1.0"},
	{func(m *machine, s *Start) bool { return s.usb != nil && platformHost(m, s) }, 256, 3,
		"Its USB controller is a weak one, so the buffer is larger.", "raspberrypi/linux#4314"},
	{func(m *machine, s *Start) bool { return s.usb != nil }, 128, 3,
		"USB is best with three periods.", "jackd(1), -n; jackaudio/jack2#679, #794"},

	{func(m *machine, s *Start) bool {
		return s.pci != nil && dspSound(s)
	}, 512, 3, "A DSP stands before this codec, with buffers of its own.", "thesofproject/linux, sof-pcm"},
	{func(m *machine, s *Start) bool { return s.pci != nil && s.role == hwdetect.RoleInterface }, 128, 2,
		"A card in a slot does with two periods.", "PhilippeBekaert/snd-hdspe#3: 64 frames at 48 and 96 kHz"},
	{func(m *machine, s *Start) bool { return s.pci != nil }, 256, 2,
		"A mainboard's codec is a fallback: 256 frames and two periods.", "nonlinear-labs-dev/C15#1789: 64 frames on a tuned machine"},
	{func(m *machine, s *Start) bool { return true }, 256, 3,
		"A board's own sound: a careful start.", "raspberrypi/linux#2722"},
}

// fixedBuffer is the buffer of RME's HDSPe AIO and RayDAT, whatever the period.
const fixedBuffer = 16384 // frames; Linux 6.12 sound/pci/rme9652/hdspm.c, snd_hdspm_open

// begin fills in where to begin with a card.
func (m *machine) begin(s *Start) {
	s.Driver = ALSA
	s.Rate = m.rate(s)
	for _, b := range buffers {
		if b.match(m, s) {
			s.Period, s.Periods = b.period, b.periods
			s.Why = append(s.Why, b.why)
			break
		}
	}
	if rme(s) {
		if n := strings.ToLower(s.Name); strings.Contains(n, "aio") || strings.Contains(n, "raydat") {
			s.Buffer = fixedBuffer
			s.Why = append(s.Why, fmt.Sprintf("The card has a fixed buffer of %d frames; only the period counts for the delay.", fixedBuffer))
		}
		s.Trouble = append(s.Trouble, "The rate belongs to the whole card: keep it at one value.")
	}
	if s.unit != nil {
		s.Sync = true
		s.Why = append(s.Why, "JACK runs in synchronous mode (-S), as the drivers' maintainer asks.")
		if m.unitModule(s) == "snd_dice" {
			s.Trouble = append(s.Trouble, "The rate is a setting of the unit (clock-rate in amixer): set it before the server starts.")
			other := *s
			other.Driver, other.Sync, other.Period, other.Periods, other.Other = FFADO, false, 128, 3, nil
			other.Why, other.Trouble = []string{"FFADO's way is shorter for DICE units; JACK's manual asks for three periods."}, nil
			s.Other = &other
		}
	}
	if s.Rate != 0 && s.unit != nil || s.usb != nil {
		// Two clocks, or a faulty feedback between them: the distance does not
		// depend on load. Sources: zynthian/zynthian-ui#430, linux-firewire-dkms#27.
		s.Trouble = append(s.Trouble, fmt.Sprintf("Dropouts at equal distances, every 110 s or so, come from the device's clock: try its native rate (%d Hz) or another port. A larger buffer does not help.", s.Rate))
	}
}

func fullSpeed(s *Start) bool {
	speed, ok := s.usb.SpeedMbps.Get()
	return ok && speed <= 12
}

// platformHost says that a USB device hangs on a controller of the weak kinds
// that boards have.
func platformHost(m *machine, s *Start) bool {
	c, ok := m.f.USBController(s.usb.Controller)
	return ok && weakHost(c)
}

// weakHost says that a controller is DesignWare's USB 2 one, by either driver.
func weakHost(c hwdetect.USBController) bool {
	return strings.HasPrefix(c.Kind.Or(""), "dwc2") || strings.HasPrefix(c.Driver.Or(""), "dwc2") || strings.HasPrefix(c.Kind.Or(""), "dwc_otg") || strings.HasPrefix(c.Driver.Or(""), "dwc_otg")
}

// dspSound says that a DSP stands before the codec: the driver tells, or, where
// none is bound, the class.
func dspSound(s *Start) bool {
	if s.card != nil {
		words := strings.ToLower(s.card.Driver.Or("") + " " + s.card.Module.Or("") + " " + s.pci.Driver.Or(""))
		return strings.Contains(words, "sof") || strings.Contains(words, "avs") || strings.Contains(words, "acp")
	}
	return s.role == hwdetect.RoleOnboard && s.pci.Sound != hwdetect.SoundHDA
}

// rme says that a card is one of RME's PCI cards: vendor 1d18, or the id of the
// Xilinx chip on older ones.
func rme(s *Start) bool {
	if s.pci == nil {
		return false
	}
	return s.pci.ID.Vendor == 0x1d18 || s.pci.ID == hwdetect.ID{Vendor: 0x10ee, Product: 0x3fc6} ||
		s.card != nil && (strings.HasPrefix(s.card.Module.Or(""), "snd_hdsp"))
}

// preferredRate is what video, most devices and all servers agree on.
const preferredRate = 48000

// rate is preferredRate, or the nearest that the card has both ways.
func (m *machine) rate(s *Start) int {
	if s.card == nil {
		return preferredRate
	}
	var rates [][]int
	for _, t := range s.card.Streams {
		if len(t.Rates) > 0 {
			rates = append(rates, t.Rates)
		}
	}
	if len(rates) == 0 {
		var clock []int
		for _, c := range s.card.Clock {
			if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(c, "Hz"))); err == nil {
				clock = append(clock, n)
			}
		}
		if len(clock) > 0 {
			rates = append(rates, clock)
		}
	}
	// Alternate settings of one direction may differ: any of them will do.
	has := func(want int) bool {
		return slices.ContainsFunc(rates, func(r []int) bool {
			return slices.Contains(r, want) || len(r) == 2 && r[0] < want && want < r[1] // a range, by its ends
		})
	}
	if len(rates) == 0 || has(preferredRate) {
		return preferredRate
	}
	best := 0
	for _, r := range slices.Concat(rates...) {
		if best == 0 || distance(r) < distance(best) || distance(r) == distance(best) && r < best {
			best = r
		}
	}
	s.Why = append(s.Why, fmt.Sprintf("It has no %d Hz.", preferredRate))
	return best
}

func distance(rate int) int { return max(rate-preferredRate, preferredRate-rate) }
