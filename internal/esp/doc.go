// Package esp keeps the boot entries, kernels and initrds of a machine's
// generations on its mounted EFI system partition.
//
// [Read] tells what is there, [Choose] what the loaders would start. [Make]
// decides what to change for a list of generations, [Bless] what ends a trial
// that went well, [SetDefault] what makes another generation the default;
// all three return a [Plan], which is data. [Apply] carries one out. What the
// files say is package bootentry's.
//
// # Invariants
//
// A power cut after any step leaves an ESP that starts what it would have
// started before the plan, or what it starts after it, kernel and initrd
// whole. The next plan clears away what the cut left.
//
//  1. What the loaders decide by changes inside one sector of a file that stays
//     where it is. Such a change needs no room: going back to another
//     generation works on a full ESP.
//  2. A kernel or initrd has its final name from its first byte, and counts for
//     whole only when an entry, or GRUB's menu in use, names it: those
//     are written once it is on stable storage.
//  3. A new entry is written under its final name, its kernel's line last;
//     before that line loaders pass over it. See package bootentry.
//  4. A kernel or initrd is removed when no entry names it, and after the
//     removal of the entries that did is on stable storage.
//  5. What the loaders would start, the default, what is on trial and what runs
//     are never removed to make room.
//
// Renaming is no such change on FAT: old and new name lie in sectors of their
// own, and a power cut can leave both or neither. So a new name is a new file,
// and the old one goes later. Files are renamed onto others only where a text that loaders read was
// written by another version of this program; [Dir.Rename] says what keeps
// FAT from losing both.
//
// # What it leaves alone
//
// Every file that is not of the form that package bootentry names, such as
// the boot loaders themselves, and those of other systems.
package esp
