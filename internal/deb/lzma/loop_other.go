//go:build !amd64

package lzma

func (s *state) loop(in, out []byte, at, end, pos, start, since int, rng, code uint32) (at2, pos2 int, rng2, code2 uint32, n, problem int) {
	return s.loopGo(in, out, at, end, pos, start, since, rng, code)
}
