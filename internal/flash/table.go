package flash

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Bounds of a GPT that is believed. UEFI 2.10, 5.3.2 gives 128 entries of 128
// bytes as the least room; more than 1,024 are nobody's.
const (
	maxEntries    = 1024
	minEntryBytes = 128
	maxEntryBytes = 4096
	minHeader     = 92 // bytes of a header that count
)

// Places in a GPT header, and in an entry. Source: UEFI 2.10, tables 5.5, 5.6.
const (
	gptLength      = 12
	gptSum         = 16
	gptMyLBA       = 24
	gptAlternate   = 32
	gptFirstUsable = 40
	gptLastUsable  = 48
	gptEntries     = 72
	gptCount       = 80
	gptEntryBytes  = 84
	gptEntriesSum  = 88
	entryFirst     = 32
	entryLast      = 40
)

// Places in an MBR. Source: UEFI 2.10, 5.2.3.
const (
	mbrTable      = 446
	mbrSignature  = 510
	mbrProtective = 0xee
)

// A gpt is the primary table of an image, with its sums checked.
type gpt struct {
	sector     int64 // bytes that its LBAs count
	header     []byte
	entries    []byte // count × size, not padded
	alternate  int64  // LBA of the backup header
	lastUsable int64
	last       int64 // last LBA of any partition
}

// parseGPT reads the GPT in an image's first bytes. A table of another kind,
// or none, is nil without an error; a damaged GPT is an error.
func parseGPT(head []byte) (*gpt, error) {
	var err error
	for _, sector := range []int64{512, 4096} {
		if int64(len(head)) < 2*sector || string(head[sector:sector+8]) != "EFI PART" {
			continue
		}
		var t *gpt
		if t, err = readGPT(head, sector); err == nil {
			return t, nil
		}
	}
	return nil, err
}

func readGPT(head []byte, sector int64) (*gpt, error) {
	le := binary.LittleEndian
	h := append([]byte(nil), head[sector:2*sector]...)
	length := int64(le.Uint32(h[gptLength:]))
	if length < minHeader || length > sector {
		return nil, fmt.Errorf("its header has a length of %d bytes", length)
	}
	if headerSum(h, length) != le.Uint32(h[gptSum:]) {
		return nil, fmt.Errorf("the checksum of its header is wrong")
	}
	count, each := int64(le.Uint32(h[gptCount:])), int64(le.Uint32(h[gptEntryBytes:]))
	if count < 1 || count > maxEntries || each < minEntryBytes || each > maxEntryBytes {
		return nil, fmt.Errorf("its header counts %d entries of %d bytes", count, each)
	}
	at := le.Uint64(h[gptEntries:])
	if at < 2 || at > uint64(len(head))/uint64(sector) || int64(at)*sector+count*each > int64(len(head)) {
		return nil, fmt.Errorf("its entries lie at LBA %d, outside the first %s", at, size(int64(len(head))))
	}
	entries := append([]byte(nil), head[int64(at)*sector:][:count*each]...)
	if crc32.ChecksumIEEE(entries) != le.Uint32(h[gptEntriesSum:]) {
		return nil, fmt.Errorf("the checksum of its entries is wrong")
	}
	t := &gpt{sector: sector, header: h, entries: entries}
	for value, place := range map[*int64]int{&t.alternate: gptAlternate, &t.lastUsable: gptLastUsable} {
		n := le.Uint64(h[place:])
		if n > math.MaxInt64/uint64(sector)-1 {
			return nil, fmt.Errorf("its header names LBA %d", n)
		}
		*value = int64(n)
	}
	for ; len(entries) > 0; entries = entries[each:] {
		if [16]byte(entries[:16]) == [16]byte{} {
			continue
		}
		first, last := le.Uint64(entries[entryFirst:]), le.Uint64(entries[entryLast:])
		if first > last || last > uint64(t.lastUsable) {
			return nil, fmt.Errorf("a partition lies from LBA %d to %d, the last usable one is %d", first, last, t.lastUsable)
		}
		t.last = max(t.last, int64(last))
	}
	return t, nil
}

// headerSum is the CRC-32 of a header with its own field taken as zero.
func headerSum(header []byte, length int64) uint32 {
	sum := crc32.ChecksumIEEE(header[:gptSum])
	sum = crc32.Update(sum, crc32.IEEETable, make([]byte, 4))
	return crc32.Update(sum, crc32.IEEETable, header[gptSum+4:length])
}

// end is the byte behind the backup header: at least as long is the image that
// the table was made for.
func (t *gpt) end() int64 { return (t.alternate + 1) * t.sector }

// A patch is bytes that stand on the device in place of the image's.
type patch struct {
	at   int64
	data []byte
}

// A Move says what becomes of the backup GPT, which belongs at the end of the
// device and lies at the end of the image. The old one stays where it is:
// nothing looks there.
type Move struct {
	Moved bool   `json:"moved"`
	Why   string `json:"why"` // one sentence without a full stop

	patches []patch
}

// move decides it, from the image's first bytes. Sizes and block (the device's
// logical block) are in bytes.
func move(head []byte, imageSize, deviceSize, block int64) Move {
	t, err := parseGPT(head)
	switch {
	case err != nil:
		return Move{Why: "the image's GPT is damaged: " + err.Error()}
	case t == nil:
		return Move{Why: "the image has no GPT"}
	case t.sector != block:
		return Move{Why: fmt.Sprintf("the image's GPT counts sectors of %d bytes and the device has sectors of %d: firmware may not find its partitions there", t.sector, block)}
	}
	room := (int64(len(t.entries)) + t.sector - 1) / t.sector // sectors of entries
	last := deviceSize/t.sector - 1
	at := last - room
	switch {
	case t.end() > imageSize:
		return Move{Why: "the image's GPT names an end outside the image"}
	case t.alternate == last:
		return Move{Why: "it is at the device's end already"}
	case at <= t.lastUsable || at <= t.last:
		// What lies behind the last usable sector is the table's own.
		return Move{Why: fmt.Sprintf("a backup at the device's end would lie below LBA %d, which the table gives to partitions", t.lastUsable)}
	}
	le := binary.LittleEndian
	primary := append([]byte(nil), t.header...)
	le.PutUint64(primary[gptAlternate:], uint64(last))
	le.PutUint64(primary[gptLastUsable:], uint64(at-1))
	backup := append([]byte(nil), primary...)
	le.PutUint64(backup[gptMyLBA:], uint64(last))
	le.PutUint64(backup[gptAlternate:], 1)
	le.PutUint64(backup[gptEntries:], uint64(at))
	length := int64(le.Uint32(primary[gptLength:]))
	for _, h := range [][]byte{primary, backup} {
		le.PutUint32(h[gptSum:], headerSum(h, length))
	}
	tail := make([]byte, (room+1)*t.sector)
	copy(tail, t.entries)
	copy(tail[room*t.sector:], backup)
	m := Move{Moved: true, Why: "so that the table spans the whole device", patches: []patch{{t.sector, primary}, {at * t.sector, tail}}}
	if p, ok := protective(head, t.alternate, last); ok {
		m.patches = append(m.patches, p)
	}
	return m
}

// protective enlarges the entry of a protective MBR that covers the whole
// image. Somebody's hybrid table stays as it is. An entry of type 0 is none.
func protective(head []byte, was, last int64) (patch, bool) {
	le := binary.LittleEndian
	e := head[mbrTable:]
	if e[4] != mbrProtective || le.Uint32(e[8:]) != 1 || int64(le.Uint32(e[12:])) < min(was, math.MaxUint32) {
		return patch{}, false
	}
	for i := 1; i < 4; i++ {
		if e[16*i+4] != 0 {
			return patch{}, false
		}
	}
	return patch{mbrTable + 12, le.AppendUint32(nil, uint32(min(last, math.MaxUint32)))}, true
}

// apply puts patches over buf, which lies at off.
func apply(patches []patch, buf []byte, off int64) {
	for _, p := range patches {
		from, to := max(p.at, off), min(p.at+int64(len(p.data)), off+int64(len(buf)))
		if from < to {
			copy(buf[from-off:to-off], p.data[from-p.at:])
		}
	}
}

// isoEnd returns the end of the ISO 9660 volume in an image's first bytes, as
// its primary volume descriptor counts it; 0 when there is none.
// Source: ECMA-119, 8.4.8 and 8.4.12.
func isoEnd(head []byte) int64 {
	const at, space, block = 32 << 10, 80, 128
	if len(head) < at+2048 || string(head[at:at+7]) != "\x01CD001\x01" {
		return 0
	}
	le := binary.LittleEndian
	return int64(le.Uint32(head[at+space:])) * int64(le.Uint16(head[at+block:]))
}

// starts says whether firmware could start something from an image, or find
// partitions in it: a signature of an MBR or a GPT.
func starts(head []byte) bool {
	if len(head) >= 512 && head[mbrSignature] == 0x55 && head[mbrSignature+1] == 0xaa {
		return true
	}
	return len(head) >= 520 && string(head[512:520]) == "EFI PART"
}
