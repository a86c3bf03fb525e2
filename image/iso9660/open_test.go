package iso9660

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// small is the head of a medium that a fuzzer can turn around in.
func small(tb testing.TB) []byte {
	tb.Helper()
	l, err := Plan(Image{Label: "SMALL", Files: []File{
		Text("a/file", "content"), Text(strings.Repeat("n", 250), "long"), large("large", 5<<30), {Path: "link", Mode: fs.ModeSymlink, Target: "a"},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return l.head
}

func TestOpenRefuses(t *testing.T) {
	good := small(t)
	for name, change := range map[string]func([]byte) []byte{
		"empty":        func([]byte) []byte { return nil },
		"short":        func(b []byte) []byte { return b[:17*Sector-1] },
		"zeros":        func(b []byte) []byte { return make([]byte, len(b)) },
		"other kind":   func(b []byte) []byte { b[16*Sector] = 2; return b },
		"other blocks": func(b []byte) []byte { binary.LittleEndian.PutUint16(b[16*Sector+128:], 512); return b },
	} {
		if _, err := Open(bytes.NewReader(change(bytes.Clone(good)))); !errors.Is(err, ErrNoVolume) {
			t.Errorf("%s: error %v, want ErrNoVolume", name, err)
		}
	}
}

// TestLookupRefuses damages directories in every way that could lead astray.
func TestLookupRefuses(t *testing.T) {
	good := small(t)
	le := binary.LittleEndian
	root := int(le.Uint32(good[16*Sector+158:])) * Sector
	record := func(id string) int { // where the record of a name begins
		for at := root; good[at] != 0; at += int(good[at]) {
			if string(good[at+33:][:good[at+32]]) == id {
				return at
			}
		}
		t.Fatalf("no record %q", id)
		return 0
	}
	long := record(strings.Repeat("N", 29) + ".;1")
	ce := long + bytes.Index(good[long:long+int(good[long])], []byte("CE\x1c"))
	for name, c := range map[string]struct {
		change func([]byte) []byte
		path   string
		want   string
	}{
		"record too short":     {func(b []byte) []byte { b[long] = 33; return b }, strings.Repeat("n", 250), "record is broken"},
		"record beyond":        {func(b []byte) []byte { b[long] = 255; return b }, strings.Repeat("n", 250), "broken"},
		"name beyond":          {func(b []byte) []byte { b[long+32] = 250; return b }, strings.Repeat("n", 250), "broken"},
		"entry too short":      {func(b []byte) []byte { b[ce+2] = 3; return b }, strings.Repeat("n", 250), "entry is broken"},
		"continuation crosses": {func(b []byte) []byte { le.PutUint32(b[ce+20:], 4096); return b }, strings.Repeat("n", 250), "crosses"},
		"continuation outside": {func(b []byte) []byte { le.PutUint32(b[ce+4:], 1<<30); return b }, strings.Repeat("n", 250), "continuation area"},
		"continuation loops": {func(b []byte) []byte {
			at := int(le.Uint32(b[ce+4:]))*Sector + int(le.Uint32(b[ce+12:]))
			copy(b[at:], b[ce:ce+ceBytes])
			le.PutUint32(b[ce+20:], ceBytes)
			le.PutUint32(b[at+20:], ceBytes)
			return b
		}, strings.Repeat("n", 250), "without an end"},
		"directory outside": {func(b []byte) []byte { le.PutUint32(b[record("A")+2:], 1<<30); return b }, "a/file", "within the volume"},
		"directory huge":    {func(b []byte) []byte { le.PutUint32(b[record("A")+10:], 1<<31); return b }, "a/file", "at most"},
		"file outside":      {func(b []byte) []byte { le.PutUint32(b[record("LARGE.;1")+2:], 1<<30); return b }, "large", "not in one piece"},
		"truncated":         {func(b []byte) []byte { return b[:root+Sector] }, "a/file", "read"},
		"size 0":            {func(b []byte) []byte { le.PutUint32(b[16*Sector+80:], 0); return b }, "a/file", "within the volume of 0"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := Open(bytes.NewReader(c.change(bytes.Clone(good))))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := v.Lookup(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	// The system area says nothing to a reader; without it inputs are small.
	const skip = systemSectors * Sector
	seed := small(f)[skip:]
	for _, path := range []string{"a/file", "large", strings.Repeat("n", 250)} {
		f.Add(seed, path)
	}
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		v, err := Open(bytes.NewReader(append(make([]byte, skip), b...)))
		if err != nil {
			return
		}
		offset, size, err := v.Lookup(path)
		if err == nil && (offset < 0 || size < 0 || offset+size > v.Size) {
			t.Errorf("%q lies at %d, %d bytes, in a volume of %d", path, offset, size, v.Size)
		}
	})
}
