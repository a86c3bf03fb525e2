package layout

import (
	"fmt"
	"path"

	"github.com/dustin/go-humanize"
)

// RootRoom is free in the root file system: what a first boot needs on a disk
// that is no larger than the image (journal, keys, a temporary file), before
// or without growth. On the image it is a hole and takes no space.
const RootRoom int64 = 64 << 20 // bytes

// Numbers of ext4 with 4,096-byte blocks and 64-byte group descriptors.
// Source: Documentation/filesystems/ext4 of Linux 6.12.
const (
	ext4Block          = 4096
	ext4BlocksPerGroup = 8 * ext4Block // one block of bitmap
	ext4InodeBytes     = 256
	ext4DescBytes      = 64
	ext4FirstInode     = 12        // the first ten are reserved, 11 is lost+found
	ext4LostFound      = 4         // blocks that mke2fs gives lost+found
	ext4FastSymlink    = 60        // a shorter target lies in the inode
	ext4DirTail        = 12        // checksum at the end of each directory block
	ext4ExtentsInInode = 4         // more extents take a block of their own
	ext4ExtentsInBlock = 340       // (4096 − 12) / 12
	ext4ExtentBlocks   = 32768     // the longest extent
	ext4MaxBlocks      = 1<<32 - 1 // 16 TiB: what a file of the image may be
	ext4InodesPerGroup = 8192      // one for each 16 KiB, mke2fs's own ratio
	ext4GrowTo         = 2 << 40   // bytes
	ext4JournalBytes   = 64 << 20  // bytes
	ext4LeastLastGroup = 1024      // blocks: mke2fs drops a last group that its own tables would nearly fill
)

// Ext4 is the root file system, decided. It is made for growth: the ratio of
// inodes to blocks stays when it grows, group descriptors are reserved up to
// 2 TiB (beyond it the kernel goes on with meta_bg), and the journal, which
// never grows, is what mke2fs gives a file system of 8 GiB.
type Ext4 struct {
	UUID, HashSeed GUID
	Label          string
	BlockBytes     int64
	Blocks         int64 // size of the file system in blocks
	Inodes         int64
	InodeBytes     int64
	JournalMiB     int64
	GrowToBlocks   int64 // group descriptors are reserved for this size
}

// Bytes is the size of the file system.
func (e Ext4) Bytes() int64 { return e.Blocks * e.BlockBytes }

// ext4For computes the size of a file system that holds items and has room
// bytes free (RootRoom when 0). Blocks are counted, not guessed; 1/1024 is
// added for extents that an allocator may split.
func ext4For(items []Item, room int64) (Ext4, error) {
	if room == 0 {
		room = RootRoom
	}
	if room < 0 {
		return Ext4{}, fmt.Errorf("room of %d bytes in the root file system: want 1 or more, or 0 for %s", room, humanize.IBytes(uint64(RootRoom)))
	}
	content, inodes := ext4Content(items)
	content += content/1024 + 64
	content += ext4JournalBytes/ext4Block + 1
	content += roundUp(room, ext4Block) / ext4Block
	inodes += inodes/4 + 4096 // a first boot makes files too

	// Groups bring tables of their own, and tables bring groups: a few turns
	// until the size holds still.
	blocks, perGroup := content, int64(ext4InodesPerGroup)
	for {
		groups := (blocks + ext4BlocksPerGroup - 1) / ext4BlocksPerGroup
		perGroup = max(ext4InodesPerGroup, roundUp((inodes+groups-1)/groups, ext4Block/ext4InodeBytes))
		if perGroup > 8*ext4Block {
			blocks += ext4BlocksPerGroup // more inodes than bitmaps can count
			continue
		}
		// Whole MiB, so that nothing is left to grow into on the image's own size.
		need := roundUp(content+ext4Tables(groups, perGroup), mebibyte/ext4Block)
		if last := need % ext4BlocksPerGroup; last > 0 && last < ext4LeastLastGroup {
			need += ext4LeastLastGroup - last
		}
		if need <= blocks {
			break
		}
		blocks = need
	}
	if blocks > ext4MaxBlocks {
		return Ext4{}, fmt.Errorf("the root file system would need %s (%d blocks): at most 16 TiB", humanize.IBytes(uint64(blocks)*ext4Block), blocks)
	}
	groups := (blocks + ext4BlocksPerGroup - 1) / ext4BlocksPerGroup
	return Ext4{
		Label: "root", BlockBytes: ext4Block, Blocks: blocks,
		Inodes: groups * perGroup, InodeBytes: ext4InodeBytes,
		JournalMiB: ext4JournalBytes >> 20, GrowToBlocks: max(ext4GrowTo/ext4Block, blocks),
	}, nil
}

// ext4Content counts the blocks and inodes of items and of what every ext4
// has: the root directory and lost+found.
func ext4Content(items []Item) (blocks, inodes int64) {
	type directory struct{ blocks, used int64 }
	dirs := map[string]*directory{}
	var enter func(name string)
	open := func(name string) *directory {
		d := dirs[name]
		if d == nil {
			d = &directory{1, 24 + ext4DirTail} // "." and ".."
			dirs[name] = d
			inodes++
			if name != "." {
				enter(name)
			}
		}
		return d
	}
	enter = func(name string) {
		d, size := open(path.Dir(name)), 8+roundUp(int64(len(path.Base(name))), 4)
		if d.used+size > ext4Block {
			d.blocks, d.used = d.blocks+1, ext4DirTail
		}
		d.used += size
	}
	enter("lost+found")
	for _, item := range items {
		switch item.Kind {
		case Dir:
			open(item.Path)
			continue
		case File:
			n := roundUp(item.Size, ext4Block) / ext4Block
			blocks += n
			if extents := 2 + n/(ext4ExtentBlocks/8); extents > ext4ExtentsInInode {
				blocks += 1 + extents/ext4ExtentsInBlock
			}
			inodes++
		case Symlink:
			if item.Size >= ext4FastSymlink {
				blocks++
			}
			inodes++
		}
		enter(item.Path)
	}
	for _, d := range dirs {
		blocks += d.blocks
		if d.blocks > ext4ExtentsInInode {
			blocks += 1 + d.blocks/ext4ExtentsInBlock
		}
	}
	return blocks + ext4LostFound, inodes + ext4FirstInode
}

// ext4Tables counts the blocks that groups take for themselves.
func ext4Tables(groups, inodesPerGroup int64) int64 {
	const perDescBlock = ext4Block / ext4DescBytes
	descriptors := (groups + perDescBlock - 1) / perDescBlock
	most := int64(ext4GrowTo / ext4Block / ext4BlocksPerGroup / perDescBlock)
	total := groups * (2 + inodesPerGroup*ext4InodeBytes/ext4Block)
	for g := range groups {
		if hasBackup(g) {
			total += 1 + max(descriptors, most)
		}
	}
	return total + 1 // the resize inode's double indirect block
}

// hasBackup tells which groups hold a copy of the superblock and the group
// descriptors under sparse_super: 0, 1 and the powers of 3, 5 and 7.
func hasBackup(group int64) bool {
	if group <= 1 {
		return true
	}
	for _, base := range []int64{3, 5, 7} {
		n := group
		for n%base == 0 {
			n /= base
		}
		if n == 1 {
			return true
		}
	}
	return false
}
