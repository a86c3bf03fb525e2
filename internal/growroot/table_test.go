package growroot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

const mib = 1 << 20

// disk makes a file of size bytes with a GPT made for gptBytes.
func disk(t *testing.T, gptBytes, size int64, sector int, parts ...*gpt.Partition) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	table := &gpt.Table{
		LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true,
		GUID: "00112233-4455-8677-8899-AABBCCDDEEFF", Partitions: parts,
	}
	if err := table.Write(f, gptBytes); err != nil {
		t.Fatal(err)
	}
	return f
}

func part(number int, start, size int64, sector int) *gpt.Partition {
	return &gpt.Partition{
		Index: number, Start: uint64(start / int64(sector)), Size: uint64(size), End: uint64((start+size)/int64(sector)) - 1,
		Type: gpt.LinuxFilesystem, GUID: fmt.Sprintf("00112233-4455-8677-8899-%012d", number), Name: fmt.Sprint("p", number), Attributes: 4,
	}
}

func TestTable(t *testing.T) {
	for name, c := range map[string]struct {
		sector        int
		was, size     int64 // of the disk
		parts         [][2]int64
		number        int
		want          int64
		largeSizeMBR  bool
		wantUnchanged bool
	}{
		"larger disk":            {sector: 512, was: 64 * mib, size: 200 * mib, parts: [][2]int64{{mib, mib}, {2 * mib, 61 * mib}}, number: 2, want: 197 * mib},
		"sectors of 4096 bytes":  {sector: 4096, was: 64 * mib, size: 200 * mib, parts: [][2]int64{{mib, 62 * mib}}, number: 1, want: 198 * mib},
		"odd size":               {sector: 512, was: 64 * mib, size: 200*mib + 512*7, parts: [][2]int64{{mib, 62 * mib}}, number: 1, want: 198 * mib},
		"up to the next":         {sector: 512, was: 300 * mib, size: 300 * mib, parts: [][2]int64{{mib, 10 * mib}, {100 * mib, mib}}, number: 1, want: 99 * mib},
		"grown already":          {sector: 512, was: 64 * mib, size: 64 * mib, parts: [][2]int64{{mib, 62 * mib}}, number: 1, want: 62 * mib, wantUnchanged: true},
		"less than a MiB to win": {sector: 512, was: 64 * mib, size: 64*mib + 512*10, parts: [][2]int64{{mib, 62 * mib}}, number: 1, want: 62 * mib, wantUnchanged: true},
		"more than 2 TiB":        {sector: 512, was: 64 * mib, size: 3 << 40, parts: [][2]int64{{mib, 62 * mib}}, number: 1, want: 3<<40 - 2*mib, largeSizeMBR: true},
	} {
		t.Run(name, func(t *testing.T) {
			var parts []*gpt.Partition
			for i, p := range c.parts {
				parts = append(parts, part(i+1, p[0], p[1], c.sector))
			}
			f := disk(t, c.was, c.size, c.sector, parts...)
			before := head(t, f)
			for _, run := range []string{"first", "second"} {
				got, err := Table(f, c.size, c.sector, c.number, c.parts[c.number-1][0])
				if err != nil {
					t.Fatalf("%s run: %v", run, err)
				}
				if got != c.want {
					t.Errorf("%s run: %d bytes, want %d", run, got, c.want)
				}
			}
			table, err := gpt.Read(f, c.sector, c.sector)
			if err != nil {
				t.Fatal(err)
			}
			if !c.wantUnchanged {
				if err := table.Verify(f, uint64(c.size/int64(c.sector)*int64(c.sector))); err != nil {
					t.Error(err)
				}
			} else if before != head(t, f) {
				t.Error("the disk was written to")
			}
			for i, p := range table.Partitions {
				want := part(i+1, c.parts[i][0], c.parts[i][1], c.sector)
				if p.GUID != want.GUID || p.Name != want.Name || p.Attributes != want.Attributes || p.Start != want.Start {
					t.Errorf("partition %d is %+v, was %+v", i+1, p, want)
				}
			}
			if c.largeSizeMBR {
				mbr := head(t, f)
				if got := mbr[446+12 : 446+16]; got != "\xff\xff\xff\xff" {
					t.Errorf("the protective MBR counts %x sectors", got)
				}
			}
		})
	}
}

func head(t *testing.T, f *os.File) string {
	t.Helper()
	b := make([]byte, mib)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTableRefuses(t *testing.T) {
	f := disk(t, 64*mib, 128*mib, 512, part(1, mib, 60*mib, 512))
	if _, err := Table(f, 128*mib, 512, 2, mib); err == nil {
		t.Error("no error for a partition that is not there")
	}
	if _, err := Table(f, 128*mib, 512, 1, 2*mib); err == nil {
		t.Error("no error for a partition that begins elsewhere")
	}
	empty, err := os.Create(filepath.Join(t.TempDir(), "empty"))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	empty.Truncate(8 * mib)
	if _, err := Table(empty, 8*mib, 512, 1, mib); err == nil {
		t.Error("no error for a disk without a GPT")
	}
}

// cutDisk loses its power at the nth write: that write is torn in the middle
// and nothing after it reaches the disk.
type cutDisk struct {
	*os.File
	writes, last int
}

var errPower = errors.New("power cut")

func (d *cutDisk) WriteAt(p []byte, at int64) (int, error) {
	d.writes++
	if d.writes < d.last {
		return d.File.WriteAt(p, at)
	}
	if d.writes == d.last {
		// A disk writes whole sectors, but not all of them.
		d.File.WriteAt(p[:len(p)/2/512*512], at)
	}
	return 0, errPower
}

// TestPowerCut cuts the power at every write. What is left must be a valid
// table with the partition at its old or its new size, and the next run must
// end as if nothing had happened.
func TestPowerCut(t *testing.T) {
	const was, size, start = 64 * mib, 200 * mib, mib
	for last := 1; ; last++ {
		f := disk(t, was, size, 512, part(1, start, 62*mib, 512))
		cut := &cutDisk{File: f, last: last}
		_, err := Table(cut, size, 512, 1, start)
		if err == nil {
			if last < 5 {
				t.Errorf("only %d writes", last-1)
			}
			return
		}
		table, err := gpt.Read(f, 512, 512)
		if err != nil {
			t.Fatalf("after a cut at write %d: %v", last, err)
		}
		if got := table.Partitions[0].Size; got != 62*mib && got != 198*mib {
			t.Errorf("after a cut at write %d: the partition has %d bytes", last, got)
		}
		if got, err := Table(f, size, 512, 1, start); err != nil || got != 198*mib {
			t.Errorf("run after a cut at write %d: %d bytes, %v", last, got, err)
		}
		table, err = gpt.Read(f, 512, 512)
		if err != nil || table.RecoveredFromBackup {
			t.Errorf("run after a cut at write %d: %+v, %v", last, table, err)
		} else if err := table.Verify(f, size); err != nil {
			t.Errorf("run after a cut at write %d: %v", last, err)
		}
	}
}
