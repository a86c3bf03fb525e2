// Package hwdetect reads what a machine is made of, as far as sound, disks and
// booting care: Read turns a tree of /sys and /proc into Facts.
//
// Words: a fact is what was read or follows from it without judgement; advice
// is made elsewhere. A fact that could not be read is "not known" (Known), and
// never an empty string or a zero. A card is what ALSA made; a device is what
// sits on a bus; a device may have no card, and a card may have no device.
//
// Invariants:
//   - Read touches nothing but the fs.FS it is given: the running machine, a
//     snapshot, and a made-up tree go the same way.
//   - Read never fails as a whole because a part is odd: missing directories,
//     unreadable files and nonsense leave single facts not known.
//   - The same tree gives the same Facts; all lists are sorted.
//   - Nothing is concluded from the index of a card, from its name alone, or
//     from PCI domain 0000.
//
// A snapshot (Pack, OpenSnapshot) holds just the files that Read looks at, with
// what names one single machine masked.
//
// On ghw: names of PCI devices come from its pci.ids database. Its readers are
// not used, because they take paths of the operating system and no fs.FS (so
// they can see neither a snapshot nor a record of what is read), stop at the
// first device without modalias, give up on links they do not know, and know
// nothing of bridges, MSI vectors, FireWire and cards. The tests hold our PCI,
// chassis and memory facts against ghw's on trees that both can read.
package hwdetect
