package hwdetect

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/hwdetect/systree"
)

// rom builds a configuration ROM as the kernel gives it: a bus information
// block, and a root directory with vendor, name and one unit.
func rom(order binary.ByteOrder, vendor, specifier, version uint32, name string) []byte {
	var leaf []uint32
	text := []byte(name + "\x00\x00\x00")
	leaf = append(leaf, uint32(2+len(text)/4)<<16, 0, 0)
	for i := 0; i+4 <= len(text); i += 4 {
		leaf = append(leaf, binary.BigEndian.Uint32(text[i:]))
	}
	q := []uint32{0x0404_0000, 0x3133_3934, 0xe000_a002, vendor<<8 | 1, 0x0203_0405}
	// Root directory at 5: vendor, descriptor leaf at 12, unit directory at 9.
	q = append(q, 3<<16, 0x03<<24|vendor, 0x81<<24|(12-7), 0xd1<<24|(9-8))
	q = append(q, 2<<16, 0x12<<24|specifier, 0x13<<24|version)
	q = append(q, leaf...)
	b := make([]byte, 4*len(q))
	for i, v := range q {
		order.PutUint32(b[4*i:], v)
	}
	return b
}

func TestConfigROM(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		guid, root, ok := parseConfigROM(rom(order, 0x00130e, 0x00a02d, 0x010001, "Focusrite"))
		if !ok || guid != Is(uint64(0x00130e0102030405)) {
			t.Fatalf("GUID %v, %v", guid, ok)
		}
		if root.vendor != Is(Hex(0x130e)) || root.vendorName != Is("Focusrite") || root.model.Known() || len(root.units) != 1 {
			t.Errorf("root %+v", root)
		}
		if u := root.units[0]; u.specifier != Is(Hex(0xa02d)) || u.version != Is(Hex(0x10001)) {
			t.Errorf("unit %+v", u)
		}
	}
}

// TestROMAlone reads a node of which there is nothing but its ROM.
func TestROMAlone(t *testing.T) {
	tree := systree.New()
	const dir = "sys/devices/pci0000:00/0000:02:00.0"
	for file, v := range map[string]string{"vendor": "0x11c1", "device": "0x5901", "class": "0x0c0010"} {
		tree.Put(dir+"/"+file, []byte(v+"\n"))
	}
	tree.Link("sys/bus/pci/devices/0000:02:00.0", "../../../devices/pci0000:00/0000:02:00.0")
	tree.Put(dir+"/fw0/vendor", []byte("0x001f11\n"))
	tree.Put(dir+"/fw0/model", []byte("0x023901\n"))
	tree.Put(dir+"/fw1/config_rom", rom(binary.LittleEndian, 0x0001f2, 0x0001f2, 0x000015, "X"))
	for _, n := range []string{"fw0", "fw1"} {
		tree.Link("sys/bus/firewire/devices/"+n, "../../../devices/pci0000:00/0000:02:00.0/"+n)
	}
	f, err := Read(tree, Options{})
	if err != nil {
		t.Fatal(err)
	}
	u, _, ok := f.Unit("fw1.0")
	if !ok || u.Kind != UnitAudio || u.Key.Version.Or(0) != 0x15 || u.Key.Vendor.Or(0) != 0x1f2 {
		t.Errorf("%v %+v", ok, u)
	}
	if g := f.FireWire[0].Nodes[0].GUID.Or(""); g != "0x0001f20102030405" {
		t.Errorf("GUID %q", g)
	}
}

func FuzzConfigROM(f *testing.F) {
	f.Add(rom(binary.LittleEndian, 0x130e, 0xa02d, 0x10001, "Pro10IO"))
	f.Add(rom(binary.BigEndian, 0x130e, 0xa02d, 0x10001, ""))
	f.Add([]byte("\x00\x00\x00\xff4931"))
	f.Fuzz(func(t *testing.T, b []byte) {
		guid, root, ok := parseConfigROM(b)
		if !ok && (guid.Known() || len(root.units) > 0) && len(b) < 8 {
			t.Error("something of nothing")
		}
		if len(root.units) > maxROMUnits {
			t.Errorf("%d units", len(root.units))
		}
		m := &masker{map[string]string{}, map[string]int{}}
		if masked := maskROM(m, b); len(masked) != len(b) {
			t.Error("a masked ROM has another length")
		}
	})
}

func FuzzUnits(f *testing.F) {
	f.Add("0x00a02d:0x010001 0x000a27:0x000010")
	f.Add("00A02D:010001")
	f.Fuzz(func(t *testing.T, s string) {
		for _, k := range parseUnits(s) {
			if k.Specifier.Or(0) > 0xffffff || k.Version.Or(0) > 0xffffff {
				t.Errorf("%q: %+v", s, k)
			}
		}
	})
}

func FuzzInterrupts(f *testing.F) {
	f.Add([]byte("           CPU0       CPU1\n 16:  0  111089  IR-IO-APIC  16-fasteoi   i801_smbus, snd_hdspe\nNMI:  0  0  Non-maskable interrupts\n"))
	f.Add([]byte(" 66:  12  GICv2  66 Level     VCHIQ doorbell\n 17: 3 IO-APIC-fasteoi firewire_ohci, iwl\n 25: 1 IR-PCI-MSI-0000:0e:00.0    0-edge      xhci_hcd\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, irq := range parseInterrupts(b) {
			if irq.Number < 0 || len(irq.Actions) == 0 {
				t.Errorf("%+v", irq)
			}
			others(irq.Actions, []string{"x", irq.Actions[0]})
		}
	})
}

func FuzzCards(f *testing.F) {
	f.Add([]byte(" 0 [CONTROLLER     ]: Loopback - Loopback\n                      Loopback 1\n 1 [HDSPe24012345  ]: HDSPe - RME RayDAT_24012345\n                      RME RayDAT S/N 0x1 at 0xf, irq 16\n"))
	f.Add([]byte("--- no soundcards ---\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		seen := map[int]bool{}
		for _, c := range parseCards(b) {
			if c.index < 0 || seen[c.index] {
				t.Errorf("card %d twice, or odd", c.index)
			}
			seen[c.index] = true
		}
	})
}

func FuzzModalias(f *testing.F) {
	f.Add("pci:v00008086d000051C8sv000017AAsd000022E7bc04sc03i80")
	f.Add("ieee1394:ven00001564mo00000006sp0000A02Dver00010001")
	f.Fuzz(func(t *testing.T, s string) {
		if m, ok := parsePCIModalias(s); ok {
			d := PCIDevice{ID: m.id, Subsystem: Is(m.sub), Class: Hex(m.class)}
			if d.modalias() != s {
				t.Errorf("%q comes back as %q", s, d.modalias())
			}
		}
		if v, m, sp, ver, ok := parseFireWireModalias(s); ok && fireWireModalias(v, m, sp, ver) != s {
			t.Errorf("%q comes back as %q", s, fireWireModalias(v, m, sp, ver))
		}
	})
}

func FuzzUevent(f *testing.F) {
	f.Add([]byte("DEVTYPE=partition\nPARTN=1\nPARTNAME=EFI System\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for key, value := range parseUevent(b) {
			if key == "" || strings.ContainsAny(value, "\x1b\x00\n") {
				t.Errorf("%q=%q", key, value)
			}
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte("X at usb-0000:00:14.0-1, high speed : USB Audio\n\nPlayback:\n  Interface 1\n    Altset 1\n    Format: S32_LE\n    Channels: 2\n    Endpoint: 0x01 (1 OUT) (ASYNC)\n    Rates: 44100 - 96000 (continuous)\n"))
	f.Add([]byte("Output Stream from device:\n\tRate\tPCM\tMIDI\n\t48000\t10\t1\nInput Stream to device:\n\t192000\t0\t0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range append(parseStream(b), parseFormation(b)...) {
			if s.Channels.Known() && s.Channels.Or(0) <= 0 || len(s.Rates) > maxRates {
				t.Errorf("%+v", s)
			}
		}
	})
}

func FuzzLists(f *testing.F) {
	f.Add("0-3,8,10-11")
	f.Add("00000000,00000f03")
	f.Fuzz(func(t *testing.T, s string) {
		for _, parse := range []func(string) ([]int, bool){parseCPUList, parseCPUMask} {
			cpus, _ := parse(s)
			for i, n := range cpus {
				if n < 0 || n >= maxCPUs || i > 0 && cpus[i-1] >= n {
					t.Errorf("%q: %v", s, cpus)
				}
			}
		}
		parseMountInfo([]byte(s))
		readMissingFirmware(parseLog([]byte(s)))
	})
}

// FuzzDisk looks at what may lie on a disk that somebody brings.
func FuzzDisk(f *testing.F) {
	gpt := make([]byte, 4096)
	copy(gpt[512:], "EFI PART")
	f.Add(gpt)
	f.Add(append(make([]byte, 4096), "\xfc\x4e\x2b\xa9"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		readTable(bytes.NewReader(b), int64(len(b)), 512)
		readTable(bytes.NewReader(b), int64(len(b)), 4096)
		probeContent(bytes.NewReader(b), int64(len(b)))
	})
}

func FuzzSnapshot(f *testing.F) {
	files, _ := filepath.Glob("testdata/modules/*")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	tree := systree.New()
	tree.Put(versionFile, []byte(snapshotVersion))
	tree.Put("proc/cpuinfo", []byte("processor: 0\n"))
	tree.Link("sys/a", "../../b")
	var b bytes.Buffer
	if err := tree.Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := OpenSnapshot(bytes.NewReader(data)); err == nil {
			Read(s, Options{})
		}
	})
}
