// Package squashfs writes squashfs 4.0 images of store paths, as a stream.
//
// An image holds many store paths, each under a name at its root, and is made
// in two steps. Pack brings every path into the cache, one file a path, with
// the path's blocks already compressed; what is there stays. It then decides
// where everything lies, so the size is known. WriteTo writes the image front
// to back into any io.Writer: the superblock, the cache files' blocks one
// after the other, the tables. An image of which one path has changed costs
// the compression of that path and a copy.
//
//	IMAGE                                   CACHE FILE, one for each path
//	 superblock           96 bytes           blocks of files and fragments ─┐
//	 blocks of path 1  ◀──copied─────────────────────────────────────────────┘
//	 blocks of path 2                        index  key, tree, block sizes,
//	 …                                              sums of each MiB of blocks
//	 inode table                             footer lengths, SHA-256 of the
//	 directory table                                index, magic
//	 fragment table
//	 export table
//	 id table
//	 zeros up to 4 KiB
//
// The words are those of squashfs. A block is up to BlockSize bytes of one
// file, compressed by itself. A fragment block holds several files that are
// smaller than a block; ours never holds files of two paths. A hole is a block
// of zeros, of which only the fact is kept.
//
// What holds:
//
//   - The image depends on the names, the trees in canonical form and the
//     options alone: not on the number of cores, on what the cache held, or on
//     whose files they are. Everything belongs to root, directories are 0555,
//     files 0444 or, with an owner's x bit, 0555, and the time is one second
//     after the epoch.
//   - Hard links are no part of a store path's content, so they take no part
//     here: files of equal content within a path share their blocks, each with
//     an inode of its own.
//   - A cache file is there whole or not at all. One that is damaged all the
//     same is made anew, be it found by Pack (the index) or by WriteTo (the
//     blocks); no damaged byte is written.
//   - Memory is bounded by the tree's names and by the number of cores, not by
//     the content.
//
// Extended attributes, devices, sockets and pipes are not written: a store has
// none. True owners and modes are in a view's metadata (internal/compose).
//
// Sources: Linux 6.12, fs/squashfs (squashfs_fs.h, and what it checks when it
// mounts); squashfs-tools 4.6.1 for what mksquashfs writes.
package squashfs
