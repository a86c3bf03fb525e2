package iso9660

import (
	"encoding/binary"
	"io/fs"
	"time"
)

// Sectors with a fixed place.
const (
	systemSectors     = 16 // 32 KiB for MBR and GPT
	descriptorSector  = systemSectors
	bootRecordSector  = 17
	firstSectorOfTree = 19 // behind the end of the descriptors, which is 17 or 18
)

// metadata is everything before the first file: it is placed without knowing
// where files lie, and written once that is known.
type metadata struct {
	root *node
	im   *Image

	catalogue   int64 // offset; 0 when nothing is to boot
	directories []*node
	pathTable   extent // the LSB one; the MSB one follows at the next sector
	end         int64

	// Known before bytes is called.
	size int64 // of the image
	esp  extent
	bios *node // nil for none
}

// place decides where everything lies and returns where files may begin.
func (m *metadata) place() int64 {
	next := int64(firstSectorOfTree * Sector)
	if m.boots() {
		m.catalogue = next
		next += Sector
	}
	m.directories = m.root.directories()
	table := m.paths(binary.LittleEndian)
	m.pathTable = extent{next, int64(len(table))}
	next += 2 * roundUp(m.pathTable.size, Sector)
	for _, d := range m.directories {
		records, continuation := d.records(m.im.Time)
		d.offset = next
		d.size, d.continuation = int64(len(records)), int64(len(continuation))
		next += d.size + roundUp(d.continuation, Sector)
	}
	m.end = next
	return next
}

func (m *metadata) boots() bool { return m.im.BIOS != "" || m.im.ESP.Size > 0 }

// bytes writes it.
func (m *metadata) bytes() []byte {
	b := make([]byte, m.end)
	m.volume(b[descriptorSector*Sector:][:Sector])
	last := bootRecordSector
	if m.boots() {
		record := b[bootRecordSector*Sector:][:Sector]
		descriptor(record, 0)
		copy(record[7:], "EL TORITO SPECIFICATION")
		binary.LittleEndian.PutUint32(record[71:], sector(m.catalogue))
		m.bootCatalogue(b[m.catalogue:][:Sector])
		last++
	}
	descriptor(b[last*Sector:], 255)
	copy(b[m.pathTable.offset:], m.paths(binary.LittleEndian))
	copy(b[m.bigPathTable():], m.paths(binary.BigEndian))
	for _, d := range m.directories {
		records, continuation := d.records(m.im.Time)
		copy(b[d.offset:], records)
		copy(b[d.offset+d.size:], continuation)
	}
	return b
}

func (m *metadata) bigPathTable() int64 {
	return m.pathTable.offset + roundUp(m.pathTable.size, Sector)
}

// descriptor begins a volume descriptor.
func descriptor(b []byte, kind byte) {
	b[0] = kind
	copy(b[1:], standardID)
	b[6] = 1
}

const standardID = "CD001"

// volume writes the primary volume descriptor. Source: ECMA-119, 8.4.
func (m *metadata) volume(b []byte) {
	descriptor(b, 1)
	text := func(at, size int, s string) {
		for i := range size {
			b[at+i] = ' '
		}
		copy(b[at:at+size], s)
	}
	text(8, 32, "")
	text(40, 32, m.im.Label)
	both32(b[80:], sector(m.size))
	both16(b[120:], 1) // volumes in the set
	both16(b[124:], 1) // this one
	both16(b[128:], Sector)
	both32(b[132:], uint32(m.pathTable.size))
	binary.LittleEndian.PutUint32(b[140:], sector(m.pathTable.offset))
	binary.BigEndian.PutUint32(b[148:], sector(m.bigPathTable()))
	copy(b[156:190], record("\x00", m.root.offset, m.root.size, flagDirectory, m.im.Time, nil))
	text(190, 128, "") // volume set
	text(318, 128, "") // publisher
	text(446, 128, "") // data preparer
	text(574, 128, "REPRISE")
	text(702, 3*37, "") // names of files about copyright, abstract, bibliography
	stamp := m.im.Time.Format("20060102150405") + "00\x00"
	copy(b[813:], stamp) // made
	copy(b[830:], stamp) // changed
	const never = "0000000000000000\x00"
	copy(b[847:], never) // expires
	copy(b[864:], never) // in effect from
	b[881] = 1
}

// paths writes a path table: of each directory its extent, its parent's
// number and its name. Source: ECMA-119, 9.4.
func (m *metadata) paths(order binary.AppendByteOrder) (b []byte) {
	for _, d := range m.directories {
		id := d.id
		if d == m.root {
			id = "\x00"
		}
		b = append(b, byte(len(id)), 0)
		b = order.AppendUint32(b, sector(d.offset))
		b = order.AppendUint16(b, uint16(d.parent.number))
		b = append(b, id...)
		if len(id)%2 == 1 {
			b = append(b, 0)
		}
	}
	return b
}

// Flags of a directory record.
const (
	flagDirectory = 2
	flagMore      = 0x80 // the file goes on in the next record
)

// records writes the records of directory d and the Rock Ridge entries that
// did not fit into them. Places that are not known yet are 0; they change
// nothing in size.
func (d *node) records(at time.Time) (records, continuation []byte) {
	spill := spill{base: d.offset + d.size}
	add := func(id string, n *node, flags byte, offset, size int64, entries [][]byte) {
		// A record lies in one sector.
		const most = 254 // its length is one byte, and even
		room := most - recordBytes(id)
		r := record(id, offset, size, flags, at, spill.fit(entries, room))
		if left := Sector - len(records)%Sector; len(r) > left {
			records = append(records, make([]byte, left)...)
		}
		records = append(records, r...)
	}
	self := [][]byte{posix(d), times(at)}
	if d.parent == d {
		self = append([][]byte{sharingProtocol()}, self...)
		self = append(self, extensionReference())
	}
	add("\x00", d, flagDirectory, d.offset, d.size, self)
	add("\x01", d.parent, flagDirectory, d.parent.offset, d.parent.size, [][]byte{posix(d.parent), times(at)})
	for _, n := range d.children {
		entries := [][]byte{posix(n), times(at)}
		entries = append(entries, names(n.name)...)
		switch n.mode.Type() {
		case fs.ModeDir:
			add(n.id, n, flagDirectory, n.offset, n.size, entries)
		case fs.ModeSymlink:
			add(n.id, n, 0, 0, 0, append(entries, links(n.target)...))
		default:
			offset, left := n.offset, n.size
			for ; left > maxExtent; left -= maxExtent {
				add(n.id, n, flagMore, offset, maxExtent, entries)
				offset += maxExtent
			}
			add(n.id, n, 0, offset, left, entries)
		}
	}
	records = append(records, make([]byte, -len(records)&(Sector-1))...)
	return records, spill.bytes
}

const recordHead = 33 // bytes of a directory record before the name

// recordBytes is the length of a record without a system use area.
func recordBytes(id string) int { return recordBytesOf(byte(len(id))) }

func recordBytesOf(idLength byte) int { return recordHead + int(idLength) + (int(idLength)+1)%2 }

// record writes one directory record. Source: ECMA-119, 9.1.
func record(id string, offset, size int64, flags byte, at time.Time, use []byte) []byte {
	length := recordBytes(id) + len(use)
	length += length % 2
	b := make([]byte, length)
	b[0] = byte(length)
	both32(b[2:], sector(offset))
	both32(b[10:], uint32(size))
	copy(b[18:], shortTime(at))
	b[25] = flags
	both16(b[28:], 1) // the volume's number in its set
	b[32] = byte(len(id))
	copy(b[recordHead:], id)
	copy(b[recordBytes(id):], use)
	return b
}

// shortTime is a time in UTC as directory records have it.
func shortTime(at time.Time) []byte {
	return []byte{byte(at.Year() - 1900), byte(at.Month()), byte(at.Day()), byte(at.Hour()), byte(at.Minute()), byte(at.Second()), 0}
}

func sector(offset int64) uint32 { return uint32(offset / Sector) }

// both32 writes n in both byte orders, as most fields of ISO 9660 are.
func both32(b []byte, n uint32) {
	binary.LittleEndian.PutUint32(b, n)
	binary.BigEndian.PutUint32(b[4:], n)
}

func both16(b []byte, n uint16) {
	binary.LittleEndian.PutUint16(b, n)
	binary.BigEndian.PutUint16(b[2:], n)
}
