package image

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/fat32"

	"reprise/image/layout"
	"reprise/internal/progress"
)

// espLabel is the volume label of the ESP.
const espLabel = "ESP"

// fatChunk is how much is given to go-diskfs in one Write: it allocates anew
// and writes both tables for each.
const fatChunk = 4 << 20

// writeESP makes the FAT32 file system of the ESP.
func writeESP(ctx context.Context, image *os.File, p layout.Plan, files []File, task progress.Task) error {
	part := window{storage{image}, p.ESP.Offset(), p.ESP.Bytes()}
	fat, err := fat32.Create(part, part.size, 0, layout.Sector, espLabel, true)
	if err != nil {
		return err
	}
	if err := fillFAT(ctx, fat, files, task); err != nil {
		return err
	}
	return mendFAT(part, p.FATSerial)
}

// fatSystem is a FAT of any width as go-diskfs has it.
type fatSystem interface {
	Mkdir(path string) error
	OpenFile(path string, flag int) (filesystem.File, error)
}

// fillFAT writes files and the directories that they need, in byte order.
func fillFAT(ctx context.Context, fat fatSystem, files []File, task progress.Task) error {
	sorted := slices.Clone(files)
	slices.SortFunc(sorted, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	buffer := make([]byte, fatChunk)
	made := map[string]bool{".": true}
	for i, file := range sorted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i > 0 && strings.EqualFold(sorted[i-1].Path, file.Path) {
			return fmt.Errorf("%q is there twice", file.Path)
		}
		if dir := path.Dir(file.Path); !made[dir] {
			if err := fat.Mkdir("/" + dir); err != nil {
				return fmt.Errorf("make directory %q: %w", dir, err)
			}
			made[dir] = true
		}
		f, err := fat.OpenFile("/"+file.Path, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return fmt.Errorf("make %q: %w", file.Path, err)
		}
		if file.Size == 0 {
			continue
		}
		if err := copyContent(f, file.Source, file.Content, file.Size, buffer, task); err != nil {
			return fmt.Errorf("write %q: %w", file.Path, err)
		}
	}
	return nil
}

// mendFAT puts right what go-diskfs v1.9.4 leaves wrong, and sets what it
// cannot be told:
//
//   - ".." of a directory in the root must name cluster 0, not the root's own
//     cluster (filesystem/fat12/fat12.go:913);
//   - times of directory entries come from SOURCE_DATE_EPOCH in the
//     environment of the whole process, or from the clock
//     (util/timestamp/timestamp.go:14); here they are FAT's first day;
//   - the serial number is 0 (filesystem/fat32/fat32.go:101);
//   - the FSInfo sector claims not to know what is free
//     (filesystem/fat32/fat32.go:185);
//   - an empty file has a cluster (filesystem/fat12/fat12.go:551): it must
//     have none;
//   - in FAT16 a cluster is taken for the root directory, which lies before
//     the clusters (filesystem/fat16/fat16.go:159).
//
// It can go when go-diskfs does these.
func mendFAT(part window, serial uint32) error {
	boot := make([]byte, layout.Sector)
	if _, err := part.ReadAt(boot, 0); err != nil {
		return err
	}
	v, err := openVolume(part, boot)
	if err != nil {
		return err
	}
	if v.wide {
		err = v.mendDirectory(v.root, 0)
	} else if err = v.release(2); err == nil {
		err = v.mendEntries(v.rootAt, v.data-v.rootAt, 0, 0)
	}
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if !v.wide {
		le.PutUint32(boot[0x27:], serial)
		_, err := part.WriteAt(boot, 0)
		return err
	}

	var free uint32
	last := uint32(2)
	for i, next := range v.table[2:] {
		if next == 0 {
			free++
		} else {
			last = uint32(i) + 2
		}
	}
	le.PutUint32(boot[0x43:], serial)
	info := make([]byte, layout.Sector)
	if _, err := part.ReadAt(info, layout.Sector); err != nil {
		return err
	}
	le.PutUint32(info[488:], free)
	le.PutUint32(info[492:], last)
	for _, sector := range []int64{0, 6} { // the backup pair lies six sectors on
		if _, err := part.WriteAt(boot, sector*layout.Sector); err != nil {
			return err
		}
		if _, err := part.WriteAt(info, (sector+1)*layout.Sector); err != nil {
			return err
		}
	}
	return nil
}

// A volume is as much of FAT as mending it takes.
type volume struct {
	part         window
	wide         bool // FAT32, else FAT16
	table        []uint32
	tables       int64 // offset of the first of fatTables copies of the table
	tableBytes   int64
	rootAt       int64 // FAT16: offset of the root directory, which goes up to data
	data         int64 // offset of cluster 2
	clusterBytes int64
	root         uint32 // FAT32: cluster of the root directory
}

// openVolume reads the tables of the FAT whose boot sector is boot.
func openVolume(part window, boot []byte) (volume, error) {
	le := binary.LittleEndian
	v := volume{
		part:         part,
		clusterBytes: int64(boot[13]) * layout.Sector,
		tables:       int64(le.Uint16(boot[14:])) * layout.Sector,
		tableBytes:   int64(le.Uint16(boot[22:])) * layout.Sector, // FAT32 has 0 there
	}
	sectors := int64(le.Uint16(boot[19:]))
	if sectors == 0 {
		sectors = int64(le.Uint32(boot[32:]))
	}
	if v.wide = v.tableBytes == 0; v.wide {
		v.tableBytes = int64(le.Uint32(boot[36:])) * layout.Sector
		v.root = le.Uint32(boot[44:])
	}
	v.rootAt = v.tables + fatTables*v.tableBytes
	v.data = v.rootAt + int64(le.Uint16(boot[17:]))*fatEntry
	table := make([]byte, v.tableBytes)
	if _, err := part.ReadAt(table, v.tables); err != nil {
		return v, err
	}
	clusters := (sectors*layout.Sector - v.data) / v.clusterBytes
	v.table = make([]uint32, min(clusters+2, v.tableBytes/v.width()))
	for i := range v.table {
		if v.wide {
			v.table[i] = le.Uint32(table[4*i:]) & 0x0fffffff
		} else if v.table[i] = uint32(le.Uint16(table[2*i:])); v.table[i] >= 0xfff8 {
			v.table[i] |= 0x0fff0000 // the end of a chain, as FAT32 has it
		}
	}
	return v, nil
}

// width is that of an entry of the table, in bytes.
func (v volume) width() int64 {
	if v.wide {
		return 4
	}
	return 2
}

const (
	fatTables   = 2
	fatFirstDay = 1<<5 | 1 // 1980-01-01
	fatEntry    = 32
	fatLong     = 0x0f // attributes of a part of a long name
	fatDir      = 0x10
)

// mendDirectory goes through the directory that begins at cluster and all
// below it. parent is what its ".." must name.
func (v volume) mendDirectory(cluster, parent uint32) error {
	if cluster == v.root {
		parent = 0
	}
	self := cluster
	if self == v.root {
		self = 0 // how its children name it
	}
	for hops := 0; cluster >= 2 && cluster < 0x0ffffff8; hops++ {
		if hops > len(v.table) || int(cluster) >= len(v.table) {
			return fmt.Errorf("FAT: the chain of a directory leaves the table at cluster %d", cluster)
		}
		if err := v.mendEntries(v.data+int64(cluster-2)*v.clusterBytes, v.clusterBytes, self, parent); err != nil {
			return err
		}
		cluster = v.table[cluster]
	}
	return nil
}

// mendEntries mends size bytes of directory at an offset, and the directories
// below. self is how they name this one, parent what its ".." must name.
func (v volume) mendEntries(at, size int64, self, parent uint32) error {
	block := make([]byte, size)
	if _, err := v.part.ReadAt(block, at); err != nil {
		return err
	}
	for e := block; len(e) >= fatEntry && e[0] != 0; e = e[fatEntry:] {
		if e[11] == fatLong || e[0] == 0xe5 {
			continue
		}
		le := binary.LittleEndian
		e[13] = 0
		le.PutUint16(e[14:], 0)
		le.PutUint16(e[16:], fatFirstDay)
		le.PutUint16(e[18:], fatFirstDay)
		le.PutUint16(e[22:], 0)
		le.PutUint16(e[24:], fatFirstDay)
		child := uint32(le.Uint16(e[20:]))<<16 | uint32(le.Uint16(e[26:]))
		if e[11]&fatDir == 0 {
			if le.Uint32(e[28:]) == 0 && child != 0 {
				le.PutUint16(e[20:], 0)
				le.PutUint16(e[26:], 0)
				if err := v.release(child); err != nil {
					return err
				}
			}
			continue
		}
		switch name := string(e[:11]); name {
		case ".          ":
		case "..         ":
			le.PutUint16(e[20:], uint16(parent>>16))
			le.PutUint16(e[26:], uint16(parent))
		default:
			if err := v.mendDirectory(child, self); err != nil {
				return err
			}
		}
	}
	_, err := v.part.WriteAt(block, at)
	return err
}

// release frees the chain that begins at cluster, in every table.
func (v volume) release(cluster uint32) error {
	for cluster >= 2 && int(cluster) < len(v.table) {
		next := v.table[cluster]
		v.table[cluster] = 0
		for i := range int64(fatTables) {
			if _, err := v.part.WriteAt(make([]byte, v.width()), v.tables+i*v.tableBytes+int64(cluster)*v.width()); err != nil {
				return err
			}
		}
		cluster = next
	}
	return nil
}

// window is a part of a file as go-diskfs takes it, from 0 to size.
type window struct {
	storage
	start, size int64
}

var _ backend.Storage = window{}

func (w window) Writable() (backend.WritableFile, error) { return w, nil }

func (w window) ReadAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > w.size {
		return 0, io.ErrUnexpectedEOF
	}
	return w.storage.ReadAt(p, w.start+at)
}

func (w window) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > w.size {
		return 0, fmt.Errorf("write of %d bytes at %d leaves the partition of %d bytes: %w", len(p), at, w.size, io.ErrShortWrite)
	}
	return w.storage.WriteAt(p, w.start+at)
}
