package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"syscall"

	"reprise/store/realise"
)

// advised adds what to do about faults of the surroundings, which the package
// that met them cannot know: a mirror that does not answer, a full disk.
func (a *app) advised(err error) error {
	asked := new(url.Error)
	switch {
	case strings.Contains(err.Error(), "\n  do: "):
		return err
	case diskFull(err):
		return fmt.Errorf("%w\n  want: room on the disk (no space left on device)\n  do:   make room; reprise store gc removes what nothing needs from the store", err)
	case errors.As(err, &asked):
		return fmt.Errorf("%w\n  want: a mirror that answers\n  do:   look after the network, or name another mirror with --mirror URL; what has come is kept", err)
	case a.offline && strings.Contains(err.Error(), "offline: "):
		return fmt.Errorf("%w\n  want: what an earlier run has fetched\n  do:   run it once without --offline", err)
	}
	return err
}

// diskFull reports whether a full disk is behind err: in this process, in its
// database, or in a builder, of whose words there is only the log.
func diskFull(err error) bool {
	said := func(text string) bool {
		return strings.Contains(text, syscall.ENOSPC.Error()) || strings.Contains(text, "database or disk is full")
	}
	if errors.Is(err, syscall.ENOSPC) || said(err.Error()) {
		return true
	}
	build := new(realise.BuildError)
	if !errors.As(err, &build) || build.Log == "" {
		return false
	}
	f, openErr := os.Open(build.Log)
	if openErr != nil {
		return false
	}
	defer f.Close()
	const end = 4096 // bytes: the last lines of any builder of ours
	if info, err := f.Stat(); err == nil && info.Size() > end {
		f.Seek(-end, io.SeekEnd)
	}
	text, _ := io.ReadAll(io.LimitReader(f, end))
	return said(string(text))
}
