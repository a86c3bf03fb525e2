// Package program evaluates a user's Jsonnet program: somebody else's code,
// which may recurse or grow without end, and which must not read more than it
// was given.
//
// Words. A place is a line and column of the user's files. A path names a value
// in the result, such as users.users.rig.uid. The shown name of a file is how
// problems name it: as the user wrote it, or <reprise>/… for one of the files
// in this binary.
//
// Invariants.
//   - The program runs in a child process (this binary again, see Main) with
//     bounds on memory, processor time, wall time and output. Whatever way the
//     child dies of it becomes a problem of the user's file.
//   - It reads regular files below the directory of the first file, through
//     os.Root, and the library in this binary. It sees no environment, no
//     clock, no network.
//   - A value that fails is told and left out; the rest is still evaluated.
//   - A place is exact or absent. How it is found stands in sites.go.
package program
