package hwdetect

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An asoundCard is one card of /proc/asound/cards.
type asoundCard struct {
	index                      int
	id, driver, name, longName string
}

var cardLine = regexp.MustCompile(`^\s*(\d{1,4}) \[(.*?)\s*\]: (.*)$`)

// parseCards reads /proc/asound/cards, two lines a card:
//
//	1 [HDSPe24012345  ]: HDSPe - RME RayDAT_24012345
//	                     RME RayDAT S/N 0x… at 0xf7c00000, irq 16
//
// and none after "--- no soundcards ---".
func parseCards(data []byte) []asoundCard {
	var all []asoundCard
	for _, line := range lines(data) {
		f := cardLine.FindStringSubmatch(line)
		if f == nil {
			if len(all) > 0 && strings.HasPrefix(line, "   ") && all[len(all)-1].longName == "" {
				all[len(all)-1].longName = clean(line)
			}
			continue
		}
		n, err := strconv.Atoi(f[1])
		if err != nil || slices.ContainsFunc(all, func(c asoundCard) bool { return c.index == n }) {
			continue
		}
		driver, name, ok := strings.Cut(f[3], " - ")
		if !ok {
			driver, name = "", f[3]
		}
		all = append(all, asoundCard{n, clean(f[2]), clean(driver), clean(name), ""})
	}
	return all
}

// parseCardModules reads /proc/asound/modules: " 0 snd_usb_audio".
func parseCardModules(data []byte) map[int]string {
	out := map[int]string{}
	for _, line := range lines(data) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		if n, err := strconv.Atoi(f[0]); err == nil && n >= 0 {
			out[n] = clean(f[1])
		}
	}
	return out
}

// maxRates bounds the rates of one stream.
const maxRates = 64

// parseStream reads /proc/asound/cardN/streamM of USB cards: the settings
// after "Playback:" and "Capture:".
func parseStream(data []byte) []Stream {
	var all []Stream
	playback, inside := false, false
	for _, line := range lines(data) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		value = clean(value)
		switch {
		case ok && value == "" && (key == "Playback" || key == "Capture"):
			playback, inside = key == "Playback", true
			continue
		case strings.HasPrefix(strings.TrimSpace(line), "Altset ") && inside:
			if len(all) < maxRates {
				all = append(all, Stream{Playback: playback})
			}
			continue
		}
		if !ok || len(all) == 0 || all[len(all)-1].Playback != playback {
			continue
		}
		s := &all[len(all)-1]
		switch key {
		case "Format":
			s.Format = some(value)
		case "Channels":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				s.Channels = Is(n)
			}
		case "Rates":
			s.Rates = parseRates(value)
		case "Endpoint":
			// "0x01 (1 OUT) (ASYNC)", before Linux 5.0 "1 OUT (ASYNC)".
			if i := strings.LastIndexByte(value, '('); i >= 0 {
				s.Sync = some(strings.TrimSuffix(value[i+1:], ")"))
			}
		}
	}
	return all
}

// parseRates reads "44100, 48000" and "8000 - 96000 (continuous)".
func parseRates(s string) []int {
	s, _, _ = strings.Cut(s, "(")
	var rates []int
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '-' || r == ' ' }) {
		if n, err := strconv.Atoi(f); err == nil && n > 0 && len(rates) < maxRates {
			rates = append(rates, n)
		}
	}
	return rates
}

// parseFormation reads /proc/asound/cardN/firewire/formation of BridgeCo
// units: a line "RATE PCM MIDI" a rate, for each direction. Rates without
// audio channels are those the unit cannot do.
func parseFormation(data []byte) []Stream {
	var all []Stream
	playback := false
	for _, line := range lines(data) {
		switch {
		case strings.HasPrefix(line, "Output Stream from"):
			playback = false
			continue
		case strings.HasPrefix(line, "Input Stream to"):
			playback = true
			continue
		}
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		rate, err1 := strconv.Atoi(f[0])
		channels, err2 := strconv.Atoi(f[1])
		if err1 != nil || err2 != nil || rate <= 0 || channels <= 0 || len(all) > maxRates {
			continue
		}
		i := slices.IndexFunc(all, func(s Stream) bool { return s.Playback == playback && s.Channels.Or(0) == channels })
		if i < 0 {
			i = len(all)
			all = append(all, Stream{Playback: playback, Channels: Is(channels)})
		}
		if len(all[i].Rates) < maxRates {
			all[i].Rates = append(all[i].Rates, rate)
		}
	}
	return all
}
