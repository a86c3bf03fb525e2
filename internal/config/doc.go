// Package config turns one Jsonnet file into a Config: the typed, complete
// description of a machine that every later step reads.
//
// Words. An option is one name that a file may set, such as
// "networking.hostName"; names are those of NixOS and musnix where they have
// one. A place is the line and column in the user's files where a value was
// written. A module is Go code that turns an option such as musnix.enable
// into the plain options it stands for (see Evaluate).
//
// Invariants.
//   - Every option is declared once, in options.go, with type, default, unit,
//     range, documentation and example. Documentation, man page, completion
//     and checks are made from that table.
//   - A Config that Evaluate returns is whole and right: all defaults filled
//     in, every value within its range, no contradiction known to this
//     package. What only the archive can tell (is there such a package, such
//     a time zone?) is checked later, by Config.Problem at the same places.
//   - All problems of a file are reported at once. A place is exact or absent,
//     never guessed.
//   - The user's program is evaluated by package program, within bounds.
//   - The same files give the same Config and the same Canonical bytes.
package config
