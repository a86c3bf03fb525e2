package blockdev

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// Partitions are those of a disk by number, from 1.
type Partitions map[int]Entry

// An Entry is one partition as the table has it. GUIDs are in lower case; an
// MBR's partitions have a UUID alone.
type Entry struct{ Type, UUID, Label string }

// Limits of a GPT that is believed. UEFI's table has 128 entries of 128 bytes.
const (
	maxEntries   = 4096
	maxEntrySize = 4096
	maxTable     = 1 << 20 // bytes
	maxMBR       = 128     // partition numbers that share an MBR's signature
)

// readTable reads a disk's GPT, as ReadGPT does. Without one it is the MBR
// whose signature names the partitions, as the kernel does it:
// "<signature>-<number>", both in hexadecimal.
func readTable(d io.ReaderAt, size, block int64) Partitions {
	if t := ReadGPT(d, size, block); t != nil {
		return t
	}
	return readMBR(d)
}

// ReadGPT reads the GPT of a disk of size bytes with logical blocks of block
// bytes: the primary, else the backup at the end; nil when neither is whole.
func ReadGPT(d io.ReaderAt, size, block int64) Partitions {
	if block < 512 || block > 65536 || block&(block-1) != 0 {
		block = 512
	}
	for _, at := range []int64{block, size - block} {
		if t := readGPT(d, at, size, block); t != nil {
			return t
		}
	}
	return nil
}

// readGPT reads the GPT whose header is at the given byte.
// Source: UEFI 2.10, section 5.3.
func readGPT(d io.ReaderAt, at, size, block int64) Partitions {
	if at < block || at+block > size {
		return nil
	}
	header := make([]byte, block)
	if _, err := d.ReadAt(header, at); err != nil || string(header[:8]) != "EFI PART" {
		return nil
	}
	le := binary.LittleEndian
	length := int64(le.Uint32(header[12:]))
	if length < 92 || length > block {
		return nil
	}
	want := le.Uint32(header[16:])
	le.PutUint32(header[16:], 0)
	if crc32.ChecksumIEEE(header[:length]) != want || int64(le.Uint64(header[24:])) != at/block {
		return nil
	}
	first, count, entry := le.Uint64(header[72:]), int64(le.Uint32(header[80:])), int64(le.Uint32(header[84:]))
	if count > maxEntries || entry < 128 || entry > maxEntrySize || count*entry > maxTable || first > uint64(size/block) {
		return nil
	}
	data := make([]byte, count*entry)
	if _, err := d.ReadAt(data, int64(first)*block); err != nil {
		return nil
	}
	if crc32.ChecksumIEEE(data) != le.Uint32(header[88:]) {
		return nil
	}
	t := Partitions{}
	for i := range count {
		e := data[i*entry:][:128]
		if bytes.Equal(e[:16], make([]byte, 16)) {
			continue
		}
		t[int(i)+1] = Entry{guid(e[:16]), guid(e[16:32]), utf16Text(e[56:128])}
	}
	return t
}

// guid prints the mixed-endian form of UEFI in lower case.
func guid(b []byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

func utf16Text(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		u := binary.LittleEndian.Uint16(b[i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return printable(string(utf16.Decode(units)))
}

// printable takes out what could steer a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

func readMBR(d io.ReaderAt) Partitions {
	sector := make([]byte, 512)
	if _, err := d.ReadAt(sector, 0); err != nil || sector[510] != 0x55 || sector[511] != 0xaa {
		return nil
	}
	signature := binary.LittleEndian.Uint32(sector[440:])
	if signature == 0 {
		return nil
	}
	t := Partitions{}
	for number := 1; number <= maxMBR; number++ {
		t[number] = Entry{UUID: fmt.Sprintf("%08x-%02x", signature, number)}
	}
	return t
}
