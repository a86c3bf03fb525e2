package layout

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/dustin/go-humanize"
)

// ESPMin keeps the ESP FAT32 on every disk and with every writer. FAT32 needs
// at least 65,525 clusters, and on a disk with 4,096-byte sectors no cluster
// is smaller than 4,096 bytes: 256 MiB and the tables. Up to 260 MiB mkfs.fat
// and go-diskfs take 512-byte clusters, which makes the tables eight times as
// large, so it is a little more than that.
// Source: Microsoft fatgen103, "FAT Type Determination"; mkfs.fat(8).
const ESPMin int64 = 264 << 20 // bytes

// DefaultGenerations is how many further generations the ESP has room for,
// each with a kernel and an initrd of its own as large as the largest given.
const DefaultGenerations = 4

// ESPRoom is free on the ESP beside its files and further generations, for
// boot entries and what a firmware update leaves there.
const ESPRoom int64 = 16 << 20 // bytes

// espMax is where go-diskfs's 16-bit count of FAT sectors ends with clusters
// of 4 KiB (filesystem/fat32/fat32.go:143 of v1.9.4): 65,535 sectors of 128
// clusters each are 32 GiB. 8 GiB is where the next cluster size begins.
const espMax int64 = 8 << 30 // bytes

// fatCluster is the cluster size from ESPMin to espMax.
const fatCluster = 4096

// espBytes is the size of an ESP for items: their clusters, those of
// directories, both tables, room for generations and ESPRoom; ESPMin at least.
func espBytes(items []Item, generations int) (int64, error) {
	if generations == 0 {
		generations = DefaultGenerations
	}
	if generations < 0 {
		return 0, fmt.Errorf("room for %d generations: want 1 or more, or 0 for %d", generations, DefaultGenerations)
	}
	var content, largest, second int64
	entries := map[string]int64{".": 0} // directory → bytes of its entries
	var directory func(name string)
	enter := func(name string) {
		directory(path.Dir(name))
		// One short entry and a long one for each 13 UTF-16 units.
		entries[path.Dir(name)] += 32 * (2 + int64(len(path.Base(name)))/13)
	}
	directory = func(name string) {
		if _, seen := entries[name]; !seen {
			entries[name] = 64 // "." and ".."
			enter(name)
		}
	}
	for _, item := range items {
		switch {
		case item.Kind == Dir:
			directory(item.Path)
			continue
		case item.Kind != File:
			return 0, fmt.Errorf("%q on the ESP is neither a file nor a directory: FAT holds no other", item.Path)
		case item.Size >= 4<<30:
			return 0, fmt.Errorf("%q is %s (%d bytes): a file on FAT32 is smaller than 4 GiB", item.Path, humanize.IBytes(uint64(item.Size)), item.Size)
		case item.Size > largest:
			largest, second = item.Size, largest
		case item.Size > second:
			second = item.Size
		}
		enter(item.Path)
		content += roundUp(item.Size, fatCluster)
	}
	for _, size := range entries {
		content += roundUp(max(size, 1), fatCluster)
	}
	pair := roundUp(largest, fatCluster) + roundUp(second, fatCluster)
	size := content + int64(generations)*pair + ESPRoom
	size += size/fatCluster*8 + 64<<10 // two tables of 4 bytes a cluster, reserved sectors
	size = max(roundUp(size, mebibyte), ESPMin)
	if size > espMax {
		return 0, fmt.Errorf("the ESP would need %s (%d bytes): at most %s", humanize.IBytes(uint64(size)), size, humanize.IBytes(uint64(espMax)))
	}
	return size, nil
}

func check(items []Item) error {
	for _, item := range items {
		if !fs.ValidPath(item.Path) || item.Path == "." {
			return fmt.Errorf("path %q is not relative and clean", item.Path)
		}
		if strings.ContainsRune(item.Path, 0) {
			return fmt.Errorf("path %q holds a NUL", item.Path)
		}
		for name := range strings.SplitSeq(item.Path, "/") {
			if len(name) > 255 {
				return fmt.Errorf("name %.40q… in %.40q… has %d bytes: at most 255", name, item.Path, len(name))
			}
		}
		if item.Size < 0 {
			return fmt.Errorf("%q has the size %d", item.Path, item.Size)
		}
	}
	return nil
}
