package flash

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
)

// stick is a removable device with one partition; change makes others of it.
func stick(change func(*hwdetect.Disk)) hwdetect.Disk {
	d := hwdetect.Disk{
		Name: "sdb", Model: hwdetect.Is("Ultra"), Vendor: hwdetect.Is("SanDisk"), Serial: hwdetect.Is("4C53"), SizeBytes: 16 << 30,
		BlockBytes: hwdetect.Is(512), Removable: hwdetect.Is(true), ReadOnly: hwdetect.Is(false), Transport: hwdetect.Is("usb"),
		Partitions: []hwdetect.Partition{{Name: "sdb1", Number: 1, SizeBytes: 15 << 30, Content: hwdetect.Content{Type: hwdetect.Is("vfat"), Label: hwdetect.Is("GIGS")}}},
	}
	if change != nil {
		change(&d)
	}
	return d
}

func internal(d *hwdetect.Disk) {
	d.Removable, d.Transport = hwdetect.Is(false), hwdetect.Is("nvme")
}

func used(kind hwdetect.UseKind, by string) func(*hwdetect.Disk) {
	return func(d *hwdetect.Disk) { d.Partitions[0].Use = []hwdetect.Use{{Kind: kind, By: by}} }
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*hwdetect.Disk)
		serial string
		image  int64
		want   []Reason
		says   string
	}{
		{name: "free stick"},
		{name: "by its serial number", serial: "4C53"},
		{name: "another's serial number", serial: "4C54", want: []Reason{Serial}, says: `has the serial number "4C53"`},
		{name: "serial number not known", change: func(d *hwdetect.Disk) { d.Serial = hwdetect.Known[string]{} }, serial: "4C53", want: []Reason{Serial}, says: "no serial number that is known"},
		{name: "WWID in its place", change: func(d *hwdetect.Disk) { d.Serial, d.WWID = hwdetect.Known[string]{}, hwdetect.Is("eui.01") }, serial: "eui.01"},
		{name: "as large", image: 16 << 30},
		{name: "too small", image: 16<<30 + 1, want: []Reason{TooSmall}, says: "too small by 1 bytes"},
		{name: "too small by much", image: 20 << 30, want: []Reason{TooSmall}, says: "too small by 4.0 GiB, 4,294,967,296 bytes"},
		{name: "internal", change: internal, want: []Reason{Internal}, says: "--serial 4C53"},
		{name: "internal, named", change: internal, serial: "4C53"},
		{name: "internal, wrongly named", change: internal, serial: "4C5", want: []Reason{Serial}},
		{name: "internal without a serial number", change: func(d *hwdetect.Disk) { internal(d); d.Serial = hwdetect.Known[string]{} }, want: []Reason{Internal}, says: "no serial number to name it by"},
		{name: "not known to be removable", change: func(d *hwdetect.Disk) { d.Removable = hwdetect.Known[bool]{} }, want: []Reason{Internal}},
		{name: "serial number of two words", change: func(d *hwdetect.Disk) { internal(d); d.Serial = hwdetect.Is("it's 5") }, want: []Reason{Internal}, says: `--serial 'it'\''s 5'`},
		{name: "read-only", change: func(d *hwdetect.Disk) { d.ReadOnly = hwdetect.Is(true) }, serial: "4C53", want: []Reason{ReadOnly}, says: "lock"},
		{name: "mounted", change: used(hwdetect.UseMounted, "/media/me/my gigs"), serial: "4C53", want: []Reason{Mounted}, says: "umount '/media/me/my gigs'"},
		{name: "mounted as a whole", change: func(d *hwdetect.Disk) { d.Use = []hwdetect.Use{{Kind: hwdetect.UseMounted, By: "/mnt"}} }, want: []Reason{Mounted}, says: "/dev/sdb is mounted"},
		{name: "system", change: used(hwdetect.UseMounted, "/"), serial: "4C53", want: []Reason{System}, says: "this system runs from"},
		{name: "internal system", change: func(d *hwdetect.Disk) { internal(d); used(hwdetect.UseMounted, "/home")(d) }, want: []Reason{System, Internal}},
		{name: "medium that was started", change: used(hwdetect.UseMounted, "/.reprise/medium"), want: []Reason{System}},
		{name: "boot partition", change: used(hwdetect.UseMounted, "/boot/efi"), want: []Reason{System}},
		{name: "swap", change: used(hwdetect.UseSwap, "swap"), serial: "4C53", want: []Reason{Swap}, says: "swapoff /dev/sdb1"},
		{name: "LVM", change: used(hwdetect.UseLVM, "vg-root"), serial: "4C53", want: []Reason{LVM}, says: "vg-root"},
		{name: "RAID", change: used(hwdetect.UseRAID, "md0"), serial: "4C53", want: []Reason{RAID}, says: "mdadm --stop /dev/md0"},
		{name: "encryption", change: used(hwdetect.UseCrypt, "luks-1"), serial: "4C53", want: []Reason{Mapper}, says: "cryptsetup close luks-1"},
		{name: "mapper", change: used(hwdetect.UseMapper, "x"), want: []Reason{Mapper}},
		{name: "ZFS", change: used(hwdetect.UseZFS, "tank"), want: []Reason{ZFS}},
		{name: "something", change: used(hwdetect.UseHeld, "drbd0"), want: []Reason{Held}, says: "drbd0"},
		{name: "some new use", change: used("new", "x"), want: []Reason{Held}},
		{name: "member of what is not started", change: used(hwdetect.UseMember, "LVM2_member")},
		{name: "below a loop device", change: func(d *hwdetect.Disk) { d.Name, d.Partitions[0].Name = "sdc", "sdc1" }, serial: "4C53", want: []Reason{Loop}, says: "losetup -d /dev/loop7"},
		{name: "everything", change: func(d *hwdetect.Disk) {
			used(hwdetect.UseMounted, "/mnt")(d)
			d.Use = []hwdetect.Use{{Kind: hwdetect.UseRAID, By: "md0"}}
			d.ReadOnly, d.Removable = hwdetect.Is(true), hwdetect.Is(false)
		}, image: 17 << 30, want: []Reason{RAID, Mounted, ReadOnly, Internal, TooSmall}},
	} {
		t.Run(c.name, func(t *testing.T) {
			targets := Targets(&hwdetect.Facts{Disks: []hwdetect.Disk{stick(c.change)}}, map[string]string{"/dev/loop7": "/dev/sdc1", "/dev/loop8": "/home/me/x"})
			refusals := targets[0].Refusals(c.serial, c.image)
			var got []Reason
			for _, r := range refusals {
				got = append(got, r.Reason)
				if r.Got == "" || r.Want == "" || r.Do == "" {
					t.Errorf("%+v does not say everything", r)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			err := targets[0].Problems(refusals)
			if (err != nil) != (len(c.want) > 0) || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v\nlacks %q", err, c.says)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	targets := Targets(&hwdetect.Facts{Disks: []hwdetect.Disk{stick(nil), stick(func(d *hwdetect.Disk) {
		d.Name, d.Partitions, d.Content.Type = "sdc", nil, hwdetect.Is("iso9660")
		d.Content.Label = hwdetect.Is("REPRISE")
	})}}, nil)
	if targets[0].Model.Or("") != "SanDisk Ultra" || targets[0].Name() != "sdb" {
		t.Errorf("%+v", targets[0])
	}
	if diff := cmp.Diff([][]string{{`vfat "GIGS" 15 GiB`}, {`iso9660 "REPRISE"`}}, [][]string{targets[0].Holds, targets[1].Holds}); diff != "" {
		t.Error(diff)
	}
	if got := BySerial(targets, "4C53"); len(got) != 2 {
		t.Errorf("%d devices have the serial number", len(got))
	}
	if got := BySerial(targets, ""); len(got) != 0 {
		t.Errorf("%d devices have no serial number", len(got))
	}
}

func TestReadLoops(t *testing.T) {
	got := readLoops(fstest.MapFS{
		"sys/block/loop3/loop/backing_file": {Data: []byte("/dev/sdb1\n")},
		"sys/block/loop4/loop/backing_file": {Data: []byte("/tmp/x (deleted)\n")},
		"sys/block/loop5/size":              {Data: []byte("0\n")},
	})
	if diff := cmp.Diff(map[string]string{"/dev/loop3": "/dev/sdb1", "/dev/loop4": "/tmp/x"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "stick"), filepath.Join(dir, "by-id")
	if err := os.WriteFile(file, make([]byte, 5000), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	listed := Target{Path: file, SizeBytes: 7}
	for _, name := range []string{file, link} {
		if got, err := Find([]Target{listed}, name); err != nil || got.SizeBytes != 7 {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
	if got, err := Find(nil, link); err != nil || got.Path != file || got.SizeBytes != 4608 || len(got.Refusals("", 0)) > 0 {
		t.Errorf("a file: %+v, %v", got, err)
	}
	for name, want := range map[string]string{
		dir: "is a directory", dir + "/none": "no such file", "/dev/null": "is no block device", "sdzz": "cannot be opened", "/dev/sdab": "write /dev/sdb",
	} {
		if _, err := Find([]Target{{Path: "/dev/sdb"}}, name); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "\n  do:   ") {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}
