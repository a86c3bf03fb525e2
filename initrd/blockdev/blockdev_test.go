package blockdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

const (
	espGUID  = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	rootUUID = "5f3a9c10-7a1b-4c2d-8e3f-0123456789ab"
)

// disk writes a GPT with an unused first entry, as sgdisk would.
func disk(size, block int64) []byte {
	d := make([]byte, size)
	le := binary.LittleEndian
	entries := make([]byte, 128*128)
	put := func(i int, name string) {
		e := entries[i*128:]
		copy(e, mixed(espGUID))
		copy(e[16:], mixed(rootUUID))
		for j, u := range utf16.Encode([]rune(name)) {
			le.PutUint16(e[56+2*j:], u)
		}
	}
	put(1, "root")
	write := func(at, table int64) {
		copy(d[table:], entries)
		h := d[at:]
		copy(h, "EFI PART\x00\x00\x01\x00")
		le.PutUint32(h[12:], 92)
		le.PutUint64(h[24:], uint64(at/block))
		le.PutUint64(h[72:], uint64(table/block))
		le.PutUint32(h[80:], 128)
		le.PutUint32(h[84:], 128)
		le.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
	}
	write(block, 2*block)
	write(size-block, size-block-int64(len(entries)))
	return d
}

// mixed is the inverse of guid.
func mixed(s string) []byte {
	var b [16]byte
	hex := strings.ReplaceAll(s, "-", "")
	for i := range b {
		var v byte
		for _, c := range hex[2*i : 2*i+2] {
			v = v<<4 | byte(strings.IndexRune("0123456789abcdef", c))
		}
		b[i] = v
	}
	for _, r := range [][2]int{{0, 3}, {1, 2}, {4, 5}, {6, 7}} {
		b[r[0]], b[r[1]] = b[r[1]], b[r[0]]
	}
	return b[:]
}

func TestReadTable(t *testing.T) {
	want := Partitions{2: {espGUID, rootUUID, "root"}}
	for _, block := range []int64{512, 4096} {
		good := disk(1<<20, block)
		for name, change := range map[string]func([]byte){
			"whole":            func([]byte) {},
			"primary gone":     func(d []byte) { clear(d[block : 2*block]) },
			"primary changed":  func(d []byte) { d[block+72]++ },
			"entries changed":  func(d []byte) { d[2*block+128+20]++ },
			"backup gone":      func(d []byte) { clear(d[len(d)-int(block):]) },
			"nonsense in MBR":  func(d []byte) { copy(d, bytes.Repeat([]byte{0xff}, 510)) },
			"too many entries": func(d []byte) { binary.LittleEndian.PutUint32(d[block+80:], 1<<30) },
		} {
			d := bytes.Clone(good)
			change(d)
			if diff := cmp.Diff(want, readTable(bytes.NewReader(d), int64(len(d)), block)); diff != "" {
				t.Errorf("%s, blocks of %d: %s", name, block, diff)
			}
		}
		d := bytes.Clone(good)
		d[block+30], d[len(d)-int(block)+30] = 1, 1
		if got := readTable(bytes.NewReader(d), int64(len(d)), block); len(got) != 0 {
			t.Errorf("both headers changed: %v", got)
		}
	}
}

func TestReadMBR(t *testing.T) {
	d := make([]byte, 4096)
	binary.LittleEndian.PutUint32(d[440:], 0x1234abcd)
	if got := readTable(bytes.NewReader(d), 4096, 512); got != nil {
		t.Errorf("no boot signature: %v", got)
	}
	d[510], d[511] = 0x55, 0xaa
	if got := readTable(bytes.NewReader(d), 4096, 512)[11].UUID; got != "1234abcd-0b" {
		t.Errorf("eleventh partition is %q", got)
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add(disk(65536, 512), int64(65536), int64(512))
	f.Add(disk(1<<17, 4096), int64(1<<17), int64(4096))
	f.Fuzz(func(t *testing.T, d []byte, size, block int64) {
		for n, p := range readTable(bytes.NewReader(d), size, block) {
			if n < 1 || strings.ContainsAny(p.Label, "\x1b\n") {
				t.Errorf("partition %d: %q", n, p)
			}
		}
	})
}

func ext4(label string) []byte {
	d := make([]byte, 4096)
	copy(d[1024+0x38:], "\x53\xef")
	d[1024+0x5c], d[1024+0x60] = 4, 0x40
	copy(d[1024+0x78:], label)
	copy(d[1024+0x68:], bytes.Repeat([]byte{0xab}, 16))
	return d
}

func TestProbe(t *testing.T) {
	fat := make([]byte, 512)
	copy(fat[82:], "FAT32   ")
	copy(fat[71:], "ESP        ")
	copy(fat[67:], "\x01\x02\x03\x04")
	cd := make([]byte, 40000)
	copy(cd[32769:], "CD001")
	copy(cd[32808:], "LIVE \x1b[2J")
	hybrid := bytes.Clone(cd)
	copy(hybrid[512:], "EFI PART")
	copy(hybrid[512+56:], "\x03\x02\x01\x00\x05\x04\x07\x06\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f")
	for name, test := range map[string]struct {
		data []byte
		want Content
	}{
		"nothing": {nil, Content{}},
		"zeros":   {make([]byte, 100000), Content{}},
		"ext4":    {ext4("reprise"), Content{"ext4", "reprise", "abababab-abab-abab-abab-abababababab"}},
		"vfat":    {fat, Content{"vfat", "ESP", "0403-0201"}},
		"iso":     {cd, Content{Type: "iso9660", Label: "LIVE [2J"}},
		"hybrid":  {hybrid, Content{"iso9660", "LIVE [2J", "00010203-0405-0607-0809-0a0b0c0d0e0f"}},
		"cut off": {ext4("x")[:1100], Content{}},
	} {
		if d := cmp.Diff(test.want, Probe(bytes.NewReader(test.data))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func FuzzProbe(f *testing.F) {
	f.Add(ext4("x"))
	f.Fuzz(func(t *testing.T, d []byte) {
		c := Probe(bytes.NewReader(d))
		if strings.ContainsAny(c.Label+c.UUID, "\x1b\n\r") {
			t.Errorf("%q", c)
		}
	})
}

type memory struct{ io.ReaderAt }

func (memory) Close() error { return nil }

// fake is a machine with a disk of two partitions, a loop device and a card
// that cannot be read.
func fake() System {
	sys := fstest.MapFS{}
	add := func(name, place string, files map[string]string) {
		for f, text := range files {
			sys["devices/"+place+"/"+f] = &fstest.MapFile{Data: []byte(text + "\n")}
		}
		sys["class/block/"+name] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte("../../devices/" + place)}
	}
	add("vda", "pci/virtio/block/vda", map[string]string{"size": "2048", "queue/logical_block_size": "512", "device/model": "QEMU  "})
	add("vda1", "pci/virtio/block/vda/vda1", map[string]string{"size": "34", "partition": "1"})
	add("vda2", "pci/virtio/block/vda/vda2", map[string]string{"size": "100", "partition": "2"})
	add("mmcblk0", "mmc/block/mmcblk0", map[string]string{"size": "100"})
	add("loop0", "virtual/block/loop0", map[string]string{"size": "100"})
	add("sr0", "ata/block/sr0", map[string]string{"size": "100"})
	add("sdz", "usb/block/sdz", map[string]string{"size": "0"}) // a reader without a card
	gpt := disk(1<<20, 512)
	return System{Sys: sys, Open: func(name string) (Disk, error) {
		switch name {
		case "vda":
			return memory{bytes.NewReader(gpt)}, nil
		case "vda2":
			return memory{bytes.NewReader(ext4("reprise"))}, nil
		case "vda1":
			return memory{bytes.NewReader(nil)}, nil
		}
		return nil, errors.New("input/output error")
	}}
}

func TestList(t *testing.T) {
	got, err := fake().List(true)
	if err != nil {
		t.Fatal(err)
	}
	want := []Device{
		{Name: "mmcblk0", SizeBytes: 51200},
		{Name: "vda", SizeBytes: 1 << 20, Model: "QEMU"},
		{Name: "vda1", Disk: "vda", Number: 1, SizeBytes: 34 * 512},
		{Name: "vda2", Disk: "vda", Number: 2, SizeBytes: 51200, PartUUID: rootUUID, PartLabel: "root",
			Content: Content{"ext4", "reprise", "abababab-abab-abab-abab-abababababab"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	const text = `  /dev/mmcblk0    50.0 KiB
  /dev/vda         1.0 MiB  QEMU
  /dev/vda1       17.0 KiB
  /dev/vda2       50.0 KiB  ext4  LABEL=reprise  PARTLABEL=root  PARTUUID=5f3a9c10-7a1b-4c2d-8e3f-0123456789ab
`
	if d := cmp.Diff(text, Table(got)); d != "" {
		t.Error(d)
	}
}

func TestRef(t *testing.T) {
	devices, err := fake().List(true)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"PARTUUID=" + rootUUID:                          "vda2",
		"PARTUUID=" + strings.ToUpper(rootUUID):         "vda2",
		"PARTLABEL=root":                                "vda2",
		"LABEL=reprise":                                 "vda2",
		"UUID=ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB":     "vda2",
		"/dev/vda1":                                     "vda1",
		"PARTUUID=00000000-0000-0000-0000-000000000000": "",
		"LABEL=root":                                    "",
	} {
		r, err := ParseRef(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		name := ""
		for _, d := range r.Find(devices) {
			name += d.Name
		}
		if name != want {
			t.Errorf("%s finds %q, want %q", text, name, want)
		}
	}
	for _, text := range []string{"", "vda1", "/dev/", "PARTUUID=", "uuid=1", "LABEL", "0803"} {
		if r, err := ParseRef(text); err == nil {
			t.Errorf("%q is %v", text, r)
		}
	}
	if got := (Ref{}).Find(devices); got != nil {
		t.Errorf("no name finds %v", got)
	}
}

func TestListWithoutSys(t *testing.T) {
	if _, err := (System{Sys: fstest.MapFS{}}).List(false); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
