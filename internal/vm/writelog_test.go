package vm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logOf makes a log of writes: each has a letter that it fills its sectors with.
func logOf(writes ...Write) []byte {
	le := binary.LittleEndian
	sector := func(fields ...uint64) []byte {
		b := make([]byte, writeLogSector)
		for i, f := range fields {
			le.PutUint64(b[8*i:], f)
		}
		return b
	}
	log := sector(writeLogMagic, 1, uint64(len(writes)), writeLogSector)
	for i, w := range writes {
		var flags uint64
		for flag, set := range map[uint64]bool{flagFlush: w.Flush, flagFUA: w.FUA, flagDiscard: w.Discard} {
			if set {
				flags |= flag
			}
		}
		log = append(log, sector(uint64(w.Offset/writeLogSector), uint64(w.Bytes/writeLogSector), flags)...)
		if !w.Discard {
			log = append(log, bytes.Repeat([]byte{byte('a' + i)}, int(w.Bytes))...)
		}
	}
	return log
}

// sectors is a disk in memory, shown by the first byte of each sector.
type sectors []byte

func (s sectors) WriteAt(p []byte, at int64) (int, error) { return copy(s[at:], p), nil }

func (s sectors) String() string {
	var text []byte
	for at := 0; at < len(s); at += writeLogSector {
		text = append(text, s[at])
	}
	return string(text)
}

func TestWriteLog(t *testing.T) {
	const k = writeLogSector
	data := logOf(
		Write{Offset: 0, Bytes: 2 * k},                // a
		Write{Flush: true},                            // b
		Write{Offset: k, Bytes: 3 * k},                // c
		Write{Offset: 5 * k, Bytes: k, FUA: true},     // d
		Write{Offset: 0, Bytes: 6 * k, Discard: true}, // e
		Write{Offset: 6 * k, Bytes: 2 * k},            // f
	)
	log, err := ReadWriteLog(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(log.Entries) != 6 {
		t.Fatalf("ReadWriteLog: %d entries, %v", len(log.Entries), err)
	}
	for _, c := range []struct {
		n    int
		keep int64 // of each write
		want string
		lost int
	}{
		{0, 0, "........", 0},
		{1, 0, "........", 1},
		{2, 0, "aa......", 0},
		{3, 0, "aa......", 1},
		{3, 1, "ac......", 1},
		{6, 0, "aa...d..", 3},
		{6, 1, "ac...df.", 3},
		{6, 9, "accc.dff", 0},
	} {
		disk := sectors(bytes.Repeat([]byte("."), 8*k))
		lost, err := log.Cut(disk, c.n, func(sectors int64) int64 { return min(sectors, c.keep) })
		if err != nil || disk.String() != c.want || lost != c.lost {
			t.Errorf("Cut(%d), %d kept: %s, %d lost, %v, want %s, %d", c.n, c.keep, disk, lost, err, c.want, c.lost)
		}
	}
	// One that is still written ends anywhere.
	for size := writeLogSector; size < len(data); size++ {
		short, err := ReadWriteLog(bytes.NewReader(data[:size]), int64(size))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if n := log.Before(int64(size)); n != len(short.Entries) {
			t.Fatalf("%d bytes: %d entries, and Before says %d", size, len(short.Entries), n)
		}
		if diff := cmp.Diff(fmt.Sprint(log.Entries[:len(short.Entries)]), fmt.Sprint(short.Entries)); diff != "" {
			t.Fatalf("%d bytes (-want +got):\n%s", size, diff)
		}
	}
}

// TestQEMUWriteLog reads what QEMU 10.0 wrote, of which qemu-io was asked:
//
//	write -P 97 0 1k; flush; write -P 98 4k 512; write -z 1k 1k
//	discard 128k 64k; write -f -P 99 1M 512; flush
//
// It flushed before it discarded, and for the write that asked for it (-f).
func TestQEMUWriteLog(t *testing.T) {
	data, err := os.ReadFile("testdata/writes.log")
	if err != nil {
		t.Fatal(err)
	}
	log, err := ReadWriteLog(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	type said struct {
		Offset, Bytes  int64
		Flush, Discard bool
	}
	var got []said
	for _, w := range log.Entries {
		got = append(got, said{w.Offset, w.Bytes, w.Flush, w.Discard})
	}
	want := []said{
		{0, 1024, false, false}, {0, 0, true, false}, {4096, 512, false, false}, {1024, 1024, false, false}, {0, 0, true, false},
		{128 << 10, 64 << 10, false, true}, {1 << 20, 512, false, false}, {0, 0, true, false}, {0, 0, true, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func FuzzWriteLog(f *testing.F) {
	f.Add(logOf(Write{Bytes: 1024}, Write{Flush: true}))
	f.Add(logOf(Write{Offset: 512, Bytes: 512, Discard: true}, Write{Bytes: 512, FUA: true}))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := ReadWriteLog(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, w := range log.Entries {
			if w.End > int64(len(data)) || w.Offset < 0 || w.Bytes < 0 {
				t.Errorf("%+v of %d bytes", w, len(data))
			}
		}
	})
}
