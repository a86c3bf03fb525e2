package flash

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

// sums makes the checksums of a primary GPT in b anew.
func sums(b []byte) {
	le := binary.LittleEndian
	h := b[512:1024]
	n := int(le.Uint32(h[gptCount:]) * le.Uint32(h[gptEntryBytes:]))
	if at := int(le.Uint64(h[gptEntries:])) * 512; n > 0 && at+n <= len(b) && at >= 0 {
		le.PutUint32(h[gptEntriesSum:], crc32.ChecksumIEEE(b[at:at+n]))
	}
	le.PutUint32(h[gptSum:], headerSum(h, int64(min(le.Uint32(h[gptLength:]), 512))))
}

func TestMove(t *testing.T) {
	disk := content(t, 8*mib)
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		change func([]byte)
		device int64
		block  int64
		moved  bool
		why    string
		mbr    bool // its entry is enlarged
	}{
		"larger":           {nil, 16 * mib, 512, true, "", true},
		"as large":         {nil, 8 * mib, 512, false, "already", false},
		"other sectors":    {nil, 16 * mib, 4096, false, "sectors of 4096", false},
		"none":             {func(b []byte) { clear(b[512:1024]) }, 16 * mib, 512, false, "has no GPT", false},
		"header damaged":   {func(b []byte) { b[512+60]++ }, 16 * mib, 512, false, "checksum of its header", false},
		"entries damaged":  {func(b []byte) { b[1024+60]++ }, 16 * mib, 512, false, "checksum of its entries", false},
		"hybrid":           {func(b []byte) { b[mbrTable+16+4] = 0xef }, 16 * mib, 512, true, "", false},
		"other MBR":        {func(b []byte) { b[mbrTable+4] = 0x83 }, 16 * mib, 512, true, "", false},
		"entry of type 0":  {func(b []byte) { b[mbrTable+16] = 0x80 }, 16 * mib, 512, true, "", true},
		"beyond 2 TiB":     {nil, 3 << 40, 512, true, "", true},
		"header too long":  {func(b []byte) { le.PutUint32(b[512+gptLength:], 513) }, 16 * mib, 512, false, "length of 513", false},
		"header too short": {func(b []byte) { le.PutUint32(b[512+gptLength:], 91); sums(b) }, 16 * mib, 512, false, "length of 91", false},
		"no entries":       {func(b []byte) { le.PutUint32(b[512+gptCount:], 0); sums(b) }, 16 * mib, 512, false, "counts 0 entries", false},
		"tiny entries":     {func(b []byte) { le.PutUint32(b[512+gptEntryBytes:], 64); sums(b) }, 16 * mib, 512, false, "of 64 bytes", false},
		"entries far away": {func(b []byte) { le.PutUint64(b[512+gptEntries:], 1<<60); sums(b) }, 16 * mib, 512, false, "outside the first", false},
		"end far away":     {func(b []byte) { le.PutUint64(b[512+gptAlternate:], 1<<63); sums(b) }, 16 * mib, 512, false, "names LBA", false},
		"end outside":      {func(b []byte) { le.PutUint64(b[512+gptAlternate:], 1<<30); sums(b) }, 16 * mib, 512, false, "outside the image", false},
		"last usable lies": {func(b []byte) { le.PutUint64(b[512+gptLastUsable:], 16*mib/512-10); sums(b) }, 16 * mib, 512, false, "would lie below", false},
		"partition behind": {func(b []byte) { le.PutUint64(b[1024+entryLast:], 8*mib/512); sums(b) }, 16 * mib, 512, false, "a partition lies", false},
		"partition turned": {func(b []byte) { le.PutUint64(b[1024+entryFirst:], 5000); sums(b) }, 16 * mib, 512, false, "a partition lies", false},
	} {
		b := slices.Clone(disk[:headBytes])
		if c.change != nil {
			c.change(b)
		}
		m := move(b, 8*mib, c.device, c.block)
		if m.Moved != c.moved || !strings.Contains(m.Why, c.why) {
			t.Errorf("%s: moved %v, %q", name, m.Moved, m.Why)
			continue
		}
		if !m.Moved {
			if m.patches != nil {
				t.Errorf("%s: patches without a move", name)
			}
			continue
		}
		if got := len(m.patches) == 3; got != c.mbr {
			t.Errorf("%s: the MBR's entry is enlarged: %v", name, got)
		}
		if tail := m.patches[1]; tail.at+int64(len(tail.data)) != c.device {
			t.Errorf("%s: the backup ends at %d", name, tail.at+int64(len(tail.data)))
		}
		apply(m.patches, b, 0)
		after, err := parseGPT(b)
		if err != nil || after.alternate != c.device/512-1 || after.lastUsable != c.device/512-34 {
			t.Errorf("%s: afterwards %+v, %v", name, after, err)
		}
		if c.device > 2<<40 && le.Uint32(b[mbrTable+12:]) != 0xffffffff {
			t.Errorf("%s: the MBR counts %#x sectors", name, le.Uint32(b[mbrTable+12:]))
		}
		if again := move(b, c.device, c.device, c.block); again.Moved || !strings.Contains(again.Why, "already") {
			t.Errorf("%s: again: %+v", name, again.Why)
		}
	}
}

func FuzzMove(f *testing.F) {
	disk := content(f, 4*mib)[:2048] // a short one is walked faster
	binary.LittleEndian.PutUint32(disk[512+gptCount:], 4)
	sums(disk)
	f.Add(disk, int64(4*mib), int64(8*mib), true)
	f.Add(disk[:600], int64(4*mib), int64(8*mib), false)
	f.Add([]byte{}, int64(0), int64(4096), false)
	f.Fuzz(func(t *testing.T, head []byte, image, device int64, mend bool) {
		if image < 0 || device < image || device > 1<<55 || len(head) > headBytes || int64(len(head)) > image {
			return
		}
		device = device / 512 * 512
		if mend && len(head) >= 1024 {
			sums(head)
		}
		isoEnd(head)
		starts(head)
		m := move(head, image, device, 512)
		for _, p := range m.patches {
			if p.at < 0 || p.at+int64(len(p.data)) > device {
				t.Errorf("a patch of %d bytes at %d is outside the device", len(p.data), p.at)
			}
			if len(p.data) > chunkBytes {
				t.Errorf("a patch of %d bytes is more than a write", len(p.data))
			}
		}
		if m.Why == "" {
			t.Error("it does not say why")
		}
	})
}

func TestMarker(t *testing.T) {
	for _, m := range []Marker{{1, "rig.img", 5}, {1, "", 0}, {1, strings.Repeat("\x01", 300), 1 << 40}, {1, "ä\n\"", 1}} {
		block, err := m.encode()
		if err != nil || len(block) != bootBytes {
			t.Fatalf("%d bytes, %v", len(block), err)
		}
		if block[510] != 0 || block[512] != 0 || string(block[:512]) != strings.Repeat("\x00", 512) {
			t.Error("there is something in sector 0 or 1")
		}
		got, ok := parseMarker(block)
		if !ok || got.SizeBytes != m.SizeBytes || !strings.HasPrefix(m.Image, got.Image) {
			t.Errorf("%+v became %+v, %v", m, got, ok)
		}
		if got.String() == "" {
			t.Error("it says nothing")
		}
	}
	if _, ok := parseMarker(make([]byte, bootBytes)); ok {
		t.Error("zeros are a marker")
	}
	if _, ok := parseMarker(nil); ok {
		t.Error("nothing is a marker")
	}
}

func FuzzMarker(f *testing.F) {
	block, err := Marker{1, "rig.img", 5}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block[markerAt:])
	f.Add([]byte(markerMagic + "{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		block := make([]byte, bootBytes)
		copy(block[markerAt:], b)
		if m, ok := parseMarker(block); ok && m.SizeBytes < 0 {
			t.Error("it has a negative size")
		}
	})
}
