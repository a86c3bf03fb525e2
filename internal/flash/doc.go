// Package flash writes an image to a stick, a card or a disk, and reads it
// back. A device that was written half, by whatever cause, starts nothing and
// says so when it is written again.
//
// Words: an image is the file that is written, compressed or not; a device is
// what is written to; a target is a device as a person chooses it, with what
// speaks against it.
//
// The order of writes, each step synced before the next begins:
//
//	1  the device's first 4 KiB: no boot code, no table, a note that says what
//	   is being written (see Marker); then zeros up to 1 MiB and in the last
//	   MiB, where other tables and superblocks may lie
//	2  the image from 1 MiB to its end, and the backup GPT at the device's end
//	3  all of that is read back past the caches and compared
//	4  the image's first MiB from its end: from 64 KiB on, then from 4 KiB on, then
//	   the first 4 KiB, each synced
//	5  the first MiB is read back and compared
//
// Invariants:
//
//   - Firmware finds boot code, a partition table or an El Torito catalogue
//     only on a device whose other bytes were compared before.
//   - Between steps 1 and 4 the note is there.
//   - Every byte of the image is read from the medium after it was written: by
//     direct access, or after the caches are dropped.
//
// The image's bytes are written as they are, but for its GPT where that moves
// its backup to the end of a larger device; see Move.
//
// Left out: asking and printing (the command's work), and writing to the disks
// of an installation (package installer).
package flash
