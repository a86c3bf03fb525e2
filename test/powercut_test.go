package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/internal/vm"
)

// A cut is a moment at which the power fails while a disk is written.
type cut struct {
	name    string
	entries int // of the log of writes are done
}

// everyCut in the environment asks for each step and twenty moments of the
// copy; else there is one cut, at some moment of the copy. See scripts/guests.
const everyCut = "REPRISE_TEST_POWER_CUTS"

const oneCut = "copy-store 1"

// copyCuts is how many moments of the copy are tried.
const copyCuts = 20

// TestPowerCuts records every write of one installation, makes disks of it as
// power cuts leave them, at each step and amid the copy, and installs anew on
// each from the same medium. What no flush had vouched for is lost in part.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	random := seed(t)
	m := newBox(t, box{firmware: vm.BIOS, bus: vm.Virtio}, nil)
	m.log = filepath.Join(m.dir, "writes.log")
	sparse(t, m.log, 0)
	moments := m.installed(t, m.install(t))
	f, err := os.Open(m.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // the cuts read it after this function
	length, _ := sizes(t, m.log)
	log, err := vm.ReadWriteLog(f, length)
	if err != nil {
		t.Fatal(err)
	}
	m.log = ""
	m.sound(t)
	m.boots(t) // a row of TestInstall that need not be installed twice

	var cuts []cut
	var copied [2]int // entries between which the copy runs
	for _, now := range moments {
		step, status := "", ""
		if _, err := fmt.Sscanf(now.line, "step=%s status=%s", &step, &status); err != nil {
			continue
		}
		at := log.Before(now.log)
		t.Logf("%s %s: after %d of %d writes", step, status, at, len(log.Entries))
		if step == "copy-store" {
			copied[map[string]int{"started": 0, "done": 1}[status]] = at
		}
		if status == "started" {
			cuts = append(cuts, cut{step, at})
		}
	}
	for i := range copyCuts {
		cuts = append(cuts, cut{fmt.Sprintf("copy-store %d", i+1), copied[0] + random.IntN(copied[1]-copied[0])})
	}
	cuts = append(cuts, cut{"at the end", len(log.Entries)})
	all := os.Getenv(everyCut) != ""
	for _, c := range cuts {
		if !all && c.name != oneCut {
			continue
		}
		chance := random.Uint64()
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			again := *m
			again.dir = t.TempDir()
			again.target, again.foreign = filepath.Join(again.dir, "target.img"), filepath.Join(again.dir, "foreign.img")
			copyFile(t, m.foreign, again.foreign)
			sparse(t, again.target, targetBytes)
			disk, err := os.OpenFile(again.target, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			luck := chance
			lost, err := log.Cut(disk, c.entries, func(sectors int64) int64 {
				luck = luck*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
				switch luck >> 62 {
				case 0:
					return 0
				case 1: // torn
					return int64(luck>>33) % (sectors + 1)
				}
				return sectors
			})
			disk.Close()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("the power fails after %d writes, and %d of them are lost in whole or in part", c.entries, lost)
			again.installed(t, again.install(t))
			again.sound(t)
			if !all {
				again.boots(t)
			}
			os.Remove(again.target)
		})
	}
}
