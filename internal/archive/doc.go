// Package archive is the way to Debian's package archive: where it is, what
// it holds today, and its files, each byte checked before use.
//
// Words: a base is the URL that dists/ and pool/ stand below; a suite is one
// list of packages with its own signature (trixie, trixie-updates,
// trixie-security); a Source says at which base a suite is found. InRelease
// is the signed list of a suite's indices; an index (Packages) lists packages
// with size and SHA-256.
//
// The chain of trust: the archive keys embedded here (see keys/README.md) →
// InRelease → index → .deb. Nothing is parsed before the link above it has
// vouched for it:
//   - of an InRelease only the text that a known key signed is read;
//   - it must be the suite that was asked for, dated at most a day ahead of
//     the clock, not expired, and not older than one that was seen before or
//     that the lock names;
//   - indices and packages are checked for size and SHA-256 while they are
//     written, and given out only when both are right.
//
// So a mirror is never trusted, and it does not matter whether it speaks
// http or https. No host is named here: bases come from the command line, the
// configuration or the machine's apt sources.
//
// Files below Client.Dir:
//
//	release/<base and suite, hashed>   the last good InRelease
//	index/<SHA-256>                    an uncompressed index, by its content
//	partial/<SHA-256>                  the start of a file, to be resumed
//
// All of it may be deleted at any time.
package archive
