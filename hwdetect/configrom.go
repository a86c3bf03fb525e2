package hwdetect

import (
	"encoding/binary"
	"strings"
)

// A romDirectory is a directory of a configuration ROM: its own immediate
// values and the texts that follow them.
type romDirectory struct {
	vendor, model, specifier, version Known[Hex]
	vendorName, modelName             Known[string]
	units                             []romDirectory
}

// Keys of a configuration ROM. Source: IEEE 1212-2001, 7.7.
const (
	romTypeImmediate = 0
	romTypeLeaf      = 2
	romTypeDirectory = 3

	romDescriptor = 0x01
	romVendor     = 0x03
	romSpecifier  = 0x12
	romVersion    = 0x13
	romUnit       = 0x11
	romModel      = 0x17
)

// Limits of a ROM that is believed: 1 KiB is the room it has on the bus.
const (
	maxROM      = 256 // quadlets
	maxROMUnits = 16
)

// parseConfigROM reads a node's configuration ROM as the kernel gives it in
// config_rom: quadlets in the byte order of the machine, which is told by the
// name of the bus in the second, "1394". The GUID is not known when the bus
// information is too short for it.
func parseConfigROM(b []byte) (guid Known[uint64], root romDirectory, ok bool) {
	if len(b) < 8 {
		return guid, root, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	const bus1394 = 0x31333934
	if order.Uint32(b[4:]) != bus1394 {
		order = binary.BigEndian
		if order.Uint32(b[4:]) != bus1394 {
			return guid, root, false
		}
	}
	q := make([]uint32, 0, min(len(b)/4, maxROM))
	for i := 0; i+4 <= len(b) && len(q) < maxROM; i += 4 {
		q = append(q, order.Uint32(b[i:]))
	}
	info := int(q[0] >> 24) // quadlets of bus information
	if info >= 4 && len(q) >= 5 {
		guid = Is(uint64(q[3])<<32 | uint64(q[4]))
	}
	at := 1 + info
	if at >= len(q) {
		return guid, root, false
	}
	root = parseROMDirectory(q, at, true)
	return guid, root, true
}

// parseROMDirectory reads the directory whose header is at a quadlet. Only the
// root's units are followed, so there is no way round in circles.
func parseROMDirectory(q []uint32, at int, isRoot bool) romDirectory {
	var d romDirectory
	length := int(q[at] >> 16)
	last := -1 // key of the entry before, to which a descriptor belongs
	for i := at + 1; i <= at+length && i < len(q); i++ {
		kind, key, value := q[i]>>30, int(q[i]>>24&0x3f), q[i]&0xffffff
		switch {
		case kind == romTypeImmediate:
			switch key {
			case romVendor:
				d.vendor = Is(Hex(value))
			case romModel:
				d.model = Is(Hex(value))
			case romSpecifier:
				d.specifier = Is(Hex(value))
			case romVersion:
				d.version = Is(Hex(value))
			}
			last = key
			continue
		case kind == romTypeLeaf && key == romDescriptor,
			kind == romTypeDirectory && key == romDescriptor:
			target := i + int(value)
			if kind == romTypeDirectory {
				target = firstLeaf(q, target)
			}
			text := romText(q, target)
			switch {
			case last == romVendor && !d.vendorName.Known():
				d.vendorName = text
			case last == romModel && !d.modelName.Known():
				d.modelName = text
			case last != romVendor && !d.modelName.Known() && d.version.Known():
				// Units without model have their name behind the version.
				d.modelName = text
			}
		case kind == romTypeDirectory && key == romUnit && isRoot:
			if target := i + int(value); target < len(q) && len(d.units) < maxROMUnits {
				d.units = append(d.units, parseROMDirectory(q, target, false))
			}
		}
		last = -1
	}
	return d
}

// firstLeaf is the first descriptor in a directory of them (one a language).
func firstLeaf(q []uint32, at int) int {
	if at < 0 || at >= len(q) {
		return -1
	}
	for i := at + 1; i <= at+int(q[at]>>16) && i < len(q); i++ {
		if q[i]>>30 == romTypeLeaf && q[i]>>24&0x3f == romDescriptor {
			return i + int(q[i]&0xffffff)
		}
	}
	return -1
}

// romText reads a leaf with a minimal text: a header, two quadlets of zeros,
// and the characters, the first in the highest byte.
func romText(q []uint32, at int) Known[string] {
	if at < 0 || at+2 >= len(q) || q[at+1] != 0 {
		return Known[string]{}
	}
	var s strings.Builder
	for i := at + 3; i <= at+int(q[at]>>16) && i < len(q); i++ {
		for shift := 24; shift >= 0; shift -= 8 {
			if c := byte(q[i] >> shift); c != 0 {
				s.WriteByte(c)
			}
		}
	}
	return some(clean(s.String()))
}

// parseUnits reads a node's "units": "0x00a02d:0x010001 0x…:0x…", pairs of
// specifier and version. Older kernels have it in upper case without 0x.
func parseUnits(s string) []FireWireKey {
	var keys []FireWireKey
	for _, pair := range strings.Fields(s) {
		specifier, version, ok := strings.Cut(pair, ":")
		sp := parseHex(specifier, 24)
		v := parseHex(version, 24)
		if !ok || !sp.Known() || !v.Known() || len(keys) == maxROMUnits {
			continue
		}
		keys = append(keys, FireWireKey{Specifier: asHex(sp), Version: asHex(v)})
	}
	return keys
}

func asHex(k Known[uint32]) Known[Hex] {
	if v, ok := k.Get(); ok {
		return Is(Hex(v))
	}
	return Known[Hex]{}
}
