package nar

import (
	"maps"
	"slices"

	"reprise/store/storepath"
)

// A Scanner finds references in the bytes written to it: every place where 32
// bytes in a row are the hash part of a candidate. Where the bytes stand and
// how they are cut into writes does not matter.
//
// It reads only the bytes it must: a window of 32 bytes can hold a hash only
// when all of them are base-32 digits, so it looks at a window's last byte
// first and skips 32 bytes at once when that is no digit.
type Scanner struct {
	wanted map[[storepath.HashLen]byte]storepath.Path
	found  map[storepath.Path]bool
	filter [1 << 13]uint64 // a bit for the first four digits less one bit of each wanted hash
	tail   []byte          // the last bytes of the stream, fewer than a hash
}

// NewScanner returns a Scanner for these candidates.
func NewScanner(candidates []storepath.Path) *Scanner {
	s := &Scanner{
		wanted: make(map[[storepath.HashLen]byte]storepath.Path, len(candidates)),
		found:  make(map[storepath.Path]bool),
	}
	for _, p := range candidates {
		var hash [storepath.HashLen]byte
		copy(hash[:], p.Hash())
		s.wanted[hash] = p
		key := filterKey(hash[:])
		s.filter[key>>6] |= 1 << (key & 63)
	}
	return s
}

// filterKey mixes the first four bytes of a window into 19 bits.
func filterKey(window []byte) uint32 {
	_ = window[3]
	word := uint32(window[0]) | uint32(window[1])<<8 | uint32(window[2])<<16 | uint32(window[3])<<24
	return word * 0x9e3779b1 >> 13
}

// Write looks for references in data and in the place where it joins what was
// written before. It never fails.
func (s *Scanner) Write(data []byte) (int, error) {
	const edge = storepath.HashLen - 1
	if len(s.tail) > 0 {
		joint := append(s.tail, data[:min(edge, len(data))]...)
		s.search(joint)
		s.tail = joint
	}
	if len(data) >= edge {
		s.search(data)
		s.tail = append(s.tail[:0], data[len(data)-edge:]...)
	} else {
		if len(s.tail) == 0 {
			s.tail = append(s.tail, data...)
		}
		if len(s.tail) > edge {
			s.tail = append(s.tail[:0], s.tail[len(s.tail)-edge:]...)
		}
	}
	return len(data), nil
}

func (s *Scanner) search(data []byte) {
	const size = storepath.HashLen
	start := 0   // the window is data[start:start+size]
	checked := 0 // data[start:checked] are known to be digits
	for start+size <= len(data) {
		end := start + size
		at := end - 1
		for at >= checked && storepath.IsDigit(data[at]) {
			at--
		}
		if at >= checked { // not a digit: no window may hold it
			start, checked = at+1, at+1
			continue
		}
		checked = end
		window := data[start:end]
		if key := filterKey(window); s.filter[key>>6]&(1<<(key&63)) != 0 {
			if p, ok := s.wanted[[size]byte(window)]; ok {
				s.found[p] = true
			}
		}
		start++
	}
}

// Found returns the candidates seen so far, sorted.
func (s *Scanner) Found() []storepath.Path {
	return slices.Sorted(maps.Keys(s.found))
}
