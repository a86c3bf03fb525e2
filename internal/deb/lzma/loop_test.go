package lzma

import (
	"bytes"
	"encoding/binary"
	"math/rand"
	"testing"

	"github.com/ulikunitz/xz/lzma"
)

// compareLoops decodes the same input twice, with loop as it is on this
// machine and in Go, and wants the same output, state and verdict. Both go on
// from what the first bytes of out are, as a dictionary.
func compareLoops(t *testing.T, in []byte, properties byte, dictionary, size, since int) {
	t.Helper()
	if len(in) < 5 || len(in) > maxIn || dictionary < 0 || size < 1 || dictionary+size > 1<<20 || since < 0 {
		return
	}
	type outcome struct {
		at, pos   int
		rng, code uint32
		n         int
		problem   int
		s         state
		out       []byte
	}
	run := func(loop func(*state, []byte, []byte, int, int, int, int, int, uint32, uint32) (int, int, uint32, uint32, int, int)) (o outcome, ok bool) {
		if err := o.s.setProperties(properties); err != nil {
			return o, false
		}
		o.s.reset()
		whole := make([]byte, dictionary+size+64)
		rand.New(rand.NewSource(1)).Read(whole[:dictionary])
		o.out = whole[:dictionary+size]
		behind := whole[len(o.out):]
		slacked := append(bytes.Clone(in), make([]byte, slack)...)
		// Twice, so that the second goes on with what the first has learnt.
		for range 2 {
			o.at, o.pos, o.rng, o.code, o.n, o.problem = loop(&o.s, slacked, o.out, 5, len(in), dictionary, dictionary/2, since, 0xffffffff, binary.BigEndian.Uint32(in[1:]))
		}
		if !bytes.Equal(behind, make([]byte, len(behind))) {
			t.Errorf("the loop wrote behind its output")
		}
		return o, true
	}
	got, ok := run((*state).loop)
	want, _ := run((*state).loopGo)
	if !ok {
		return
	}
	if got.problem != want.problem || got.at != want.at || got.pos != want.pos || got.rng != want.rng || got.code != want.code ||
		want.problem == problemMatch && got.n != want.n {
		t.Errorf("at %d, pos %d, rng %#x, code %#x, n %d, problem %d; want %d, %d, %#x, %#x, %d, %d",
			got.at, got.pos, got.rng, got.code, got.n, got.problem, want.at, want.pos, want.rng, want.code, want.n, want.problem)
		return
	}
	if !bytes.Equal(got.out[:got.pos], want.out[:want.pos]) {
		t.Errorf("%d bytes of output are not the same", got.pos)
	}
	if got.s != want.s {
		t.Errorf("the states differ")
	}
}

// TestLoop walks all of the loop: noise taken as input holds every kind of
// symbol and ends at a distance that leads nowhere; real input runs long.
func TestLoop(t *testing.T) {
	random := rand.New(rand.NewSource(2))
	for i := range 3000 {
		in := make([]byte, 5+random.Intn(1<<(3+i%9)))
		random.Read(in)
		lc := random.Intn(5)
		lp := random.Intn(5 - lc)
		compareLoops(t, in, byte(lc+9*lp+45*random.Intn(5)), random.Intn(5000), 1+random.Intn(20000), random.Intn(100))
	}
	for _, plain := range samples() {
		plain = plain[:min(len(plain), 1<<18)]
		if len(plain) == 0 {
			continue
		}
		packed := encode(t, plain, lzma.Writer2Config{DictCap: 1 << 16})
		if packed[0] < 0xe0 {
			continue // stored
		}
		in := packed[6:]
		compareLoops(t, in[:min(len(in), maxIn)], packed[5], 70_000, len(plain), 0)
	}
}

// FuzzLoop holds the assembly against the Go that says what it means.
func FuzzLoop(f *testing.F) {
	for _, plain := range samples() {
		packed := encode(f, plain[:min(len(plain), 3000)], lzma.Writer2Config{DictCap: MinDictionary})
		if packed[0] >= 0xe0 {
			f.Add(packed[6:], packed[5], uint16(0), uint16(3000), uint16(0))
			f.Add(packed[6:], packed[5], uint16(500), uint16(1000), uint16(3))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, properties byte, dictionary, size, since uint16) {
		compareLoops(t, in, properties, int(dictionary), int(size), int(since))
	})
}
