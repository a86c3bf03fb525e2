package hwdetect_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/hwdetect/fixture"
	"reprise/hwdetect/systree"
)

func TestNoMachine(t *testing.T) {
	empty := systree.New()
	empty.Put("etc/hostname", []byte("x\n"))
	if _, err := hwdetect.Read(empty, hwdetect.Options{}); !errors.Is(err, hwdetect.ErrNoMachine) {
		t.Errorf("a tree without a machine: %v", err)
	}
	if _, err := hwdetect.Read(tree(t, "hda-ryzen1600"), hwdetect.Options{PCIIDs: "testdata/nosuch"}); err == nil {
		t.Error("a pci.ids that is not there was read")
	}
}

// TestThisMachine reads the machine that runs the test, whatever it is, and a
// snapshot of it.
func TestThisMachine(t *testing.T) {
	f, err := hwdetect.Read(os.DirFS("/"), hwdetect.Options{Contents: true})
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := f.CPU.Threads.Get(); !ok || n < 1 {
		t.Errorf("threads: %v", f.CPU.Threads)
	}
	if n, ok := f.Memory.UsableBytes.Get(); !ok || n < 64<<20 {
		t.Errorf("memory: %v", f.Memory.UsableBytes)
	}
	var packed bytes.Buffer
	if err := hwdetect.Pack(&packed, os.DirFS("/"), hwdetect.PackOptions{}); err != nil {
		t.Fatal(err)
	}
	snapshot, err := hwdetect.OpenSnapshot(&packed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := hwdetect.Read(snapshot, hwdetect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f.CPU, again.CPU); d != "" {
		t.Errorf("processors differ:\n%s", d)
	}
	if len(f.PCI) != len(again.PCI) || len(f.Disks) != len(again.Disks) || len(f.Cards) != len(again.Cards) || len(f.USB) != len(again.USB) {
		t.Error("the snapshot has other devices")
	}
	if err := f.WritePage(io.Discard); err != nil {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	for _, name := range []string{"usb-scarlett-2i2g4-webcam-topology", "fw-via-asm1083-ryzen3700x-lightbridge", "usb-scarlett-2i2g4-7840u-power", "server-xeon-l5640-no-audio", "sof-lg-16z90u-ptl"} {
		var b bytes.Buffer
		if err := facts(t, name).WritePage(&b); err != nil {
			t.Fatal(err)
		}
		golden := "testdata/pages/" + name + ".txt"
		if *update {
			if err := errors.Join(os.MkdirAll("testdata/pages", 0o755), os.WriteFile(golden, b.Bytes(), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), b.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// denied is a tree in which some files cannot be read.
type denied struct {
	*systree.Tree
	deny func(name string) error
}

func (d denied) Open(name string) (fs.File, error) {
	if err := d.deny(name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return d.Tree.Open(name)
}

func (d denied) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := d.deny(name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return d.Tree.ReadDir(name)
}

// TestUnreadableFiles takes files away one kind of failure at a time.
func TestUnreadableFiles(t *testing.T) {
	for _, name := range machines(t) {
		whole := tree(t, name)
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, 1))
			failures := []error{fs.ErrPermission, fs.ErrNotExist, errors.New("input/output error")}
			d := denied{whole, func(string) error {
				if r.IntN(4) == 0 {
					return failures[r.IntN(len(failures))]
				}
				return nil
			}}
			f, err := hwdetect.Read(d, hwdetect.Options{Modules: index(t)})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := f.WritePage(io.Discard); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := denied{tree(t, "usb-motu-m4"), func(name string) error {
		if strings.HasSuffix(name, "/serial") {
			return fs.ErrPermission
		}
		return nil
	}}
	f, err := hwdetect.Read(d, hwdetect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Unreadable) != 1 || !strings.HasSuffix(f.Unreadable[0].Path, "3-2/serial") || f.USB[0].Serial.Known() {
		t.Errorf("unreadable: %+v, serial %v", f.Unreadable, f.USB[0].Serial)
	}
}

// TestOddValues writes nonsense into the files of machines.
func TestOddValues(t *testing.T) {
	odd := []string{"", "\n", "\x00", "-1\n", "99999999999999999999\n", "0xffffffff\n", "zzzz\n", "\xff\xfe\n", "0-4000000000\n", strings.Repeat("9", 100000), "../../../..\n", "\x1b[2J\n"}
	for _, name := range machines(t) {
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, 2))
			broken := tree(t, name)
			for _, file := range broken.Names() {
				if r.IntN(5) > 0 {
					continue
				}
				value := odd[r.IntN(len(odd))]
				if info, err := broken.Lstat(file); err == nil && info.Mode().Type() == fs.ModeSymlink {
					value = strings.Trim(value, "\x00") // no file system has it in a link
				}
				broken.Replace(file, []byte(value))
			}
			f, err := hwdetect.Read(broken, hwdetect.Options{Modules: index(t)})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var page bytes.Buffer
			if err := f.WritePage(&page); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(page.String(), "\x1b\x00") || bytes.Contains(encode(t, f), []byte("\\u001b")) {
				t.Fatalf("%s, seed %d: what steers a terminal came through", name, seed)
			}
			if err := hwdetect.Pack(io.Discard, broken, hwdetect.PackOptions{}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

func TestMask(t *testing.T) {
	const text = `machine X vendor=Y chassis=3 serial=PF2ABCDE uuid=12345678-1234-4321-8765-123456789abc
kernel 6.12
cmdline root=UUID=11111111-2222-4333-8444-555555555555 reprise.answers=https://somebody.example/box?key=geheim quiet
pci 0000:00:14.0 8086:a36d class=0c0330
pci 0000:02:00.0 11c1:5901 class=0c0010
pci 0000:03:00.0 8086:15b8 class=020000 driver=e1000e
pci 0000:04:00.0 1d18:3fc6 class=040100 driver=snd_hdspe
net eth0 on=0000:03:00.0 mac=3c:97:0e:12:34:56
usb 1-3 1235:8208 on=0000:00:14.0 Focusrite "Clarett+ 8Pre" speed=480 serial=C8AAAA000001
if 0 01/01/20
usb 1-4 1235:8208 on=0000:00:14.0 Focusrite "Clarett+ 8Pre" speed=480 serial=C8BBBB000002
if 0 01/01/20
usb 1-5 2a39:3fd9 on=0000:00:14.0 RME "Fireface UCX II (24167890)" speed=480 serial=24167890
if 0 01/01/20
node fw1 on=0000:02:00.0 vendor=000a35 guid=000a3500abcdef12
unit 000a35:000002
card 0 HDSPe24012345 HDSPe "RME RayDAT_24012345" "RME RayDAT S/N 0x16e5f79 at 0xf7c00000, irq 16" at=0000:04:00.0 pcm=0p
disk nvme0n1 512G on=0000:00:14.0 model=Disk serial=S64ANX0R123456 table=gpt
part 1 512M fs=vfat uuid=A1B2-C3D4 type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b mounted=/media/anna/STICK
part 2 100G fs=ext4 uuid=11111111-2222-4333-8444-555555555555 type=0fc63daf-8483-4772-8e79-3d69d8477de4 mounted=/
log firewire_core 0000:02:00.0: created device fw1: GUID 000a3500abcdef12, S400
log usb 1-3: SerialNumber: C8AAAA000001
`
	secrets := []string{"PF2ABCDE", "12345678-1234", "11111111-2222", "12:34:56", "C8AAAA", "C8BBBB", "24167890", "abcdef12", "24012345", "16e5f79", "S64ANX0R123456", "geheim", "somebody", "anna"}
	tree, err := fixture.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	pack := func(serials bool) (*hwdetect.Facts, string) {
		var b bytes.Buffer
		if err := hwdetect.Pack(&b, tree, hwdetect.PackOptions{Serials: serials}); err != nil {
			t.Fatal(err)
		}
		snapshot, err := hwdetect.OpenSnapshot(&b)
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		err = fs.WalkDir(snapshot, ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				data, err := fs.ReadFile(snapshot, name)
				all.WriteString(name + "\n" + string(data) + "\n")
				return err
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		f, err := hwdetect.Read(snapshot, hwdetect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return f, all.String()
	}
	f, all := pack(false)
	for _, s := range secrets {
		if strings.Contains(strings.ToLower(all), strings.ToLower(s)) {
			t.Errorf("%q is in the snapshot", s)
		}
	}
	// The same secret has the same mask, others have others, and what tells of
	// kinds stays.
	if a, b := f.USB[0].Serial.Or(""), f.USB[1].Serial.Or(""); a == b || len(a) != len("C8AAAA000001") {
		t.Errorf("serial numbers of twins: %q, %q", a, b)
	}
	if guid := f.FireWire[0].Nodes[0].GUID.Or(""); !strings.HasPrefix(guid, "0x000a35") || !strings.Contains(all, "GUID "+guid[2:]+", S400") {
		t.Errorf("GUID %q is not that of the log", guid)
	}
	if !strings.Contains(all, "SerialNumber: "+f.USB[0].Serial.Or("")) {
		t.Error("the serial number in the log has another mask")
	}
	if c := f.Cards[0]; !strings.HasPrefix(c.ID.Or(""), "HDSPe0") || strings.TrimPrefix(c.ID.Or(""), "HDSPe") != strings.TrimPrefix(c.Name.Or(""), "RME RayDAT_") {
		t.Errorf("card %v %v", c.ID, c.Name)
	}
	if a := f.Network[0].Address.Or(""); !strings.HasPrefix(a, "3c:97:0e:") {
		t.Errorf("address %q has another maker", a)
	}
	p := f.Disks[0].Partitions
	if p[1].Type.Or("") != "0fc63daf-8483-4772-8e79-3d69d8477de4" || p[1].Use[0].By != "/" {
		t.Errorf("partition: %+v", p[1])
	}
	if root := "root=UUID=" + p[1].Content.UUID.Or("none"); !strings.Contains(f.Kernel.CommandLine.Or(""), root) {
		t.Errorf("%q is not in %q", root, f.Kernel.CommandLine)
	}
	if _, all := pack(true); !strings.Contains(all, "C8AAAA000001") || !strings.Contains(all, "000a3500abcdef12") {
		t.Error("--serials masks")
	}
}

func TestOpenSnapshotBad(t *testing.T) {
	var good bytes.Buffer
	if err := hwdetect.Pack(&good, tree(t, "hda-ryzen1600"), hwdetect.PackOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("no snapshot"), "cut": good.Bytes()[:good.Len()/2]} {
		if _, err := hwdetect.OpenSnapshot(bytes.NewReader(data)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	for want, make := range map[string]func(*systree.Tree){
		"has no reprise/snapshot": func(*systree.Tree) {},
		"of version \"7\"":        func(t *systree.Tree) { t.Put("reprise/snapshot", []byte("7\n")) },
	} {
		odd := systree.New()
		make(odd)
		var b bytes.Buffer
		if err := odd.Write(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := hwdetect.OpenSnapshot(&b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestHybrid(t *testing.T) {
	type kinds map[hwdetect.CoreKind]int
	for _, c := range []struct {
		cpu  string
		want kinds
	}{
		{"performance=6x2 efficiency=8 lowpower=2 lists", kinds{hwdetect.Performance: 6, hwdetect.Efficiency: 8, hwdetect.LowPower: 2}},
		{"performance=4x2 efficiency=8", kinds{hwdetect.Performance: 4, hwdetect.Efficiency: 8}},
		{"performance=4x1 efficiency=4 capacity=1024,430", kinds{hwdetect.Performance: 4, hwdetect.Efficiency: 4}},
		{"performance=8x2 efficiency=16 mhz=5700,4400", kinds{hwdetect.Performance: 8, hwdetect.Efficiency: 16}},
		{"performance=4x1 efficiency=4 lowpower=0 mhz=5100,3500", kinds{hwdetect.Performance: 4, hwdetect.Efficiency: 4}},
		{"performance=6x2 efficiency=8 lowpower=2 mhz=4800,3800,2500", kinds{hwdetect.Performance: 6, hwdetect.Efficiency: 8, hwdetect.LowPower: 2}},
		{"cores=8 threads=2 mhz=5000", kinds{hwdetect.Uniform: 8}},
		{"cores=4 threads=1", kinds{hwdetect.Uniform: 4}},
		{"cores=4 threads=2 packages=2", kinds{hwdetect.Uniform: 8}},
		// The best cores of a kind are a little faster: no other kind.
		{"cores=4 mhz=5700\nfile sys/devices/system/cpu/cpu3/cpufreq/cpuinfo_max_freq 5500000", kinds{hwdetect.Uniform: 4}},
	} {
		f := read(t, "cpu intel CPU family=6 "+c.cpu+"\n")
		got := kinds{}
		total := 0
		for _, class := range f.CPU.Classes {
			got[class.Kind] = class.Cores
			total += len(class.Threads)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.cpu, d)
		}
		if total != f.CPU.Threads.Or(0) || f.CPU.Hybrid != hwdetect.Is(len(c.want) > 1) {
			t.Errorf("%s: %d threads of %v, hybrid %v", c.cpu, total, f.CPU.Threads, f.CPU.Hybrid)
		}
	}
}

func TestFirmware(t *testing.T) {
	for text, want := range map[string]string{
		"bios\n":                        "false not known false",
		"uefi 64\n":                     "true 64 false",
		"uefi 64 secureboot\n":          "true 64 true",
		"uefi 32\n":                     "true 32 false",
		"uefi 64 novars\n":              "true 64 not known", // PREEMPT_RT without efi=runtime
		"machine X chassis=3\nkernel 6": "false not known false",
	} {
		f := read(t, text+"\n").Firmware
		if got := f.UEFI.String() + " " + f.Bits.String() + " " + f.SecureBoot.String(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestDisksInUse(t *testing.T) {
	f := read(t, `pci 0000:00:17.0 8086:a352 class=010601 driver=ahci
pci 0000:00:14.0 8086:a36d class=0c0330
disk sda 1T on=0000:00:17.0 model=A serial=1 table=gpt
part 1 500G fs=linux_raid_member holder=md0
disk sdb 1T on=0000:00:17.0 model=B serial=2 table=gpt
part 1 500G fs=linux_raid_member
disk sdc 1T on=0000:00:17.0 model=C serial=3 fs=LVM2_member holder=dm-0:LVM-abc:vg-root
disk sdd 1T on=0000:00:17.0 model=D serial=4 fs=zfs_member label=tank
disk sde 1T on=0000:00:17.0 model=E serial=5 table=gpt
part 1 8G fs=swap mounted=swap
usb 2-1 0781:5581 on=0000:00:14.0 SanDisk Ultra speed=5000 serial=AA0101
if 0 08/06/50 driver=usb-storage
disk sdf 32G on=2-1 usb vendor=SanDisk model=Ultra fs=iso9660 label=REPRISE
disk nvme0n1 1T on=0000:00:17.0 model=F serial=6
disk mmcblk0 32G model=SD32G
`)
	in := map[string]bool{}
	for _, d := range f.Disks {
		in[d.Name] = d.InUse()
	}
	want := map[string]bool{"sda": true, "sdb": false, "sdc": true, "sdd": true, "sde": true, "sdf": false, "nvme0n1": false, "mmcblk0": false}
	if d := cmp.Diff(want, in); d != "" {
		t.Errorf("in use (-want +got):\n%s", d)
	}
	for _, d := range f.Disks {
		switch d.Name {
		case "sdb":
			if u := d.Partitions[0].Use; len(u) != 1 || u[0].Kind != hwdetect.UseMember {
				t.Errorf("member of an array that is not started: %+v", u)
			}
		case "sdf":
			if d.Transport.Or("") != "usb" || d.Path.Or("") != "2-1" || d.Serial.Or("") != "AA0101" || !hwdetect.IsTrue(d.Removable) || d.Content.Label.Or("") != "REPRISE" {
				t.Errorf("stick: %+v", d)
			}
		case "sda":
			if d.Transport.Or("") != "sata" {
				t.Errorf("transport of %s is %v", d.Name, d.Transport)
			}
		}
	}
}
