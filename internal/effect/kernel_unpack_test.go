package effect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// elfFile makes a 64-bit object with these sections besides the first, empty
// one and the table of names.
func elfFile(names []string, contents [][]byte) []byte {
	le := binary.LittleEndian
	file := make([]byte, 64)
	copy(file, elf.ELFMAG)
	file[elf.EI_CLASS], file[elf.EI_DATA], file[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	le.PutUint16(file[16:], uint16(elf.ET_REL))
	le.PutUint16(file[18:], uint16(elf.EM_X86_64))
	le.PutUint32(file[20:], uint32(elf.EV_CURRENT))
	le.PutUint16(file[52:], 64)
	table := []byte{0}
	headers := make([]byte, 64)
	add := func(name string, data []byte) {
		h := make([]byte, 64)
		le.PutUint32(h, uint32(len(table)))
		table = append(append(table, name...), 0)
		if name == ".shstrtab" {
			data = table
		}
		kind := elf.SHT_PROGBITS
		if name == ".shstrtab" {
			kind = elf.SHT_STRTAB
		}
		le.PutUint32(h[4:], uint32(kind))
		le.PutUint64(h[24:], uint64(len(file)))
		le.PutUint64(h[32:], uint64(len(data)))
		file = append(file, data...)
		headers = append(headers, h...)
	}
	for i, name := range names {
		add(name, contents[i])
	}
	add(".shstrtab", nil)
	le.PutUint64(file[40:], uint64(len(file)))
	le.PutUint16(file[58:], 64)
	le.PutUint16(file[60:], uint16(len(headers)/64))
	le.PutUint16(file[62:], uint16(len(headers)/64-1))
	return append(file, headers...)
}

func TestIndexed(t *testing.T) {
	module := elfFile([]string{".text", ".modinfo", "__ksymtab_strings", ".data"},
		[][]byte{bytes.Repeat([]byte{0x90}, 5000), []byte("license=GPL\x00"), []byte("a_symbol\x00"), make([]byte, 3000)})
	kept, err := indexed(nil, append(module, "~Module signature appended~\n"...))
	if err != nil {
		t.Fatal(err)
	}
	again, err := indexed(bytes.Repeat([]byte("x"), 2000)[:0], append(module, "~Module signature appended~\n"...))
	if err != nil || !bytes.Equal(kept, again) {
		t.Errorf("memory that was used before shows in the result, %v", err)
	}
	f, err := elf.NewFile(bytes.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]string{".text": "", ".data": "", ".modinfo": "license=GPL\x00", "__ksymtab_strings": "a_symbol\x00"} {
		data, err := f.Section(section).Data()
		if err != nil || string(data) != want {
			t.Errorf("%s holds %q, %v, want %q", section, data, err, want)
		}
	}
	if len(kept) > 1000 {
		t.Errorf("it has %d bytes, want less than 1,000", len(kept))
	}
}

func FuzzIndexed(f *testing.F) {
	f.Add(elfFile([]string{".text", ".modinfo"}, [][]byte{{1, 2, 3}, []byte("x=y")}))
	f.Add([]byte("no module"))
	f.Fuzz(func(t *testing.T, module []byte) {
		kept, err := indexed(nil, module)
		if err == nil && len(kept) > 2*len(module)+4096 {
			t.Errorf("%d bytes became %d", len(module), len(kept))
		}
	})
}
