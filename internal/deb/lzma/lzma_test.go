package lzma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"

	xzread "github.com/therootcompany/xz"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// encode makes a stream of LZMA2 without the .xz container.
func encode(t testing.TB, plain []byte, config lzma.Writer2Config) []byte {
	t.Helper()
	var b bytes.Buffer
	config.BufSize = 1 << 16 // with its default, v0.5.17 fails on noise: "insufficient space"
	w, err := config.NewWriter2(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// samples are plain texts of different character.
func samples() map[string][]byte {
	random := rand.New(rand.NewSource(1))
	noise := make([]byte, 300_000)
	random.Read(noise)
	var words, mixed bytes.Buffer
	for words.Len() < 3_000_000 { // longer than a chunk
		fmt.Fprintf(&words, "%s %d ", []string{"alpha", "beta", "gamma", "delta"}[random.Intn(4)], random.Intn(1000))
	}
	for mixed.Len() < 500_000 {
		n := random.Intn(3000)
		switch random.Intn(3) {
		case 0:
			mixed.Write(noise[n : 2*n])
		case 1:
			mixed.Write(bytes.Repeat(noise[n:n+1+random.Intn(5)], n))
		default:
			mixed.Write(mixed.Bytes()[mixed.Len()/2 : mixed.Len()/2+min(n, mixed.Len()/2)])
		}
	}
	return map[string][]byte{
		"nothing": nil, "one byte": {7}, "zeros": make([]byte, 5_000_000), "noise": noise,
		"words": words.Bytes(), "mixed": mixed.Bytes(), "period of three": bytes.Repeat([]byte("abc"), 100_000),
	}
}

func TestReader(t *testing.T) {
	for name, plain := range samples() {
		for _, p := range []lzma.Properties{{LC: 3, LP: 0, PB: 2}, {LC: 0, LP: 4, PB: 0}, {LC: 4, LP: 0, PB: 4}, {LC: 1, LP: 2, PB: 3}} {
			for _, dict := range []int{MinDictionary, 1 << 16, 1 << 20} {
				if len(plain) > 1<<20 && (p.LP != 0 || dict == 1<<16) {
					continue // the encoder is slow
				}
				packed := encode(t, plain, lzma.Writer2Config{Properties: &p, DictCap: dict})
				in := bytes.NewReader(append(packed, "rest"...))
				got, err := io.ReadAll(NewReader(in, uint32(dict)))
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s, %+v, dictionary %d: %d of %d bytes, %v", name, p, dict, len(got), len(plain), err)
				}
				if in.Len() != 4 {
					t.Errorf("%s: %d bytes left, want the 4 after the stream", name, in.Len())
				}
			}
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	good := encode(t, []byte(strings.Repeat("some text, ", 100)), lzma.Writer2Config{DictCap: MinDictionary})
	for name, test := range map[string]struct {
		in   string
		want error
	}{
		"empty":                   {"", io.ErrUnexpectedEOF},
		"no end":                  {string(good[:len(good)-1]), io.ErrUnexpectedEOF},
		"cut":                     {string(good[:len(good)/2]), io.ErrUnexpectedEOF},
		"cut in a header":         {string(good[:3]), io.ErrUnexpectedEOF},
		"unknown chunk":           {"\x03", ErrData},
		"no dictionary":           {"\x02\x00\x00x\x00", ErrData},
		"no properties":           {"\x01\x00\x00x\x80\x00\x00\x00\x05xxxxxx", ErrData},
		"no properties, state":    {"\x01\x00\x00x\xa0\x00\x00\x00\x05xxxxxx", ErrData},
		"bad properties":          {"\xe0\x00\x00\x00\x05\xff", ErrData},
		"lc and lp too large":     {"\xe0\x00\x00\x00\x05\x28", ErrData},
		"range coder of 3 bytes":  {"\xe0\x00\x00\x00\x02\x5d\x00\x00\x00", ErrData},
		"range coder starts with": {"\xe0\x00\x00\x00\x05\x5d\x01\x00\x00\x00\x00\x00", ErrData},
		"input ends early":        {"\xe0\xff\xff\x00\x05\x5d\x00\x12\x34\x56\x78\x9a\x00", ErrData},
		"distance before start":   {"\xe0\x00\x10\x00\x09\x5d\x00\xff\xff\xff\xfe\xff\xff\xff\xff\xff\x00", ErrData},
	} {
		got, err := io.ReadAll(NewReader(strings.NewReader(test.in), MinDictionary))
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %d bytes, error %v, want %v", name, len(got), err, test.want)
		}
	}
}

func TestReset(t *testing.T) {
	first := encode(t, bytes.Repeat([]byte("first "), 1000), lzma.Writer2Config{DictCap: MinDictionary})
	second := encode(t, []byte("second"), lzma.Writer2Config{DictCap: MinDictionary})
	d := NewReader(bytes.NewReader(first), MinDictionary)
	if _, err := io.ReadFull(d, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	d.Reset(bytes.NewReader(second), MinDictionary)
	if got, err := io.ReadAll(d); err != nil || string(got) != "second" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzReader compares with another decoder: for any bytes both give the same
// output, or both refuse. The stream is wrapped in an .xz file without a
// checksum, because the other one reads nothing else.
func FuzzReader(f *testing.F) {
	for _, text := range []string{"", "a", strings.Repeat("abc", 50), "text with some text in it, and some more text"} {
		f.Add(encode(f, []byte(text), lzma.Writer2Config{DictCap: MinDictionary}))
		f.Add(encode(f, []byte(text), lzma.Writer2Config{DictCap: MinDictionary, Properties: &lzma.Properties{LC: 0, LP: 2, PB: 1}}))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		const limit = 8 << 20
		got, err := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(packed), MinDictionary), limit))

		head := "\xfd7zXZ\x00\x00\x00\xff\x12\xd9\x41" + "\x02\x00\x21\x01\x00\x00\x00\x00\x37\x27\x97\xd6"
		other, err2 := xzread.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(packed)), 1<<20)
		if err2 != nil {
			t.Fatal(err2)
		}
		want, err2 := io.ReadAll(io.LimitReader(other, limit))
		// It always fails in the end, for want of an index; how far it came
		// is what matters. It gives output out before it has seen the end of
		// the chunk, which we do not.
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%d bytes, the other decoder %d, %v", len(got), len(want), err2)
		}
		if err != nil && !bytes.HasPrefix(want, got) {
			t.Errorf("%d bytes until %v, which the other decoder's %d do not start with", len(got), err, len(want))
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, name := range []string{"words", "noise"} {
		plain := samples()[name]
		var packed bytes.Buffer
		w, err := xz.WriterConfig{CheckSum: xz.CRC32}.NewWriter(&packed)
		if err != nil {
			b.Fatal(err)
		}
		w.Write(plain)
		w.Close()
		stream := encode(b, plain, lzma.Writer2Config{})
		b.Run(name+"/ours", func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				io.Copy(io.Discard, NewReader(bytes.NewReader(stream), 8<<20))
			}
		})
		b.Run(name+"/other", func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				r, err := xzread.NewReader(bytes.NewReader(packed.Bytes()), 0)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, r)
			}
		})
	}
}
