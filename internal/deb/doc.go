// Package deb reads Debian's package formats: version numbers, relations
// between packages, deb822 stanzas, Packages indices and .deb archives. It
// also unpacks a .deb into a layer, without running any of its scripts.
//
// Words: a stanza is one paragraph of "Field: value" lines; an index
// (Packages) is a list of stanzas; a clause is one item of a relation field,
// a list of alternatives of which one is enough; a member is one file of the
// ar archive that a .deb is.
//
// Invariants:
//   - Bytes from outside are never trusted: every size is bounded before
//     memory or disk is taken for it, and every error says where it stands.
//   - Unpack writes below its destination only, and leaves nothing when it
//     fails.
//   - Everything but Unpack is pure: bytes in, values out.
//
// The formats are those of deb(5), deb-control(5), deb-version(5) and Debian
// Policy chapters 5 and 7. The readers are our own: pault.ag/go/debian covers
// versions and control files but cannot be fetched everywhere this is built,
// reflects over every stanza, and has no unpacker.
package deb
