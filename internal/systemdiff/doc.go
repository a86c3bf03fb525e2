// Package systemdiff tells what two systems differ in, and why something is
// there.
//
// # Words
//
// An About is what a system says of itself, in about.json: the options of the
// configuration with the places that set them, and the packages that they ask
// for. A System is that and what the store shows of it: packages with what
// their control files say, files of the view, paths with their sizes. A source
// is who gave a value: a place in a file, or another option that stands for it.
//
// # Places
//
// A place is FILE:LINE:COLUMN, with FILE relative to the directory of the
// configuration and empty for the configuration itself, so that the same
// configuration makes the same system wherever it lies and whatever it is
// called. Files that reprise ships are <reprise>/NAME.
//
// # What is left out
//
// What a program does when a unit has changed is for package unitdiff, which
// looks at units more closely. Files outside /etc that are no units follow from
// packages and are not compared.
//
// Nothing here touches the machine: contents of files come through a function.
package systemdiff
