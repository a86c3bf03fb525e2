//go:build tools

package esp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf16"
)

// fatVolume reads a FAT32 as a loader does: by the first copy of the table, as
// far as the size of a file says.
//
// Source: Microsoft fatgen103.
type fatVolume struct {
	FS
	disk                 overlay
	table, data, cluster int64
	root                 uint32
}

func openFAT(o overlay) *fatVolume {
	boot, le := o.read(0, fatSector), binary.LittleEndian
	reserved, copies, length := int64(le.Uint16(boot[14:])), int64(boot[16]), int64(le.Uint32(boot[36:]))
	return &fatVolume{
		disk: o, table: reserved * fatSector, data: (reserved + copies*length) * fatSector,
		cluster: int64(boot[13]) * fatSector, root: le.Uint32(boot[44:]),
	}
}

// chain reads at most limit bytes from a cluster on; limit < 0 is all.
func (v *fatVolume) chain(cluster uint32, limit int64) ([]byte, error) {
	var out []byte
	for limit < 0 || int64(len(out)) < limit {
		if cluster < 2 || cluster >= 0x0ffffff0 {
			if limit < 0 {
				return out, nil
			}
			return out, fmt.Errorf("the chain ends at %d of %d bytes", len(out), limit)
		}
		if len(out) > fatBytes {
			return nil, errors.New("the chain is a circle")
		}
		out = append(out, v.disk.read(v.data+int64(cluster-2)*v.cluster, v.cluster)...)
		cluster = binary.LittleEndian.Uint32(v.disk.read(v.table+int64(cluster)*4/fatSector*fatSector, fatSector)[int64(cluster)*4%fatSector:]) & 0x0fffffff
	}
	return out[:limit], nil
}

// fatFile is an entry of a directory.
type fatFile struct {
	item
	cluster uint32
}

func (v *fatVolume) list(cluster uint32) ([]fatFile, error) {
	raw, err := v.chain(cluster, -1)
	if err != nil {
		return nil, err
	}
	var files []fatFile
	var long []uint16
	for le := binary.LittleEndian; len(raw) >= 32 && raw[0] != 0; raw = raw[32:] {
		e := raw[:32]
		switch {
		case e[0] == 0xe5:
			long = nil
		case e[11] == 0x0f:
			var part []uint16
			for _, at := range []int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30} {
				part = append(part, le.Uint16(e[at:]))
			}
			long = append(part, long...)
		default:
			name := strings.TrimRight(string(e[:8]), " ")
			if extension := strings.TrimRight(string(e[8:11]), " "); extension != "" {
				name += "." + extension
			}
			name = strings.ToLower(name)
			if end := slices.Index(long, 0); end >= 0 {
				long = long[:end]
			}
			if len(long) > 0 {
				name = string(utf16.Decode(long))
			}
			long = nil
			if name != "." && name != ".." && e[11]&8 == 0 {
				cluster := uint32(le.Uint16(e[20:]))<<16 | uint32(le.Uint16(e[26:]))
				files = append(files, fatFile{item{name, int64(le.Uint32(e[28:])), e[11]&0x10 != 0}, cluster})
			}
		}
	}
	return files, nil
}

// find walks to a file or directory.
func (v *fatVolume) find(name string) (fatFile, error) {
	at := fatFile{item{".", 0, true}, v.root}
	for part := range strings.SplitSeq(name, "/") {
		files, err := v.list(at.cluster)
		if err != nil {
			return fatFile{}, err
		}
		i := slices.IndexFunc(files, func(f fatFile) bool { return strings.EqualFold(f.name, part) })
		if i < 0 {
			return fatFile{}, fs.ErrNotExist
		}
		at = files[i]
	}
	return at, nil
}

func (v *fatVolume) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := v.find(name)
	if err != nil {
		return nil, err
	}
	files, err := v.list(at.cluster)
	var out []fs.DirEntry
	for _, f := range files {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, err
}

func (v *fatVolume) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := v.find(name)
	if err != nil {
		return nil, err
	}
	if f.size > limit {
		return nil, fmt.Errorf("%q has %d bytes", path.Base(name), f.size)
	}
	return v.chain(f.cluster, f.size)
}

func (v *fatVolume) Space() (Space, error) { return Space{Cluster: v.cluster}, nil }
