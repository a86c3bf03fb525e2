package lzma

import "fmt"

// Sizes of the model, by their names in the LZMA specification.
const (
	numStates     = 12
	numPosStates  = 16 // at most: pb is 4 at most
	numLenToPos   = 4
	startPosModel = 4
	endPosModel   = 14
	numFullDist   = 1 << (endPosModel / 2)
	alignBits     = 4
	minMatch      = 2

	probInit  = 1 << 10 // one half
	probTotal = 1 << 11
	moveBits  = 5
	topValue  = 1 << 24

	// half is what turns the update for a one into that for a zero, see bit.
	half = probTotal - 1<<moveBits + 1
)

// A prob is the probability of a zero, times 2,048.
type prob = uint16

// lengths is the model of match lengths.
type lengths struct {
	choice, choice2 prob
	low, mid        [numPosStates][8]prob
	high            [256]prob
}

// state is all that adapts while LZMA is decoded.
type state struct {
	lc             uint
	lpMask, pbMask uint

	kind                   uint // "state" in the specification: what came last
	rep0, rep1, rep2, rep3 uint32

	isMatch    [numStates][numPosStates]prob
	isRep      [numStates]prob
	isRepG0    [numStates]prob
	isRepG1    [numStates]prob
	isRepG2    [numStates]prob
	isRep0Long [numStates][numPosStates]prob
	slot       [numLenToPos][64]prob
	special    [numFullDist]prob
	align      [1 << alignBits]prob
	matchLen   lengths
	repLen     lengths
	literal    [16][0x300]prob // lc+lp is 4 at most in LZMA2
}

// setProperties reads the byte that holds lc, lp and pb.
func (s *state) setProperties(b byte) error {
	if b >= 9*5*5 {
		return fmt.Errorf("%w: properties %d", ErrData, b)
	}
	lc, lp, pb := uint(b%9), uint(b/9%5), uint(b/45)
	if lc+lp > 4 {
		return fmt.Errorf("%w: properties lc %d, lp %d", ErrData, lc, lp)
	}
	s.lc, s.lpMask, s.pbMask = lc, 1<<lp-1, 1<<pb-1
	return nil
}

func fill(p []prob) {
	for i := range p {
		p[i] = probInit
	}
}

func (l *lengths) reset() {
	l.choice, l.choice2 = probInit, probInit
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

func (s *state) reset() {
	s.kind, s.rep0, s.rep1, s.rep2, s.rep3 = 0, 0, 0, 0, 0
	for i := range numStates {
		fill(s.isMatch[i][:])
		fill(s.isRep0Long[i][:])
	}
	fill(s.isRep[:])
	fill(s.isRepG0[:])
	fill(s.isRepG1[:])
	fill(s.isRepG2[:])
	for i := range s.slot {
		fill(s.slot[i][:])
	}
	fill(s.special[:])
	fill(s.align[:])
	s.matchLen.reset()
	s.repLen.reset()
	for i := range s.literal {
		fill(s.literal[i][:])
	}
}

// The range coder's state travels through the functions below by value, so
// that it stays in registers: rng and code are the specification's Range and
// Code, and at is the next byte of in.
//
// Each decodes bits in the same way. With bound = rng/2048 × prob, the bit is
// zero when code < bound. The bits of real data are close to random, so the
// branch would be mispredicted half of the time; mask, all ones for a zero
// and all zeros for a one, does without:
//
//	zero: rng = bound                       prob += (2048 - prob) >> 5
//	one:  rng -= bound, code -= bound       prob -= prob >> 5
//
// and (2048-prob)>>5 = -((prob-2017)>>5), rounded as the specification does.

// bit decodes one bit.
func bit(p *prob, in []byte, rng, code uint32, at int) (b, rng2, code2 uint32, at2 int) {
	if rng < topValue {
		rng, code, at = rng<<8, code<<8|uint32(in[at]), at+1
	}
	v := uint32(*p)
	bound := (rng >> 11) * v
	if code < bound {
		*p = prob(v + (probTotal-v)>>moveBits)
		return 0, bound, code, at
	}
	*p = prob(v - v>>moveBits)
	return 1, rng - bound, code - bound, at
}

// tree decodes a symbol of a tree, high bits first. It returns the symbol with
// a one above it: for 3 bits, 8 to 15.
func tree(probs []prob, in []byte, rng, code uint32, at int) (symbol uint, rng2, code2 uint32, at2 int) {
	symbol = 1
	for symbol < uint(len(probs)) {
		if rng < topValue {
			rng, code, at = rng<<8, code<<8|uint32(in[at]), at+1
		}
		v := int32(probs[symbol])
		bound := (rng >> 11) * uint32(v)
		rest := int64(code) - int64(bound)
		mask := uint32(rest >> 63)
		probs[symbol] = prob(v - (v-int32(mask&half))>>moveBits)
		rng = rng - bound + mask&(2*bound-rng)
		code = uint32(rest) + bound&mask
		symbol = symbol<<1 + 1 + uint(int32(mask))
	}
	return symbol, rng, code, at
}

// literal is tree for the 8 bits of a literal.
func literal(probs *[0x300]prob, in []byte, rng, code uint32, at int) (symbol, rng2, code2 uint32, at2 int) {
	symbol = 1
	for symbol < 0x100 {
		if rng < topValue {
			rng, code, at = rng<<8, code<<8|uint32(in[at]), at+1
		}
		v := int32(probs[symbol])
		bound := (rng >> 11) * uint32(v)
		rest := int64(code) - int64(bound)
		mask := uint32(rest >> 63)
		probs[symbol] = prob(v - (v-int32(mask&half))>>moveBits)
		rng = rng - bound + mask&(2*bound-rng)
		code = uint32(rest) + bound&mask
		symbol = symbol<<1 + 1 + mask
	}
	return symbol, rng, code, at
}

// matchedLiteral decodes a literal after a match, which is likely to differ
// from match, the byte that the match would have gone on with.
func matchedLiteral(probs *[0x300]prob, match uint32, in []byte, rng, code uint32, at int) (symbol, rng2, code2 uint32, at2 int) {
	symbol = 1
	offset := uint32(0x100)
	for symbol < 0x100 {
		if rng < topValue {
			rng, code, at = rng<<8, code<<8|uint32(in[at]), at+1
		}
		match <<= 1
		matchBit := match & offset
		i := (offset + matchBit + symbol) & 0x3ff
		v := int32(probs[i])
		bound := (rng >> 11) * uint32(v)
		rest := int64(code) - int64(bound)
		mask := uint32(rest >> 63)
		probs[i] = prob(v - (v-int32(mask&half))>>moveBits)
		rng = rng - bound + mask&(2*bound-rng)
		code = uint32(rest) + bound&mask
		symbol = symbol<<1 + 1 + mask
		// offset stays while the bits are those of match.
		offset &= matchBit ^ mask
	}
	return symbol, rng, code, at
}

// reverse decodes n bits of a tree, low bits first.
func reverse(probs []prob, n uint, in []byte, rng, code uint32, at int) (value, rng2, code2 uint32, at2 int) {
	symbol := uint(1)
	for i := range n {
		var b uint32
		b, rng, code, at = bit(&probs[symbol], in, rng, code, at)
		symbol = symbol<<1 + uint(b)
		value |= b << i
	}
	return value, rng, code, at
}

// direct decodes n bits of probability one half, high bits first.
func direct(n uint, in []byte, rng, code uint32, at int) (value, rng2, code2 uint32, at2 int) {
	for ; n > 0; n-- {
		if rng < topValue {
			rng, code, at = rng<<8, code<<8|uint32(in[at]), at+1
		}
		rng >>= 1
		code -= rng
		mask := -(code >> 31) // all ones for a zero
		code += rng & mask
		value = value<<1 + 1 + mask
	}
	return value, rng, code, at
}

// length decodes a match length.
func (l *lengths) length(posState uint, in []byte, rng, code uint32, at int) (n int, rng2, code2 uint32, at2 int) {
	var b uint32
	var symbol uint
	if b, rng, code, at = bit(&l.choice, in, rng, code, at); b == 0 {
		symbol, rng, code, at = tree(l.low[posState][:], in, rng, code, at)
		return int(symbol) - 8 + minMatch, rng, code, at
	}
	if b, rng, code, at = bit(&l.choice2, in, rng, code, at); b == 0 {
		symbol, rng, code, at = tree(l.mid[posState][:], in, rng, code, at)
		return int(symbol) + minMatch, rng, code, at
	}
	symbol, rng, code, at = tree(l.high[:], in, rng, code, at)
	return int(symbol) - 256 + 16 + minMatch, rng, code, at
}

// distance decodes the distance of a match, less one.
func (s *state) distance(n int, in []byte, rng, code uint32, at int) (d, rng2, code2 uint32, at2 int) {
	slot, rng, code, at := tree(s.slot[min(n-minMatch, numLenToPos-1)][:], in, rng, code, at)
	slot -= 64
	if slot < startPosModel {
		return uint32(slot), rng, code, at
	}
	bits := slot>>1 - 1
	d = uint32(2|slot&1) << bits
	var low uint32
	if slot < endPosModel {
		low, rng, code, at = reverse(s.special[uint(d)-slot:], bits, in, rng, code, at)
		return d + low, rng, code, at
	}
	low, rng, code, at = direct(bits-alignBits, in, rng, code, at)
	d += low << alignBits
	low, rng, code, at = reverse(s.align[:], alignBits, in, rng, code, at)
	return d + low, rng, code, at
}

// What loop may find wrong.
const (
	problemInput = 1 + iota // the input ends before the output
	problemMatch            // a match of n bytes leads out of the dictionary or the output
)

// decode decodes one chunk: in is its input with slack behind it, out is the
// window up to the end of the chunk's output, which starts at pos, valid is
// how many bytes before pos belong to the dictionary, and since how many came
// since it was reset.
func (s *state) decode(in, out []byte, pos, valid, since int) error {
	end := len(in) - slack
	if end < 5 || in[0] != 0 {
		return fmt.Errorf("%w: the range coder does not start with zero", ErrData)
	}
	code := uint32(in[1])<<24 | uint32(in[2])<<16 | uint32(in[3])<<8 | uint32(in[4])
	start := pos - valid // of what a distance may reach
	at, pos, rng, code, n, problem := s.loop(in, out, 5, end, pos, start, since-pos, 0xffffffff, code)
	switch problem {
	case problemInput:
		return fmt.Errorf("%w: a chunk's input ends before its output", ErrData)
	case problemMatch:
		return fmt.Errorf("%w: a match of %d bytes at distance %d, after %d bytes and with %d to go",
			ErrData, n, uint64(s.rep0)+1, pos-start, len(out)-pos)
	}
	if rng < topValue {
		code, at = code<<8|uint32(in[at]), at+1
	}
	if at != end || code != 0 {
		return fmt.Errorf("%w: a chunk's input does not end where its output does", ErrData)
	}
	return nil
}

// loopGo decodes symbols until out is full. in holds the chunk's input up to
// end, and slack; at is the next byte of it and pos the next of out; matches
// reach back to start, and since+pos bytes came since the dictionary was
// reset. It returns how far it came, and what was wrong.
func (s *state) loopGo(in, out []byte, at, end, pos, start, since int, rng, code uint32) (at2, pos2 int, rng2, code2 uint32, n, problem int) {
	kind := s.kind
	rep0, rep1, rep2, rep3 := s.rep0, s.rep1, s.rep2, s.rep3
	for pos < len(out) {
		if at > end {
			problem = problemInput
			break
		}
		posState := uint(pos+since) & s.pbMask
		// In line, because it is the one bit of every symbol.
		if rng < topValue {
			rng, code, at = rng<<8, code<<8|uint32(in[at]), at+1
		}
		p := &s.isMatch[kind][posState]
		v := uint32(*p)
		bound := (rng >> 11) * v
		if code < bound {
			*p = prob(v + (probTotal-v)>>moveBits)
			rng = bound
			var before uint
			if pos > start {
				before = uint(out[pos-1])
			}
			probs := &s.literal[((uint(pos+since)&s.lpMask)<<s.lc+before>>(8-s.lc))&15]
			var symbol uint32
			if kind < 7 {
				symbol, rng, code, at = literal(probs, in, rng, code, at)
			} else {
				from := pos - int(rep0) - 1
				if from < start {
					n, problem = 1, problemMatch
					break
				}
				symbol, rng, code, at = matchedLiteral(probs, uint32(out[from]), in, rng, code, at)
			}
			out[pos] = byte(symbol)
			pos++
			kind = afterLiteral[kind]
			continue
		}
		*p = prob(v - v>>moveBits)
		rng, code = rng-bound, code-bound
		var b uint32
		if b, rng, code, at = bit(&s.isRep[kind], in, rng, code, at); b == 0 {
			rep3, rep2, rep1 = rep2, rep1, rep0
			n, rng, code, at = s.matchLen.length(posState, in, rng, code, at)
			rep0, rng, code, at = s.distance(n, in, rng, code, at)
			kind = after(kind, 7)
		} else {
			short := false
			if b, rng, code, at = bit(&s.isRepG0[kind], in, rng, code, at); b == 0 {
				b, rng, code, at = bit(&s.isRep0Long[kind][posState], in, rng, code, at)
				short = b == 0
			} else if b, rng, code, at = bit(&s.isRepG1[kind], in, rng, code, at); b == 0 {
				rep1, rep0 = rep0, rep1
			} else if b, rng, code, at = bit(&s.isRepG2[kind], in, rng, code, at); b == 0 {
				rep2, rep1, rep0 = rep1, rep0, rep2
			} else {
				rep3, rep2, rep1, rep0 = rep2, rep1, rep0, rep3
			}
			if short {
				n, kind = 1, after(kind, 9)
			} else {
				n, rng, code, at = s.repLen.length(posState, in, rng, code, at)
				kind = after(kind, 8)
			}
		}
		from := pos - int(rep0) - 1
		if from < start || n > len(out)-pos {
			problem = problemMatch
			break
		}
		if distance := pos - from; distance >= n {
			copy(out[pos:pos+n], out[from:from+n])
		} else { // the match overlaps itself: the first bytes repeat
			to := out[pos : pos+n]
			for len(to) > 0 {
				k := copy(to, out[from:pos])
				to, pos, n = to[k:], pos+k, n-k
			}
		}
		pos += n
	}
	s.kind, s.rep0, s.rep1, s.rep2, s.rep3 = kind, rep0, rep1, rep2, rep3
	return at, pos, rng, code, n, problem
}

// afterLiteral is the state after a literal.
var afterLiteral = [numStates]uint{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5}

// after is the state after a match or repetition: next when a literal came
// before it, else 10 for a match and 11 for a repetition.
func after(kind, next uint) uint {
	switch {
	case kind < 7:
		return next
	case next == 7:
		return 10
	}
	return 11
}
