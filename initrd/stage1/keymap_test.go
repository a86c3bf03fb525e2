package stage1

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func keymapOf(tables ...int) []byte {
	data := make([]byte, keyTables)
	for n, table := range tables {
		data[table] = 1
		for key := range keysInFile {
			data = binary.NativeEndian.AppendUint16(data, uint16(n*keysInFile+key))
		}
	}
	return append([]byte(keymapMagic), data...)
}

func TestParseKeymap(t *testing.T) {
	got, err := parseKeymap(keymapOf(0, 8))
	if err != nil || len(got) != 2*keysInFile {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i, want := range map[int]keyEntry{0: {0, 0, 0}, 16: {0, 16, 16}, 128: {8, 0, 128}, 255: {8, 127, 255}} {
		if d := cmp.Diff(want, got[i], cmp.AllowUnexported(keyEntry{})); d != "" {
			t.Errorf("entry %d: %s", i, d)
		}
	}
	whole := keymapOf(0)
	for name, bad := range map[string][]byte{
		"nothing": nil, "something else": []byte("keymaps 0-127\n"), "no tables": whole[:100], "cut off": whole[:len(whole)-1], "too long": append(whole, 0),
	} {
		if got, err := parseKeymap(bad); err == nil {
			t.Errorf("%s: %d entries", name, len(got))
		}
	}
}
