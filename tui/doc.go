// Package tui is the installer for a person: screens on a terminal of 80
// columns and 24 lines or more, or plain questions and answers for a screen
// reader and for terminals that cannot place a cursor.
//
// Words. The [Session] is what was said so far and what is known of machine and
// medium. A step asks for some of it; it is a list of fields, which both ways
// of asking share. An order is a plan that a person has agreed to.
//
// Invariants:
//   - This package writes to no disk and reads none. What it wants done it asks
//     of [Actions].
//   - Actions.Run is called with a plan only after the plan was shown and the
//     serial number of its disk was typed.
//   - What was typed is kept when somebody goes back, until the installer ends.
//     Passphrase and password are shown only when somebody asks for it.
//   - Everything can be read without colour and in ASCII. The cursor of the
//     terminal stands where typing goes, for screen readers.
//   - Nothing of this package or of what it imports acts on its environment
//     before main: this program is setuid root in one of its roles, see package
//     passwdtool. That is why the screens are drawn with bubbletea alone: the
//     library beside it for colours and forms runs tmux from PATH when it is
//     loaded.
//
// What it leaves out: keys of serial lines, of ssh and of a session are those of
// the terminal at the other end, which nobody changes here.
package tui
