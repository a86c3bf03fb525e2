package lzma

// loop is loopGo in assembly.
func (s *state) loop(in, out []byte, at, end, pos, start, since int, rng, code uint32) (at2, pos2 int, rng2, code2 uint32, n, problem int) {
	return loopAsm(s, in, out, at, end, pos, start, since, rng, code)
}

// loopAsm is in loop_amd64.s.
//
//go:noescape
func loopAsm(s *state, in, out []byte, at, end, pos, start, since int, rng, code uint32) (at2, pos2 int, rng2, code2 uint32, n, problem int)

// reversed holds the five bits of each index in the opposite order.
//
//lint:ignore U1000 loop_amd64.s reads it
var reversed = [32]byte{
	0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30,
	1, 17, 9, 25, 5, 21, 13, 29, 3, 19, 11, 27, 7, 23, 15, 31,
}
