package latency

import (
	"fmt"
	"strings"
)

// Rate is the sample rate that a verdict is about, in Hz.
const Rate = 48000

// Quanta are those that a verdict chooses from. Source: PipeWire 1.4.2
// pipewire.conf: default.clock.min-quantum 32, default.clock.quantum 1024.
var Quanta = []int{32, 64, 128, 256, 512, 1024}

const (
	// hops are the wake-ups that one period has to wait for in a row: the
	// interrupt of the card, the sound server, an application, and the server
	// again, which gives the result to the card. Source: docs.pipewire.org,
	// page_scheduling: the driver wakes, then its followers in the order of
	// the graph.
	hops = 4
	// share is how much of a period may go by with that wait, as one part of so
	// many: the rest is for what the plugins compute. A rule of ours.
	share = 3
)

// PeriodMicros is how long a quantum sounds, in microseconds.
func PeriodMicros(quantum int) int { return quantum * 1_000_000 / Rate }

// Wait is how long a period waits for its wake-ups, in microseconds: one comes
// as late as the latest, the others as late as is usual at the worst. That all
// of them come as late as the latest is not what happens.
func Wait(latest, usual int) int { return latest + (hops-1)*usual }

// Quantum is the least one whose period has room for so long a wait; ok is
// false when even the greatest has not.
func Quantum(wait int) (quantum int, ok bool) {
	for _, q := range Quanta {
		if share*wait <= PeriodMicros(q) {
			return q, true
		}
	}
	return 0, false
}

// A Verdict is what a measurement means for sound.
type Verdict struct {
	// Quantum is safe by the latest of all wake-ups; 0: none is.
	Quantum int `json:"quantum"`
	// Mostly is safe by all wake-ups but one of 10,000; 0: none is, or that
	// is not known.
	Mostly int `json:"mostly"`
	// Latest, and within how much 9,999 of 10,000 wake-ups came, in
	// microseconds; where that is not known, Usual is Latest.
	Latest int `json:"latest"`
	Usual  int `json:"usual"`
	// Isolated says that isolated cores alone were looked at: sound runs there.
	Isolated bool `json:"isolated,omitempty"`
}

// Judge looks at the cores that sound runs on. Without a wake-up there is no
// verdict.
func (r *Result) Judge() (v Verdict, ok bool) {
	var isolated, all Core
	for _, c := range r.Cores {
		all = all.join(c)
		if c.Isolated {
			isolated = isolated.join(c)
		}
	}
	total := all
	if isolated.Wakeups() > 0 {
		total, v.Isolated = isolated, true
	}
	if total.Wakeups() == 0 {
		return Verdict{}, false
	}
	v.Latest, v.Usual = total.Max, total.Max
	if micros, known := total.Percentile(99.99); known {
		v.Usual = micros
		v.Mostly, _ = Quantum(Wait(micros, micros))
	}
	v.Quantum, _ = Quantum(Wait(v.Latest, v.Usual))
	return v, true
}

// Words are sentences about a verdict: what is safe, why, and what was not
// looked at.
func (r *Result) Words() []string {
	v, ok := r.Judge()
	if !ok {
		return []string{"Nothing was measured."}
	}
	var s []string
	if r.Guest != "" {
		s = append(s, fmt.Sprintf("This is a virtual machine (%s): the figures are those of its host as well and mean little.", printable(r.Guest)))
	}
	where := "on any core"
	if v.Isolated {
		where = "on the isolated cores"
	}
	latest := fmt.Sprintf("The latest wake-up %s came %d us late, 9,999 of 10,000 came within %d us.", where, v.Latest, v.Usual)
	if v.Usual == v.Latest {
		latest = fmt.Sprintf("The latest wake-up %s came %d us late.", where, v.Latest)
	}
	why := fmt.Sprintf("A period waits for some %d wake-ups in a row (card, server, application, server): one as late as the latest and the others as late as those, %s together, should take no more than a third of it.", hops, millis(Wait(v.Latest, v.Usual)))
	last := Quanta[len(Quanta)-1]
	if v.Quantum == 0 {
		s = append(s, fmt.Sprintf("No quantum up to %d frames at %d Hz (%s) looks safe. %s %s", last, Rate, millis(PeriodMicros(last)), latest, why))
	} else {
		s = append(s, fmt.Sprintf("%d frames at %d Hz (%s) look safe. %s %s", v.Quantum, Rate, millis(PeriodMicros(v.Quantum)), latest, why))
	}
	if v.Mostly != 0 && v.Mostly != v.Quantum {
		s = append(s, fmt.Sprintf("Without the latest one of 10,000 wake-ups %d frames would do: at that, expect a click now and then.", v.Mostly))
	}
	if !r.Whole() {
		s = append(s, fmt.Sprintf("It was stopped after %d of %d seconds.", r.Seconds, r.Wanted))
	}
	return append(s, fmt.Sprintf("%d seconds do not show everything, and the wake-up is not the whole way of the sound: driver, USB and plugins take their time too. Begin with this quantum, and listen.", r.Seconds))
}

// millis writes microseconds as "1.33 ms".
func millis(micros int) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", float64(micros)/1000), "0"), ".") + " ms"
}
