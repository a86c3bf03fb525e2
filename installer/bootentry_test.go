package installer

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"reprise/installer/plan"
)

func testEntry(t testing.TB) loadOption {
	t.Helper()
	entry, err := entryOf(plan.Planned{Number: 2, GUID: "00112233-4455-6677-8899-aabbccddeeff", FirstLBA: 0x1000, LastLBA: 0x80fff})
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// golden is testEntry, written out by hand after the specification.
var golden = strings.Join([]string{
	"01000000", "5e00", // active; 94 bytes of path
	"7200 6500 7000 7200 6900 7300 6500 0000", // reprise
	"04 01 2a00", "02000000", "0010000000000000", "0000080000000000", "33221100 5544 7766 8899aabbccddeeff", "02 02",
	"04 04 3000", "5c00 4500 4600 4900", "5c00 4200 4f00 4f00 5400", "5c00 4200 4f00 4f00 5400 5800 3600 3400 2e00 4500 4600 4900", "0000",
	"7f ff 0400",
}, "")

func TestLoadOption(t *testing.T) {
	entry := testEntry(t)
	if d := cmp.Diff(strings.ReplaceAll(golden, " ", ""), hex.EncodeToString(entry.encode())); d != "" {
		t.Error(d)
	}
	if at, ok := partitionOf(entry.encode()); !ok || !bytes.Equal(at, mixed(entry.partition)) {
		t.Errorf("it leads to %x, %v", at, ok)
	}
	for i := range entry.encode() {
		if _, ok := partitionOf(entry.encode()[:i]); ok {
			t.Errorf("cut off after %d bytes it leads somewhere", i)
		}
	}
}

func FuzzPartitionOf(f *testing.F) {
	f.Add(testEntry(f).encode())
	f.Add([]byte{1, 0, 0, 0, 4, 0, 0, 0, endNode, endOfAll, 4, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if at, ok := partitionOf(data); ok && len(at) != 16 {
			t.Errorf("a GUID of %d bytes", len(at))
		}
	})
}

// memory are variables of a firmware that is none.
type memory struct {
	all    map[string][]byte
	writes []string
	err    error // of each write
}

func (m *memory) Names() ([]string, error) { return slices.Collect(maps.Keys(m.all)), nil }

func (m *memory) Read(name string) ([]byte, error) {
	if data, ok := m.all[name]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Write(name string, data []byte) error {
	if m.err != nil {
		return m.err
	}
	m.all[name], m.writes = data, append(m.writes, name)
	return nil
}

func TestSetBootEntry(t *testing.T) {
	entry := testEntry(t)
	older := entry
	older.label, older.file = "older", `\EFI\OTHER.EFI`
	other := entry
	other.partition[0] = 0xff
	var full = map[string][]byte{}
	for i := range 0x10000 {
		full[fmt.Sprintf("Boot%04X", i)] = nil
	}
	for _, c := range []struct {
		name   string
		all    map[string][]byte
		number string
		order  []byte
		writes int
		fails  bool
	}{
		{"a firmware without entries", map[string][]byte{}, "Boot0000", []byte{0, 0}, 2, false},
		{"between others", map[string][]byte{"Boot0000": other.encode(), "Boot0002": {1}, "BootCurrent": {0, 0}, "BootOrder": {2, 0, 0, 0}}, "Boot0001", []byte{1, 0, 2, 0, 0, 0}, 2, false},
		{"an earlier one of ours", map[string][]byte{"Boot0000": other.encode(), "Boot001A": older.encode(), "BootOrder": {0, 0, 0x1a, 0}}, "Boot001A", []byte{0x1a, 0, 0, 0}, 2, false},
		{"all is right", map[string][]byte{"Boot0003": entry.encode(), "BootOrder": {3, 0, 0, 0}}, "Boot0003", []byte{3, 0, 0, 0}, 0, false},
		{"there, and not the first", map[string][]byte{"Boot0003": entry.encode(), "BootOrder": {0, 0, 3, 0}}, "Boot0003", []byte{3, 0, 0, 0}, 1, false},
		{"an order cut short", map[string][]byte{"BootOrder": {7, 0, 9}}, "Boot0000", []byte{0, 0, 7, 0}, 2, false},
		{"no room", full, "", nil, 0, true},
	} {
		m := &memory{all: maps.Clone(c.all)}
		if err := setBootEntry(m, entry); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.fails {
			continue
		}
		if !bytes.Equal(m.all[c.number], entry.encode()) || !bytes.Equal(m.all[bootOrder], c.order) || len(m.writes) != c.writes {
			t.Errorf("%s: %s is %x, the order %x, written are %q", c.name, c.number, m.all[c.number], m.all[bootOrder], m.writes)
		}
		m.writes = nil
		if err := setBootEntry(m, entry); err != nil || len(m.writes) > 0 {
			t.Errorf("%s: again: %v, %q", c.name, err, m.writes)
		}
	}
}

// TestBootEntry installs on machines with UEFI: one takes the entry, one is full.
func TestBootEntry(t *testing.T) {
	for _, full := range []error{nil, unix.ENOSPC} {
		w := makeWorld(t)
		p := makePlan(t, w)
		target := w.target(t, p)
		vars := &memory{all: map[string][]byte{}, err: full}
		target.vars = vars
		result, err := w.job(p, target).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if full == nil && (len(result.Notes) > 0 || len(vars.all["Boot0000"]) == 0) {
			t.Errorf("notes %q, variables %x", result.Notes, vars.all)
		}
		if full != nil && (len(result.Notes) != 1 || !strings.Contains(result.Notes[0], full.Error())) {
			t.Errorf("notes %q", result.Notes)
		}
		check(t, w, target)
	}
}
