package layout

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDisk(t *testing.T) {
	id := Identify(SeedOf("system", "1"))
	p, err := Disk(Request{
		Identity: id,
		ESP:      []Item{{"EFI/BOOT/BOOTX64.EFI", File, 1 << 20}, {"reprise/kernel-1", File, 12 << 20}, {"reprise/initrd-1", File, 30 << 20}},
		Root:     []Item{{"nix", Dir, 0}, {"nix/store", Dir, 0}, {"nix/store/a", File, 400 << 20}, {"nix/store/b", Symlink, 80}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Plan{
		DiskGUID: id.Disk, FATSerial: id.FATSerial, SizeBytes: 809 << 20,
		BIOSBoot: Partition{1, TypeBIOSBoot, id.BIOSBoot, "bios-boot", 2048, 4095},
		ESP:      Partition{2, TypeESP, id.ESP, "ESP", 4096, 4096 + ESPMin/512 - 1},
		Root:     Partition{3, TypeLinux, id.Root, "root", 544768, 544768 + 542<<11 - 1},
		Ext4: Ext4{
			UUID: id.RootFS, HashSeed: id.HashSeed, Label: "root", BlockBytes: 4096, Blocks: 542 << 8, Inodes: 5 * 8192,
			InodeBytes: 256, JournalMiB: 64, GrowToBlocks: 1 << 29,
		},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// TestDiskIsNeverLarger holds the promise of the size: content, the stated
// margins, and a bounded rest for tables.
func TestDiskIsNeverLarger(t *testing.T) {
	for _, content := range []int64{0, 1, 100 << 20, 5 << 30, 200 << 30} {
		p, err := Disk(Request{Identity: Identify(SeedOf("x")), Root: []Item{{"f", File, content}}})
		if err != nil {
			t.Fatal(err)
		}
		margin := ESPMin + RootRoom + 64<<20 /* journal */ + 3<<20 /* GPT, BIOS boot, rounding */
		tables := int64(12<<20) + content/40                       // ext4's inode tables are 1/64, backups of descriptors
		if p.SizeBytes < content+margin || p.SizeBytes > content+margin+tables {
			t.Errorf("content of %d bytes: image of %d, want %d to %d", content, p.SizeBytes, content+margin, content+margin+tables)
		}
		at := int64(FirstLBA)
		for _, part := range p.Partitions() {
			if part.FirstLBA != at || part.Offset()%mebibyte != 0 || part.Bytes()%mebibyte != 0 {
				t.Errorf("partition %s lies at %d, %d bytes", part.Name, part.Offset(), part.Bytes())
			}
			at = part.LastLBA + 1
		}
		if at*Sector+backupBytes != p.SizeBytes {
			t.Errorf("the root ends at %d of %d bytes: it has to be the last", at*Sector, p.SizeBytes)
		}
	}
}

func TestESPHoldsGenerations(t *testing.T) {
	files := []Item{{"reprise/kernel-1", File, 12 << 20}, {"reprise/initrd-1", File, 90 << 20}, {"EFI/BOOT/BOOTX64.EFI", File, 1 << 20}}
	size, err := espBytes(files, 0)
	if err != nil {
		t.Fatal(err)
	}
	if need := int64(1+DefaultGenerations)*(102<<20) + ESPRoom; size < need || size > need+4<<20 {
		t.Errorf("ESP of %d bytes, want %d and a little", size, need)
	}
}

func TestDiskRefuses(t *testing.T) {
	id := Identify(SeedOf("x"))
	for want, r := range map[string]Request{
		"no identity":            {},
		"not relative and clean": {Identity: id, Root: []Item{{"../etc", Dir, 0}}},
		"absolute":               {Identity: id, Root: []Item{{"/etc", Dir, 0}}},
		"has the size -1":        {Identity: id, Root: []Item{{"a", File, -1}}},
		"at most 255":            {Identity: id, Root: []Item{{strings.Repeat("n", 256), File, 1}}},
		"smaller than 4 GiB":     {Identity: id, ESP: []Item{{"a", File, 4 << 30}}},
		"FAT holds no other":     {Identity: id, ESP: []Item{{"a", Symlink, 1}}},
		"at most 8.0 GiB":        {Identity: id, ESP: []Item{{"a", File, 3 << 30}, {"b", File, 3 << 30}}},
		"at most 16 TiB":         {Identity: id, Root: []Item{{"a", File, 1 << 44}}},
		"want 1 or more":         {Identity: id, RootRoom: -1},
	} {
		_, err := Disk(r)
		if want == "absolute" {
			want = "not relative and clean"
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	a, b := Identify(SeedOf("ab", "c")), Identify(SeedOf("a", "bc"))
	if a == b {
		t.Error("two seeds, one identity")
	}
	if a != Identify(SeedOf("ab", "c")) {
		t.Error("one seed, two identities")
	}
	seen := map[GUID]bool{}
	for _, g := range []GUID{a.Disk, a.BIOSBoot, a.ESP, a.Root, a.RootFS, a.HashSeed} {
		if seen[g] {
			t.Errorf("%s is there twice", g)
		}
		seen[g] = true
		parsed, err := ParseGUID(strings.ToUpper(g.String()))
		if err != nil || parsed != g {
			t.Errorf("ParseGUID(%s) = %s, %v", g, parsed, err)
		}
		if s := g.String(); s[14] != '8' || !strings.ContainsRune("89ab", rune(s[19])) {
			t.Errorf("%s is not a GUID of version 8", g)
		}
	}
	// These names are on disks: they must never change.
	if got, want := fmt.Sprint(a.Disk, " ", a.FATSerial), "1d3cbb3f-bc24-8983-a395-9507cf9c8869 2310797218"; got != want {
		t.Errorf("identity of a fixed seed: %s, want %s", got, want)
	}
}

func FuzzParseGUID(f *testing.F) {
	f.Add("c68e5da5-93a2-877c-83e5-c6d5368056e7")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGUID(s)
		if err == nil && g.String() != strings.ToLower(s) {
			t.Errorf("ParseGUID(%q) = %s", s, g)
		}
	})
}
