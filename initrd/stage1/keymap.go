package stage1

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// A keyEntry is one key of a key map: what it sends together with some of the
// shift keys.
type keyEntry struct {
	table, key uint8
	value      uint16
}

// Sizes of a key map.
// Source: include/linux/keyboard.h of Linux 6.12, MAX_NR_KEYMAPS and NR_KEYS;
// loadkeys writes the first half of the keys.
const (
	keyTables  = 256
	keysInFile = 128
)

const keymapMagic = "bkeymap"

// parseKeymap reads what loadkeys --bkeymap wrote: the magic, a byte for each
// table that says whether it is there, and those that are.
func parseKeymap(data []byte) ([]keyEntry, error) {
	rest, ok := bytes.CutPrefix(data, []byte(keymapMagic))
	if !ok || len(rest) < keyTables {
		return nil, errors.New("it is no key map")
	}
	there, rest := rest[:keyTables], rest[keyTables:]
	var entries []keyEntry
	for table, is := range there {
		if is != 1 {
			continue
		}
		if len(rest) < 2*keysInFile {
			return nil, errors.New("the key map ends too early")
		}
		for key := range keysInFile {
			entries = append(entries, keyEntry{uint8(table), uint8(key), binary.NativeEndian.Uint16(rest[2*key:])})
		}
		rest = rest[2*keysInFile:]
	}
	if len(rest) > 0 {
		return nil, errors.New("the key map goes on after its end")
	}
	return entries, nil
}
