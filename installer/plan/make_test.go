package plan

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/installer/answers"
	"reprise/internal/diag"
	"reprise/store/storepath"
)

var update = flag.Bool("update", false, "rewrite golden files")

const gib = 1 << 30

func storePath(t testing.TB, name string) storepath.Path {
	t.Helper()
	p, err := storepath.MakeText(name, []byte(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func medium(t testing.TB) *Medium {
	libc, system, other, tools, deps := storePath(t, "libc6"), storePath(t, "system-live-rig"), storePath(t, "system-studio"), storePath(t, "tools"), storePath(t, "builder")
	m := &Medium{
		Version: MediumVersion, Label: "REPRISE",
		Systems: []System{
			{Name: "live-rig", Path: system, Host: "live-rig", Closure: []storepath.Path{libc, system}},
			{Name: "studio", Path: other, Host: "studio", Closure: []storepath.Path{libc, other}},
		},
		Tools: Tools{Path: tools, Closure: []storepath.Path{libc, tools}},
		Paths: []Path{
			{Path: libc, Size: 600 << 20}, {Path: system, Size: 5 << 20, Refs: []storepath.Path{libc}},
			{Path: other, Size: 6 << 20, Refs: []storepath.Path{libc}}, {Path: tools, Size: 1 << 20}, {Path: deps, Size: 30 << 20},
		},
	}
	slices.SortFunc(m.Paths, func(a, b Path) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return m
}

// request is one that has a plan: a stick, a disk with Windows on it, an SSD.
func request(t testing.TB) Request {
	a := answers.Default()
	a.Profile, a.Host = "live-rig", "rig"
	a.Disk, a.Erase = answers.List{"S4EWNX0R"}, answers.List{"S4EWNX0R"}
	return Request{
		Answers: a,
		Machine: Machine{MemoryBytes: 8 * gib, Now: time.Date(2026, 12, 1, 10, 0, 0, 5, time.UTC), UEFI: true, MACs: []string{"52:54:00:12:34:56"}, Serial: "PF3XY"},
		Disks: []Disk{
			{Path: "/dev/sda", Model: "Ultra Fit", Serial: "4C53", SizeBytes: 16 * gib, SectorBytes: 512, Bus: "usb", Removable: true, Medium: true},
			{Path: "/dev/sdb", Model: "WDC WD10", Serial: "WD-1", SizeBytes: 1000 * gib, SectorBytes: 512, Partitions: []Partition{
				{Path: "/dev/sdb1", Holds: "vfat", Windows: true}, {Path: "/dev/sdb2", Holds: "ntfs"}}},
			{Path: "/dev/nvme0n1", Model: "Samsung SSD 970", Serial: "S4EWNX0R", SizeBytes: 500107862016, SectorBytes: 512},
		},
		Medium: medium(t), NotBefore: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		KernelBytes: 13 << 20, InitrdBytes: 40 << 20,
	}
}

func TestPlan(t *testing.T) {
	r := request(t)
	r.Machine.Now = time.Unix(5, 0)
	r.Answers.Encryption, r.Answers.FileSystem = answers.LUKS2, answers.Btrfs
	r.Answers.User = &answers.User{Name: "rig", PasswordHash: "$6$abcdefgh$" + strings.Repeat("x", 86), Keys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX a"}}
	r.Answers.TimeZone = "Europe/Berlin"
	for name, r := range map[string]Request{"plain": request(t), "encrypted": r} {
		p, err := Make(r)
		if err != nil {
			t.Fatal(err)
		}
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "xxxx") {
			t.Error("the hash of a password is in the plan")
		}
		for _, g := range []struct{ file, got string }{{"testdata/" + name + ".json", string(data)}, {"testdata/" + name + ".txt", p.Text(80)}} {
			if *update {
				if err := os.WriteFile(g.file, []byte(g.got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(g.file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), g.got); d != "" {
				t.Errorf("%s: %s", g.file, d)
			}
		}
	}
}

func TestSameRequestSamePlan(t *testing.T) {
	first, err := Make(request(t))
	if err != nil {
		t.Fatal(err)
	}
	later := request(t)
	later.Machine.Now = later.Machine.Now.Add(time.Hour)
	second, err := Make(later)
	if err != nil || second.ID != first.ID {
		t.Errorf("an hour later it is another installation: %v, %v", second, err)
	}
	moved := request(t)
	moved.Disks[2].Path, moved.Disks[1].Path = "/dev/nvme1n1", "/dev/sdc"
	if p, err := Make(moved); err != nil || p.ID != first.ID || p.Table.GUID != first.Table.GUID {
		t.Errorf("under another name the disk gets another installation: %v", err)
	}
	listed := request(t)
	listed.Answers.Host, listed.Answers.Machines = "rig-%02d", answers.List{"52:54:00:12:34:56"}
	one, err := Make(listed)
	if err != nil {
		t.Fatal(err)
	}
	listed.Answers.Machines = append(listed.Answers.Machines, "52:54:00:12:34:57")
	if p, err := Make(listed); err != nil || p.ID != one.ID {
		t.Errorf("with one more box in the list a finished one would be installed anew: %v", err)
	}
	for name, change := range map[string]func(*Request){
		"one more disk": func(r *Request) { r.Answers.Erase = append(r.Answers.Erase, "ANOTHER") },
		"what then":     func(r *Request) { r.Answers.Then = answers.PowerOff },
		"measured":      func(r *Request) { r.Answers.Measure = 30 },
		"again":         func(r *Request) { r.Answers.Again = true },
	} {
		r := request(t)
		change(&r)
		if p, err := Make(r); err != nil || p.ID != first.ID {
			t.Errorf("%s: a finished machine would be installed anew: %v", name, err)
		}
	}
	typed := request(t) // the same password has another hash whenever it is typed
	typed.Answers.User = &answers.User{Name: "a", PasswordHash: "$6$abcdefgh$" + strings.Repeat("x", 86)}
	withPassword, err := Make(typed)
	if err != nil {
		t.Fatal(err)
	}
	typed.Answers.User = &answers.User{Name: "a", PasswordHash: "$6$ijklmnop$" + strings.Repeat("y", 86)}
	if p, err := Make(typed); err != nil || p.ID != withPassword.ID {
		t.Errorf("with another hash it is another installation: %v", err)
	}
	for name, change := range map[string]func(*Request){
		"host": func(r *Request) { r.Answers.Host = "other" },
		"user": func(r *Request) {
			r.Answers.User = &answers.User{Name: "a", PasswordHash: "$6$abcdefgh$" + strings.Repeat("x", 86)}
		},
		"system": func(r *Request) { r.Answers.Profile = "studio" },
		"disk":   func(r *Request) { r.Answers.Disk, r.Answers.Erase = answers.List{"WD-1"}, answers.List{"WD-1"} },
	} {
		r := request(t)
		change(&r)
		p, err := Make(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if p.ID == first.ID || p.Table.GUID == first.Table.GUID && name != "user" {
			t.Errorf("%s: the same installation", name)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Request)
		want   string // what is told, in the field and text of one problem
	}{
		{"no disk", func(r *Request) { r.Disks = nil }, "disk is not there: this machine shows no disk"},
		{"only the stick", func(r *Request) { r.Disks = r.Disks[:1] }, "the only disk is /dev/sda (Ultra Fit, 4C53, 16 GiB), which the installer runs from"},
		{"too small", func(r *Request) { r.Disks[2].SizeBytes = 1 * gib }, "disk /dev/nvme0n1 is too small by "},
		{"mounted", func(r *Request) { r.Disks[2].Uses = []Use{{"/dev/nvme0n1p1", UseMount, "/mnt"}} }, "is in use: /dev/nvme0n1p1 is mounted at /mnt"},
		{"swap", func(r *Request) { r.Disks[2].Uses = []Use{{"/dev/nvme0n1p1", UseSwap, ""}} }, "/dev/nvme0n1p1 is swap"},
		{"RAID in use", func(r *Request) { r.Disks[2].Uses = []Use{{"/dev/nvme0n1p1", UseHolder, "/dev/md0"}} }, "/dev/nvme0n1p1 is a part of /dev/md0"},
		{"RAID", func(r *Request) { r.Disks[2].Holds = "linux_raid_member" }, "/dev/nvme0n1 is a member of a RAID"},
		{"LVM", func(r *Request) { r.Disks[2].Partitions = []Partition{{Path: "/dev/nvme0n1p2", Holds: "LVM2_member"}} }, "/dev/nvme0n1p2 is a member of an LVM volume group"},
		{"ZFS", func(r *Request) { r.Disks[2].Partitions = []Partition{{Path: "/dev/nvme0n1p2", Holds: "zfs_member"}} }, "a member of a ZFS pool"},
		{"read-only", func(r *Request) { r.Disks[2].ReadOnly = true }, "disk /dev/nvme0n1 is read-only"},
		{"odd sectors", func(r *Request) { r.Disks[2].SectorBytes = 4096 }, "disk /dev/nvme0n1 has sectors of 4096 bytes\n  want: a disk with logical sectors of 512 bytes"},
		{"wrong serial", func(r *Request) {
			r.Answers.Disk, r.Answers.Erase = answers.List{"/dev/nvme0n1"}, answers.List{"S4EWNXOR"}
		}, `erase is "S4EWNXOR", and the disk is /dev/nvme0n1 (Samsung SSD 970, S4EWNX0R, 466 GiB)`},
		{"a serial of none", func(r *Request) { r.Answers.Disk, r.Answers.Erase = answers.List{"S4EWNXOR"}, answers.List{"S4EWNXOR"} }, `disk is "S4EWNXOR", and no disk has this serial number`},
		{"the stick", func(r *Request) { r.Answers.Disk, r.Answers.Erase = answers.List{"4C53"}, answers.List{"4C53"} }, "the stick that the installer runs from"},
		{"the stick's path", func(r *Request) { r.Answers.Disk, r.Answers.Erase = answers.List{"/dev/sda"}, answers.List{"4C53"} }, "which the installer runs from"},
		{"two of one serial", func(r *Request) { r.Disks[1].Serial = "S4EWNX0R" }, "2 disks say that this is their serial number"},
		{"two serials", func(r *Request) {
			r.Answers.Disk, r.Answers.Erase = answers.List{"S4EWNX0R", "WD-1"}, answers.List{"S4EWNX0R", "WD-1"}
		}, "the machine has all of them"},
		{"two disks for only", func(r *Request) { r.Answers.Disk, r.Answers.Erase = answers.List{"only"}, answers.List{"only"} }, "the machine has 2 disks"},
		{"a stick for only", func(r *Request) {
			r.Disks = r.Disks[:2]
			r.Disks[1].Removable = true
			r.Answers.Disk, r.Answers.Erase = answers.List{"only"}, answers.List{"only"}
		}, "every disk can be removed or is read-only"},
		{"memory", func(r *Request) { r.Machine.MemoryBytes = 512 << 20 }, "memory is 512 MiB"},
		{"profile", func(r *Request) { r.Answers.Profile = "live-rgi" }, `profile is "live-rgi", which the medium does not carry`},
		{"an empty medium", func(r *Request) { r.Medium = &Medium{} }, "medium carries no system"},
		{"host", func(r *Request) { r.Answers.Host, r.Machine.Serial = "rig-{serial}", "" }, "this machine has no serial number"},
		{"bad answers", func(r *Request) { r.Answers.FileSystem = "xfs" }, `fileSystem is "xfs"`},
	} {
		r := request(t)
		test.change(&r)
		p, err := Make(r)
		if err == nil {
			t.Errorf("%s: there is a plan for %s", test.name, p.Disk.Path)
			continue
		}
		if _, ok := err.(diag.Problems); !ok || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v\nwant %q", test.name, err, test.want)
		}
		for _, p := range err.(diag.Problems) {
			if p.Want == "" || p.Do == "" {
				t.Errorf("%s: %v does not say what to do", test.name, p)
			}
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	r := request(t)
	r.Machine.MemoryBytes = 512 << 20
	r.Answers.Profile = "nothing"
	r.Answers.FileSystem = "xfs"
	r.Answers.Erase = answers.List{"S4EWNX0R"}
	r.Disks[2].Uses = []Use{{"/dev/nvme0n1p1", UseMount, "/mnt"}}
	_, err := Make(r)
	problems, _ := err.(diag.Problems)
	if len(problems) != 4 {
		t.Errorf("%d problems:\n%v", len(problems), err)
	}
}

// TestDisksWithoutSerial: the path is what is typed.
func TestDisksWithoutSerial(t *testing.T) {
	r := request(t)
	r.Disks = []Disk{r.Disks[0], {Path: "/dev/vda", SizeBytes: 20 * gib, SectorBytes: 512}}
	r.Answers.Disk, r.Answers.Erase = answers.List{"/dev/vda"}, answers.List{"/dev/vda"}
	if _, err := Make(r); err != nil {
		t.Error(err)
	}
	r.Answers.Disk, r.Answers.Erase = answers.List{"only"}, answers.List{"only"}
	if p, err := Make(r); err != nil || p.Disk.Path != "/dev/vda" {
		t.Error(p, err)
	}
}

func TestTooSmallSaysByHowMuch(t *testing.T) {
	r := request(t)
	r.Disks[2].SizeBytes = 1 << 30
	_, err := Make(r)
	m := regexp.MustCompile(`want: .* \((\d+) bytes\) at least`).FindStringSubmatch(fmt.Sprint(err))
	if m == nil {
		t.Fatal(err)
	}
	var need int64
	fmt.Sscan(m[1], &need)
	r.Disks[2].SizeBytes = need - 1
	if _, err := Make(r); err == nil {
		t.Errorf("%d bytes are enough", need-1)
	}
	r.Disks[2].SizeBytes = need
	if _, err := Make(r); err != nil {
		t.Errorf("%d bytes are said to be enough: %v", need, err)
	}
}

func TestNode(t *testing.T) {
	for disk, want := range map[string]string{"/dev/sda": "/dev/sda3", "/dev/nvme0n1": "/dev/nvme0n1p3", "/dev/mmcblk0": "/dev/mmcblk0p3", "/dev/vdb": "/dev/vdb3"} {
		if got := Node(disk, 3); got != want {
			t.Errorf("%s: %s, want %s", disk, got, want)
		}
	}
}

func TestNeeded(t *testing.T) {
	m := medium(t)
	names := func(paths []Path) (list []string) {
		for _, p := range paths {
			list = append(list, p.Path.Base()[33:])
		}
		slices.Sort(list)
		return list
	}
	if d := cmp.Diff([]string{"libc6", "system-live-rig"}, names(m.Needed(&m.Systems[0], false))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"builder", "libc6", "system-live-rig"}, names(m.Needed(&m.Systems[0], true))); d != "" {
		t.Error(d)
	}
}

var device = regexp.MustCompile(`/dev/[a-zA-Z0-9/_-]+`)

// TestNamesNoOtherDevice holds, for machines made by chance, that a plan's
// data names its disk, its partitions and its mapping alone; that partitions
// lie on the disk and do not meet; and that the medium is never chosen.
func TestNamesNoOtherDevice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := []string{"/dev/sd%c", "/dev/vd%c", "/dev/nvme%cn1", "/dev/mmcblk%c"}
	plans := 0
	for range 3000 {
		r := request(t)
		r.Disks = nil
		for i := range rng.IntN(5) {
			kind := kinds[rng.IntN(len(kinds))]
			letter := rune('a' + i)
			if strings.Contains(kind, "nvme") || strings.Contains(kind, "mmc") {
				letter = rune('0' + i)
			}
			d := Disk{Path: fmt.Sprintf(kind, letter), SizeBytes: rng.Int64N(64 * gib), SectorBytes: 512, Medium: rng.IntN(4) == 0, Removable: rng.IntN(4) == 0}
			if rng.IntN(5) == 0 {
				d.SectorBytes = 4096
			}
			if rng.IntN(3) > 0 {
				d.Serial = fmt.Sprintf("SER%d", rng.IntN(4))
			}
			for n := range rng.IntN(3) {
				d.Partitions = append(d.Partitions, Partition{Path: Node(d.Path, n+1), Windows: rng.IntN(3) == 0, Holds: []string{"", "ext4", "LVM2_member"}[rng.IntN(3)]})
			}
			if rng.IntN(6) == 0 {
				d.Uses = []Use{{Node(d.Path, 1), UseMount, "/x"}}
			}
			r.Disks = append(r.Disks, d)
		}
		choices := []string{answers.Only, "SER0", "SER1", "SER2"}
		for _, d := range r.Disks {
			choices = append(choices, d.Path)
		}
		choice := choices[rng.IntN(len(choices))]
		r.Answers.Disk, r.Answers.Erase = answers.List{choice}, answers.List{choice}
		if rng.IntN(2) == 0 {
			r.Answers.Encryption = answers.LUKS2
		}
		p, err := Make(r)
		if err != nil {
			continue
		}
		plans++
		chosen := r.Disks[slices.IndexFunc(r.Disks, func(d Disk) bool { return d.Path == p.Disk.Path })]
		if chosen.Medium || len(chosen.Uses) > 0 {
			t.Fatalf("%+v was chosen", chosen)
		}
		allowed := p.Devices()
		for i, d := range allowed[1:4] {
			if d != Node(chosen.Path, i+1) {
				t.Errorf("%s is no partition of %s", d, chosen.Path)
			}
		}
		bare := *p
		bare.Notes = nil // they may say which disks are left alone
		data, err := json.Marshal(&bare)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range device.FindAllString(string(data), -1) {
			if !slices.Contains(allowed, d) {
				t.Errorf("the plan for %s names %s", chosen.Path, d)
			}
		}
		end := int64(34)
		for _, part := range p.Table.Partitions() {
			if part.FirstLBA < end || part.LastLBA < part.FirstLBA || part.Offset()%(1<<20) != 0 {
				t.Errorf("partition %+v begins before %d", part, end)
			}
			end = part.LastLBA + 1
		}
		if end*512 > chosen.SizeBytes-33*chosen.SectorBytes {
			t.Errorf("the partitions end at %d of %d bytes", end*512, chosen.SizeBytes)
		}
	}
	if plans < 200 {
		t.Errorf("only %d of the machines had a plan", plans)
	}
}
