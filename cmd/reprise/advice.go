package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"syscall"
)

// advised adds what to do about faults of the surroundings, which the package
// that met them cannot know: a mirror that does not answer, a full disk.
func (a *app) advised(err error) error {
	asked, full := new(url.Error), noRoom(err)
	switch {
	case strings.Contains(err.Error(), "\n  do: "):
		return err
	case full != 0:
		return fmt.Errorf("%w\n  want: room on the disk (%s)\n  do:   make room; reprise store gc removes what nothing needs from the store", err, full.Error())
	case errors.As(err, &asked):
		return fmt.Errorf("%w\n  want: a mirror that answers\n  do:   look after the network, or name another mirror with --mirror URL; what has come is kept", err)
	case a.offline && strings.Contains(err.Error(), "offline: "):
		return fmt.Errorf("%w\n  want: what an earlier run has fetched\n  do:   run it once without --offline", err)
	}
	return err
}

// noRoom returns what is behind err when that is a full disk (ENOSPC) or a used
// up quota (EDQUOT), else 0: in this process, in its database, or in a builder,
// of whose words the error quotes the last.
func noRoom(err error) syscall.Errno {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
		if errors.Is(err, full) {
			return full
		}
	}
	return saysNoRoom(err.Error())
}

// saysNoRoom is noRoom for words: ours, SQLite's, and those of C programs, which
// begin with a capital.
func saysNoRoom(text string) syscall.Errno {
	text = strings.ToLower(text)
	switch {
	case strings.Contains(text, syscall.ENOSPC.Error()), strings.Contains(text, "database or disk is full"):
		return syscall.ENOSPC
	case strings.Contains(text, syscall.EDQUOT.Error()):
		return syscall.EDQUOT
	}
	return 0
}
